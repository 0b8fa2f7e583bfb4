"""Statistics of all bootstrap samples at once, from how often each pair is in each sample.

With weights W (B samples, P pairs) the statistics are matrix products and cumulative sums over
the sorted scores; a thousand samples of some hundred pairs take hundredths of a second.
"""

import numpy as np


def sample_weights(samples, n):
    """How often each of n observations is in each sample: float64, shape (B, n)."""
    counts = [np.bincount(sample, minlength=n) for sample in samples]
    return np.array(counts, dtype=float).reshape(-1, n)


def weighted_auc(similar, scores, weights):
    """AUC of each sample, ties counting half: float64, shape (B,); NaN without both classes.

    Parameters
    ----------
    similar : array of bool, shape (P,)
    scores : array of float, shape (P,)
    weights : array of float, shape (B, P)
    """
    of_similar, of_other = weights[:, similar], weights[:, ~similar]
    a, b = scores[similar][:, None], scores[~similar][None]
    above = (a > b) + 0.5 * (a == b)  # (similar, other)
    won = ((of_similar @ above) * of_other).sum(axis=1)
    return _ratio(won, of_similar.sum(axis=1) * of_other.sum(axis=1))


def weighted_rank_correlation(x, y, weights):
    """Spearman's ρ of each sample: float64, shape (B,); NaN where one side is constant."""
    ranks = [_midranks(values, weights) for values in (x, y)]
    total = weights.sum(axis=1, keepdims=True)
    centred = [r - _ratio((weights * r).sum(axis=1, keepdims=True), total) for r in ranks]
    covariance, var_x, var_y = (
        (weights * centred[i] * centred[j]).sum(axis=1) for i, j in ((0, 1), (0, 0), (1, 1))
    )
    # Rounding leaves a constant side with a variance of about 1e-16 of its squared ranks.
    floor = 1e-9 * total[:, 0]
    return _ratio(
        covariance, np.where((var_x > floor) & (var_y > floor), np.sqrt(var_x * var_y), 0)
    )


def weighted_accuracy(right, similar, weights):
    """Accuracy and balanced accuracy of each sample: two arrays of float64, shape (B,).

    Parameters
    ----------
    right, similar : array of bool, shape (P,)
        Whether each pair is decided right, and its class.
    weights : array of float, shape (B, P)
    """
    shares = [
        _ratio(weights[:, inside] @ right[inside], weights[:, inside].sum(axis=1))
        for inside in (np.ones(len(right), dtype=bool), similar, ~similar)
    ]
    return shares[0], (shares[1] + shares[2]) / 2


def _midranks(values, weights):
    """Ranks of the values in each sample, equal ones sharing their mean: shape (B, P)."""
    levels, level = np.unique(values, return_inverse=True)
    order = np.argsort(level, kind="stable")
    starts = np.searchsorted(level[order], np.arange(len(levels)))
    per_level = np.add.reduceat(weights[:, order], starts, axis=1)
    return (per_level.cumsum(axis=1) - (per_level - 1) / 2)[:, level]


def _ratio(numerator, denominator):
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    nothing = np.full(numerator.shape, np.nan)
    return np.divide(numerator, denominator, out=nothing, where=denominator > 0)
