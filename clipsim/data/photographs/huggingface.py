"""Hugging Face data sets of captioned images, from a local folder or from the hub.

Read are the columns `image`, captions as `caption_0` … `caption_4` (one text each) or as
`caption` (one text or a list), and, where present, `filename` and `split`. Without a `split`
column the data set's own parts are the splits; a single part is split by the seed. Without
`filename` an image is called by the path stored with it, else by its part and row.
"""

import re
from pathlib import Path

from clipsim.data.captioned_images import DataError
from clipsim.data.photographs.layouts import (
    SEEDED,
    SPLIT_NAMES,
    Collection,
    cleaned,
    collection_name,
    seeded_split,
)
from clipsim.data.pictures import PictureRow

SAVED = ("dataset_dict.json", "state.json")
REACHED_WITHIN_S = 10


def is_hub_id(name):
    """Whether `name` reads like a data set on the hub, "owner/name", and not like a path."""
    return re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", name) is not None


def is_dataset_folder(root):
    """Whether a folder was written by `save_to_disk` or holds parquet files."""
    return any((root / name).is_file() for name in SAVED) or any(
        next(root.glob(pattern), None) for pattern in ("*.parquet", "*/*.parquet")
    )


def dataset_collection(root, seed):
    """Read a data set in a local folder.

    Parameters
    ----------
    root : Path
        Written by `save_to_disk`, or with parquet files.
    seed : int
        Of the split, where there is none.

    Returns
    -------
    Collection

    Raises
    ------
    DataError
        If the folder cannot be read or lacks a column.
    """
    from datasets import load_dataset, load_from_disk

    saved = any((root / name).is_file() for name in SAVED)
    try:
        dataset = load_from_disk(str(root)) if saved else load_dataset(str(root))
    except Exception as error:  # datasets raises many kinds, its own and pyarrow's
        raise DataError(f"{root}: not a readable data set ({_reason(error)})") from None
    return _collection(dataset, str(root), seed)


def hub_collection(name, seed):
    """Read a data set from the Hugging Face hub, or from the hub's local cache.

    Raises
    ------
    DataError
        If the hub cannot be reached or has no such data set, or a column is missing.
    """
    from datasets import load_dataset
    from huggingface_hub import HfApi, constants

    try:
        if not constants.HF_HUB_OFFLINE:
            HfApi().dataset_info(name, timeout=REACHED_WITHIN_S)
        dataset = load_dataset(name)
    except Exception as error:  # from the network, the hub or datasets
        raise DataError(
            f"data_root {name}: neither a folder nor a data set that the Hugging Face hub gave "
            f"({_reason(error)}); pass -p data_root=FOLDER"
        ) from None
    return _collection(dataset, name, seed)


def _collection(dataset, where, seed):
    parts = dataset if hasattr(dataset, "keys") else {"": dataset}
    captions, split, pictures = {}, {}, {}
    has_split = False
    for part, rows in parts.items():
        flat = _flat(rows, f"{where} {part}".strip())
        has_split |= "split" in flat.column_names or len(parts) > 1
        labels = flat["split"][:] if "split" in flat.column_names else [part] * len(flat)
        columns = zip(_names(flat, part), labels, _captions(flat), strict=True)
        for row, (name, label, texts) in enumerate(columns):
            at = f"{where} {part} row {row}".replace("  ", " ")
            known = SPLIT_NAMES.get(str(label).strip().lower()) if has_split else ""
            if known is None:
                raise DataError(f"{at}: split {label!r}; expected train, val or test")
            if split.setdefault(name, known) != known:
                raise DataError(f"{at}: {name} is in two splits; keep one")
            texts = [cleaned(text) for text in texts]
            if not all(texts) or not texts:
                raise DataError(f"{at}: empty caption of {name}; write one or leave the row out")
            captions.setdefault(name, []).extend(texts)
            pictures.setdefault(name, PictureRow(flat, row, name))
    if not captions:
        raise DataError(f"{where}: no images in it")
    details = {"layout": "Hugging Face data set", "captions_file": Path(where).name, "repairs": []}
    details["split_source"] = source = "the data set's own" if has_split else SEEDED
    return Collection(
        name=collection_name(captions),
        captions={name: tuple(texts) for name, texts in captions.items()},
        split=split if has_split else seeded_split(captions, seed),
        split_source=source,
        pictures=pictures,
        details=details,
    )


def _flat(rows, where):
    """The data set with undecoded pictures as columns `image.bytes` and `image.path`."""
    from datasets import Image

    columns = rows.column_names
    if "image" not in columns or not any(re.fullmatch(r"caption(_\d+)?", c) for c in columns):
        raise DataError(
            f"{where}: its columns are {', '.join(columns)}; expected image and caption, "
            "or image and caption_0 … caption_4"
        )
    try:
        return rows.cast_column("image", Image(decode=False)).flatten()
    except (TypeError, ValueError, NotImplementedError) as error:
        raise DataError(f"{where}: column image holds no images ({_reason(error)})") from None


def _names(flat, part):
    """What the images are called, in the order of the rows."""
    if "filename" in flat.column_names:
        return flat["filename"][:]
    return [
        path.replace("\\", "/").rpartition("/")[2] if path else f"{part or 'image'}-{row:06d}"
        for row, path in enumerate(flat["image.path"][:])
    ]


def _captions(flat):
    """The captions of each row as a list."""
    numbered = sorted(
        (c for c in flat.column_names if re.fullmatch(r"caption_\d+", c)),
        key=lambda name: int(name.removeprefix("caption_")),
    )
    if numbered:
        return zip(*(flat[name][:] for name in numbered), strict=True)
    return ([c] if isinstance(c, str) else c for c in flat["caption"][:])


def _reason(error):
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
