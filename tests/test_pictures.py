"""Pictures of every kind become RGB, bad ones say what is wrong, each is looked at once."""

import contextlib
import io
import os

import numpy as np
import photograph_folders as folders
import pytest
from PIL import Image, PngImagePlugin

from clipsim.data import BadImageError, preprocessed, read_picture
from clipsim.data import pictures as module
from clipsim.data.pictures import checked

RNG_SEED = 5


def picture(height=20, width=30, seed=RNG_SEED):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def saved(tmp_path, image, name="a.png", **options):
    path = tmp_path / name
    image.save(path, **options)
    return path


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA", "LA", "CMYK", "I;16", "I", "F"])
def test_any_mode_becomes_rgb(tmp_path, mode):
    image = picture().convert("L" if mode in ("I;16", "F", "LA") else "RGB").convert(mode)
    path = saved(tmp_path, image, "a.tif")
    assert read_picture(path).mode == "RGB"
    assert preprocessed(read_picture(path)).shape == (3, 224, 224)
    assert preprocessed(image).dtype == np.uint8


def test_cmyk_keeps_its_colours(tmp_path):
    red = Image.new("RGB", (8, 8), (200, 30, 30)).convert("CMYK")
    colour = np.asarray(read_picture(saved(tmp_path, red, "a.jpg"))).mean((0, 1))
    assert colour == pytest.approx([200, 30, 30], abs=6)


def test_sixteen_bits_are_scaled_to_eight(tmp_path):
    values = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    grey = np.asarray(read_picture(saved(tmp_path, Image.fromarray(values))))
    assert (grey == np.arange(256).reshape(16, 16, 1)).all()


def test_transparency_is_laid_on_white(tmp_path):
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert (np.asarray(read_picture(saved(tmp_path, clear))) == 255).all()
    half = Image.new("LA", (4, 4), (0, 128))
    assert np.asarray(read_picture(saved(tmp_path, half))).mean() == pytest.approx(127, abs=1)
    indexed = Image.new("P", (4, 4), 0)
    path = saved(tmp_path, indexed, "b.gif", transparency=0)
    assert (np.asarray(read_picture(path)) == 255).all()


def test_an_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (6, 6), colour) for colour in ("red", "blue")]
    path = saved(tmp_path, frames[0], "a.gif", save_all=True, append_images=frames[1:])
    assert read_picture(path).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, picture(20, 30), "a.jpg", exif=exif)
    assert read_picture(path).size == ((30, 20) if orientation <= 4 else (20, 30))


def test_the_papers_preprocessing():
    image = picture(300, 400)
    resized = np.asarray(image.resize((256, 256), Image.Resampling.BILINEAR))
    assert (preprocessed(image) == resized[16:240, 16:240].transpose(2, 0, 1)).all()


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "tif", "webp", "bmp"])
@pytest.mark.parametrize("kept", [0, 1, 0.1, 0.9])
def test_truncated_pictures(tmp_path, suffix, kept):
    path = saved(tmp_path, picture(64, 64), f"a.{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: kept if kept in (0, 1) else int(kept * len(content))])
    with pytest.raises(BadImageError, match=rf"a\.{suffix}: not a readable image") as error:
        read_picture(path)
    assert "\n" not in str(error.value)
    assert ("empty file" in str(error.value)) == (kept == 0)


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "tif", "webp", "bmp", "avif", "blp"])
def test_damaged_bytes_read_or_say_so(tmp_path, suffix):
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"exif": exif} if suffix in ("jpg", "png", "webp", "tif") else {}
    image = picture(16, 16).convert("P") if suffix == "blp" else picture(16, 16)
    path = saved(tmp_path, image, f"a.{suffix}", **options)
    content = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    rng = np.random.default_rng(RNG_SEED)
    for _ in range(150):
        damaged = content.copy()
        where = rng.integers(0, min(len(content), 300), 4)
        damaged[where] = rng.integers(0, 256, 4)
        with contextlib.suppress(BadImageError):
            assert read_picture(io.BytesIO(damaged.tobytes())).mode == "RGB"


def test_pictures_too_large_are_not_decoded(tmp_path, monkeypatch):
    bomb = tmp_path / "bomb.png"
    with bomb.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        header = (60_000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
        PngImagePlugin.putchunk(file, b"IHDR", header)
        PngImagePlugin.putchunk(file, b"IDAT", b"")
    with pytest.raises(
        BadImageError, match=r"bomb\.png: over 100,000,000 pixels; make it smaller"
    ):
        read_picture(bomb)
    monkeypatch.setattr(module, "MAX_PIXELS", 500)
    with pytest.raises(BadImageError, match=r"a\.png: over 500 pixels"):
        read_picture(saved(tmp_path, picture(20, 30)))


# --- every picture of a data set --------------------------------------------------------------


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CACHE", tmp_path / "cache")


@pytest.fixture
def root(tmp_path):
    return folders.kaggle(tmp_path / "data")


def truncated(root, name):
    path = root / "Images" / name
    path.write_bytes(path.read_bytes()[:-300])


def test_bad_pictures_are_errors_or_counted_and_left_out(root):
    train, test = folders.names()[4], folders.names()[-1]
    truncated(root, train)
    with pytest.raises(BadImageError, match=f"{train}.*mend it, or pass -p on_bad") as error:
        checked(folders.read(root), "error")
    assert "more)" not in str(error.value)
    assert "\n" not in str(error.value)
    (root / "Images" / test).write_bytes(b"")
    with pytest.raises(BadImageError, match=r" \(and 1 more\); mend it"):
        checked(folders.read(root), "error")
    kept = checked(folders.read(root), "skip")
    assert set(folders.names()) - set(kept.image_ids) == {train, test}
    assert kept.details["bad_images"] == {"count": 2, "first": [train, test]}


def test_pictures_are_decoded_once(root, tmp_path, monkeypatch):
    folders.hugging_face(tmp_path / "saved")
    checked(folders.read(tmp_path / "saved"), "error")
    truncated(root, folders.names()[4])
    checked(folders.read(root), "skip")
    with monkeypatch.context() as patch:
        patch.setattr(module, "read_picture", None)
        assert checked(folders.read(root), "skip").details["bad_images"]["count"] == 1
        assert len(checked(folders.read(tmp_path / "saved"), "error")) == folders.N_IMAGES
    folders.write_picture(root / "Images" / folders.names()[4])
    os.utime(root / "Images" / folders.names()[4], ns=(0, 0))
    assert checked(folders.read(root), "skip").details["bad_images"]["count"] == 0


def test_an_interrupted_check_leaves_nothing(root, monkeypatch, tmp_path):
    def interrupted(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "read_picture", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checked(folders.read(root), "error")
    assert not list((tmp_path / "cache").rglob("*"))
