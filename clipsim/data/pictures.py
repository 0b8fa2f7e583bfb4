"""Pictures: which files are some, reading them as RGB, and the paper's preprocessing (sec. 4).

Preprocessing is 256×256 and the centre crop 224×224; the aspect ratio is not kept (256×256 as the
paper writes it). Normalisation belongs to the encoder and is applied there. A picture of any mode
becomes RGB: EXIF orientation is applied, transparency is laid on white, 16-bit greys are scaled
to 8 bits, an animation gives its first frame.
"""

import hashlib
import io
import json
import os
import re
import struct
import unicodedata
import warnings
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from tqdm.auto import tqdm

from clipsim.errors import BadInput
from clipsim.profile import CACHE
from clipsim.record import atomic_path

RESIZED = 256
CROPPED = 224
MAX_PIXELS = 100_000_000
# Pillow raises all of these on damaged files, depending on the format.
DAMAGED = (
    OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, RuntimeError,
    OverflowError, struct.error,
)  # fmt: skip
# Pillow tells these by their first bytes, but does not decode them.
NOT_DECODED = ("BUFR", "GRIB", "HDF5", "MPEG", "WMF")
OF_CAMERAS = {".avif", ".heic", ".heif", ".jfif"}  # pictures even where Pillow lacks the format
HIDDEN = (".", "__MACOSX")
NAMED_AT_MOST = 10
DEPTH = 3  # folders that a listing goes down: archives may lie unpacked as they came


class BadImageError(BadInput, ValueError):
    """A picture that cannot be read; the message names the file and says why."""


def read_picture(source, name=None):
    """Read an image file as RGB.

    Parameters
    ----------
    source : str, Path or binary file
    name : str, optional
        What messages call the picture; by default `source`.

    Returns
    -------
    PIL.Image.Image
        Mode RGB, upright, at its own size.

    Raises
    ------
    BadImageError
        If the file is missing, empty, truncated, no image, or has over `MAX_PIXELS` pixels.
    """
    name = name or source
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(source) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise Image.DecompressionBombError
                image.load()
                return as_rgb(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError:
        raise BadImageError(f"{name}: over {MAX_PIXELS:,} pixels; make it smaller") from None
    except DAMAGED as error:
        reason = _reason(error, Path(str(source)))
        raise BadImageError(f"{name}: not a readable image ({reason})") from None


def _reason(error, path):
    """What is wrong with a picture, without its name."""
    if isinstance(error, OSError) and error.errno:
        return f"[Errno {error.errno}] {error.strerror}"
    if path.is_file() and path.stat().st_size == 0:
        return "empty file"
    if not isinstance(error, UnidentifiedImageError):
        return str(error)
    suffix = path.suffix.lower()
    unknown = suffix in OF_CAMERAS - Image.registered_extensions().keys()
    return f"Pillow reads no {suffix} here; save it as JPEG" if unknown else "of no known format"


def as_rgb(image):
    """A PIL image of any mode as RGB; transparency is laid on white."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float64)
        scale = 255 / 65535 if values.max(initial=0) > 255 else 1
        image = Image.fromarray(np.clip(values * scale, 0, 255).round().astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def preprocessed(image):
    """The paper's preprocessing of a PIL image: uint8 array, shape (3, 224, 224), RGB."""
    resized = as_rgb(image).resize((RESIZED, RESIZED), Image.Resampling.BILINEAR)
    margin = (RESIZED - CROPPED) // 2
    box = (margin, margin, margin + CROPPED, margin + CROPPED)
    return np.asarray(resized.crop(box)).transpose(2, 0, 1).copy()


def jpeg(image, quality):
    """A PIL image as a JPEG file: bytes."""
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=quality)
    return file.getvalue()


@lru_cache(maxsize=1)
def picture_suffixes():
    """Suffixes of the formats that Pillow reads, and of cameras': a set, lower case, with dot."""
    Image.init()
    known = Image.registered_extensions().items()
    read = {suffix for suffix, kind in known if kind in Image.OPEN and kind not in NOT_DECODED}
    return read | OF_CAMERAS


def files_below(root, depth=None):
    """Paths of the files in a folder and in those below it, all or `depth` levels of them.

    Hidden ones are left out. Links are followed, but each folder is visited once. A folder that
    cannot be listed is given itself.
    """
    around, seen, locked = root.resolve(), set(), []
    walk = os.walk(root, onerror=lambda error: locked.append(error.filename), followlinks=True)
    for name, below, files in walk:
        folder, real = Path(name), Path(name).resolve()
        # A link to a folder around this one would bring in what nobody asked for.
        if real in seen or (real != around and around.is_relative_to(real)):
            below.clear()
            continue
        seen.add(real)
        is_deepest = len(folder.relative_to(root).parts) == depth
        visible = [] if is_deepest else [n for n in below if not n.startswith(HIDDEN)]
        below[:] = sorted(visible, key=lambda n: ((folder / n).is_symlink(), n))
        yield from (folder / n for n in sorted(files) if not n.startswith(HIDDEN))
    yield from map(Path, locked)


