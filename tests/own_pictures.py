"""A user's folders of pictures, some broken, and tiny models with a checkpoint of their own."""

import numpy as np
from PIL import Image

import clipsim
from clipsim.model.clip import DualEncoder
from clipsim.retrieval.caption_index import Describer

WORDS = ("dog", "cat", "red house", "blue car", "tall tree", "boat", "child", "old man", "hill")
POOL = tuple(f"a {a} beside a {b}" for a in WORDS for b in WORDS if a != b)
GOOD = (
    "animation.gif", "bitmap.bmp", "cmyk.jpg", "deep/er/tiny.png", "grey16.png", "photo.jpg",
    "transparent.png", "turned.jpg", "web.webp", "ünter ordner/фото 1.JPG",
)  # fmt: skip
BROKEN = ("broken/empty.jpg", "broken/text.jpg", "broken/truncated.png")


def noise_pictures(folder, count, first=0):
    """Write `count` pictures of noise, named by number; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{first + i}.png" for i in range(count)]
    for i, path in enumerate(paths):
        pixels = np.random.default_rng(first + i).integers(0, 256, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return paths


def mixed_pictures(folder):
    """Write the pictures `GOOD` and the files `BROKEN` into a folder."""
    (folder / "broken").mkdir(parents=True)
    for seed, name in enumerate(GOOD):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 4), dtype=np.uint8)
        picture = Image.fromarray(noise).resize((80, 60), Image.Resampling.BICUBIC)
        options = {}
        if name == "grey16.png":
            picture = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
        elif name == "cmyk.jpg":
            picture = picture.convert("CMYK")
        elif name != "transparent.png":
            picture = picture.convert("RGB")
        if name == "animation.gif":
            options = {"save_all": True, "append_images": [picture.rotate(180)]}
        elif name == "turned.jpg":
            options["exif"] = Image.Exif()
            options["exif"][0x0112] = 6
        elif name == "deep/er/tiny.png":
            picture = picture.resize((1, 1))
        picture.save(path, **options)
    whole = (folder / "transparent.png").read_bytes()
    for name, content in zip(BROKEN, (b"", b"no picture", whole[: len(whole) // 2]), strict=True):
        (folder / name).write_bytes(content)
    return folder


def tiny_checkpoint(folder, **overrides):
    """Write the checkpoint of an untrained smoke model, and return the model loaded from it."""
    profile = clipsim.load_profile("smoke", **overrides)
    history = [{"epoch": i, "mean_recall": 0.0} for i in range(profile.epochs + 1)]
    DualEncoder(profile).save(folder, {"history": history, "epoch": 0, "data": "some"})
    return DualEncoder.load(folder)


def described_checkpoint(folder, **overrides):
    """`tiny_checkpoint` with the descriptions `POOL` beside it; the folder."""
    model = tiny_checkpoint(folder, **overrides)
    Describer.of(model.profile, model, POOL).save(folder)
    return folder
