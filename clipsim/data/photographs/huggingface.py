"""Hugging Face data sets of captioned images in a folder: parquet files, or of `save_to_disk`.

Read are the columns `image`, captions as `caption_0` … `caption_4` (one text each) or as the
first there is of `caption`, `captions` and `text` (a text, or a list of texts), and, where
present, `filename` and `split`. Without a `split` column the data set's own parts are the splits;
a single part is split by the seed. Without `filename` an image is called by the path stored with
it, else by its row; so it is where its name is another picture's.
"""

import hashlib
import os
import re
from collections import Counter, defaultdict
from itertools import chain
from pathlib import Path

from clipsim.data.captioned_images import DataError
from clipsim.data.photographs.caption_files import gathered
from clipsim.data.photographs.folders import SEEDED, Collection, collection_name, seeded_split
from clipsim.data.pictures import PictureRow
from clipsim.errors import one_line

SAVED = ("dataset_dict.json", "state.json")
CAPTIONS = (r"caption(_\d+)?", "captions", "text")


def is_dataset_folder(root):
    """Whether a folder was written by `save_to_disk` or holds parquet files."""
    files = chain(map(root.joinpath, SAVED), root.glob("*.parquet"), root.glob("*/*.parquet"))
    return any(path.is_file() for path in files)


def dataset_collection(root, seed, max_bad_rows):
    """The `Collection` of a folder."""
    from datasets import load_dataset, load_from_disk

    is_saved = any((root / name).is_file() for name in SAVED)
    try:
        dataset = (load_from_disk if is_saved else load_dataset)(str(root))
    except Exception as error:  # datasets raises many kinds, its own and pyarrow's
        raise DataError(f"{root}: not a readable data set ({reason(error)})") from None
    return _collection(dataset, str(root), seed, max_bad_rows)


def _collection(dataset, where, seed, max_bad_rows):
    from datasets import concatenate_datasets

    parts = dataset if hasattr(dataset, "keys") else {"": dataset}
    has_split = len(parts) > 1 or any("split" in part.column_names for part in parts.values())
    try:
        flat = concatenate_datasets([_flat(part, name, where) for name, part in parts.items()])
    except ValueError as error:
        raise DataError(f"{where}: its parts differ in their columns ({reason(error)})") from None
    given, labels = _names(flat), flat["split"][:]
    times, known, renamed = Counter(given), defaultdict(dict), 0
    rows, pictures = [], {}
    for row, (name, texts) in enumerate(zip(given, _captions(flat, where), strict=True)):
        if times[name] > 1:  # one picture only where the bytes are the same
            other = f"image-{row:06d}" if known[name] else name
            name = known[name].setdefault(_digest(flat, row), other)
        renamed += name != given[row]
        label = labels[row] if has_split else None
        rows += [(f"{where} row {row}", name, text, label) for text in texts]
        pictures.setdefault(name, PictureRow(flat, row, name))
    captions, split, repairs = gathered(rows, where, max_bad_rows)
    if renamed:
        repairs += (f"{renamed:,} rows are called by number: their names are other pictures'",)
    source = "the data set's own" if has_split else SEEDED
    details = {"layout": "Hugging Face data set", "captions_file": Path(where).name}
    return Collection(
        name=collection_name(captions),
        captions=captions,
        split=split or seeded_split(captions, seed),
        split_source=source,
        pictures={name: pictures[name] for name in captions},
        details=details | {"repairs": list(repairs), "split_source": source},
    )


def _flat(part, name, where):
    """A part with undecoded pictures as columns `image.bytes` and `image.path`, and `split`."""
    from datasets import Image

    columns = part.column_names
    if "image" not in columns or not _caption_columns(columns):
        raise DataError(
            f"{where}: its columns are {', '.join(columns)}; expected image and caption, "
            "or image and caption_0 … caption_4"
        )
    if "split" not in columns:
        part = part.add_column("split", [name] * len(part))
    try:
        return part.cast_column("image", Image(decode=False)).flatten()
    except (TypeError, ValueError, NotImplementedError) as error:
        raise DataError(f"{where}: column image holds no images ({reason(error)})") from None


def _digest(flat, row):
    """Of the bytes of a picture; None where there are none."""
    content, path = flat[row]["image.bytes"], flat[row]["image.path"]
    if content is None and path and os.path.isfile(path):
        content = Path(path).read_bytes()
    return content and hashlib.sha256(content).digest()


def _names(flat):
    """What the images are called, in the order of the rows."""
    given = flat["filename"][:] if "filename" in flat.column_names else [None] * len(flat)
    paths = [re.split(r"[/\\]", path or "")[-1] for path in flat["image.path"][:]]
    names = enumerate(zip(given, paths, strict=True))
    return [own or path or f"image-{row:06d}" for row, (own, path) in names]


def _caption_columns(columns):
    """The columns with captions: caption_10 after caption_9."""
    found = ([c for c in columns if re.fullmatch(pattern, c)] for pattern in CAPTIONS)
    return sorted(next(filter(None, found), []), key=lambda name: (len(name), name))


def _captions(flat, where):
    """The captions of each row as a list, "" for one that is missing."""
    columns = [flat[name][:] for name in _caption_columns(flat.column_names)]
    for row, cells in enumerate(zip(*columns, strict=True)):
        texts = [text for cell in cells for text in (cell if isinstance(cell, list) else [cell])]
        if not all(text is None or isinstance(text, str) for text in texts):
            raise DataError(f"{where} row {row}: its captions are no text")
        yield [text or "" for text in texts] or [""]


def reason(error):
    """Class and message of an exception in one short line."""
    return f"{type(error).__name__}: {one_line(error)[:200]}"
