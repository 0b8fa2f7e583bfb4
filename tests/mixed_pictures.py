"""A user's folder of mixed pictures, some broken, and a tiny model that has descriptions."""

import numpy as np
from PIL import Image

import clipsim
from clipsim.model.clip import DualEncoder
from clipsim.retrieval.caption_index import Describer

WORDS = ("dog", "cat", "red house", "blue car", "tall tree", "boat", "child", "old man", "hill")
POOL = tuple(f"a {a} beside a {b}" for a in WORDS for b in WORDS if a != b)
GOOD = (
    "animation.gif",
    "bitmap.bmp",
    "cmyk.jpg",
    "deep/er/tiny.png",
    "grey16.png",
    "photo.jpg",
    "transparent.png",
    "turned.jpg",
    "web.webp",
    "ünter ordner/фото 1.JPG",
)
BROKEN = ("broken/empty.jpg", "broken/text.jpg", "broken/truncated.png")


def mixed_pictures(folder):
    """Write the pictures `GOOD` and the files `BROKEN` into a folder."""
    (folder / "broken").mkdir(parents=True)
    for seed, name in enumerate(GOOD):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 4), dtype=np.uint8)
        picture = Image.fromarray(noise).resize((80, 60), Image.Resampling.BICUBIC)
        if name == "grey16.png":
            Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257).save(path)
        elif name == "transparent.png":
            picture.save(path)
        elif name == "cmyk.jpg":
            picture.convert("CMYK").save(path)
        elif name == "animation.gif":
            frames = [picture.convert("RGB"), picture.convert("RGB").rotate(180)]
            frames[0].save(path, save_all=True, append_images=frames[1:])
        elif name == "turned.jpg":
            turned = Image.Exif()
            turned[0x0112] = 6
            picture.convert("RGB").save(path, exif=turned)
        elif name == "deep/er/tiny.png":
            picture.convert("RGB").resize((1, 1)).save(path)
        else:
            picture.convert("RGB").save(path)
    (folder / "broken" / "empty.jpg").touch()
    (folder / "broken" / "text.jpg").write_text("no picture")
    whole = (folder / "transparent.png").read_bytes()
    (folder / "broken" / "truncated.png").write_bytes(whole[: len(whole) // 2])
    return folder


def described_checkpoint(folder, **settings):
    """Write the checkpoint of an untrained smoke model, with the descriptions `POOL`."""
    profile = clipsim.load_profile("smoke", **settings)
    DualEncoder(profile).save(folder, {"history": [{}] * (profile.epochs + 1), "data": "some"})
    Describer.of(profile, DualEncoder.load(folder), POOL).save(folder)
    return folder