def pictures_below(root):
    """Paths of the pictures in a folder and in all below it, by suffix; none is opened.

    A folder that cannot be listed counts as one, and a link to nothing, so that both are named
    with the broken ones; a pipe, which would wait for ever, does not.
    """
    for path in files_below(root):
        is_picture = path.is_file() or not path.exists()
        if path.is_dir() or (is_picture and path.suffix.lower() in picture_suffixes()):
            yield path


class Listing:
    """What lies in a folder, `DEPTH` levels deep: `pictures` by file name (its `form`), `others`.

    Both in lists, the nearest first.
    """

    def __init__(self, root):
        self.pictures, self.others = defaultdict(list), []
        for path in sorted(files_below(root, DEPTH), key=lambda path: len(path.parts)):
            is_picture = path.suffix.lower() in picture_suffixes()
            (self.pictures[form(path.name)] if is_picture else self.others).append(path)

    def matching(self, pattern):
        """Files other than pictures whose whole name matches, in upper or lower case."""
        return [p for p in self.others if re.fullmatch(pattern, p.name, re.IGNORECASE)]

    def named(self, name):
        """The pictures of a name, which may begin with its folder; else those of its `form`."""
        candidates = self.pictures.get(form(name).rpartition("/")[2], ())
        alike = [path for path in candidates if form(f"/{path}").endswith("/" + form(name))]
        return [path for path in alike if f"/{path.as_posix()}".endswith(f"/{name}")] or alike


def form(name):
    """What the names of a file have in common on all systems: Unicode's form, case, slashes."""
    name = name.replace("\\", "/").removeprefix("./").casefold()
    return unicodedata.normalize("NFC", name)


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture in a file of its own."""

    path: Path

    def read(self):
        return read_picture(self.path)

    def stamp(self):
        """Changes when the file does: path, size, time of change."""
        try:
            status = self.path.stat()
        except OSError:  # a link to nothing; reading it says so
            return f"{self.path} missing"
        return f"{self.path} {status.st_size} {status.st_mtime_ns}"


@dataclass(frozen=True, slots=True)
class PictureRow:
    """A picture in a row of a Hugging Face data set (columns `image.bytes`, `image.path`)."""

    dataset: Any
    row: int
    name: str

    def read(self):
        cells = self.dataset[self.row]
        if cells["image.bytes"] is not None:
            return read_picture(io.BytesIO(cells["image.bytes"]), self.name)
        if cells["image.path"] is None:
            raise BadImageError(f"{self.name}: its row has no image")
        return read_picture(cells["image.path"])

    def stamp(self):
        return f"{self.dataset._fingerprint} {self.row}"


@dataclass(frozen=True)
class Pictures:
    """Reader of a data set's pictures: image id to an RGB picture."""

    sources: Mapping[str, PictureFile | PictureRow]

    def __call__(self, image_id):
        return self.sources[image_id].read()

    def stamp(self, image_ids):
        """Hexadecimal sha256 that changes when one of the pictures may have changed."""
        stamps = [f"{image_id} {self.sources[image_id].stamp()}" for image_id in image_ids]
        return hashlib.sha256("\n".join(stamps).encode()).hexdigest()


def checked(images, on_bad_image):
    """The data set without pictures that cannot be read, or an error that names the first.

    Every picture is decoded once; the verdict is kept and stands for as long as no file
    changes, so that only the first run waits.

    Parameters
    ----------
    images : CaptionedImages
        Whose `read_image` is a `Pictures`.
    on_bad_image : {"error", "skip"}
        "skip" leaves bad pictures out; `details["bad_images"]` counts and names them.
    """
    stamp = images.read_image.stamp(images.image_ids)
    bad = _faults(images, CACHE / "checked" / f"{stamp[:32]}.json")
    if bad and on_bad_image == "error":
        more = f" (and {len(bad) - 1:,} more)" if len(bad) > 1 else ""
        raise BadImageError(
            f"{next(iter(bad.values()))}{more}; mend it, or pass -p on_bad_image=skip"
        )
    report = {"count": len(bad), "first": list(bad)[:NAMED_AT_MOST]}
    return replace(
        images.subset([i for i, name in enumerate(images.image_ids) if name not in bad]),
        details={**images.details, "bad_images": report},
        pixels_key=stamp,
    )


def _faults(images, kept):
    """Bad image ids and what is wrong with each; from the file `kept` if that is there."""
    with suppress(OSError, ValueError):  # not there yet, or damaged
        return json.loads(kept.read_text(encoding="utf-8"))
    bad = {}
    for image_id in tqdm(images.image_ids, "checking pictures", disable=None, leave=False):
        try:
            images.read_image(image_id)
        except BadImageError as error:
            bad[image_id] = str(error)
    with atomic_path(kept) as temporary:
        temporary.write_text(json.dumps(bad), encoding="utf-8")
    return bad
