"""How well a score ranks pairs: AUC, average precision, Spearman's ρ and Kendall's τ_b.

A bootstrap repeats the distinct scores of the whole sample: they are sorted once, and a sample is
counted per level of the score. A thousand samples of ten thousand pairs take seconds.
"""

import numpy as np
from scipy.stats import kendalltau

RANKING = ("auc", "average_precision", "spearman", "kendall")


def ranking_statistics(similar, graded, scores):
    """The four ranking statistics as a function of a sample.

    Parameters
    ----------
    similar : array of int8, shape (P,)
        1 similar, 0 not, -1 in between: counted by the correlations alone.
    graded : array of float, shape (P,)
    scores : array of float, shape (P,)

    Returns
    -------
    callable
        Index array to a tuple as `RANKING`: AUC and average precision of the labelled pairs,
        Spearman's ρ and Kendall's τ_b of all pairs with the graded score.
    """
    levels, level = np.unique(scores, return_inverse=True)
    grades, grade = np.unique(graded, return_inverse=True)

    def statistics(index):
        of_label = [
            np.bincount(level[index[similar[index] == label]], minlength=len(levels))
            for label in (1, 0)
        ]
        x, y = level[index], grade[index]
        correlation = kendalltau(x, y, method="asymptotic").statistic
        return (
            auc_of_counts(*of_label),
            average_precision_of_counts(*of_label),
            _pearson(_midranks(x, len(levels)), _midranks(y, len(grades))),
            correlation,
        )

    return statistics


def auc_of_counts(similar, other):
    """AUC from the number of similar and of other pairs at each level of the score.

    Parameters
    ----------
    similar, other : array of int, shape (L,)
        From the lowest score to the highest.

    Returns
    -------
    float
        The Mann-Whitney statistic, ties counting half; NaN without both classes.
    """
    n_similar, n_other = similar.sum(), other.sum()
    if not (n_similar and n_other):
        return np.nan
    below = np.cumsum(other) - other / 2
    return float(similar @ below / (n_similar * n_other))


def average_precision_of_counts(similar, other):
    """Average precision, Σ (Rᵢ - Rᵢ₋₁) Pᵢ over falling thresholds, as scikit-learn defines it.

    Parameters as `auc_of_counts`; NaN without both classes.
    """
    if not (similar.any() and other.any()):
        return np.nan
    found = np.cumsum(similar[::-1])
    called = found + np.cumsum(other[::-1])
    precision = found / np.maximum(called, 1)  # nothing called is nothing gained
    return float(similar[::-1] @ precision / found[-1])


def _midranks(level, n_levels):
    counts = np.bincount(level, minlength=n_levels)
    return (np.cumsum(counts) - (counts - 1) / 2)[level]


def _pearson(x, y):
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.nan
    return float(np.corrcoef(x, y)[0, 1])
