"""Pairs of photographs labelled by how far people's captions of them agree.

For data sets that nobody judged. The label is made of captions, so it favours a score that is
made of captions: it shows that the pipeline works, not that the score agrees with people.
"""

from dataclasses import replace

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from clipsim.data.captioned_images import DataError, LabelledPairs

AGREE, DISAGREE = "captions agree", "captions disagree"
TOP = 0.003  # similar pairs: this share of the largest cosines; dissimilar: BOTTOM, the smallest
BOTTOM = 0.10
WIDEST = 0.25  # in a small split, where these shares give too few pairs
COMPARED_AT_MOST = 4000  # images of a split: all pairs of more do not fit into memory
FEWEST = 5


def caption_pairs(images, profile):
    """Pairs whose captions agree most and least, of validation and of test images.

    Within a split the TF-IDF vectors of the images' joined captions are compared, all pairs
    of at most 4,000 images. Similar pairs are drawn from the top 0.3 % of the cosines,
    dissimilar ones from the bottom 10 %, half each; in a small split from twice as many as
    are needed, up to a quarter of all. An image enters a second pair only when no unused
    ones are left.

    Parameters
    ----------
    images : CaptionedImages
    profile : Profile
        `n_pairs` per split, and `seed`.

    Returns
    -------
    LabelledPairs
        `graded` is the cosine; `kind` is "captions agree" or "captions disagree".

    Raises
    ------
    DataError
        If a split has too few images for 5 pairs of each class.
    """
    vectors = TfidfVectorizer(stop_words="english", sublinear_tf=True).fit_transform(
        " ".join(captions) for captions in images.captions
    )
    parts = []
    details = {
        "made_of": "TF-IDF cosine of people's captions, not people's judgments of the pictures",
        "favours": "scores that are made of captions",
    }
    for number, split in enumerate(("val", "test")):
        rng, rows = np.random.default_rng([profile.seed, number]), images.indices(split)
        drawn = _drawn_pairs(vectors, rows, profile.n_pairs // 2, rng)
        if drawn is None:
            raise DataError(
                f"{images.name}: pairs=captions needs {FEWEST} pairs of each class, and the "
                f"{split} split has {len(rows)} images; use more images or other splits"
            )
        parts.append((*drawn, np.full(len(drawn[0]), split)))
        details[split] = _counts(rows, *drawn, profile.n_pairs)
    a, b, similar, cosine, split = map(np.concatenate, zip(*parts, strict=True))
    return LabelledPairs(
        id_a=np.array([images.image_ids[i] for i in a]),
        id_b=np.array([images.image_ids[i] for i in b]),
        similar=similar.astype(np.int8),
        graded=cosine.clip(0, 1),
        kind=np.where(similar == 1, AGREE, DISAGREE),
        split=split,
        source=np.full(len(similar), ""),
        details=details,
    )


def caption_pairs_of(images, profile, n_pairs, split):
    """`caption_pairs` of the images of one split, whichever.

    Parameters
    ----------
    images : CaptionedImages
    profile : Profile
    n_pairs : int
    split : {"train", "test"}

    Returns
    -------
    LabelledPairs
        Split "cross".
    """
    kept = {"val": "val", split: "test"}
    relabelled = np.array([kept.get(name, "") for name in images.split.tolist()])
    found = caption_pairs(
        replace(images, split=relabelled), replace(profile, pairs="captions", n_pairs=n_pairs)
    )
    found = found.where(found.split == "test")
    return replace(found, split=np.full(len(found), "cross"), details={})


def _drawn_pairs(vectors, rows, n_each, rng):
    """Rows of both images, label and cosine of `n_each` pairs per class; None if too few."""
    if len(rows) > COMPARED_AT_MOST:
        rows = np.sort(rng.choice(rows, COMPARED_AT_MOST, replace=False))
    if len(rows) < 2 * FEWEST:
        return None
    chosen = vectors[rows].astype(np.float32)
    upper = np.triu_indices(len(rows), k=1)
    cosines = (chosen @ chosen.T).toarray()[upper]
    candidates = (_top(cosines, n_each, rng), _top(-cosines, n_each, rng, BOTTOM))
    if cosines[candidates[0]].min() <= cosines[candidates[1]].max():
        return None
    a, b = upper
    similar, dissimilar = _least_reused(a, b, candidates, n_each)
    n_each = min(len(similar), len(dissimilar))
    if n_each < FEWEST:
        return None
    index = np.concatenate([similar[:n_each], dissimilar[:n_each]])
    label = np.repeat([1, 0], n_each)
    return rows[a[index]], rows[b[index]], label, cosines[index]


def _top(values, n_needed, rng, share=TOP):
    """Indices of the largest `share` of the values, or more if needed, in random order."""
    n_top = max(1, int(max(share * len(values), min(2 * n_needed, WIDEST * len(values)))))
    edge = np.partition(values, len(values) - n_top)[len(values) - n_top]
    return rng.permutation(np.flatnonzero(values >= edge))


def _least_reused(a, b, candidates, n_each):
    """From each class's candidates `n_each` pairs that share as few images as can be."""
    used = np.zeros(max(a.max(), b.max()) + 1, dtype=int)
    chosen = tuple({} for _ in candidates)  # dicts keep the order
    for times in range(1, len(used)):
        for pairs, kept in zip(candidates, chosen, strict=True):
            for pair in pairs:
                if len(kept) == n_each:
                    break
                both = [a[pair], b[pair]]
                if pair not in kept and (used[both] < times).all():
                    kept[pair] = True
                    used[both] += 1
        if all(len(kept) in (n_each, len(p)) for p, kept in zip(candidates, chosen, strict=True)):
            break
    return tuple(np.array(list(kept), dtype=int) for kept in chosen)


def _counts(rows, a, b, similar, cosine, n_pairs):
    _, uses = np.unique(np.concatenate([a, b]), return_counts=True)
    alike, unlike = cosine[similar == 1], cosine[similar == 0]
    return {
        "images": len(rows),
        "pairs": len(a),  # of few images fewer than wanted, or an image in several
        "pairs_wanted": n_pairs,
        "most_pairs_of_one_image": int(uses.max()),
        "cosine_similar": [float(alike.min()), float(alike.max())],
        "cosine_dissimilar": [float(unlike.min()), float(unlike.max())],
    }
