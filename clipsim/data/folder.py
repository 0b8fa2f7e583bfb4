"""A folder of pictures as people have it: every picture below it, by its relative path."""

import os
import re
from pathlib import Path

import numpy as np
from PIL import Image

from clipsim.data.captioned import CaptionedImages, DataError
from clipsim.data.pictures import PictureFile, Pictures

# Pillow tells these by their first bytes, but does not decode them.
NOT_DECODED = ("BUFR", "GRIB", "HDF5", "MPEG", "WMF")
HIDDEN = (".", "__MACOSX")


def picture_folder(path):
    """The pictures of a folder and of all folders below it; none is opened.

    A picture is a file whose suffix, in upper or lower case, belongs to a format that Pillow
    reads. Hidden files and folders are left out. Links are followed, but each folder is visited
    once. A folder below that cannot be read counts as one picture, so that it is named with the
    broken ones.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    CaptionedImages
        Ids are paths relative to the folder, with `/`, in natural order (2.jpg before 10.jpg);
        there are no captions and no splits, and `read_image` is a `Pictures`.

    Raises
    ------
    DataError
        If the folder is missing, is none, cannot be read, or holds no picture.
    """
    root = Path(os.path.abspath(path))
    if not root.is_dir():
        wrong = "is a file" if root.exists() else "there is no such folder"
        raise DataError(f"{path}: {wrong}; name a folder of pictures")
    if not os.access(root, os.R_OK | os.X_OK):
        raise DataError(f"{path}: cannot be read (permission denied)")
    files = {_picture_id(file, root): PictureFile(file) for file in _pictures(root)}
    if not files:
        raise DataError(f"{path}: no picture in it or below it (.jpg, .png, .webp and so on)")
    ids = sorted(files, key=_natural)
    return CaptionedImages(
        name=str(path),
        image_ids=tuple(ids),
        captions=((),) * len(ids),
        split=np.full(len(ids), ""),
        read_image=Pictures(files),
    )


def picture_suffixes():
    """Suffixes of the formats that Pillow reads, in lower case, with their dot: a set."""
    Image.init()
    known = Image.registered_extensions().items()
    return {suffix for suffix, kind in known if kind in Image.OPEN and kind not in NOT_DECODED}


def _pictures(root):
    """Paths of the pictures below a folder; real folders before linked ones."""
    suffixes = picture_suffixes()
    real_root = root.resolve()
    folders, links, seen = [root], [], set()
    while folders or links:
        folder = folders.pop() if folders else links.pop(0)
        real = folder.resolve()
        # A link to a folder around this one would bring in what nobody asked for.
        if real in seen or (real != real_root and real_root.is_relative_to(real)):
            continue
        seen.add(real)
        try:
            entries = sorted(folder.iterdir())
        except OSError:
            yield folder
            continue
        for path in entries:
            if path.name.startswith(HIDDEN):
                continue
            if os.path.isdir(path):
                (links if path.is_symlink() else folders).append(path)
            # A link to nothing is named with the broken pictures; a pipe would wait for ever.
            elif path.suffix.lower() in suffixes and (
                os.path.isfile(path) or not os.path.exists(path)
            ):
                yield path


def _picture_id(path, root):
    """The relative path with `/`; bytes that are no UTF-8 are written out."""
    return os.fsencode(path.relative_to(root).as_posix()).decode(errors="backslashreplace")


def _natural(image_id):
    """Key that sorts numbers by value, folder by folder; the id itself where two would tie."""
    parts = [re.split(r"(\d+)", part.casefold()) for part in image_id.split("/")]
    numbered = [[int(t) if i % 2 else t for i, t in enumerate(part)] for part in parts]
    return numbered, image_id
