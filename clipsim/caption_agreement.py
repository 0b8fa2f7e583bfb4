"""Whether a model likes the captions that people like."""

import numpy as np
from scipy.stats import kendalltau

from clipsim.statistics import interval


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
    resampled = []
    for drawn in rng.integers(n_groups, size=(n_bootstrap, n_groups)):
        index = np.repeat(np.arange(len(x)), np.bincount(drawn, minlength=n_groups)[group])
        resampled.append(_tau_c(x[index], y[index]))
    return {"tau_c": _tau_c(x, y), "tau_c_ci95": interval(resampled), "n_ratings": len(x)}


def _tau_c(x, y):
    return float(kendalltau(x, y, variant="c").statistic)
