"""Pairs with their bootstrap resamples, as weights: differences of statistics stay paired.

A resample is a row of counts, how often it holds each pair; the first row is the sample itself.
A statistic is then an array of one value per row, so that the difference of two of them is
the paired difference, with its own value first.
"""

from dataclasses import dataclass

import numpy as np

from clipsim.claims import finding
from clipsim.data.captioned import LabelledPairs
from clipsim.statistics import interval, resamples

FEWEST = 10  # pairs of a class; resampling fewer makes intervals that are too short


@dataclass(frozen=True, eq=False)
class ResampledPairs:
    """Labelled pairs and how often each bootstrap resample holds them.

    Attributes
    ----------
    pairs : LabelledPairs
        P pairs, all of them similar or not similar.
    counts : array of float, shape (1 + B, P)
        Ones, then the resamples.
    unit : {"pairs", "images"}
        What was resampled.
    """

    pairs: LabelledPairs
    counts: np.ndarray
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

        Raises
        ------
        ValueError
            If a pair is in between.
        """
        if (pairs.similar < 0).any():
            raise ValueError("pairs in between cannot be counted: leave them out first")
        samples, unit = resamples(pairs, profile.n_bootstrap, [profile.seed, stream])
        drawn = [np.bincount(sample, minlength=len(pairs)) for sample in samples]
        return cls(pairs, np.array([np.ones(len(pairs)), *drawn], dtype=float), unit)

    def auc(self, scores):
        """Area under the ROC curve in each resample, ties counting half.

        Parameters
        ----------
        scores : array of float, shape (P,) or (S, P)
            Of one model, or of S models.

        Returns
        -------
        array of float, shape (1 + B,) or (S, 1 + B)
            NaN where a resample lacks one of the classes.
        """
        if np.ndim(scores) == 2:
            return np.stack([self.auc(of_model) for of_model in scores])
        similar = self.pairs.similar == 1
        high, low = np.asarray(scores)[similar][:, None], np.asarray(scores)[~similar]
        wins = (high > low) + 0.5 * (high == low)
        kept, other = self.counts[:, similar], self.counts[:, ~similar]
        total = kept.sum(axis=1) * other.sum(axis=1)
        won = ((kept @ wins) * other).sum(axis=1)
        return np.divide(won, total, out=np.full(len(total), np.nan), where=total > 0)

    def accuracy(self, right, criterion="accuracy"):
        """Share of right decisions in each resample.

        Parameters
        ----------
        right : array of bool, shape (P,) or (S, P)
        criterion : {"accuracy", "balanced_accuracy"}
            The latter is the mean of the shares among similar and among other pairs.

        Returns
        -------
        array of float, shape (1 + B,) or (S, 1 + B)
        """
        right = np.asarray(right)
        similar = self.pairs.similar == 1
        parts = [np.ones_like(similar)] if criterion == "accuracy" else [similar, ~similar]
        shares = []
        for part in parts:
            total = self.counts[:, part].sum(axis=1)
            hits = right[..., part].astype(float) @ self.counts[:, part].T
            shares.append(np.divide(hits, total, out=np.full(hits.shape, np.nan), where=total > 0))
        return np.mean(shares, axis=0)


def measured(name, values):
    """A statistic with its interval and the spread over models, as entries of a row.

    Parameters
    ----------
    name : str
    values : array of float, shape (1 + B,) or (S, 1 + B)
        Of one model, or of S models: their mean is reported, and the interval is that of the
        mean.

    Returns
    -------
    dict
        `name`, `name_ci95`, and of several models `name_seeds`, the lowest and the highest.
    """
    values = np.asarray(values, dtype=float)
    mean = values.mean(axis=0) if values.ndim == 2 else values
    row = {name: float(mean[0]), f"{name}_ci95": interval_or_nan(mean[1:])}
    if values.ndim == 2:
        row[f"{name}_seeds"] = [float(values[:, 0].min()), float(values[:, 0].max())]
    return row


def interval_or_nan(values):
    """95 % interval of bootstrap values; NaNs where no resample has a value."""
    return interval(values) if np.isfinite(values).any() else [np.nan, np.nan]


def finding_of(claim, experiment, values, resampled, **region):
    """A `finding` whose estimate is a statistic of resampled pairs.

    Parameters
    ----------
    claim, experiment : str
        As in `clipsim.claims.finding`.
    values : array of float, shape (1 + B,) or (S, 1 + B)
    resampled : ResampledPairs or sequence of ResampledPairs
        What the statistic is of; several where independent groups are compared. With fewer
        than ten pairs of a class in one of them there is no interval, and the claim is undecided.
    **region
        `region`, if the claim's is not above 0.
    """
    groups = [resampled] if isinstance(resampled, ResampledPairs) else list(resampled)
    row = measured("value", values)
    units = sorted({group.unit for group in groups})
    fewest = min(int(np.sum(g.pairs.similar == label)) for g in groups for label in (0, 1))
    few = fewest < FEWEST
    return finding(
        claim,
        f"{experiment}; {fewest} pairs of a class: too few, undecided by rule"
        if few
        else experiment,
        row["value"],
        (np.nan, np.nan) if few else row["value_ci95"],
        n_pairs=sum(len(group.pairs) for group in groups),
        n_seeds=len(values) if np.ndim(values) == 2 else 1,
        interval=f"{' and '.join(units)} resampled, models held fixed",
        **region,
    )
