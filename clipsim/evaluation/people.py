"""How good a person is: people's ratings of captions against each other, and models beside them.

The judgments of Flickr8k say whether a caption describes an image. An expert is compared with the
other two experts; a model is compared with all, as CLIPScore was (Hessel et al., EMNLP 2021). The
three scores of a row are sorted in the published file, so that its columns are no raters: which of
the three is the one expert is drawn anew for every sample.
"""

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from clipsim.data import caption_ratings
from clipsim.evaluation.resampling import auc, interval

# CLIPScore, ViT-B/32, without references: τ_c with experts, τ_b with the crowd (its sec. 4.1).
CLIPSCORE = {"expert": ("tau_c", 0.512), "crowd": ("tau_b", 0.344)}
DESCRIBES, NOT = 3, 2  # a mean of at least 3 of 4 describes, one below 2 does not


def agreement_with_people(profile, model, images):
    """How well one expert, and the model, agree with people's ratings of captions.

    Parameters
    ----------
    profile : Profile
        `pairs: human`, its `data_root`, `n_bootstrap` and `seed`.
    model : DualEncoder
    images : CaptionedImages

    Returns
    -------
    list of dict
        `judge` ("one expert", "sim(image, caption)", "best possible", "CLIPScore, published"),
        `source` ("expert", "crowd"), `statistic` ("auc", "balanced_accuracy", "tau_c", "tau_b"),
        `value`, `ci95` (images resampled; None where nothing was), `n_rows`. Captions of the image
        itself are left out. Empty unless `pairs: human`.
    """
    if profile.pairs != "human":
        return []
    rows = []
    for source, (statistic, published) in CLIPSCORE.items():
        ratings = caption_ratings(images, profile, source)
        if ratings is None:
            continue
        similarities = caption_similarities(model, images, ratings)
        compared = {"sim(image, caption)": _of_model(similarities, ratings, statistic)}
        if source == "expert":
            compared["one expert"] = _of_one_expert(ratings.scores)
            compared["best possible"] = _of_model(ratings.scores.mean(axis=1), ratings, statistic)
        for judge, statistics in compared.items():
            found = _resampled(statistics, ratings.image_ids, profile)
            rows += [{"judge": judge, "source": source} | row for row in found]
        cited = {"statistic": statistic, "value": published, "ci95": None, "n_rows": None}
        rows.append({"judge": "CLIPScore, published", "source": source} | cited)
    return rows


def caption_similarities(model, images, ratings):
    """sim(v_I, v_T) (Eq. 3) of the image and the caption of each rating: float32, shape (R,)."""
    position = images.position()
    rated, row = np.unique([position[i] for i in ratings.image_ids], return_inverse=True)
    vectors = model.encode_images(images.subset(rated))[row]
    return (vectors * model.encode_texts(ratings.captions)).sum(axis=1)


def judged_caption_scores(profile, model, images, pairs):
    """The score that was really judged: sim of one image and the caption of the other, per pair.

    Parameters
    ----------
    profile : Profile
    model : DualEncoder
    images : CaptionedImages
    pairs : LabelledPairs

    Returns
    -------
    array of float32, shape (P,)
        The mean over the captions that people judged for the pair; NaN for pairs of other sources.
    """
    scores = np.full(len(pairs), np.nan, dtype=np.float32)
    for source in CLIPSCORE if profile.pairs == "human" else ():
        ratings = caption_ratings(images, profile, source)
        if ratings is None:
            continue
        rated = pd.DataFrame(np.sort([ratings.image_ids, ratings.others], axis=0).T)
        rated["similarity"] = caption_similarities(model, images, ratings)
        own = np.flatnonzero(pairs.source == source)
        named = pd.MultiIndex.from_arrays(np.sort([pairs.id_a[own], pairs.id_b[own]], axis=0))
        scores[own] = rated.groupby([0, 1]).similarity.mean().reindex(named)
    return scores


def _of_model(values, ratings, statistic):
    """The statistics of some rows for a score per row (R,)."""
    scores = ratings.scores.astype(float)
    label = _labels(scores.mean(axis=1)) if ratings.source == "expert" else None

    def statistics(rows, rng):
        x = np.repeat(values[rows], scores.shape[1])
        found = {statistic: kendalltau(x, scores[rows].ravel(), variant=statistic[-1]).statistic}
        if label is not None:
            kept = rows[label[rows] >= 0]
            found["auc"] = auc(label[kept] == 1, values[kept])
        return found

    return statistics


def _of_one_expert(scores):
    """The statistics of some rows for one of three scores against the mean of the other two."""

    def statistics(rows, rng):
        drawn = rng.permuted(scores[rows], axis=1)
        one, others = drawn[:, 0].astype(float), drawn[:, 1:].mean(axis=1)
        label = _labels(others)
        hits, passes = (one >= DESCRIBES)[label == 1], (one < DESCRIBES)[label == 0]
        return {
            "tau_c": kendalltau(one, others, variant="c").statistic,
            "auc": auc(label[label >= 0] == 1, one[label >= 0]),
            "balanced_accuracy": (hits.mean() + passes.mean()) / 2,
        }

    return statistics


def _labels(mean):
    return np.select([mean >= DESCRIBES, mean < NOT], [1, 0], -1)


def _resampled(statistics, groups, profile):
    """Each statistic of all rows, with its interval: the images are resampled with their rows."""
    rng = np.random.default_rng(profile.seed)
    rows_of = list(pd.Series(groups).groupby(np.asarray(groups)).indices.values())
    whole = statistics(np.arange(len(groups)), rng)
    samples = []
    for _ in range(profile.n_bootstrap):
        drawn = rng.integers(len(rows_of), size=len(rows_of))
        samples.append(statistics(np.concatenate([rows_of[i] for i in drawn]), rng))
    table = pd.DataFrame(samples)
    return [
        {"statistic": name, "value": float(value), "ci95": interval(table[name])}
        | {"n_rows": len(groups)}
        for name, value in whole.items()
    ]
