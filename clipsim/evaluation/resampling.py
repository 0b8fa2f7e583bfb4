"""Pairs with their bootstrap samples: statistics, their intervals, and their paired differences.

Weights say how often each of P pairs is in each of B samples, and a statistic has one value per
sample. The first sample is the pairs themselves, so the difference of two statistics of the same
samples is the paired difference, with its own value first. Where no image is in two pairs, pairs
are resampled; where images repeat, images are, because pairs that share one are not independent:
what no library's bootstrap does. Scores are sorted once, and a sample is counted per level of the
score: a thousand samples of ten thousand pairs take tenths of a second.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.stats import binomtest

from clipsim.data import LabelledPairs
from clipsim.evaluation.claims import finding

LEVEL = 0.95
DECISION = ("accuracy", "balanced_accuracy")
FEWEST = 10  # pairs of a class; resampling fewer makes intervals that are too short
BLOCK = 32  # samples at a time: ten thousand pairs stay in the processor's cache


def interval(values):
    """The 95 % percentile interval of bootstrap values.

    Parameters
    ----------
    values : array of float, shape (B,)
        NaNs are left out.

    Returns
    -------
    list of float, length 2
        NaNs if there is no finite value.
    """
    if not np.isfinite(values).any():
        return [np.nan, np.nan]
    tail = (1 - LEVEL) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return [float(low), float(high)]


def exact_interval(count, n):
    """The 95 % Clopper–Pearson interval of a share.

    Parameters
    ----------
    count, n : int
        So many of so many.

    Returns
    -------
    list of float, length 2
    """
    result = binomtest(int(count), int(n)).proportion_ci(LEVEL, method="exact")
    return [float(result.low), float(result.high)]


def auc(similar, scores, weights=None):
    """Area under the ROC curve as the Mann–Whitney statistic, ties counting half.

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
    """Σ (Rᵢ - Rᵢ₋₁) Pᵢ over falling thresholds, as scikit-learn defines it; else as `auc`."""
    of_similar, other = (part[:, ::-1] for part in _per_level(scores, weights, similar))
    found = of_similar.cumsum(axis=1)
    precision = found / np.maximum(found + other.cumsum(axis=1), 1)  # nothing called gains nothing
    gained = (of_similar * precision).sum(axis=1)
    n_similar = of_similar.sum(axis=1)
    return _ratio(gained, np.where(other.any(axis=1), n_similar, 0))


def rank_correlation(x, y, weights):
    """Spearman's ρ of x and y (P,), in weights (B, P): float64 (B,), NaN where one is constant."""
    total = weights.sum(axis=1, keepdims=True)
    ranks = [_midranks(values, weights) for values in (x, y)]
    x, y = (r - _ratio((weights * r).sum(axis=1, keepdims=True), total) for r in ranks)
    covariance, var_x, var_y = ((weights * a * b).sum(axis=1) for a, b in ((x, y), (x, x), (y, y)))
    # Rounding leaves a constant side with a variance of about 1e-16 of its squared ranks.
    floor = 1e-9 * total[:, 0]
    varied = (var_x > floor) & (var_y > floor)
    return _ratio(covariance, np.where(varied, np.sqrt(var_x * var_y), 0))


def accuracy(similar, right, weights, criterion):
    """Share of right decisions in each sample, (B,); balanced, the mean of that of each class."""
    classes = [similar, ~similar] if criterion == "balanced_accuracy" else [similar | ~similar]
    shares = [
        _ratio(weights[:, part] @ right[part].astype(float), weights[:, part].sum(axis=1))
        for part in classes
    ]
    return sum(shares) / len(classes)


def bootstrap_weights(pairs, n_samples, seed):
    """How often each pair is in each bootstrap sample, (B, P); and what was resampled.

    Pairs are drawn with replacement where no image is in two pairs. Else images are drawn, and
    a pair counts as often as the product of how often its two images were drawn.
    """
    rng = np.random.default_rng(seed)
    ids, members = np.unique(np.concatenate([pairs.id_a, pairs.id_b]), return_inverse=True)
    independent = len(ids) == 2 * len(pairs)
    n = len(pairs) if independent else len(ids)
    weights = np.empty((n_samples, len(pairs)))
    first, second = np.split(members, 2)
    for b in range(n_samples):
        drawn = np.bincount(rng.integers(n, size=n), minlength=n)
        weights[b] = drawn if independent else drawn[first] * drawn[second]
    return weights, "pairs" if independent else "images"


