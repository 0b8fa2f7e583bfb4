"""AUC and accuracy of several scores of the same pairs, and their paired differences.

A score may come from several training seeds: its value is the mean over them, its interval
resamples pairs (or images) and holds the models and thresholds fixed, and its spread over the
seeds stands apart.
"""

from dataclasses import dataclass

import numpy as np

from clipsim.resampled_pairs import ResampledPairs, measured
from clipsim.thresholds import held_out_decisions


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
        return self._row(self.auc, self.accuracy)

    def difference(self, other):
        """This score's values minus another's on the same samples, as `row`."""
        if (self.n_pairs, self.auc.shape) != (other.n_pairs, other.auc.shape):
            raise ValueError("the two scores are of other pairs, samples or numbers of seeds")
        return self._row(self.auc - other.auc, self.accuracy - other.accuracy)

    def _row(self, auc, accuracy):
        counts = {"n_pairs": self.n_pairs, "n_seeds": len(self.auc), "resampled": self.unit}
        return measured({"auc": auc, "accuracy": accuracy}) | counts


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
    evaluated, criterion = pairs.split != "val", profile.threshold_criterion
    sample = ResampledPairs.of(pairs.where(evaluated), profile)
    scores = np.stack(scores)
    right = held_out_decisions(pairs, scores, profile)[:, evaluated]
    return SampledScore(
        sample.auc(scores[:, evaluated]),
        sample.accuracy(right, criterion),
        sample.unit,
        sample.n_labelled,
    )
