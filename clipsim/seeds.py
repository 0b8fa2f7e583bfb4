"""The spread over training seeds, which a bootstrap with the model held fixed does not cover."""

from dataclasses import dataclass

import numpy as np

from clipsim.data.pool import caption_pool
from clipsim.evaluation import METRICS, Metric, decision_statistics
from clipsim.pipeline import description_scores, models_of_seeds, retrieval_of
from clipsim.thresholds import held_out_thresholds

OF_THE_MODEL = tuple(metric.key for metric in METRICS if metric.matrix is None)


@dataclass(frozen=True)
class SeedEvaluation:
    """One model's metric on the evaluated pairs of one source.

    Attributes
    ----------
    metric : Metric
    source : str
    seed : int
        Of the training.
    threshold : float
        The median of the held-out thresholds.
    statistics : dict of str to array of float, shape (1 + B,)
        Accuracy and balanced accuracy at the held-out thresholds of this model, `auc` and
        `average_precision`: of all pairs, then of every bootstrap sample.
    """

    metric: Metric
    source: str
    seed: int
    threshold: float
    statistics: dict

    @property
    def values(self):
        """The statistics of all pairs, and the threshold, by name."""
        whole = {name: float(values[0]) for name, values in self.statistics.items()}
        return whole | {"threshold": self.threshold}


def scores_of_seeds(profile, images, pairs):
    """Eq. 4 and the image cosine of pairs, by the models of `models_of_seeds`.

    Returns
    -------
    dict of int to dict of str to array of float32, shape (P,)
        By seed, the profile's own first.
    """
    pool = caption_pool(profile, images)
    models = models_of_seeds(profile, images)
    return {
        seed: description_scores(profile, retrieval_of(profile, model, images, pool), pairs)
        for seed, model in enumerate(models, start=profile.seed)
    }


def seed_evaluations(pairs, of_seeds, profile, evaluated):
    """Every seed's metrics on the pairs and bootstrap samples of the evaluations.

    Parameters
    ----------
    pairs : LabelledPairs
    of_seeds : dict
        From `scores_of_seeds`.
    profile : Profile
    evaluated : list of Evaluation
        From `clipsim.evaluation.evaluations` of the same pairs.

    Returns
    -------
    list of SeedEvaluation
    """
    found = []
    for metric in (metric for metric in METRICS if metric.key in OF_THE_MODEL):
        for one in (one for one in evaluated if one.metric is metric):
            inside = pairs.source == one.source
            of_source = pairs.where(inside)
            for seed, scores in of_seeds.items():
                scores = scores[metric.key][inside]
                thresholds = held_out_thresholds(
                    of_source, scores, profile.threshold_criterion, profile.seed
                )
                tested = of_source.split != "val"
                found.append(_seed_evaluation(one, seed, scores[tested], thresholds[tested]))
    return found


def seed_spread(of_seeds, evaluated):
    """Values, mean and standard deviation over the seeds, beside the bootstrap interval.

    Parameters
    ----------
    of_seeds : list of SeedEvaluation
    evaluated : list of Evaluation

    Returns
    -------
    list of dict
        A row per metric, source and statistic: `values` by seed, their `mean` and `sd` (n - 1),
        and `bootstrap_sd`, of the profile's own model over the resampled pairs or images (None
        for the threshold, which is held fixed).
    """
    rows = []
    for one in (one for one in evaluated if one.metric.key in OF_THE_MODEL):
        seeds = [s for s in of_seeds if (s.metric, s.source) == (one.metric, one.source)]
        for statistic in seeds[0].values:
            values = [seed.values[statistic] for seed in seeds]
            rows.append(
                {
                    "metric": one.metric.key,
                    **({"source": one.source} if one.source else {}),
                    "statistic": statistic,
                    "seeds": [seed.seed for seed in seeds],
                    "values": values,
                    "mean": float(np.mean(values)),
                    "sd": _sd(values),
                    "bootstrap_sd": _sd(one.statistics.get(statistic, ())[1:]),
                    "resampled": one.sample.unit,
                }
            )
    return rows


def _seed_evaluation(one, seed, scores, thresholds):
    statistics = decision_statistics(one.sample, scores, thresholds) | {
        "auc": one.sample.auc(scores),
        "average_precision": one.sample.average_precision(scores),
    }
    threshold = float(np.nanmedian(thresholds))
    return SeedEvaluation(one.metric, one.source, seed, threshold, statistics)


def _sd(values):
    return float(np.nanstd(values, ddof=1)) if len(values) > 1 else None
