"""AUC and accuracy of several scores of the same pairs, and their paired differences.

A score may come from several training seeds: its value is the mean over them, its interval
resamples pairs (or images) and holds the models and thresholds fixed, and its spread over the
seeds stands apart.
"""

from dataclasses import dataclass

import numpy as np

from clipsim.evaluation import held_out_thresholds
from clipsim.statistics import area_under_roc, interval, resamples


@dataclass(frozen=True)
class SampledScore:
    """A score's AUC and accuracy, on all evaluated pairs and on every bootstrap sample.

    Attributes
    ----------
    auc, accuracy : array of float, shape (S, 1 + B)
        One row per training seed; column 0 is the value on all pairs. `accuracy` is the
        profile's criterion at held-out thresholds.
    unit : {"pairs", "images"}
        What was resampled.
    n_pairs : int
    """

    auc: np.ndarray
    accuracy: np.ndarray
    unit: str
    n_pairs: int

    @property
    def row(self):
        """`auc` and `accuracy` with `_ci95` and `_of_seeds`, the mean over seeds first."""
        return _summary({"auc": self.auc, "accuracy": self.accuracy}) | self._counts

    def difference(self, other):
        """This score's values minus another's on the same samples, as `row`."""
        if (self.n_pairs, self.auc.shape) != (other.n_pairs, other.auc.shape):
            raise ValueError("the two scores are of other pairs, samples or numbers of seeds")
        differences = {"auc": self.auc - other.auc, "accuracy": self.accuracy - other.accuracy}
        return _summary(differences) | self._counts

    @property
    def _counts(self):
        return {"n_pairs": self.n_pairs, "n_seeds": len(self.auc), "resampled": self.unit}


def sampled_score(pairs, scores, profile):
    """Evaluate a score with the bootstrap samples that every score of these pairs gets.

    Parameters
    ----------
    pairs : LabelledPairs
        Of one source, with the validation pairs that thresholds come from.
    scores : sequence of array of float, each of shape (P,)
        One per training seed.
    profile : Profile
        `threshold_criterion`, `n_bootstrap`, `seed`.

    Returns
    -------
    SampledScore
    """
    evaluated = pairs.split != "val"
    test = pairs.where(evaluated)
    samples, unit = resamples(test, profile.n_bootstrap, profile.seed)
    similar, labelled = test.similar == 1, test.similar >= 0
    kept = [index[labelled[index]] for index in (np.arange(len(test)), *samples)]
    auc, accuracy = [], []
    for values in scores:
        thresholds = held_out_thresholds(pairs, values, profile.threshold_criterion, profile.seed)[
            evaluated
        ]
        values = values[evaluated]
        right = (values >= thresholds) == similar
        auc.append([area_under_roc(similar[index], values[index]) for index in kept])
        accuracy.append(
            [_accuracy(right[i], similar[i], profile.threshold_criterion) for i in kept]
        )
    return SampledScore(np.array(auc), np.array(accuracy), unit, int(labelled.sum()))


def sources(pairs):
    """The pairs of each source, by its name; experts first."""
    names = sorted(set(pairs.source.tolist()), reverse=True)
    return {name: pairs.source == name for name in names}


def _accuracy(right, similar, criterion):
    if criterion == "accuracy":
        return right.mean() if len(right) else np.nan
    if similar.all() or not similar.any():
        return np.nan
    return (right[similar].mean() + right[~similar].mean()) / 2


def _summary(values):
    row = {}
    for name, of_seeds in values.items():
        mean = of_seeds.mean(axis=0)
        row |= {
            name: float(mean[0]),
            f"{name}_ci95": interval(mean[1:]),
            f"{name}_of_seeds": of_seeds[:, 0].tolist(),
        }
    return row
