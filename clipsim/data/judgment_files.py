"""Flickr8k's judgments files: every good row is kept, damaged ones are counted by line.

========================  =========================================================
`ExpertAnnotations.txt`   image, caption id, three scores: 1 does not describe the
                          image … 4 does
`CrowdFlowerAnnotations`  image, caption id, share of yes, number of yes, of no
========================  =========================================================
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from clipsim.data.captioned import DataError
from clipsim.data.listing import Listing

LINES_NAMED = 20


@dataclass(frozen=True)
class Source:
    """One judgments file.

    A row's ratings become a sum of points and a number of ratings, so that labels are decided
    on whole numbers: `points / ratings` runs from `lowest` to `highest`.
    """

    name: str
    file: str
    points: Callable[[list[str]], tuple[int, int]]
    lowest: int
    highest: int

    def similar(self, points, ratings):
        """1, 0 or -1 (in between), arrays of whole numbers in, int8 out."""
        if self.name == "expert":
            yes, no = points >= 3 * ratings, points < 2 * ratings
        else:
            yes, no = 2 * points > ratings, points == 0
        return np.select([yes, no], [1, 0], -1).astype(np.int8)


@dataclass(frozen=True)
class Judgments:
    """The good rows of one judgments file.

    Attributes
    ----------
    source : Source
    image, caption_image, caption_number : list, length R
        The judged image, the image that the caption belongs to, and which of its captions.
    points, ratings : array of int, shape (R,)
    scores : list of list of str
        The ratings as written.
    details : dict
    """

    source: Source
    image: list[str]
    caption_image: list[str]
    caption_number: list[int]
    points: np.ndarray
    ratings: np.ndarray
    scores: list[list[str]]
    details: dict[str, Any]


def _expert_points(fields):
    if not all(f in ("1", "2", "3", "4") for f in fields):
        raise ValueError("scores are 1 to 4")
    return sum(map(int, fields)), len(fields)


def _crowd_points(fields):
    share, yes, no = float(fields[0]), int(fields[1]), int(fields[2])
    if yes < 0 or no < 0 or abs(share * (yes + no) - yes) > 1e-6 * (yes + no):
        raise ValueError("the share is not that of the counts")
    if yes + no == 0:
        raise ValueError("no answers")
    return yes, yes + no


EXPERT = Source("expert", "ExpertAnnotations.txt", _expert_points, 1, 4)
CROWD = Source("crowd", "CrowdFlowerAnnotations.txt", _crowd_points, 0, 1)


def judgments_in(root, max_bad_rows, sources):
    listing = Listing.of(root)
    found = [(s, p) for s in sources for p in listing.matching(re.escape(s.file))[:1]]
    if not found:
        raise DataError(
            f"{root}: no {' or '.join(s.file for s in sources)}; they come with Flickr8k's text "
            "archive, or pass -p pairs=captions"
        )
    return [_read(source, path, max_bad_rows) for source, path in found]


def _read(source, path, max_bad_rows):
    """The good rows of a file; the bad ones are counted by line number."""
    columns = ([], [], [], [], [], [])
    bad, n_rows = [], 0
    for line, data in enumerate(path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not data.strip():
            continue
        n_rows += 1
        try:
            row = _row(source, data)
        except ValueError:  # of any damage: bytes, fields, names, numbers
            bad.append(line)
            continue
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    if not n_rows:
        raise DataError(f"{path}: no judgments in it")
    if len(bad) > max_bad_rows * n_rows:
        enough = np.ceil(1000 * len(bad) / n_rows) / 1000
        accept = f", or pass -p max_bad_rows={enough:g}" if enough < 1 else ""
        raise DataError(
            f"{path}: {len(bad):,} of {n_rows:,} rows are damaged, the first in line {bad[0]}; "
            f"use the original file{accept}"
        )
    image, other, number, points, ratings, scores = columns
    details = {
        "file": path.name,
        "rows": n_rows,
        "bad_rows": len(bad),
        "bad_lines": bad[:LINES_NAMED],
    }
    points, ratings = np.array(points, dtype=int), np.array(ratings, dtype=int)
    return Judgments(source, image, other, number, points, ratings, scores, details)


def _row(source, data):
    text = data.decode("utf-8").rstrip("\r")
    image, caption, *scores = text.split("\t")
    name = r"[^\s#]+\.\w+"
    match = re.fullmatch(rf"({name})#(\d+)", caption)
    if not match or not re.fullmatch(name, image) or not text.replace("\t", "").isprintable():
        raise ValueError("not an image and a caption of one")
    if len(scores) != 3:
        raise ValueError("not three numbers")
    return image, match[1], int(match[2]), *source.points(scores), scores
