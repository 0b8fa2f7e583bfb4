"""Photographs as a profile asks for them: one data set, or Flickr8k and Flickr30k merged.

Flickr30k contains Flickr8k's photographs under other names. What both share is Flickr's photo
id, the part of the name before `_`. A data root with the folders `flickr8k` and `flickr30k`
holds both; they are merged by that id, so that no photograph counts twice and none that either
data set holds out is trained on.
"""

import re
from dataclasses import replace
from pathlib import Path

from clipsim.data.captioned_images import DataError
from clipsim.data.photographs.layouts import (
    SEEDED,
    Collection,
    captioned_images,
    folder_collection,
    seeded_order,
)

PARTS = ("flickr8k", "flickr30k")
HELD_OUT = ("test", "val")


def photographs(profile):
    """Photographs and captions of a profile's `data_root`.

    Parameters
    ----------
    profile : Profile
        Its `data_root`, `merge`, `max_images` and `seed`.

    Returns
    -------
    CaptionedImages
        Pictures are not yet opened; see `clipsim.data.pictures.checked`.

    Raises
    ------
    DataError
        If there is no such folder, or it cannot be used.
    """
    return capped(captioned_images(collection(profile)), profile.max_images, profile.seed)


def collection(profile):
    """The `Collection` behind `photographs`: captions and splits of missing pictures too."""
    name = profile.data_root
    if name is None:
        raise DataError("this profile needs photographs: pass -p data_root=FOLDER")
    root = Path(name).expanduser()
    if not root.is_dir():
        from clipsim.data.photographs.huggingface import hub_collection, is_hub_id

        if not root.exists() and is_hub_id(name):
            return hub_collection(name, profile.seed)
        raise DataError(f"data_root {name}: no such folder; pass -p data_root=FOLDER")
    parts = part_folders(root)
    if len(parts) < len(PARTS):
        return _one(root, profile.seed)
    both = [_one(folder, profile.seed) for folder in parts]
    return merged(*both) if profile.merge else side_by_side(*both)


def part_folders(root):
    """The folders `flickr8k` and `flickr30k` in `root`, in any case, those that exist."""
    folders = {path.name.lower(): path for path in sorted(root.iterdir()) if path.is_dir()}
    return [folders[part] for part in PARTS if part in folders]


def folder_captions(root):
    """Every caption of a folder, of Flickr8k's where both parts are there: name to captions."""
    root = next(iter(part_folders(root)), root)
    return _one(root, seed=0).captions


def photo_id(name):
    """Flickr's id of a photograph: "1000268201" of "1000268201_693b08cb0e.jpg"."""
    return re.split(r"[_.]", name.rpartition("/")[2], maxsplit=1)[0]


def merged(first, second):
    """Two collections as one in which no photograph occurs twice.

    A photograph that both have keeps the first's name, every distinct caption and whichever
    picture is on disk. Its split is "test" or else "val" where either data set publishes so,
    whether or not that copy is on disk; seeded splits decide only where none is published.
    """
    names = {}
    for part in (first, second):
        for name in part.captions:
            names.setdefault(photo_id(name), []).append((part, name))
    captions, split, pictures = {}, {}, {}
    for copies in names.values():
        _, name = copies[0]
        captions[name] = _merged_captions(copies)
        split[name] = _merged_split(copies)
        found = [part.pictures[n] for part, n in copies if n in part.pictures]
        if found:
            pictures[name] = found[0]
    twice = [copies for copies in names.values() if len(copies) > 1]
    equal = sum(len({part.captions[n] for part, n in copies}) == 1 for copies in twice)
    details = {
        "layout": f"{first.name} and {second.name}, merged by Flickr's photo id",
        "unique_photographs": len(names),
        "duplicates": len(twice),
        "duplicates_with_equal_captions": equal,
        **_both(first, second),
    }
    name = f"{first.name} + {second.name}"
    return Collection(name, captions, split, "of both", pictures, details)


def side_by_side(first, second):
    """Two collections one after the other, as the paper counts them: duplicates leak."""
    columns = {"captions": {}, "split": {}, "pictures": {}}
    for folder, part in zip(PARTS, (first, second), strict=True):
        for column, values in columns.items():
            values.update({f"{folder}/{n}": v for n, v in getattr(part, column).items()})
    name = f"{first.name} and {second.name}, not merged"
    details = {"layout": name, **_both(first, second)}
    return Collection(name, **columns, split_source="each its own", details=details)


def capped(images, max_images, seed):
    """The data with at most `max_images` training images, chosen by the seed; None for all."""
    training = [images.image_ids[i] for i in images.indices("train")]
    if max_images is None:
        return images
    reached = len(training) > max_images
    report = {"max_images": max_images, "training_images": len(training), "reached": reached}
    if not reached:
        report["note"] = f"{len(training):,} training images never reach the cap {max_images:,}"
    details = {**images.details, "cap": report}
    if not reached:
        return replace(images, details=details)
    dropped = set(seeded_order(training, seed)[max_images:])
    kept = [i for i, image_id in enumerate(images.image_ids) if image_id not in dropped]
    return replace(images.subset(kept), details=details)


def _one(root, seed):
    from clipsim.data.photographs.huggingface import dataset_collection, is_dataset_folder

    if is_dataset_folder(root):
        return dataset_collection(root, seed)
    return folder_collection(root, seed)


def _merged_captions(copies):
    part, name = copies[0]
    captions = list(part.captions[name])
    for part, name in copies[1:]:
        captions += [c for c in part.captions[name] if c not in captions]
    return tuple(captions)


def _merged_split(copies):
    of_both = [(part.split[n], part.split_source == SEEDED) for part, n in copies]
    published = {split for split, seeded in of_both if split and not seeded}
    splits = published or {split for split, _ in of_both}
    return next((s for s in (*HELD_OUT, "train") if s in splits), "")


def _both(first, second):
    """What a reader should know of two data sets that share photographs."""
    held_out, training = (
        [{photo_id(n) for n, s in part.split.items() if s in splits} for part in (first, second)]
        for splits in (HELD_OUT, ("train",))
    )
    return {
        "split_source": {part.name: part.split_source for part in (first, second)},
        "images_counted_twice": len(first.captions) + len(second.captions),
        "leaks_unmerged": {
            f"held out in {first.name}, trained on in {second.name}": len(
                held_out[0] & training[1]
            ),
            f"held out in {second.name}, trained on in {first.name}": len(
                held_out[1] & training[0]
            ),
        },
        "parts": {
            part.name: {
                **part.details,
                "images_with_captions": len(part.captions),
                "images_on_disk": len(part.pictures),
            }
            for part in (first, second)
        },
    }
