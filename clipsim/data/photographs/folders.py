"""Folders of photographs: found and read, merged, cut to what a profile asks for.

The layout of a folder is detected, its captions are read and its pictures found, three levels
deep, so that archives may lie unpacked as they came (Kaggle's nest
`flickr30k_images/flickr30k_images`). Splits come from, in this order: the caption file's own
column, the original's lists (`Flickr_8k.trainImages.txt`, `dev`, `test`), Karpathy's JSON beside
the caption file; where there is none, images are split 80/10/10 by a seed.

Flickr30k contains Flickr8k's photographs under other names. What both share is Flickr's photo
id, the part of the name before `_`. A data root with the folders `flickr8k` and `flickr30k`
holds both; they are merged by that id, so that no photograph counts twice and none that either
data set holds out is trained on.
"""

import filecmp
import hashlib
import os
import re
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from clipsim.data.captioned_images import CaptionedImages, DataError
from clipsim.data.photographs.caption_files import KARPATHY, READERS, file_text, karpathy_table
from clipsim.data.pictures import (
    NAMED_AT_MOST,
    Listing,
    PictureFile,
    Pictures,
    form,
    pictures_below,
)

SPLIT_LISTS = {"train": "train", "dev": "val", "test": "test"}
HELD_OUT_SHARE = 0.1
SEEDED = "seeded, 80/10/10 by image"
PARTS = ("flickr8k", "flickr30k")
PUBLISHED = ("train", "val", "test")


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


def photographs(profile):
    """The `CaptionedImages` of a profile's `data_root`; no picture is opened yet."""
    return capped(captioned_images(collection(profile)), profile.max_images, profile.seed)


def collection(profile):
    """The `Collection` behind `photographs`: captions and splits of missing pictures too."""
    if profile.data_root is None:
        raise DataError("this profile needs photographs: pass -p data_root=FOLDER")
    root, given = Path(profile.data_root).expanduser(), (profile.seed, profile.max_bad_rows)
    if not root.is_dir():
        raise DataError(f"data_root {root}: no such folder; pass -p data_root=FOLDER")
    parts = part_folders(root)
    if len(parts) < len(PARTS):
        return folder_collection(root, *given)
    both = [folder_collection(folder, *given) for folder in parts]
    return merged(*both) if profile.merge else side_by_side(*both)


def part_folders(root):
    """The folders `flickr8k` and `flickr30k` in `root`, in any case, those that exist."""
    folders = {path.name.lower(): path for path in sorted(root.iterdir()) if path.is_dir()}
    return [folders[part] for part in PARTS if part in folders]


def folder_captions(root):
    """Every caption of a folder, of Flickr8k's where both parts are there: name to captions."""
    return folder_collection(next(iter(part_folders(root)), root), seed=0).captions


def folder_collection(root, seed, max_bad_rows=0):
    """Detect the layout of a folder and read it; `seed` splits what has no published splits.

    Of a Hugging Face data set a share `max_bad_rows` of the captions may be missing.

    Raises
    ------
    DataError
        No caption file, one that is damaged, captions that name no image in the folder, or
        one name for different pictures.
    """
    from clipsim.data.photographs import huggingface

    if huggingface.is_dataset_folder(root):
        return huggingface.dataset_collection(root, seed, max_bad_rows)
    listing = Listing(root)
    tables = ((path, read) for pattern, read in READERS for path in listing.matching(pattern))
    path, reader = next(tables, (None, None))
    if path is None:
        raise DataError(
            f"{root}: no captions found; expected captions.txt (Kaggle), Flickr8k.token.txt, "
            "results.csv, results_20130124.token, dataset_flickr8k.json or captions.csv"
        )
    table = reader(path)
    found = {name: _picture(listing, name) for name in table.captions}
    if not any(found.values()):
        first = next(iter(found))
        raise DataError(
            f"{path} names {len(found):,} images, {first} the first, and none is in {root}; put "
            f"the photographs there, for example in {root / 'Images'}"
        )
    table = _one_name_each(table, found)
    pictures = {name: PictureFile(found[name]) for name in table.captions if found[name]}
    split, split_source = _splits(root, listing, table, pictures, seed)
    basenames = {form(name).rpartition("/")[2] for name in found}
    details = {
        "layout": table.layout,
        "captions_file": str(path.relative_to(root)),
        "split_source": split_source,
        "pictures_without_captions": len(listing.pictures.keys() - basenames),
        "repairs": list(table.repairs),
    }
    name = collection_name(table.captions)
    return Collection(name, table.captions, split, split_source, pictures, details)


