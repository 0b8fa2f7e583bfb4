"""Where the pixels of a data set lie, and whether every picture can be read."""

import hashlib
import io
import json
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from clipsim.data.images import BadImageError, read_picture
from clipsim.paths import CACHE
from clipsim.results import atomic_path

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
