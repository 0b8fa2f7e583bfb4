"""A folder of pictures as people have it: every picture below it, by its relative path.

Caption files as people have them, each read into a `CaptionTable`.

========================  ==========================================================
`captions.txt`            Flickr8k as on Kaggle: CSV, header `image,caption`
`captions.csv`            the same for any folder, with an optional column `split`
`results.csv`             Flickr30k: `image_name| comment_number| comment`
`Flickr8k.token.txt`,     the originals: `name.jpg#k<TAB>caption`
`results_20130124.token`
`dataset_<name>.json`     Karpathy's: captions and splits of several data sets
========================  ==========================================================

Cleaning, everywhere: leading and trailing white space is dropped and runs of white space
become one space. Nothing else is changed.

What lies in a folder of photographs: pictures by name, and everything else.

Folders of photographs: the layout is detected, the captions read, the pictures found.

A folder is searched three levels deep, so archives may lie unpacked as they came (Kaggle's
nest `flickr30k_images/flickr30k_images`). Splits come from, in this order: the caption file's
own column, the original's lists (`Flickr_8k.trainImages.txt`, `dev`, `test`), Karpathy's JSON
beside the caption file; where there is none, images are split 80/10/10 by a seed.
"""

import csv
import hashlib
import io
import json
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
from PIL import Image

from clipsim.data.captioned_images import SPLITS, CaptionedImages, DataError
from clipsim.data.pictures import NAMED_AT_MOST, PictureFile, Pictures

COLUMNS = {
    "image": "image",
    "image_name": "image",
    "caption": "caption",
    "comment": "caption",
    "comment_number": "number",
    "split": "split",
}
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "restval": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "": "",
}


@dataclass(frozen=True)
class CaptionTable:
    """What a caption file says, before anyone looks for the pictures.

    Attributes
    ----------
    layout : str
        Whose layout, e.g. "Karpathy's JSON".
    captions : dict of str to tuple of str
        File name of an image to its captions, in the file's order.
    split : dict of str to str, or None
        "train", "val", "test" or "" per image; None where the file names no splits.
    repairs : tuple of str
        What had to be mended or left out, and where.
    """

    layout: str
    captions: dict[str, tuple[str, ...]]
    split: dict[str, str] | None = None
    repairs: tuple[str, ...] = ()


def cleaned(caption):
    """A caption without outer white space and with single spaces inside."""
    return " ".join(caption.split())


def file_text(path):
    """Text of a UTF-8 file, with or without a byte-order mark; line ends are kept.

    Raises
    ------
    DataError
        If the file cannot be opened or is not UTF-8; the message names the line.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        byte = data[error.start]
        raise DataError(
            f"{path}:{line}: not UTF-8 (byte 0x{byte:02x}); save the file as UTF-8"
        ) from None


def delimited_table(path):
    """Read `captions.txt`, `captions.csv` or `results.csv`; the header decides which.

    Raises
    ------
    DataError
        Wrong header, wrong number of fields, broken quotes, an unusable name or an empty
        caption; the message names the line.
    """
    text = file_text(path)
    header = text.partition("\n")[0]
    with_bars = "|" in header
    names = [name.strip().lower() for name in header.split("|" if with_bars else ",")]
    columns = [COLUMNS.get(name.strip('"')) for name in names]
    if None in columns or not {"image", "caption"} <= set(columns):
        raise DataError(
            f"{path}:1: the header is {header.strip()[:80]!r}; expected image,caption or "
            "image,caption,split or image_name| comment_number| comment"
        )
    table = _Rows(path)
    for line, row in _bar_rows(text, table) if with_bars else _csv_rows(path, text):
        if len(row) != len(columns):
            raise DataError(
                f"{path}:{line}: {len(row)} fields where the header has {len(columns)}; "
                "put captions that contain commas in double quotes"
            )
        fields = dict(zip(columns, row, strict=True))
        table.add(line, fields["image"], fields["caption"], fields.get("split"))
    layout = "Flickr30k's results.csv" if with_bars else f"Kaggle's {path.name}"
    return table.finished("captions.csv" if path.name == "captions.csv" else layout)


def token_table(path):
    """Read the originals' token files: `name.jpg#k<TAB>caption`."""
    table = _Rows(path)
    for line, text in _lines(file_text(path)):
        label, tab, caption = text.partition("\t")
        name, number, _ = label.partition("#")
        if not tab or not number:
            raise DataError(f"{path}:{line}: expected name.jpg#k, a tab and a caption")
        table.add(line, name, caption)
    return table.finished("original token file")


