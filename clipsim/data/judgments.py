"""What people said: Flickr8k's judgments of captions, read as judgments of image pairs.

Experts scored whether a caption describes an image (`ExpertAnnotations.txt`, three scores from
1, does not, to 4, does), a crowd answered yes or no (`CrowdFlowerAnnotations.txt`). Most of the
captions belong to *another* image. People who accept a caption of B for A say that A and B show
the same thing (Hodosh, Young, Hockenmaier, JAIR 47, 2013).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from clipsim.data.captioned import DataError, LabelledPairs
from clipsim.data.flickr import folder_captions
from clipsim.data.judgment_files import CROWD, EXPERT, judgments_in

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
