"""Hugging Face data sets of captioned images, in a local folder or on the hub.

Read are the columns `image`, captions as `caption_0` … `caption_4` (one text each) or as
`caption` (one text or a list), and, where present, `filename` and `split`. Without a `split`
column the data set's own parts are the splits; a single part is split by the seed. Without
`filename` an image is called by the path stored with it, else by its part and row.
"""

import re
from pathlib import Path

from clipsim.data.captioned_images import DataError
from clipsim.data.photographs.caption_files import gathered
from clipsim.data.photographs.folders import SEEDED, Collection, collection_name, seeded_split
from clipsim.data.pictures import PictureRow
from clipsim.errors import one_line

SAVED = ("dataset_dict.json", "state.json")
CAPTIONS = r"caption(_\d+)?"
REACHED_WITHIN_S = 10


def is_dataset_folder(root):
    """Whether a folder was written by `save_to_disk` or holds parquet files."""
    return any((root / name).is_file() for name in SAVED) or any(
        next(root.glob(pattern), None) for pattern in ("*.parquet", "*/*.parquet")
    )


def dataset_collection(root, seed):
    """The `Collection` of a folder that `save_to_disk` wrote, or of one with parquet files."""
    from datasets import load_dataset, load_from_disk

    saved = any((root / name).is_file() for name in SAVED)
    try:
        dataset = load_from_disk(str(root)) if saved else load_dataset(str(root))
    except Exception as error:  # datasets raises many kinds, its own and pyarrow's
        raise DataError(f"{root}: not a readable data set ({reason(error)})") from None
    return _collection(dataset, str(root), seed)


def hub_collection(name, seed):
    """The `Collection` of a data set on the Hugging Face hub, or in the hub's local cache."""
    from datasets import load_dataset
    from huggingface_hub import HfApi, constants

    try:
        if not constants.HF_HUB_OFFLINE:
            HfApi().dataset_info(name, timeout=REACHED_WITHIN_S)
        dataset = load_dataset(name)
    except Exception as error:  # from the network, the hub or datasets
        raise DataError(
            f"data_root {name}: neither a folder nor a data set that the Hugging Face hub gave "
            f"({reason(error)}); pass -p data_root=FOLDER"
        ) from None
    return _collection(dataset, name, seed)


def _collection(dataset, where, seed):
    parts = dataset if hasattr(dataset, "keys") else {"": dataset}
    has_split = len(parts) > 1 or any("split" in part.column_names for part in parts.values())
    rows, pictures = [], {}
    for part, data in parts.items():
        at = f"{where} {part}".strip()
        flat = _flat(data, at)
        labels = flat["split"][:] if "split" in flat.column_names else [part] * len(flat)
        columns = zip(_names(flat, part), labels, _captions(flat), strict=True)
        for row, (name, label, texts) in enumerate(columns):
            label = label if has_split else None
            rows += [(f"{at} row {row}", name, text, label) for text in texts or [""]]
            pictures.setdefault(name, PictureRow(flat, row, name))
    captions, split = gathered(rows, where)
    source = "the data set's own" if has_split else SEEDED
    details = {"layout": "Hugging Face data set", "captions_file": Path(where).name, "repairs": []}
    return Collection(
        name=collection_name(captions),
        captions=captions,
        split=split or seeded_split(captions, seed),
        split_source=source,
        pictures=pictures,
        details=details | {"split_source": source},
    )


def _flat(rows, where):
    """The data set with undecoded pictures as columns `image.bytes` and `image.path`."""
    from datasets import Image

    columns = rows.column_names
    if "image" not in columns or not any(re.fullmatch(CAPTIONS, c) for c in columns):
        raise DataError(
            f"{where}: its columns are {', '.join(columns)}; expected image and caption, "
            "or image and caption_0 … caption_4"
        )
    try:
        return rows.cast_column("image", Image(decode=False)).flatten()
    except (TypeError, ValueError, NotImplementedError) as error:
        raise DataError(f"{where}: column image holds no images ({reason(error)})") from None


def _names(flat, part):
    """What the images are called, in the order of the rows."""
    if "filename" in flat.column_names:
        return flat["filename"][:]
    return [
        path.replace("\\", "/").rpartition("/")[2] if path else f"{part or 'image'}-{row:06d}"
        for row, path in enumerate(flat["image.path"][:])
    ]


def _captions(flat):
    """The captions of each row as a list; of caption_10 after caption_9."""
    columns = [c for c in flat.column_names if re.fullmatch(CAPTIONS, c)]
    columns = [flat[name][:] for name in sorted(columns, key=lambda name: (len(name), name))]
    for cells in zip(*columns, strict=True):
        yield [text for cell in cells for text in ([cell] if isinstance(cell, str) else cell)]


def reason(error):
    """Class and message of an exception in one short line."""
    return f"{type(error).__name__}: {one_line(error)[:200]}"
