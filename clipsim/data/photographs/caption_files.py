"""Caption files as people have them, each read into a `CaptionTable`.

===========================  ==========================================================
`captions.txt`               Flickr8k as on Kaggle: CSV, header `image,caption`
`captions.csv`               the same for any folder, with an optional column `split`
`results.csv`                Flickr30k: `image_name| comment_number| comment`
`Flickr8k.token.txt`,        the originals: `name.jpg#k<TAB>caption`
`results_20130124.token`
`dataset_<name>.json`,       Karpathy's: captions and splits of several data sets
`dataset.json`
`flickr_annotations_*.csv`   Flickr30k on the Hugging Face hub: the captions as JSON
===========================  ==========================================================

In a table commas separate, and more columns are allowed.

Cleaning, everywhere: leading and trailing white space is dropped and runs of white space
become one space. Nothing else is changed.
"""

import csv
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path

from clipsim.data.captioned_images import DataError

TOKEN_LINE = r"(?P<name>[^#\t]+)#\d+\t(?P<caption>.*)"
BAR_LINE = r"(?P<name>[^|]+)\|\s*(?P<k>\d+)(?P<bar>\s*\||\s)(?P<caption>.*)"
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training", "restval"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
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


def cleaned(caption, where):
    """A caption without outer white space and with single spaces inside.

    Bytes that Python kept as surrogates, as those of an argument are where the system's encoding
    is older, are read as UTF-8; a `DataError` begins with `where` if they are none.
    """
    try:
        text = caption.encode(errors="surrogateescape").decode()
    except UnicodeError:
        raise DataError(
            f"{where}: {caption[:60]!a} is not valid Unicode; write it in UTF-8"
        ) from None
    return " ".join(text.split())


def file_text(path):
    """Text of a UTF-8 file, with or without a byte-order mark; `DataError` names a bad line."""
    data = Path(path).read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, byte = data[: error.start].count(b"\n") + 1, data[error.start]
        raise DataError(
            f"{path}:{line}: not UTF-8 (byte 0x{byte:02x}); save the file as UTF-8"
        ) from None


def gathered(rows, source, max_bad_rows=None):
    """Captions and split by image name, of rows (where, name, caption, split or None); repairs.

    Empty captions are left out where they are at most a share `max_bad_rows` of the rows. By
    default none may be empty: people's judgments count the captions of a picture.

    Raises
    ------
    DataError
        No rows, no name, an empty caption, a split of another name, or an image in two splits;
        the message begins with the row's `where`.
    """
    captions, splits, empty, n_rows = {}, {}, [], 0
    for where, name, caption, split in rows:
        n_rows += 1
        if not name:
            raise DataError(f"{where}: no image name")
        caption = cleaned(caption, where)
        if not caption:
            empty.append((where, name))
            continue
        captions.setdefault(name, []).append(caption)
        if split is None:
            continue
        known = SPLIT_NAMES.get(str(split).strip().lower())
        if known is None:
            raise DataError(f"{where}: split {split!r} of {name}; expected train, val or test")
        if splits.setdefault(name, known) != known:
            raise DataError(f"{where}: {name} is in two splits; keep one")
    if len(empty) > (max_bad_rows or 0) * n_rows:
        accept = "" if max_bad_rows is None else ", or pass a larger -p max_bad_rows"
        where, name = empty[0]
        raise DataError(
            f"{where}: empty caption of {name} ({len(empty):,} of {n_rows:,} are empty); write it "
            f"or leave the row out{accept}"
        )
    if not captions:
        raise DataError(f"{source}: no captions in it")
    repairs = (
        (f"{len(empty):,} empty captions left out, the first of {empty[0][1]}",) if empty else ()
    )
    return {name: tuple(texts) for name, texts in captions.items()}, splits or None, repairs


def csv_table(path):
    """Read `captions.txt` or `captions.csv`: the columns image, caption and perhaps split."""

    rows = (
        (where, row["image"].strip(), row["caption"], row.get("split"))
        for where, row in _csv_rows(path, "image", "caption")
    )
    layout = f"Kaggle's {path.name}" if path.suffix.lower() == ".txt" else path.name
    return CaptionTable(layout, *gathered(rows, path))


