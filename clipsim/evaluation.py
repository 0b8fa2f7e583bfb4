"""How well a score tells similar from different pairs: thresholds, accuracy, Table 1.

A threshold is never tuned on the pairs it is reported on: it comes from validation pairs, or,
where all pairs are of one split, from the pairs that share no group of images (cross-fitting)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from tqdm.auto import tqdm

from clipsim.statistics import area_under_roc, rank_correlation, resamples, with_intervals

N_GROUPS = 10


@dataclass(frozen=True)
class Metric:
    """A similarity metric of the study; higher is more alike.

    Attributes
    ----------
    key : str
        Column of the pair scores.
    name, variant : str
        As in Table 1's rows.
    label : str
        For people.
    paper_threshold, paper_accuracy : float or None
        Table 1 of the paper.
    """

    key: str
    name: str
    variant: str
    label: str
    paper_threshold: float | None = None
    paper_accuracy: float | None = None


METRICS = (
    Metric("clip_score", "clip_score", "eq4", "CLIP score", 0.5, 0.82),
    Metric("ssim", "ssim", "canonical", "SSIM", 0.7, 0.64),
    Metric("fsim", "fsim", "canonical", "FSIM", 0.3, 0.56),
    Metric("ssim_package", "ssim", "package", "SSIM (package)", 0.7, 0.64),
    Metric("fsim_package", "fsim", "package", "FSIM (package)", 0.3, 0.56),
    Metric("image_cosine", "image_cosine", "joint", "image cosine"),
)


def mean_recall(recall):
    """Mean of the six numbers of `retrieval_recall`: what selects the best epoch."""
    directions = ("image_to_text", "text_to_image")
    return float(np.mean([value for name in directions for value in recall[name].values()]))


def best_threshold(scores, similar, criterion="accuracy"):
    """The threshold that a criterion chooses; pairs with score ≥ threshold are called similar.

    Parameters
    ----------
    scores : array of float, shape (P,)
    similar : array of bool or {0, 1}, shape (P,)
    criterion : {"accuracy", "balanced_accuracy"}

    Returns
    -------
    float
        Candidates lie midway between neighbouring distinct scores, and one beyond either end.
        Of the longest run of neighbouring candidates that share the best value (the first
        such run), the middle one (the lower of two).

    Raises
    ------
    ValueError
        If there are not both similar and other pairs.
    """
    scores, similar = np.asarray(scores, dtype=float), np.asarray(similar).astype(bool)
    if similar.all() or not similar.any():
        raise ValueError("a threshold needs similar pairs and other pairs to choose from")
    levels = np.unique(scores)
    middles = (levels[1:] + levels[:-1]) / 2
    candidates = np.concatenate([[levels[0] - 1e-6], middles, [levels[-1] + 1e-6]])
    # Similar pairs kept (hits) and other pairs left out (rejections) at each candidate.
    hits = similar.sum() - np.searchsorted(np.sort(scores[similar]), candidates)
    rejections = np.searchsorted(np.sort(scores[~similar]), candidates)
    if criterion == "accuracy":
        value = hits + rejections
    elif criterion == "balanced_accuracy":
        value = hits * (~similar).sum() + rejections * similar.sum()
    else:
        raise ValueError(f"criterion={criterion!r}: expected accuracy or balanced_accuracy")
    best = np.flatnonzero(value == value.max())
    runs = np.split(best, np.flatnonzero(np.diff(best) > 1) + 1)
    longest = max(runs, key=len)
    return float(candidates[longest[(len(longest) - 1) // 2]])


def held_out_thresholds(pairs, scores, criterion, seed):
    """For each evaluated pair, a threshold chosen without it.

    Parameters
    ----------
    pairs : LabelledPairs
    scores : array of float, shape (P,)
    criterion : {"accuracy", "balanced_accuracy"}
    seed : int
        Of the image groups in cross-fitting.

    Returns
    -------
    array of float, shape (P,)
        NaN for pairs that are not evaluated: validation pairs, and pairs in between. Test
        pairs all have the threshold of the validation pairs. With the split "cross" the images
        fall into ten groups, and a pair in groups f and g has the threshold chosen on the
        pairs with no image in f or g.
    """
    thresholds = np.full(len(pairs), np.nan)
    labelled = pairs.similar >= 0
    if (pairs.split != "cross").all():
        chosen_on = labelled & (pairs.split == "val")
        threshold = best_threshold(scores[chosen_on], pairs.similar[chosen_on], criterion)
        thresholds[labelled & (pairs.split == "test")] = threshold
        return thresholds
    ids = pairs.image_ids
    groups = np.random.default_rng(seed).permutation(np.arange(len(ids)) % N_GROUPS)
    group = dict(zip(ids, groups.tolist(), strict=True))
    group_a = np.array([group[i] for i in pairs.id_a.tolist()])
    group_b = np.array([group[i] for i in pairs.id_b.tolist()])
    low, high = np.minimum(group_a, group_b), np.maximum(group_a, group_b)
    for f, g in sorted(set(zip(low.tolist(), high.tolist(), strict=True))):
        inside = labelled & (low == f) & (high == g)
        chosen_on = labelled & ~np.isin(group_a, [f, g]) & ~np.isin(group_b, [f, g])
        thresholds[inside] = best_threshold(scores[chosen_on], pairs.similar[chosen_on], criterion)
    return thresholds


def decision_row(pairs, scores, thresholds, samples):
    """Accuracy and balanced accuracy at given thresholds, with 95 % bootstrap intervals.

    Parameters
    ----------
    pairs : LabelledPairs
        Evaluated pairs; those in between do not count.
    scores, thresholds : array of float, shape (P,)
        Thresholds are held fixed while pairs or images are resampled.
    samples : list of array of int
        From `resamples`.

    Returns
    -------
    dict
        `accuracy`, `accuracy_ci95`, `balanced_accuracy`, `balanced_accuracy_ci95`.
    """
    similar = pairs.similar == 1
    right = (scores >= thresholds) == similar
    labelled = pairs.similar >= 0

    def statistics(index):
        index = index[labelled[index]]
        hit, of_similar = right[index], similar[index]
        if of_similar.all() or not of_similar.any():
            return np.nan, np.nan
        return hit.mean(), (hit[of_similar].mean() + hit[~of_similar].mean()) / 2

    return with_intervals(("accuracy", "balanced_accuracy"), statistics, len(pairs), samples)


def ranking_row(pairs, scores, samples):
    """AUC of labelled pairs and Spearman's ρ with the graded score, with 95 % intervals.

    Parameters and return as `decision_row`, with keys `auc`, `spearman` and their `_ci95`.
    """
    similar, labelled = pairs.similar == 1, pairs.similar >= 0

    def statistics(index):
        kept = index[labelled[index]]
        return area_under_roc(similar[kept], scores[kept]), rank_correlation(
            scores[index], pairs.graded[index]
        )

    return with_intervals(("auc", "spearman"), statistics, len(pairs), samples)


def table_1(pairs, scores, profile):
    """Table 1 of the paper on these pairs, with thresholds that never saw them.

    Parameters
    ----------
    pairs : LabelledPairs
    scores : mapping of str to array of float, shape (P,)
        Scores by `Metric.key`.
    profile : Profile

    Returns
    -------
    list of dict
        A row per source, metric and origin of the threshold; DESIGN.md's contract, plus
        `threshold_range`, `n_similar`, `spearman` and the unit that was resampled.
    """
    rows = []
    sources = sorted(set(pairs.source.tolist()), reverse=True)
    for source in sources:
        of_source = pairs.where(pairs.source == source)
        evaluated = of_source.split != "val"
        test = of_source.where(evaluated)
        samples, unit = resamples(test, profile.n_bootstrap, profile.seed)
        for metric in tqdm(METRICS, desc=f"Table 1 {source}".strip(), leave=False):
            values = np.asarray(scores[metric.key])[pairs.source == source]
            chosen = held_out_thresholds(
                of_source, values, profile.threshold_criterion, profile.seed
            )[evaluated]
            origins = {"validation": chosen}
            if metric.paper_threshold is not None:
                origins["paper"] = np.full(len(test), metric.paper_threshold)
            ranking = ranking_row(test, values[evaluated], samples)
            for origin, thresholds in origins.items():
                counted = thresholds[test.similar >= 0]
                rows.append(
                    {
                        "metric": metric.name,
                        "variant": metric.variant,
                        "threshold": float(np.median(counted)),
                        "threshold_range": [float(counted.min()), float(counted.max())],
                        "threshold_from": origin,
                        **decision_row(test, values[evaluated], thresholds, samples),
                        **ranking,
                        "n_pairs": int((test.similar >= 0).sum()),
                        "n_similar": int((test.similar == 1).sum()),
                        "resampled": unit,
                        **({"source": source} if source else {}),
                    }
                )
    return rows


def thresholds_by_key(rows, source=""):
    """The held-out (median) threshold of each metric, by its key, from Table 1's rows."""
    variants = {(metric.name, metric.variant): metric.key for metric in METRICS}
    return {
        variants[row["metric"], row["variant"]]: row["threshold"]
        for row in rows
        if row["threshold_from"] == "validation" and row.get("source", "") == source
    }