@dataclass(frozen=True, eq=False)
class ResampledPairs:
    """Labelled pairs and how often each bootstrap sample holds them.

    Scores are of one model, shape (P,), or of S models, shape (S, P); every statistic has the
    shape (1 + B,), or (S, 1 + B).

    Attributes
    ----------
    pairs : LabelledPairs
        P pairs. Those in between count for the correlation alone.
    weights : array of float, shape (1 + B, P)
        Ones, then the samples.
    unit : {"pairs", "images"}
        What was resampled.
    """

    pairs: LabelledPairs
    weights: np.ndarray
    unit: str

    @classmethod
    def of(cls, pairs, profile, stream=0):
        """Resample labelled pairs.

        Parameters
        ----------
        pairs : LabelledPairs
        profile : Profile
            `n_bootstrap` and `seed`.
        stream : int
            Samples of other pairs that shall be independent have another number.
        """
        drawn, unit = bootstrap_weights(pairs, profile.n_bootstrap, [profile.seed, stream])
        return cls(pairs, np.concatenate([np.ones((1, len(pairs))), drawn]), unit)

    @property
    def n_labelled(self):
        """How many pairs count as decisions."""
        return int((self.pairs.similar >= 0).sum())

    @property
    def counts(self):
        """`n_pairs` that count as decisions, `n_similar`, and what was `resampled`."""
        n_similar = int((self.pairs.similar == 1).sum())
        return {"n_pairs": self.n_labelled, "n_similar": n_similar, "resampled": self.unit}

    def auc(self, scores):
        """Area under the ROC curve, ties counting half; NaN where a sample lacks a class."""
        return self._of_labelled(auc, scores)

    def average_precision(self, scores):
        """Average precision; NaN where a sample lacks a class."""
        return self._of_labelled(average_precision, scores)

    def spearman(self, scores):
        """Spearman's ρ with the graded similarity; NaN where one side is constant."""
        graded = self.pairs.graded
        return self._of_models(lambda own, weights: rank_correlation(own, graded, weights), scores)

    def accuracy(self, right, criterion="accuracy"):
        """Share of right decisions.

        Parameters
        ----------
        right : array of bool, shape (P,) or (S, P)
        criterion : {"accuracy", "balanced_accuracy"}
            The latter is the mean of the shares among similar and among other pairs, NaN where
            a sample lacks one of the two.
        """
        return self._of_labelled(partial(accuracy, criterion=criterion), right)

    def precision_and_recall(self, called):
        """Of the pairs called similar the share that is, and of the similar ones the share called.

        Parameters
        ----------
        called : array of bool, shape (P,)

        Returns
        -------
        tuple of array of float, shape (1 + B,)
            NaN where a sample has none to be shared.
        """
        similar, labelled = self.pairs.similar == 1, self.pairs.similar >= 0
        found = self.weights @ (similar & called)
        return tuple(_ratio(found, self.weights @ part) for part in (labelled & called, similar))

    def _of_labelled(self, statistic, values):
        labelled = self.pairs.similar >= 0
        similar = self.pairs.similar[labelled] == 1
        return self._of_models(
            lambda own, weights: statistic(similar, own[labelled], weights[:, labelled]), values
        )

    def _of_models(self, statistic, values):
        values = np.asarray(values)
        if values.ndim == 2:
            return np.stack([self._of_models(statistic, of_model) for of_model in values])
        starts = range(0, len(self.weights), BLOCK)
        return np.concatenate([statistic(values, self.weights[s : s + BLOCK]) for s in starts])


def measured(values):
    """Statistics with their intervals and the spread over models, as entries of a row.

    Parameters
    ----------
    values : mapping of str to array of float, shape (1 + B,) or (S, 1 + B)
        By name; of one model, or of S models: their mean is reported, and the interval is that
        of the mean.

    Returns
    -------
    dict
        `name`, `name_ci95`, and of several models `name_of_seeds`, one value for each.
    """
    row = {}
    for name, of_models in values.items():
        of_models = np.asarray(of_models, dtype=float)
        mean = of_models.mean(axis=0) if of_models.ndim == 2 else of_models
        row |= {name: float(mean[0]), f"{name}_ci95": interval(mean[1:])}
        if of_models.ndim == 2:
            row[f"{name}_of_seeds"] = of_models[:, 0].tolist()
    return row


def finding_of(claim, experiment, values, resampled, **region):
    """A `finding` whose estimate is a statistic of resampled pairs.

    Parameters
    ----------
    claim, experiment : str
        As in `finding`.
    values : array of float, shape (1 + B,) or (S, 1 + B)
    resampled : ResampledPairs or sequence of ResampledPairs
        What the statistic is of; several where independent groups are compared. With fewer
        than ten pairs of a class in one of them there is no interval, and the claim is undecided.
    **region
        `region`, if the claim's is not above 0.

    Returns
    -------
    dict
    """
    groups = [resampled] if isinstance(resampled, ResampledPairs) else list(resampled)
    row = measured({"value": values})
    units = sorted({group.unit for group in groups})
    fewest = min(int(np.sum(g.pairs.similar == label)) for g in groups for label in (0, 1))
    if fewest < FEWEST:
        experiment += f"; {fewest} pairs of a class: too few, undecided by rule"
        row["value_ci95"] = (np.nan, np.nan)
    return finding(
        claim,
        experiment,
        row["value"],
        row["value_ci95"],
        n_pairs=sum(group.n_labelled for group in groups),
        n_seeds=len(values) if np.ndim(values) == 2 else 1,
        interval=f"{' and '.join(units)} resampled, models held fixed",
        **region,
    )


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
