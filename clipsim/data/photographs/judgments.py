"""What people said of photographs: caption-judged pairs, and pairs seen side by side.

*Caption-judged* (Hodosh, Young, Hockenmaier, JAIR 47, 2013). Experts scored whether a caption
describes an image (`ExpertAnnotations.txt`), a crowd answered yes or no
(`CrowdFlowerAnnotations.txt`). Most of the captions belong to *another* image. Nobody compared two
photographs: who accepts one caption of B for A says that it describes both, and the pair {A, B}
is called similar.

*Side by side* (vSTS 2.0: Lopez de Lacalle, Salaberria, Soroa, Azkune, Agirre, ECAI 2020). People
rated from 0 to 5 how alike a caption of A and one of B are in meaning, with both photographs in
view. Nothing is trained on these photographs; one half of the pairs chooses settings, the other is
reported.

Every good row is kept, damaged ones are counted by line.

==============================  ============================================================
`ExpertAnnotations.txt`         image, caption id, three scores: 1 does not describe it … 4 does
`CrowdFlowerAnnotations.txt`    image, caption id, share of yes, number of yes, number of no
`vsts.tsv`                      image_a, image_b, score from 0 to 5
`visual_sts.v2.0.all.tsv`       the original: image1, image2 and sim among its columns
==============================  ============================================================
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from clipsim.data.captioned_images import SOURCES, DataError, LabelledPairs
from clipsim.data.photographs.folders import folder_captions, photo_id
from clipsim.data.pictures import Listing

LINES_NAMED = 20
FEWEST = 5
RATED_SIMILAR, RATED_DISSIMILAR = 3, 2  # of 5; 3 is "roughly equivalent", 1 "the same topic"
HALVES_SEED = 0
NAME = r"[\w.+/-]+\.\w+"
EXPERT, CROWD, VSTS = SOURCES[:3]
FILES = {EXPERT: "ExpertAnnotations.txt", CROWD: "CrowdFlowerAnnotations.txt"}
NUMBERS = {EXPERT: r"([1-4])\t([1-4])\t([1-4])", CROWD: r"(\d+(?:\.\d+)?(?:e-\d+)?)\t(\d+)\t(\d+)"}
SCORES = ("score_0", "score_1", "score_2")  # of the crowd: share of yes, yes, no
RATED_FILE = r"vsts\.tsv|visual_sts\.v2\.0\.all\.tsv"
RATED_COLUMNS = ("image_a", "image_b", "score"), ("image1", "image2", "sim")


@dataclass(frozen=True)
class CaptionRatings:
    """People's ratings of captions that belong to other images.

    Attributes
    ----------
    source : {"expert", "crowd"}
    image_ids, others, captions : tuple of str, length R
        The image, the image that the caption belongs to, and the caption.
    scores : array of float32, shape (R, 3) or (R, 1)
        Experts' scores from 1, does not describe the image, to 4, does; sorted in the published
        file. Of the crowd the share of yes.
    """

    source: str
    image_ids: tuple[str, ...]
    others: tuple[str, ...]
    captions: tuple[str, ...]
    scores: np.ndarray


def human_pairs(images, profile):
    """Image pairs that people judged: by experts, by a crowd, and side by side.

    An unordered pair {A, B} is caption-judged by the ratings of B's captions for A and of A's for
    B. Its graded score is their mean, on a scale from 0 to 1: (score - 1) / 3 for experts, the
    share of yes for the crowd. Similar where the experts' mean is at least 3 of 4, or over
    half the crowd's answers are yes; dissimilar below 2, or without any yes. Of pairs seen side by
    side the graded score is a fifth of the mean rating, similar from 3 of 5, dissimilar below 2.

    Parameters
    ----------
    images : CaptionedImages
        Pairs with an image that is not among them are counted and left out.
    profile : Profile
        `data_root`, the folder with the judgments files, up to three levels deep; `max_bad_rows`,
        the share of damaged rows in a file above which it is not used.

    Returns
    -------
    LabelledPairs
        `source` is "expert", "crowd" or "vsts". `split` is "cross", but "val" for the half of the
        pairs seen side by side that chooses settings; no image is in both halves. `details` has
        the counts of each and how far experts and crowd agree.

    Raises
    ------
    DataError
        No judgments file, too many damaged rows, or fewer than 5 pairs of a class.
    """
    root, named, parts, details = profile.data_root, _named(images), {}, {}
    files = ((source, _file(root, re.escape(name))) for source, name in FILES.items())
    found = {source: path for source, path in files if path}
    if not found:
        raise DataError(
            f"{root}: no {' or '.join(FILES.values())}; they come with Flickr8k's text archive, "
            "or pass -p pairs=captions"
        )
    for source, path in found.items():
        rows, report = _read(source, path, profile.max_bad_rows)
        pairs = _labelled_pairs(source, rows)
        kept = pairs[[a in named and b in named for a, b in pairs.index]]
        counts = _counts(pairs.similar, kept.similar)
        for label in ("similar", "dissimilar"):
            if counts[label] < FEWEST:
                raise DataError(
                    f"{FILES[source]}: {counts[label]} {label} pairs have both images on disk, "
                    f"{FEWEST} are needed; add photographs of the test split, or pairs=captions"
                )
        parts[source], details[source] = kept, report | counts
    details["agreement"] = _agreement(*parts.values()) if len(parts) == 2 else {}
    rated, details[VSTS] = _rated_pairs(root, profile.max_bad_rows, named)
    if len(rated):
        parts[VSTS] = rated
    every = pd.concat(parts.values())
    chooses = every.get("chooses", np.zeros(len(every), bool))
    return LabelledPairs(
        id_a=np.array([named[a] for a, _ in every.index]),
        id_b=np.array([named[b] for _, b in every.index]),
        similar=every.similar.to_numpy(np.int8),
        graded=every.graded.to_numpy(np.float32),
        kind=np.full(len(every), ""),
        split=np.where(chooses == 1, "val", "cross"),
        source=np.repeat(list(parts), list(map(len, parts.values()))),
        details=details,
    )


def rated_apart(images, root):
    """The data with every photograph of a pair that people rated side by side in a split "rated".

    Unless it is a test image already; so that no training and no choice of an epoch sees it, nor
    is one of its captions in the pool, whichever copy of the photograph is meant.

    Parameters
    ----------
    images : CaptionedImages
    root : str or Path
        Its folder.

    Returns
    -------
    CaptionedImages
        `details["rated_apart"]` counts the images by the split that they left; as they were where
        the folder has no such ratings.
    """
    found = _file(root, RATED_FILE)
    if found is None:
        return images
    rows, _ = _rated_rows(found, max_bad_rows=1)
    rated = {photo_id(name) for name in rows[["a", "b"]].to_numpy().ravel()}
    moved = np.array([photo_id(name) in rated for name in images.image_ids], dtype=bool)
    moved &= images.split != "test"
    left = {split: int((moved & (images.split == split)).sum()) for split in ("train", "val")}
    absent = {i: c for i, c in images.absent_captions.items() if photo_id(i) not in rated}
    return replace(
        images,
        split=np.where(moved, "rated", images.split),
        absent_captions=absent,
        details={**images.details, "rated_apart": left},
    )


def caption_ratings(images, profile, source):
    """People's ratings of other images' captions, for a rank correlation with a model's.

    Own captions are left out, and rows whose image is not among `images`; the image that a
    caption belongs to need not be on disk.

    Parameters
    ----------
    images : CaptionedImages
    profile : Profile
        `data_root`, the folder with the judgments and the captions, and `max_bad_rows`.
    source : {"expert", "crowd"}

    Returns
    -------
    CaptionRatings or None
        None where the folder has no such file.

    Raises
    ------
    DataError
        Too many damaged rows, or no row that can be used.
    """
    root = Path(profile.data_root).expanduser()
    path = _file(root, re.escape(FILES[source]))
    if path is None:
        return None
    named = _named(images)
    texts = {(n, k): c for n, own in folder_captions(root).items() for k, c in enumerate(own)}
    rows, _ = _read(source, path, profile.max_bad_rows)
    rows["caption"] = rows.set_index(["other", "number"]).index.map(texts)
    rows = rows[(rows.image != rows.other) & rows.image.isin(named.keys())].dropna()
    if rows.empty:
        raise DataError(
            f"{FILES[source]}: none of its rows has its image on disk; add photographs of the "
            "test split"
        )
    scores = rows[list(SCORES)] if source == EXPERT else (rows.points / rows.ratings).to_frame()
    return CaptionRatings(
        source,
        image_ids=tuple(rows.image.map(named)),
        others=tuple(named.get(name, name) for name in rows.other),
        captions=tuple(rows.caption),
        scores=scores.to_numpy(np.float32),
    )


def _file(root, pattern):
    """The file in a folder whose name matches, or None: people may have some of them only."""
    root = Path(root).expanduser()
    return next(iter(Listing(root).matching(pattern)), None) if root.is_dir() else None


def _lines(path):
    """The lines of a file that are not blank, by number."""
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    lines = pd.Series(text.split("\n"), dtype=object).str.removesuffix("\r")
    lines.index += 1
    return lines[lines.str.strip() != ""]


def _rated_rows(path, max_bad_rows):
    """Names and ratings of a file, a data frame, and a report that counts the bad rows by line."""
    cells = _lines(path).str.split("\t", expand=True)
    header = cells.iloc[0].tolist() if len(cells) else []
    wanted = next((names for names in RATED_COLUMNS if {*names} <= {*header}), None)
    if wanted is None:
        raise DataError(
            f"{path}: its first line must name image_a, image_b and score (or image1, image2, sim)"
        )
    a, b, score = (cells[header.index(name)][1:].fillna("").str.strip() for name in wanted)
    a, b = (names.str.split(r"[/\\]", regex=True).str[-1] for names in (a, b))  # may be paths
    good = a.str.fullmatch(NAME) & b.str.fullmatch(NAME) & (a != b)
    good &= score.str.fullmatch(r"[0-4](\.\d+)?|5(\.0+)?")
    rows = pd.DataFrame(np.sort([a[good], b[good]], axis=0).T, columns=["a", "b"])
    rows["score"] = score[good].to_numpy(dtype=float)
    return rows, _checked_report(path, good, max_bad_rows)


def _rated_pairs(root, max_bad_rows, named):
    """Labels and graded scores of the pairs on disk, which half each is in, and a report."""
    path = _file(root, RATED_FILE)
    if path is None:
        return [], {"pairs_judged": 0}
    rows, report = _rated_rows(path, max_bad_rows)
    score = rows.groupby(["a", "b"]).score.mean()
    similar = np.select([score >= RATED_SIMILAR, score < RATED_DISSIMILAR], [1, 0], -1)
    judged = pd.DataFrame({"similar": similar, "graded": score / 5})
    pairs = judged[[a in named and b in named for a, b in judged.index]].copy()
    pairs["chooses"] = _first_half(pairs.index)
    report |= _counts(judged.similar, pairs.similar) | {"choosing": int(pairs.chooses.sum())}
    sizes = pd.crosstab(pairs.chooses, pairs.similar).reindex([0, 1], fill_value=0)
    if sizes.reindex(columns=[0, 1], fill_value=0).to_numpy().min() < FEWEST:
        return [], report | {"note": f"not used: fewer than {FEWEST} pairs of a class in a half"}
    return pairs, report


def _first_half(pairs):
    """Whether each pair is in the first half; pairs that share an image, even indirectly, stay
    together. By a seed of its own: profiles' settings were chosen on this half.
    """
    ids, positions = np.unique(np.array([*pairs], dtype=str).reshape(-1, 2), return_inverse=True)
    a, b = positions.reshape(-1, 2).T
    links = coo_array((np.ones(len(a)), (a, b)), shape=(len(ids), len(ids)))
    of_pair = connected_components(links, directed=False)[1][a]
    sizes = np.bincount(of_pair)
    n_in, inside = [0, 0], np.zeros(len(sizes), bool)
    for group in np.random.default_rng(HALVES_SEED).permutation(len(sizes)):
        half = int(n_in[0] > n_in[1])
        n_in[half] += sizes[group]
        inside[group] = half == 0
    return inside[of_pair].astype(int)


def _named(images):
    """File name to image id; they differ where two data sets stand side by side."""
    return {image_id.removeprefix("flickr8k/"): image_id for image_id in images.image_ids}


def _read(source, path, max_bad_rows):
    """The good rows of a file, a data frame, and a report that counts the bad ones by line.

    A row's ratings become a sum of points and a number of ratings, so that labels are decided
    on whole numbers.
    """
    pattern = rf"^({NAME})\t({NAME})#(\d+)\t{NUMBERS[source]}$"
    rows = (
        _lines(path).str.extract(pattern).set_axis(["image", "other", "number", *SCORES], axis=1)
    )
    rows[["number", *SCORES]] = rows[["number", *SCORES]].astype(float)
    first, yes, no = (rows[name] for name in SCORES)
    if source == EXPERT:
        rows["points"], rows["ratings"] = first + yes + no, len(SCORES)
        good = first.notna()
    else:  # the share is that of its counts
        rows["points"], rows["ratings"] = yes, yes + no
        good = (rows.ratings > 0) & ((first * rows.ratings - yes).abs() <= 1e-6 * rows.ratings)
    return rows[good], _checked_report(path, good, max_bad_rows)


def _checked_report(path, good, max_bad_rows):
    """What to report of a file's rows, good ones or not; an error where too many are damaged."""
    n_rows, bad = len(good), good.index[~good].tolist()
    if not n_rows:
        raise DataError(f"{path}: no judgments in it")
    if len(bad) > max_bad_rows * n_rows:
        raise DataError(
            f"{path}: {len(bad):,} of {n_rows:,} rows are damaged, the first in line {bad[0]}; "
            "use the original file, or pass a larger -p max_bad_rows"
        )
    report = {"file": path.name, "rows": n_rows, "bad_rows": len(bad)}
    return report | {"bad_lines": bad[:LINES_NAMED]}


