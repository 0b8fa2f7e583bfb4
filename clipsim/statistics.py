"""Statistics of a whole bootstrap at once, and the intervals of its values.

Weights say how often each of P pairs is in each of B samples; a statistic has one value per
sample. Scores are sorted once, and a sample is counted per level of the score: a thousand samples
of some hundred pairs take hundredths of a second, of ten thousand pairs tenths.
"""

import numpy as np
from scipy.stats import binomtest, kendalltau

LEVEL = 0.95


def interval(values, level=LEVEL):
    """Percentile interval [low, high] of bootstrap values, NaNs left out; NaNs if all are."""
    if not np.isfinite(values).any():
        return [np.nan, np.nan]
    tail = (1 - level) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return [float(low), float(high)]


def exact_interval(count, n):
    """The 95 % Clopper–Pearson interval of a share: [low, high]."""
    result = binomtest(int(count), int(n)).proportion_ci(LEVEL, method="exact")
    return [float(result.low), float(result.high)]


def auc(similar, scores, weights=None):
    """Area under the ROC curve as the Mann-Whitney statistic, ties counting half.

    Parameters
    ----------
    similar : array of bool, shape (P,)
    scores : array of float, shape (P,)
    weights : array of float, shape (B, P), optional

    Returns
    -------
    array of float64, shape (B,)
        NaN without both classes. Without weights a float.
    """
    if weights is None:
        return float(auc(similar, scores, np.ones((1, len(scores))))[0])
    of_similar, other = _per_level(scores, weights, similar)
    won = (of_similar * (other.cumsum(axis=1) - other / 2)).sum(axis=1)
    return _ratio(won, of_similar.sum(axis=1) * other.sum(axis=1))


def average_precision(similar, scores, weights):
    """Average precision, Σ (Rᵢ - Rᵢ₋₁) Pᵢ over falling thresholds, as scikit-learn defines it.

    Parameters and return as `auc`.
    """
    of_similar, other = (part[:, ::-1] for part in _per_level(scores, weights, similar))
    found = of_similar.cumsum(axis=1)
    precision = found / np.maximum(found + other.cumsum(axis=1), 1)  # nothing called gains nothing
    gained = (of_similar * precision).sum(axis=1)
    n_similar = of_similar.sum(axis=1)
    return _ratio(gained, np.where(other.any(axis=1), n_similar, 0))


def rank_correlation(x, y, weights=None):
    """Spearman's ρ: float64, shape (B,), NaN where one side is constant; a float without weights.

    Parameters
    ----------
    x, y : array of float, shape (P,)
    weights : array of float, shape (B, P), optional
    """
    if weights is None:
        return float(rank_correlation(x, y, np.ones((1, len(x))))[0])
    total = weights.sum(axis=1, keepdims=True)
    ranks = [_midranks(values, weights) for values in (x, y)]
    x, y = (r - _ratio((weights * r).sum(axis=1, keepdims=True), total) for r in ranks)
    covariance, var_x, var_y = ((weights * a * b).sum(axis=1) for a, b in ((x, y), (x, x), (y, y)))
    # Rounding leaves a constant side with a variance of about 1e-16 of its squared ranks.
    floor = 1e-9 * total[:, 0]
    varied = (var_x > floor) & (var_y > floor)
    return _ratio(covariance, np.where(varied, np.sqrt(var_x * var_y), 0))


def kendall(x, y, weights):
    """Kendall's τ_b; parameters and return as `rank_correlation`, one sample after the other."""
    x, y = (np.unique(values, return_inverse=True)[1] for values in (x, y))
    found = []
    for counts in weights.astype(int):
        index = np.repeat(np.arange(len(x)), counts)
        found.append(kendalltau(x[index], y[index], method="asymptotic").statistic)
    return np.array(found, dtype=float)


def accuracy(right, weights):
    """Share of right decisions: float64, shape (B,); NaN where a sample is empty.

    Parameters
    ----------
    right : array of bool, shape (P,)
    weights : array of float, shape (B, P)
    """
    return _ratio(weights @ right.astype(float), weights.sum(axis=1))


def balanced_accuracy(right, similar, weights):
    """Mean of the accuracies among similar and among other pairs; NaN without both classes."""
    parts = (accuracy(right[part], weights[:, part]) for part in (similar, ~similar))
    return sum(parts) / 2


def _per_level(values, weights, similar):
    """Weight of the similar and of the other pairs at each level of the score, rising: (B, L)."""
    order, starts, _ = _levels(values)
    in_order = weights[:, order]
    return [
        np.add.reduceat(in_order * part[order], starts, axis=1) for part in (similar, ~similar)
    ]


def _midranks(values, weights):
    """Ranks of the values in each sample, equal ones sharing their mean: shape (B, P)."""
    order, starts, level = _levels(values)
    per_level = np.add.reduceat(weights[:, order], starts, axis=1)
    return (per_level.cumsum(axis=1) - (per_level - 1) / 2)[:, level]


def _levels(values):
    """An order that sorts the values, where each level starts in it, and each value's level."""
    levels, level = np.unique(values, return_inverse=True)
    order = np.argsort(level, kind="stable")
    return order, np.searchsorted(level[order], np.arange(len(levels))), level


def _ratio(numerator, denominator):
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    nothing = np.full(numerator.shape, np.nan)
    return np.divide(numerator, denominator, out=nothing, where=denominator > 0)
