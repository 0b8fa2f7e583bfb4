"""Reading pictures, and the paper's preprocessing: 256×256, centre crop 224×224 (sec. 4).

The aspect ratio is not kept (256×256 as the paper writes it). Normalisation belongs to the
encoder and is applied there. A picture of any mode becomes RGB: EXIF orientation is applied,
transparency is laid on white, 16-bit greys are scaled to 8 bits, an animation gives its
first frame.
"""

import struct
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from clipsim.errors import BadInput

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
