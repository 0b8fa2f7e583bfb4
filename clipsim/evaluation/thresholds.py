"""Decision thresholds, what they are chosen on, and how often they are right.

A threshold is never tuned on the pairs it is reported on: it comes from validation pairs, or,
where all pairs are of one split, from the pairs that share no group of images (cross-fitting).
"""

import numpy as np
import pandas as pd
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import brier_score_loss

N_GROUPS = 10


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
        If there are not both similar and other pairs, a pair has another label (such as the -1
        of pairs in between), or a score is not a number.
    """
    scores, similar = np.asarray(scores, dtype=float), np.asarray(similar)
    if scores.shape != similar.shape or scores.ndim != 1:
        raise ValueError(f"scores {scores.shape} and labels {similar.shape}: expected (P,) both")
    if criterion not in ("accuracy", "balanced_accuracy"):
        raise ValueError(f"criterion={criterion!r}: expected accuracy or balanced_accuracy")
    if not np.isfinite(scores).all():
        raise ValueError(f"{(~np.isfinite(scores)).sum()} scores are not finite numbers")
    if not np.isin(similar, [0, 1]).all():
        raise ValueError("a threshold needs pairs labelled 0 or 1; leave out those in between")
    similar = similar.astype(bool)
    if similar.all() or not similar.any():
        raise ValueError("a threshold needs similar pairs and other pairs to choose from")
    levels = np.unique(scores)
    lower, upper = levels[:-1], levels[1:]
    middles = (lower + upper) / 2
    middles = np.where(middles > lower, middles, upper)  # of neighbouring floats it is no third
    beyond = np.maximum(1e-6, np.spacing(np.abs(levels[[0, -1]])))
    candidates = np.concatenate([[levels[0] - beyond[0]], middles, [levels[-1] + beyond[1]]])
    # Similar pairs kept (hits) and other pairs left out (rejections) at each candidate.
    hits = similar.sum() - np.searchsorted(np.sort(scores[similar]), candidates)
    rejections = np.searchsorted(np.sort(scores[~similar]), candidates)
    value = hits + rejections
    if criterion == "balanced_accuracy":
        value = hits * (~similar).sum() + rejections * similar.sum()
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
        pairs all have the threshold of the validation pairs. Without any of those the images
        fall into ten groups, and a pair in groups f and g has the threshold chosen on the
        pairs with no image in f or g (cross-fitting).
    """
    thresholds = np.full(len(pairs), np.nan)
    for decided, chosen_on in held_out_parts(pairs, seed):
        threshold = best_threshold(scores[chosen_on], pairs.similar[chosen_on], criterion)
        thresholds[decided] = threshold
    return thresholds


def is_cross_fitted(pairs):
    """Whether no pair is for choosing only, so that each is decided by thresholds of others."""
    return not (pairs.split == "val").any()


def held_out_parts(pairs, seed):
    """Which pairs are decided by what is chosen on which others: masks (decided, chosen_on)."""
    labelled = pairs.similar >= 0
    if not is_cross_fitted(pairs):
        chosen_on = pairs.split == "val"
        yield labelled & ~chosen_on, labelled & chosen_on
        return
    ids = pairs.image_ids
    groups = np.random.default_rng(seed).permutation(np.arange(len(ids)) % N_GROUPS)
    of_pairs = np.sort(groups[pairs.positions(ids)], axis=1)
    for two in np.unique(of_pairs, axis=0):
        decided = labelled & (of_pairs == two).all(axis=1)
        yield decided, labelled & ~np.isin(of_pairs, two).any(axis=1)


def calibration(pairs, scores, seed):
    """How sure a score makes one that a pair is similar: isotonic regression on the score.

    Parameters
    ----------
    pairs : LabelledPairs
    scores : array of float, shape (P,)
    seed : int
        As in `held_out_thresholds`.

    Returns
    -------
    dict
        "curve", pairs of a score and the share of similar pairs there, from all labelled pairs;
        "brier", the mean squared error of the shares that held-out pairs get (0 at best), and
        "brier_constant", of the same share for every pair.
    """
    similar, shares = pairs.similar == 1, np.full(len(pairs), np.nan)
    for decided, chosen_on in held_out_parts(pairs, seed):
        if decided.any():
            shares[decided] = _isotonic(scores[chosen_on], similar[chosen_on]).predict(
                scores[decided]
            )
    labelled, decided = pairs.similar >= 0, ~np.isnan(shares)
    fit = _isotonic(scores[labelled], similar[labelled])
    return {
        "curve": np.stack([fit.X_thresholds_, fit.y_thresholds_], axis=1).tolist(),
        "brier": float(brier_score_loss(similar[decided], shares[decided])),
        "brier_constant": float(similar[decided].var()),
    }


def _isotonic(scores, similar):
    return IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, similar)


def right_decisions(pairs, scores, thresholds):
    """Whether each pair is called rightly.

    Parameters
    ----------
    pairs : LabelledPairs
    scores : array of float, shape (P,)
    thresholds : float or array of float, shape (P,)
        NaN for pairs that are not judged.

    Returns
    -------
    array of bool, shape (P,)
        False for pairs without a threshold.
    """
    return ((scores >= thresholds) == (pairs.similar == 1)) & ~np.isnan(thresholds)


def held_out_decisions(pairs, scores, profile):
    """`right_decisions` at held-out thresholds.

    Parameters
    ----------
    pairs : LabelledPairs
    scores : array of float, shape (P,) or (S, P)
        Of one model, or of S models, each with thresholds of its own.
    profile : Profile
        `threshold_criterion` and `seed`.

    Returns
    -------
    array of bool, of the same shape
    """
    if scores.ndim == 2:
        return np.stack([held_out_decisions(pairs, of_model, profile) for of_model in scores])
    thresholds = held_out_thresholds(pairs, scores, profile.threshold_criterion, profile.seed)
    return right_decisions(pairs, scores, thresholds)


def sweep(scores, similar, thresholds):
    """Accuracy and balanced accuracy at each of a list of thresholds.

    Parameters
    ----------
    scores : array of float, shape (P,)
    similar : array of {0, 1}, shape (P,)
    thresholds : sequence of float

    Returns
    -------
    pandas.DataFrame
        Columns threshold, accuracy, balanced_accuracy.
    """
    similar = np.asarray(similar) == 1
    right = (scores >= np.asarray(thresholds)[:, None]) == similar
    balanced = (right[:, similar].mean(axis=1) + right[:, ~similar].mean(axis=1)) / 2
    columns = {"threshold": thresholds, "accuracy": right.mean(axis=1)}
    return pd.DataFrame(columns | {"balanced_accuracy": balanced})