def _one_name_each(table, found):
    """The table with one name for each picture, the first where forms differ."""
    first = {}
    names = {name: first.setdefault(found[name] or name, name) for name in table.captions}
    captions = {}
    for name, texts in table.captions.items():
        captions[names[name]] = captions.get(names[name], ()) + texts
    split = {}
    for name, label in (table.split or {}).items():
        if split.setdefault(names[name], label) != label:
            raise DataError(f"{name} and {names[name]} are one picture in two splits; keep one")
    return replace(table, captions=captions, split=split or None)


def _picture(listing, name):
    """Path of a picture, or None; archives may nest copies of it."""
    found = listing.named(name)
    for other in found[1:]:
        if not filecmp.cmp(found[0], other, shallow=False):
            raise DataError(
                f"{name} is the name of different pictures: {found[0]} and {other}; keep one"
            )
    return next(iter(found), None)


def _splits(root, listing, table, pictures, seed):
    """Split of every captioned image, and who made it; seeded ones are of the pictures here."""
    split, source = table.split, "the captions' own"
    if split is None:
        split, source = _listed(listing), "official lists"
    if split is None:
        found = listing.matching(KARPATHY)
        split, source = karpathy_table(found[0]).split if found else None, "Karpathy's"
    if split is None:
        return dict.fromkeys(table.captions, "train") | seeded_split(pictures, seed), SEEDED
    by_form = {form(name): label for name, label in split.items()}
    split = {n: split.get(n, by_form.get(form(n), "")) for n in table.captions}
    if not any(split.values()):
        raise DataError(
            f"{root}: the splits ({source}) name none of the captioned images; remove the files "
            "that belong to another data set"
        )
    return split, source


def _listed(listing):
    """Splits of the original's lists, or None if there is no list."""
    split = {}
    for stem, label in SPLIT_LISTS.items():
        for path in listing.matching(rf".*{stem}images\.txt")[:1]:
            for name in file_text(path).split():
                if split.setdefault(name, label) != label:
                    raise DataError(f"{path}: {name} is also listed as {split[name]}; keep one")
    return split or None


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
    held_out = round(len(order) * HELD_OUT_SHARE)
    labels = dict.fromkeys(order, "train") | dict.fromkeys(order[: 2 * held_out], "val")
    return labels | dict.fromkeys(order[:held_out], "test")


def photo_id(name):
    """Flickr's id of a photograph: "1000268201" of "1000268201_693b08cb0e.jpg".

    A name of another pattern stands for itself, so that no two pictures fall together.
    """
    found = re.fullmatch(r"(?:.*/)?(\d+)(_[0-9a-f]+)?\.jpg", name)
    return found[1] if found else name


def merged(first, second):
    """Two collections as one in which no photograph occurs twice.

    A photograph that both have keeps the first's name, every distinct caption and whichever
    picture is on disk. Its split is "test" or else "val" where either data set publishes so,
    whether or not that copy is on disk; seeded splits decide only where none is published.
    """
    copies_of = {}
    for part in (first, second):
        for name in part.captions:
            copies_of.setdefault(photo_id(name), []).append((part, name))
    captions, split, pictures = {}, {}, {}
    for copies in copies_of.values():
        _, name = copies[0]
        captions[name] = tuple(dict.fromkeys(c for part, n in copies for c in part.captions[n]))
        published = {part.split[n] for part, n in copies if part.split_source != SEEDED} - {""}
        splits = published or {part.split[n] for part, n in copies}
        split[name] = next((s for s in ("test", "val", "train") if s in splits), "")
        for part, other in copies:
            if other in part.pictures:
                pictures.setdefault(name, part.pictures[other])
    name = f"{first.name} + {second.name}"
    return Collection(name, captions, split, "of both", pictures, _details(first, second))