def annotations_table(path):
    """Read `flickr_annotations_30k.csv`: a JSON list `raw` of captions, `filename`, `split`."""

    def rows():
        for where, row in _csv_rows(path, "raw", "filename", "split"):
            try:
                captions = [_is(str, caption) for caption in _is(list, json.loads(row["raw"]))]
            except (ValueError, TypeError):
                raise DataError(f"{where}: raw is no list of captions") from None
            yield from ((where, row["filename"], text, row["split"]) for text in captions)

    return CaptionTable("Flickr30k's annotations", *gathered(rows(), path))


def line_table(path):
    """Read `results.csv`, name| k| caption, or a token file, name#k<TAB>caption."""
    with_bars = path.suffix.lower() == ".csv"
    layout = "Flickr30k's results.csv" if with_bars else "original token file"
    lines = [(i, line) for i, line in enumerate(file_text(path).split("\n"), 1) if line.strip()]
    rows, repairs = [], []
    for number, line in lines:
        found = re.fullmatch(BAR_LINE if with_bars else TOKEN_LINE, line)
        if not found and with_bars and number == 1:
            continue  # the header
        if not found:
            expected = "name.jpg| k| caption" if with_bars else "name.jpg#k, a tab and a caption"
            raise DataError(f"{path}:{number}: expected {expected}")
        name = found["name"].strip()
        if with_bars and "|" not in found["bar"]:
            # Known of 2199200615.jpg: "| 4   A dog runs across the grass ."
            repairs.append(f"line {number}: no separator, read as comment {found['k']} of {name}")
        rows.append((f"{path}:{number}", name, found["caption"], None))
    captions, *_ = gathered(rows, path)
    # Flickr8k's names five captions of 2258277193_586949ec62.jpg.1, which nobody has.
    for name in [name for name in captions if re.search(r"\.jpe?g\.\d+$", name)]:
        n_captions = len(captions.pop(name))
        repairs.append(f"{name} is no image's name; its {n_captions} captions are left out")
    return CaptionTable(layout, captions, repairs=tuple(repairs))


def karpathy_table(path):
    """Read Karpathy's `dataset_<name>.json`, which has captions and splits."""
    try:
        entries = json.loads(file_text(path))["images"]
        last = {_is(str, entry["filename"]): i for i, entry in enumerate(entries)}
        rows = [
            (f"{path}:images[{i}]", entry["filename"], _is(str, said["raw"]), entry["split"])
            for i, entry in enumerate(entries)
            for said in entry["sentences"]
        ]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f"{path}: not Karpathy's format (images with filename, split, sentences): {error!r}"
        ) from None
    for i, entry in enumerate(entries):
        name = entry["filename"]
        if last[name] != i:
            raise DataError(f"{path}:images[{last[name]}]: {name} occurs twice; keep one entry")
    return CaptionTable("Karpathy's JSON", *gathered(rows, path))


def _is(kind, value):
    """`value`, which must be of a type: JSON may hold null or a number in the place of a text."""
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value


def _csv_rows(path, *needed):
    """Where a row stands, and its fields by the header's names, of a table."""
    reader = csv.reader(io.StringIO(file_text(path), newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if any(header.count(name) != 1 for name in needed):
            raise DataError(
                f"{path}:1: the header is {','.join(header)[:80]!r}; expected {','.join(needed)}"
                ", each once"
            )
        for row in filter(None, reader):
            where = f"{path}:{reader.line_num}"
            if len(row) != len(header):
                raise DataError(
                    f"{where}: {len(row)} fields where the header has {len(header)}; put captions "
                    "that contain commas in double quotes"
                )
            yield where, dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: broken quotes or field ({error})") from None


KARPATHY = r"dataset(_(?!info|dict)\w+)?\.json"
# Whole names of caption files, the first that is found counts, and what reads them.
READERS = (
    (r"captions\.txt", csv_table),
    (r"flickr8k\.token\.txt", line_table),
    (r"results\.csv", line_table),
    (r"results_\d+\.token", line_table),
    (r"captions\.csv", csv_table),
    (KARPATHY, karpathy_table),
    (r"flickr_annotations_\w+\.csv", annotations_table),
)
