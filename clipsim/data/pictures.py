"""Where the pixels of a data set lie, and whether every picture can be read.

Reading pictures, and the paper's preprocessing: 256×256, centre crop 224×224 (sec. 4).

The aspect ratio is not kept (256×256 as the paper writes it). Normalisation belongs to the
encoder and is applied there. A picture of any mode becomes RGB: EXIF orientation is applied,
transparency is laid on white, 16-bit greys are scaled to 8 bits, an animation gives its
first frame.
"""

import hashlib
import io
import json
import struct
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps
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
                    raise BadImageError(
                        f"{name}: {width}×{height} is over {MAX_PIXELS:,} pixels; make it smaller"
                    )
                image.load()
                return as_rgb(ImageOps.exif_transpose(image))
    except BadImageError:
        raise
    except Image.DecompressionBombError:
        raise BadImageError(f"{name}: over {MAX_PIXELS:,} pixels; make it smaller") from None
    except DAMAGED as error:
        path = Path(str(source))
        empty = path.is_file() and path.stat().st_size == 0
        reason = "empty file" if empty else str(error).replace(str(source), "it")
        raise BadImageError(f"{name}: not a readable image ({reason})") from None


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


CHECKED_AT_ONCE = 2
NAMED_AT_MOST = 10


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
    """The data set without pictures that cannot be read, or an error that names them.

    Every picture is decoded once; the verdict is kept and stands for as long as no file
    changes, so that only the first run waits.

    Parameters
    ----------
    images : CaptionedImages
        Whose `read_image` is a `Pictures`.
    on_bad_image : {"error", "skip"}
        "skip" leaves bad pictures out; `details["bad_images"]` counts and names them. What a
        training picture showed stays among `absent_captions`.

    Returns
    -------
    CaptionedImages

    Raises
    ------
    BadImageError
        With "error", for the first bad picture.
    """
    stamp = images.read_image.stamp(images.image_ids)
    bad = _verdict(images, stamp)
    if bad and on_bad_image == "error":
        more = f" (and {len(bad) - 1:,} more)" if len(bad) > 1 else ""
        raise BadImageError(
            f"{next(iter(bad.values()))}{more}; mend it, or pass -p on_bad_image=skip"
        )
    good = [i for i, image_id in enumerate(images.image_ids) if image_id not in bad]
    lost = {
        image_id: captions
        for image_id, captions, split in zip(
            images.image_ids, images.captions, images.split, strict=True
        )
        if image_id in bad and split == "train"
    }
    report = {"count": len(bad), "first": list(bad)[:NAMED_AT_MOST]}
    return replace(
        images.subset(good),
        absent_captions={**images.absent_captions, **lost},
        details={**images.details, "bad_images": report},
        pixels_key=stamp,
    )


def _verdict(images, stamp):
    """Bad image ids and what is wrong with each; from the cache if nothing has changed."""
    path = CACHE / "checked" / f"{stamp[:32]}.json"
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))

    def fault(image_id):
        try:
            images.read_image(image_id)
        except BadImageError as error:
            return str(error)
        return None

    # Pillow decodes outside the interpreter lock, so threads help. Each picture silences
    # warnings for itself, which threads undo in any order: the outer block restores them.
    with warnings.catch_warnings(), ThreadPoolExecutor(CHECKED_AT_ONCE) as pool:
        faults = pool.map(fault, images.image_ids)
        faults = tqdm(faults, "checking pictures", len(images), disable=None, leave=False)
        try:
            bad = {i: why for i, why in zip(images.image_ids, faults, strict=True) if why}
        finally:
            pool.shutdown(cancel_futures=True)  # an interruption does not wait for the rest
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(bad), encoding="utf-8")
    return bad