def side_by_side(first, second):
    """Two collections one after the other, as the paper counts them: duplicates leak."""
    columns = {"captions": {}, "split": {}, "pictures": {}}
    for folder, part in zip(PARTS, (first, second), strict=True):
        for column, values in columns.items():
            values.update({f"{folder}/{n}": v for n, v in getattr(part, column).items()})
    name = f"{first.name} and {second.name}, not merged"
    details = _details(first, second)
    return Collection(name, **columns, split_source="each its own", details=details)


def _details(*parts):
    return {"parts": {part.name: part.details for part in parts}}


def captioned_images(collection):
    """The images of a collection that are on disk, sorted by id.

    Captions of training images that are not on disk become `absent_captions`; those of
    validation and test images are left out. `details` says what was found and what is missing.
    """
    captions, split = collection.captions, collection.split
    image_ids = sorted(collection.pictures)
    absent = sorted(captions.keys() - collection.pictures.keys())

    def counts(names):
        found = Counter(split[name] for name in names)
        return {**{s: found[s] for s in PUBLISHED}, "unsplit": found[""]}

    details = {
        **collection.details,
        "images_with_captions": len(captions),
        "images_on_disk": len(image_ids),
        "captions": sum(len(captions[i]) for i in image_ids),
        "split": counts(image_ids),
        "missing": {
            "count": len(absent),
            "split": counts(absent),
            "first": absent[:NAMED_AT_MOST],
        },
    }
    here, gone = details["split"], details["missing"]["split"]
    lost = [
        f"{gone[s]:,} of {here[s] + gone[s]:,} in {s}" for s in PUBLISHED if 9 * gone[s] > here[s]
    ]
    if lost and collection.split_source != SEEDED:
        print(f"warning: pictures are missing, {', '.join(lost)}", file=sys.stderr)
    return CaptionedImages(
        name=collection.name,
        image_ids=tuple(image_ids),
        captions=tuple(captions[i] for i in image_ids),
        split=np.array([split[i] for i in image_ids], dtype="<U5"),
        read_image=Pictures({i: collection.pictures[i] for i in image_ids}),
        absent_captions={i: captions[i] for i in absent if split[i] == "train"},
        details=details,
    )


def capped(images, max_images, seed):
    """The data with at most `max_images` training images, chosen by the seed; None for all."""
    if max_images is None:
        return images
    training = [images.image_ids[i] for i in images.indices("train")]
    report = {"max_images": max_images, "training_images": len(training)}
    dropped = set(seeded_order(training, seed)[max_images:])
    kept = [i for i, image_id in enumerate(images.image_ids) if image_id not in dropped]
    return replace(images.subset(kept), details={**images.details, "cap": report})


def picture_folder(path):
    """The pictures of a folder and of all folders below it, without captions; none is opened.

    A picture is a file whose suffix, in upper or lower case, belongs to a format that Pillow
    reads. A folder that cannot be read counts as one, and a link to nothing: they are named with
    the broken ones.

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
    files = {}
    for file in pictures_below(root):
        relative = os.fsencode(file.relative_to(root).as_posix())
        name = relative.decode(errors="backslashreplace")  # bytes that are no UTF-8 written out
        if name in files:
            raise DataError(f"{path}: two pictures in it read {name}; rename one")
        files[name] = PictureFile(file)
    if not files:
        raise DataError(f"{path}: no picture in it or below it (.jpg, .png, .webp and so on)")
    ids = tuple(sorted(files, key=_natural))
    no_captions, no_split = ((),) * len(ids), np.full(len(ids), "")
    return CaptionedImages(str(path), ids, no_captions, no_split, read_image=Pictures(files))


def _natural(image_id):
    """Key that sorts numbers by value, folder by folder; the id itself where two would tie."""
    parts = [re.split(r"(\d+)", part.casefold()) for part in image_id.split("/")]
    numbered = [[int(t) if i % 2 else t for i, t in enumerate(part)] for part in parts]
    return numbered, image_id