def _labelled_pairs(source, rows):
    """Labels 1, 0 or -1 and graded scores of the unordered pairs of different images, sorted."""
    rows = rows[rows.image != rows.other]
    names = np.sort(rows[["image", "other"]].to_numpy(dtype=object), axis=1)
    pairs = rows[["points", "ratings"]].groupby([names[:, 0], names[:, 1]]).sum()
    points, ratings, mean = pairs.points, pairs.ratings, pairs.points / pairs.ratings
    if source == EXPERT:
        yes, no, graded = points >= 3 * ratings, points < 2 * ratings, (mean - 1) / 3
    else:
        yes, no, graded = 2 * points > ratings, points == 0, mean
    return pd.DataFrame({"similar": np.select([yes, no], [1, 0], -1), "graded": graded})


def _counts(judged, here):
    similar = here[here >= 0] == 1
    return {
        "pairs_judged": len(judged),
        "similar_judged": int((judged == 1).sum()),
        "pairs": len(here),
        "similar": int(similar.sum()),
        "dissimilar": int((~similar).sum()),
        "in_between": len(here) - len(similar),
        "share_similar": float(similar.mean()),
    }


def _agreement(expert, crowd):
    """How far two sources agree on the pairs that both judged."""
    suffixes = "_expert", "_crowd"
    both = expert.merge(crowd, left_index=True, right_index=True, suffixes=suffixes)
    labelled = both[(both.similar_expert >= 0) & (both.similar_crowd >= 0)]
    rho = both.graded_expert.corr(both.graded_crowd, "spearman", min_periods=3)
    return {
        "pairs": len(both),
        "spearman": float(rho),
        "labelled_by_both": len(labelled),
        "equal_labels": float((labelled.similar_expert == labelled.similar_crowd).mean()),
    }
