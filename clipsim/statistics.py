"""Bootstrap intervals and rank statistics.

Intervals are percentiles over resampled pairs where no image is in two pairs, else over
resampled images.
"""

import numpy as np
from scipy.stats import kendalltau, rankdata

LEVEL = 0.95


def resamples(pairs, n_resamples, seed):
    """Bootstrap samples of pairs, as index arrays; and what was resampled.

    Pairs are drawn with replacement where no image is in two pairs. Else images are drawn, and
    a pair counts as often as the product of how often its two images were drawn.

    Returns
    -------
    samples : list of array of int64
    unit : {"pairs", "images"}
    """
    rng = np.random.default_rng(seed)
    ids, members = np.unique(np.concatenate([pairs.id_a, pairs.id_b]), return_inverse=True)
    if len(ids) == 2 * len(pairs):
        return list(rng.integers(len(pairs), size=(n_resamples, len(pairs)))), "pairs"
    first, second = np.split(members, 2)
    samples = []
    for _ in range(n_resamples):
        drawn = np.bincount(rng.integers(len(ids), size=len(ids)), minlength=len(ids))
        samples.append(np.repeat(np.arange(len(pairs)), drawn[first] * drawn[second]))
    return samples, "images"


def interval(values, level=LEVEL):
    """Percentile interval [low, high] of bootstrap values, NaNs left out."""
    tail = (1 - level) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return [float(low), float(high)]


def with_intervals(names, statistics, n, samples):
    """Values of named statistics on all n observations, each with its bootstrap interval.

    Parameters
    ----------
    names : tuple of str
    statistics : callable
        Index array to a tuple of values, one per name.
    n : int
    samples : list of array of int
        Resampled indices.

    Returns
    -------
    dict
        `name` and `name_ci95` for each.
    """
    return summary(*resampled(names, statistics, n, samples))


def resampled(names, statistics, n, samples):
    """Values of named statistics on all n observations, and on every bootstrap sample.

    Statistics of the same samples are paired: their differences have intervals of their own.

    Parameters as `with_intervals`.

    Returns
    -------
    values : dict of str to float
    spread : dict of str to array of float, shape (B,)
    """
    values = statistics(np.arange(n))
    spread = np.array([statistics(sample) for sample in samples], dtype=float).T
    return (
        {name: float(value) for name, value in zip(names, values, strict=True)},
        dict(zip(names, spread, strict=True)),
    )


def summary(values, spread):
    """What `resampled` gave as `name` and `name_ci95`."""
    row = {}
    for name, value in values.items():
        row |= {name: value, f"{name}_ci95": interval(spread[name])}
    return row


def area_under_roc(similar, scores):
    """AUC as the Mann-Whitney statistic, ties counting half; NaN without both classes."""
    n_similar = int(similar.sum())
    n_other = len(similar) - n_similar
    if not (n_similar and n_other):
        return np.nan
    rank_sum = rankdata(scores)[similar].sum()
    return float((rank_sum - n_similar * (n_similar + 1) / 2) / (n_similar * n_other))


def rank_correlation(x, y):
    """Spearman's ρ; NaN where one of the two is constant."""
    ranks_x, ranks_y = rankdata(x), rankdata(y)
    if np.ptp(ranks_x) == 0 or np.ptp(ranks_y) == 0:
        return np.nan
    return float(np.corrcoef(ranks_x, ranks_y)[0, 1])


def caption_agreement(similarities, ratings, groups, n_bootstrap, seed):
    """Kendall's τ_c between a model's similarities of image and caption and people's ratings.

    Parameters
    ----------
    similarities : array of float, shape (R,)
    ratings : array of int, shape (R, 3)
        The three ratings of a row stand as three observations, as in CLIPScore (Hessel et al.
        2021).
    groups : array of str, shape (R,)
        The image of each row: what the interval resamples.
    n_bootstrap, seed : int

    Returns
    -------
    dict
        `tau_c`, `tau_c_ci95`, `n_ratings`.
    """
    x, y = np.repeat(similarities, ratings.shape[1]), ratings.ravel()
    _, group = np.unique(np.repeat(groups, ratings.shape[1]), return_inverse=True)
    n_groups = group.max() + 1
    rng = np.random.default_rng(seed)
    draws = rng.integers(n_groups, size=(n_bootstrap, n_groups))
    samples = [
        np.repeat(np.arange(len(x)), np.bincount(drawn, minlength=n_groups)[group])
        for drawn in draws
    ]

    def statistics(index):
        return (kendalltau(x[index], y[index], variant="c").statistic,)

    return with_intervals(("tau_c",), statistics, len(x), samples) | {"n_ratings": len(x)}