def karpathy_table(path):
    """Read Karpathy's `dataset_<name>.json`, which has captions and splits."""
    try:
        entries = json.loads(file_text(path))["images"]
        names = [str(entry["filename"]) for entry in entries]
        sentences = [[str(s["raw"]) for s in entry["sentences"]] for entry in entries]
        splits = [entry["split"] for entry in entries]
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}: not JSON ({error.msg})") from None
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{path}: not Karpathy's format (images with filename, split, sentences): {error!r}"
        ) from None
    table = _Rows(path)
    for entry, (name, texts, split) in enumerate(zip(names, sentences, splits, strict=True)):
        if name in table.captions:
            raise DataError(f"{path}:images[{entry}]: {name} occurs twice; keep one entry")
        for text in texts:
            table.add(f"images[{entry}]", name, text, split)
    return table.finished("Karpathy's JSON")


class _Rows:
    """Rows of one caption file, checked as they come."""

    def __init__(self, path):
        self.path = path
        self.captions = {}
        self.split = {}
        self.repairs = []
        self.nameless = {}

    def add(self, where, name, caption, split=None):
        name = name.strip()
        if re.search(r"\.jpe?g\.\d+$", name):
            self.nameless[name] = self.nameless.get(name, 0) + 1
            return
        check_name(name, f"{self.path}:{where}")
        caption = cleaned(caption)
        if not caption:
            raise DataError(
                f"{self.path}:{where}: empty caption of {name}; write one or delete the line"
            )
        self.captions.setdefault(name, []).append(caption)
        if split is not None:
            self._add_split(where, name, split)

    def _add_split(self, where, name, split):
        known = SPLIT_NAMES.get(str(split).strip().lower())
        if known is None:
            raise DataError(
                f"{self.path}:{where}: split {split!r} of {name}; expected train, val or test"
            )
        if self.split.setdefault(name, known) != known:
            raise DataError(f"{self.path}:{where}: {name} is in two splits; keep one")

    def finished(self, layout):
        if not self.captions:
            raise DataError(f"{self.path}: no captions in it")
        for name, count in self.nameless.items():
            self.repairs.append(
                f"{self.path.name}: {name} is no image's name; its {count} captions are left out"
            )
        captions = {name: tuple(rows) for name, rows in self.captions.items()}
        return CaptionTable(layout, captions, self.split or None, tuple(self.repairs))


def check_name(name, where):
    """Raise `DataError` for an image name that is empty or leads out of its folder."""
    parts = (PurePosixPath(name), PureWindowsPath(name))
    escapes = any(p.is_absolute() or p.drive or p.root or ".." in p.parts for p in parts)
    if not name or escapes or "\0" in name:
        raise DataError(
            f"{where}: image name {name!r} does not stay in the folder; use the file's name"
        )


def _lines(text):
    """Line number and text of each line that is not blank."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line


def _csv_rows(path, text):
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        next(reader)
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: broken quotes or field ({error})") from None


def _bar_rows(text, table):
    for line, row in _lines(text):
        if line == 1:
            continue
        fields = row.split("|", 2)
        damaged = re.fullmatch(r"\s*(\d+)\s+(\S.*)", fields[1]) if len(fields) == 2 else None
        if damaged:
            # Known of 2199200615.jpg: "| 4   A dog runs across the grass ."
            fields = [fields[0], *damaged.groups()]
            table.repairs.append(
                f"{table.path.name}:{line}: separator missing, read as comment "
                f"{damaged[1]} of {fields[0].strip()}"
            )
        yield line, fields


SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
DEPTH = 3


@dataclass(frozen=True)
class Listing:
    """Files of a folder by name, `DEPTH` levels deep; hidden ones are left out."""

    root: Path
    pictures: dict[str, list[Path]]
    others: list[Path]

    @classmethod
    def of(cls, root):
        pictures, others = {}, []
        for folder, folders, files in os.walk(root, followlinks=True):
            depth = len(Path(folder).relative_to(root).parts)
            hidden = (".", "__MACOSX")
            folders[:] = sorted(f for f in folders if not f.startswith(hidden))
            if depth == DEPTH:
                folders.clear()
            for name in sorted(f for f in files if not f.startswith(".")):
                if os.path.splitext(name)[1].lower() in SUFFIXES:
                    pictures.setdefault(name, []).append(Path(folder, name))
                else:
                    others.append(Path(folder, name))
        return cls(Path(root), pictures, others)

    def matching(self, pattern):
        """Files whose whole name matches, upper or lower case; nearest the root first."""
        found = [p for p in self.others if re.fullmatch(pattern, p.name, re.IGNORECASE)]
        return sorted(found, key=lambda p: len(p.parts))

    def picture(self, name):
        """Path of a picture, or None; `name` may begin with its folder."""
        candidates = self.pictures.get(name.rpartition("/")[2], ())
        found = [p for p in candidates if f"/{p.as_posix()}".endswith(f"/{name}")]
        if len(found) > 1 and len({p.stat().st_size for p in found}) > 1:
            raise DataError(
                f"{name} is the name of different pictures: {found[0]} and {found[1]}; keep one"
            )
        return min(found, key=lambda p: len(p.parts), default=None)


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
