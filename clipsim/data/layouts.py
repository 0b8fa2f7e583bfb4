"""Folders of photographs: the layout is detected, the captions read, the pictures found.

A folder is searched three levels deep, so archives may lie unpacked as they came (Kaggle's
nest `flickr30k_images/flickr30k_images`). Splits come from, in this order: the caption file's
own column, the original's lists (`Flickr_8k.trainImages.txt`, `dev`, `test`), Karpathy's JSON
beside the caption file; where there is none, images are split 80/10/10 by a seed.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from clipsim.data.caption_files import (
    CaptionTable,
    delimited_table,
    file_text,
    karpathy_table,
    token_table,
)
from clipsim.data.captioned import SPLITS, CaptionedImages, DataError
from clipsim.data.listing import Listing
from clipsim.data.pictures import NAMED_AT_MOST, PictureFile, Pictures

KARPATHY = r"dataset_(?!info|dict)\w+\.json"
READERS = (
    (r"captions\.txt", delimited_table),
    (r"flickr8k\.token\.txt", token_table),
    (r"results\.csv", delimited_table),
    (r"results_\d+\.token", token_table),
    (r"captions\.csv", delimited_table),
    (KARPATHY, karpathy_table),
)
SPLIT_LIST = r".*{}images\.txt"
LISTS = {"train": "train", "dev": "val", "test": "test"}
HELD_OUT = 0.1
SEEDED = "seeded, 80/10/10 by image"


@dataclass(frozen=True)
class Collection:
    """Captions, splits and pictures of one data set; pictures may be missing.

    Attributes
    ----------
    name : str
    captions : mapping of str to tuple of str
        Of every captioned image, on disk or not.
    split : mapping of str to str
        Of every captioned image; "" where no split uses it.
    split_source : str
        Who made the splits; `SEEDED` where we did.
    pictures : mapping of str to PictureFile or PictureRow
        Of the captioned images that are on disk.
    details : dict
    """

    name: str
    captions: Mapping[str, tuple[str, ...]]
    split: Mapping[str, str]
    split_source: str
    pictures: Mapping[str, Any]
    details: dict[str, Any] = field(default_factory=dict)


def folder_collection(root, seed):
    """Detect the layout of a folder and read it.

    Parameters
    ----------
    root : Path
    seed : int
        Of the split, where none is published.

    Returns
    -------
    Collection

    Raises
    ------
    DataError
        No caption file, one that is damaged, captions that name no image in the folder, or
        one name for different pictures.
    """
    listing = Listing.of(root)
    path, reader = _caption_file(listing)
    table = reader(path)
    pictures = {}
    for name in table.captions:
        picture = listing.picture(name)
        if picture is not None:
            pictures[name] = PictureFile(picture)
    if not pictures:
        first = next(iter(table.captions))
        raise DataError(
            f"{path} names {len(table.captions):,} images, {first} the first, and none is in "
            f"{root}; put the photographs there, for example in {root / 'Images'}"
        )
    split, split_source = _splits(listing, table, seed)
    basenames = {name.rpartition("/")[2] for name in table.captions}
    details = {
        "layout": table.layout,
        "captions_file": str(path.relative_to(root)),
        "split_source": split_source,
        "pictures_without_captions": len(listing.pictures.keys() - basenames),
        "repairs": list(table.repairs),
    }
    name = collection_name(table.captions)
    return Collection(name, table.captions, split, split_source, pictures, details)


def captioned_images(collection):
    """The images of a collection that are on disk, sorted by id.

    Captions of training images that are not on disk become `absent_captions`; those of
    validation and test images are left out. `details` says what was found and what is missing.
    """
    captions, split = collection.captions, collection.split
    image_ids = sorted(collection.pictures)
    absent = sorted(captions.keys() - collection.pictures.keys())
    found = Counter(split[i] for i in image_ids)
    missing = Counter(split[i] for i in absent)
    details = {
        **collection.details,
        "images_with_captions": len(captions),
        "images_on_disk": len(image_ids),
        "captions": sum(len(captions[i]) for i in image_ids),
        "split": {**{s: found[s] for s in SPLITS}, "unsplit": found[""]},
        "missing": {
            "count": len(absent),
            "split": {**{s: missing[s] for s in SPLITS}, "unsplit": missing[""]},
            "first": absent[:NAMED_AT_MOST],
        },
    }
    return CaptionedImages(
        name=collection.name,
        image_ids=tuple(image_ids),
        captions=tuple(captions[i] for i in image_ids),
        split=np.array([split[i] for i in image_ids], dtype="<U5"),
        read_image=Pictures({i: collection.pictures[i] for i in image_ids}),
        absent_captions={i: captions[i] for i in absent if split[i] == "train"},
        details=details,
    )


def collection_name(names):
    """What the files' names say the data are: "Flickr8k", "Flickr30k" or "photographs"."""
    for name, pattern in (("Flickr8k", r"\d+_[0-9a-f]{8,}\.jpg"), ("Flickr30k", r"\d+\.jpg")):
        if all(re.fullmatch(pattern, n) for n in names):
            return name
    return "photographs"


def seeded_order(names, seed):
    """Names in an order that depends on the seed and each name alone: a list of str."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())


def seeded_split(names, seed):
    """Split of each name: a tenth each "test" and "val", the rest "train"."""
    order = seeded_order(names, seed)
    held_out = round(len(order) * HELD_OUT)
    labels = ["test"] * held_out + ["val"] * held_out
    labels += ["train"] * (len(order) - len(labels))
    return dict(zip(order, labels, strict=True))


def _caption_file(listing):
    for pattern, reader in READERS:
        found = listing.matching(pattern)
        if found:
            return found[0], reader
    raise DataError(
        f"{listing.root}: no captions found; expected captions.txt (Kaggle), Flickr8k.token.txt, "
        "results.csv, results_20130124.token, dataset_flickr8k.json or captions.csv"
    )


def _splits(listing, table: CaptionTable, seed):
    """Split of every captioned image, and who made it."""
    source = "the captions' own"
    split = table.split
    if split is None:
        source = "official lists"
        split = _listed(listing)
    if split is None:
        source = "Karpathy's"
        found = listing.matching(KARPATHY)
        split = karpathy_table(found[0]).split if found else None
    if split is None:
        return seeded_split(table.captions, seed), SEEDED
    if not any(split.get(name) for name in table.captions):
        raise DataError(
            f"{listing.root}: the splits ({source}) name none of the captioned images; "
            "remove the files that belong to another data set"
        )
    return {name: split.get(name, "") for name in table.captions}, source


def _listed(listing):
    """Splits of the original's lists, or None if there is no list."""
    split = {}
    for stem, label in LISTS.items():
        for path in listing.matching(SPLIT_LIST.format(stem))[:1]:
            for name in file_text(path).split():
                if split.setdefault(name, label) != label:
                    raise DataError(f"{path}: {name} is also listed as {split[name]}; keep one")
    return split or None
