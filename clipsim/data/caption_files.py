"""Caption files as people have them, each read into a `CaptionTable`.

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
"""

import csv
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from clipsim.data.captioned import DataError

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