def accuracy_by_kind(pairs, scores, profile):
    """Accuracy per kind of pair and metric, at held-out thresholds.

    Returns
    -------
    dict
        Kind to {metric key: accuracy as a fraction}, with "n_pairs"; empty without kinds.
    """
    kinds = sorted(set(pairs.kind.tolist()) - {""})
    if not kinds:
        return {}
    table = {}
    for metric in METRICS:
        values = np.asarray(scores[metric.key])
        thresholds = held_out_thresholds(pairs, values, profile.threshold_criterion, profile.seed)
        for kind in kinds:
            inside = (pairs.kind == kind) & ~np.isnan(thresholds)
            right = (values >= thresholds)[inside] == (pairs.similar[inside] == 1)
            table.setdefault(kind, {"n_pairs": int(inside.sum())})[metric.key] = float(
                right.mean()
            )
    return table


def sweep(scores, similar, thresholds):
    """Accuracy and balanced accuracy at each of a list of thresholds.

    Returns
    -------
    pandas.DataFrame
        Columns threshold, accuracy, balanced_accuracy.
    """
    rows = [
        {
            "threshold": threshold,
            "accuracy": accuracy_score(similar, scores >= threshold),
            "balanced_accuracy": balanced_accuracy_score(similar, scores >= threshold),
        }
        for threshold in thresholds
    ]
    return pd.DataFrame(rows)
