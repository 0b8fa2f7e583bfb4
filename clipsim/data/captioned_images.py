"""`CaptionedImages` and `LabelledPairs`: the two things that every data set becomes."""

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image

from clipsim.data.pictures import preprocessed
from clipsim.errors import BadInput

SPLITS = ("train", "val", "test", "rated")
SOURCES = ("expert", "crowd", "vsts", "")  # who judged pairs; the first one is the headline
THREADS = 4  # that read or draw pictures: most of it is done without Python's lock
PAIR_COLUMNS = ("id_a", "id_b", "similar", "graded", "kind", "split", "source")


class DataError(BadInput, ValueError):
    """Data that cannot be used; the message is one line: what, where, what to do."""


@dataclass(frozen=True)
class CaptionedImages:
    """Images with their captions and splits; pixels are read on demand.

    Attributes
    ----------
    name : str
        What the data are, e.g. "OpenMoji scenes", "Flickr8k".
    image_ids : tuple of str, length M
    captions : tuple of tuple of str, length M
        The captions of each image, as documented by its reader.
    split : array of str, shape (M,)
        One of "train", "val", "test"; "rated" for images of pairs that people rated side by side
        (vSTS), which nothing may learn from; "" for an image that no split uses.
    read_image : callable
        Image id to a PIL image of any size and mode.
    absent_captions : mapping of str to tuple of str
        Captions of *training* images that are not on disk (descriptions need no picture).
    details : dict
        What the reader found: layout, counts, repairs. Plain values, for reports.
    scenes : mapping of str to Scene
        The scene behind each image, where the images are composed; else empty.
    pixels_key : str
        Changes whenever the pixels of some image may have changed (file names, sizes and
        times; or scenes and how they are drawn), so that features can be cached.
        Empty: never cache.
    """

    name: str
    image_ids: tuple[str, ...]
    captions: tuple[tuple[str, ...], ...]
    split: np.ndarray
    read_image: Callable[[str], Image.Image]
    absent_captions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    scenes: Mapping[str, Any] = field(default_factory=dict)
    pixels_key: str = ""

    def __post_init__(self):
        if not len(self.image_ids) == len(self.captions) == len(self.split):
            raise DataError(f"{self.name}: image_ids, captions and split differ in length")
        if len(set(self.image_ids)) != len(self.image_ids):
            raise DataError(f"{self.name}: image ids repeat")

    def __len__(self):
        return len(self.image_ids)

    def indices(self, split):
        """Positions of the images of a split, in order; int64, shape (M_split,)."""
        return np.flatnonzero(self.split == split)

    def position(self):
        """Mapping of image id to its position."""
        return {image_id: i for i, image_id in enumerate(self.image_ids)}

    def subset(self, indices):
        """The same data, reduced to the images at `indices`, in that order."""
        return replace(
            self,
            image_ids=tuple(self.image_ids[i] for i in indices),
            captions=tuple(self.captions[i] for i in indices),
            split=self.split[np.asarray(indices, dtype=int)],
        )

    def pixels(self, image_id):
        """The preprocessed picture (resize 256, centre crop 224): uint8, shape (3, 224, 224)."""
        return preprocessed(self.read_image(image_id))

    def pixel_batch(self, image_ids):
        """`pixels` of several images: uint8, shape (M, 3, 224, 224)."""
        # Each picture silences warnings for itself, which threads undo in any order.
        with warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as threads:
            return np.stack(list(threads.map(self.pixels, image_ids)))

    @property
    def fingerprint(self):
        """Hexadecimal sha256 of ids, captions and splits: equal data, equal fingerprint.

        Of composed images also of how they are drawn; a photograph's id stands for its pixels.
        """
        content = [self.image_ids, self.captions, self.split.tolist()]
        content += [sorted(self.absent_captions.items()), self.pixels_key if self.scenes else ""]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@dataclass(frozen=True)
class LabelledPairs:
    """Pairs of images that are known, or judged, to be similar or not.

    Attributes
    ----------
    id_a, id_b : array of str, shape (P,)
    similar : array of int8, shape (P,)
        1 similar, 0 not, -1 in between (kept for rank correlation, left out of accuracy).
    graded : array of float32, shape (P,)
        Graded similarity in [0, 1], higher is more alike.
    kind : array of str, shape (P,)
        What sort of pair, e.g. "same content, other layout"; "" where pairs have no kinds.
    split : array of str, shape (P,)
        "val" for pairs that choose settings or thresholds, "test" for reported ones whose
        threshold "val" chose, "cross" for reported ones whose thresholds are cross-fitted.
    source : array of str, shape (P,)
        Who judged: "expert", "crowd", "vsts"; "" where there is one source only.
    details : dict
        Counts and agreement, for reports.
    """

    id_a: np.ndarray
    id_b: np.ndarray
    similar: np.ndarray
    graded: np.ndarray
    kind: np.ndarray
    split: np.ndarray
    source: np.ndarray
    details: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        if len({len(getattr(self, name)) for name in PAIR_COLUMNS}) != 1:
            raise DataError("labelled pairs: columns differ in length")
        if (self.id_a == self.id_b).any():
            raise DataError("labelled pairs: an image is paired with itself")

    def __len__(self):
        return len(self.id_a)

    @property
    def image_ids(self):
        """Every image of some pair, once, sorted."""
        return sorted({*self.id_a.tolist(), *self.id_b.tolist()})

    @property
    def by_source(self):
        """A mask of the pairs of each source, by its name, in the order of `SOURCES`."""
        return {name: self.source == name for name in SOURCES if (self.source == name).any()}

    @property
    def counted(self):
        """A mask of the labelled pairs of the first source: experts' where several judged."""
        return (self.similar >= 0) & next(iter(self.by_source.values()))

    def positions(self, image_ids):
        """Where the two images of each pair are among some images: int64, shape (P, 2)."""
        position = {str(image_id): i for i, image_id in enumerate(image_ids)}
        columns = [[position[i] for i in ids.tolist()] for ids in (self.id_a, self.id_b)]
        return np.array(columns, dtype=np.int64).T

    def where(self, mask):
        """The pairs selected by a boolean mask or an index array."""
        return replace(self, **{name: getattr(self, name)[mask] for name in PAIR_COLUMNS})
