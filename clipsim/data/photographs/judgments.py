"""What people said: Flickr8k's judgments of captions, read as judgments of image pairs.

Experts scored whether a caption describes an image (`ExpertAnnotations.txt`, three scores from
1, does not, to 4, does), a crowd answered yes or no (`CrowdFlowerAnnotations.txt`). Most of the
captions belong to *another* image. People who accept a caption of B for A say that A and B show
the same thing (Hodosh, Young, Hockenmaier, JAIR 47, 2013).

Flickr8k's judgments files: every good row is kept, damaged ones are counted by line.

========================  =========================================================
`ExpertAnnotations.txt`   image, caption id, three scores: 1 does not describe the
                          image … 4 does
`CrowdFlowerAnnotations`  image, caption id, share of yes, number of yes, of no
========================  =========================================================
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from clipsim.data.captioned_images import DataError, LabelledPairs
from clipsim.data.photographs.flickr import folder_captions
from clipsim.data.photographs.layouts import Listing

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


FEWEST = 5


@dataclass(frozen=True)
class ExpertRatings:
    """Experts' scores of captions that belong to other images.

    Attributes
    ----------
    image_ids, captions : tuple of str, length R
    scores : array of int8, shape (R, 3)
        From 1, does not describe the image, to 4, does.
    details : dict
    """

    image_ids: tuple[str, ...]
    captions: tuple[str, ...]
    scores: np.ndarray
    details: dict[str, Any] = field(default_factory=dict)


def human_pairs(images, root, max_bad_rows):
    """Image pairs that people judged, experts and crowd apart.

    An unordered pair {A, B} is judged by the ratings of B's captions for A and of A's for B.
    Its graded score is their mean, on a scale from 0 to 1: (score - 1) / 3 for experts, the
    share of yes for the crowd. Similar where the experts' mean is at least 3 of 4, or over
    half the crowd's answers are yes; dissimilar below 2, or without any yes.

    Parameters
    ----------
    images : CaptionedImages
        Pairs with an image that is not among them are counted and left out.
    root : str or Path
        Folder with one or both of the judgments files, up to three levels deep.
    max_bad_rows : float
        Share of damaged rows in a file above which it is not used.

    Returns
    -------
    LabelledPairs
        `source` is "expert" or "crowd", `split` "cross". `details` has the counts of each and
        how far they agree.

    Raises
    ------
    DataError
        No judgments file, too many damaged rows, or fewer than 5 pairs of a class.
    """
    root, named = Path(root).expanduser(), _named(images)
    parts, details = [], {}
    for judgments in judgments_in(root, max_bad_rows, (EXPERT, CROWD)):
        pairs, points, ratings = _by_pair(judgments)
        similar = judgments.source.similar(points, ratings)
        present = np.array([a in named and b in named for a, b in pairs], dtype=bool)
        source = judgments.source
        graded = (points / ratings - source.lowest) / (source.highest - source.lowest)
        counts = _counts(similar, present)
        details[source.name] = {**judgments.details, **counts}
        for label in ("similar", "dissimilar"):
            if counts[label] < FEWEST:
                raise DataError(
                    f"{source.file}: {counts[label]} {label} pairs have both images on disk, "
                    f"{FEWEST} are needed; add photographs of the test split, or pairs=captions"
                )
        kept = [pair for pair, here in zip(pairs, present, strict=True) if here]
        parts.append((source.name, kept, similar[present], graded[present]))
    details["agreement"] = _agreement(parts)
    pairs = [pair for _, kept, _, _ in parts for pair in kept]
    return LabelledPairs(
        id_a=np.array([named[a] for a, _ in pairs]),
        id_b=np.array([named[b] for _, b in pairs]),
        similar=np.concatenate([similar for *_, similar, _ in parts]),
        graded=np.concatenate([graded for *_, graded in parts]).astype(np.float32),
        kind=np.full(len(pairs), ""),
        split=np.full(len(pairs), "cross"),
        source=np.repeat([name for name, *_ in parts], [len(kept) for _, kept, *_ in parts]),
        details=details,
    )


def expert_ratings(images, root, max_bad_rows):
    """Experts' scores of other images' captions, for a rank correlation with a model's.

    Own captions are left out, and rows whose image is not among `images`; the image that a
    caption belongs to need not be on disk.

    Parameters
    ----------
    images : CaptionedImages
    root : str or Path
        Folder with `ExpertAnnotations.txt` and the captions.
    max_bad_rows : float

    Returns
    -------
    ExpertRatings

    Raises
    ------
    DataError
        No judgments file, too many damaged rows, or no row that can be used.
    """
    root, named = Path(root).expanduser(), _named(images)
    (judgments,) = judgments_in(root, max_bad_rows, (EXPERT,))
    captions = folder_captions(root)
    counts = {"own_captions": 0, "image_not_on_disk": 0, "caption_unknown": 0}
    rows = []
    columns = (judgments.image, judgments.caption_image, judgments.caption_number)
    for image, other, number, scores in zip(*columns, judgments.scores, strict=True):
        if image == other:
            counts["own_captions"] += 1
        elif image not in named:
            counts["image_not_on_disk"] += 1
        elif number >= len(captions.get(other, ())):
            counts["caption_unknown"] += 1
        else:
            rows.append((named[image], captions[other][number], [int(s) for s in scores]))
    if not rows:
        raise DataError(
            f"{EXPERT.file}: none of its rows has its image on disk; add photographs of the "
            "test split"
        )
    image_ids, texts, scores = zip(*rows, strict=True)
    details = {**judgments.details, **counts, "used": len(rows)}
    return ExpertRatings(image_ids, texts, np.array(scores, dtype=np.int8), details)


def _named(images):
    """File name to image id; they differ where two data sets stand side by side."""
    return {image_id.removeprefix("flickr8k/"): image_id for image_id in images.image_ids}


def _by_pair(judgments):
    """Unordered pairs of different images, sorted, and the sums of their points and ratings."""
    sums = {}
    columns = (judgments.image, judgments.caption_image, judgments.points, judgments.ratings)
    for image, other, points, ratings in zip(*columns, strict=True):
        if image != other:
            total = sums.setdefault((min(image, other), max(image, other)), [0, 0])
            total[0] += points
            total[1] += ratings
    pairs = sorted(sums)
    points, ratings = np.array([sums[pair] for pair in pairs], dtype=int).reshape(-1, 2).T
    return pairs, points, ratings


def _counts(similar, present):
    here = similar[present]
    n_similar, n_dissimilar = int((here == 1).sum()), int((here == 0).sum())
    labelled = n_similar + n_dissimilar
    return {
        "pairs_judged": len(similar),
        "similar_judged": int((similar == 1).sum()),
        "pairs": len(here),
        "similar": n_similar,
        "dissimilar": n_dissimilar,
        "in_between": len(here) - labelled,
        "share_similar": n_similar / labelled if labelled else None,
    }


def _agreement(parts):
    """How far two sources agree on the pairs that both judged; empty for one source."""
    if len(parts) < 2:
        return {}
    expert, crowd = (
        {pair: (label, grade) for pair, label, grade in zip(kept, similar, graded, strict=True)}
        for _, kept, similar, graded in parts
    )
    both = sorted(expert.keys() & crowd.keys())
    result = {"pairs": len(both), "spearman": None, "labelled_by_both": 0, "equal_labels": None}
    if len(both) < 3:
        return result
    labels = np.array([[expert[p][0], crowd[p][0]] for p in both])
    grades = np.array([[expert[p][1], crowd[p][1]] for p in both])
    if (np.ptp(grades, axis=0) > 0).all():
        result["spearman"] = float(spearmanr(grades[:, 0], grades[:, 1]).statistic)
    labels = labels[(labels >= 0).all(axis=1)]
    if len(labels):
        result["labelled_by_both"] = len(labels)
        result["equal_labels"] = float((labels[:, 0] == labels[:, 1]).mean())
    return result
