"""The spread over training seeds, which a bootstrap with the model held fixed does not cover.

How well a score tells similar from different pairs: accuracy, ranking, Table 1.

Thresholds come from `thresholds`: never tuned on the pairs they are reported on.
"""

from dataclasses import dataclass

import numpy as np
from tqdm.auto import tqdm

from clipsim.data import caption_pool
from clipsim.evaluation.resampling import DECISION, ResampledPairs, measured
from clipsim.evaluation.steps import description_scores, models_of_seeds, retrieval_of
from clipsim.evaluation.thresholds import (
    best_threshold,  # noqa: F401
    held_out_thresholds,
    right_decisions,
    sweep,  # noqa: F401
)
from clipsim.metrics import METRICS, Metric


@dataclass(frozen=True)
class Evaluation:
    """A metric on the evaluated pairs of one source; all metrics share the bootstrap samples.

    Attributes
    ----------
    metric : Metric
    source : str
    sample : ResampledPairs
        The evaluated ones; those in between do not count as decisions.
    scores, thresholds : array of float, shape (P,)
        The thresholds are held out; NaN for pairs in between.
    statistics : dict of str to array of float, shape (1 + B,)
        Those of `decision_statistics` and `ranking_statistics`: of all pairs, then of every
        bootstrap sample, thresholds held fixed.
    """

    metric: Metric
    source: str
    sample: ResampledPairs
    scores: np.ndarray
    thresholds: np.ndarray
    statistics: dict

    @property
    def pairs(self):
        """The evaluated pairs."""
        return self.sample.pairs

    @property
    def right(self):
        """Whether each labelled pair is decided right: bool, shape (P',)."""
        return right_decisions(self.pairs, self.scores, self.thresholds)[self.pairs.similar >= 0]


def decision_statistics(sample, scores, thresholds):
    """Accuracy and balanced accuracy, thresholds held fixed.

    Parameters
    ----------
    sample : ResampledPairs
    scores : array of float, shape (P,)
    thresholds : float or array of float, shape (P,)

    Returns
    -------
    dict of str to array of float, shape (1 + B,)
        Keys as `DECISION`.
    """
    right = right_decisions(sample.pairs, scores, thresholds)
    return {criterion: sample.accuracy(right, criterion) for criterion in DECISION}


def ranking_statistics(sample, scores):
    """AUC, average precision, Spearman's ρ and Kendall's τ_b; as `decision_statistics`."""
    return {
        "auc": sample.auc(scores),
        "average_precision": sample.average_precision(scores),
        "spearman": sample.spearman(scores),
        "kendall": sample.kendall(scores),
    }


def evaluations(pairs, scores, profile):
    """Every metric on every source's evaluated pairs, all on the same bootstrap samples.

    Parameters
    ----------
    pairs : LabelledPairs
    scores : mapping of str to array of float, shape (P,)
        Scores by `Metric.key`.
    profile : Profile

    Returns
    -------
    list of Evaluation
        Source by source, in the order of `METRICS`.
    """
    found = []
    for source, inside in pairs.by_source.items():
        of_source = pairs.where(inside)
        evaluated = of_source.split != "val"
        test = of_source.where(evaluated)
        sample = ResampledPairs.of(test, profile)
        for metric in tqdm(METRICS, desc=f"bootstrap {source}".strip(), leave=False):
            values = np.asarray(scores[metric.key])[inside]
            thresholds = held_out_thresholds(
                of_source, values, profile.threshold_criterion, profile.seed
            )[evaluated]
            values = values[evaluated]
            statistics = decision_statistics(sample, values, thresholds)
            statistics |= ranking_statistics(sample, values)
            found.append(Evaluation(metric, source, sample, values, thresholds, statistics))
    return found


def table_1(pairs, scores, profile):
    """Table 1 of the paper on these pairs, with thresholds that never saw them.

    Parameters as `evaluations`, return as `table_1_rows`.
    """
    return table_1_rows(evaluations(pairs, scores, profile))


def table_1_rows(evaluated):
    """Table 1's rows.

    Parameters
    ----------
    evaluated : list of Evaluation

    Returns
    -------
    list of dict
        A row per source, metric and origin of the threshold; DESIGN.md's contract, plus
        `threshold_range`, `n_similar`, the rank statistics and the unit that was resampled.
    """
    rows = []
    for one in evaluated:
        at_held_out = measured(one.statistics)
        origins = {"validation": (one.thresholds, at_held_out)}
        paper = one.metric.paper_threshold
        if paper is not None:
            thresholds = np.full(len(one.pairs), paper)
            at_paper = measured(decision_statistics(one.sample, one.scores, thresholds))
            origins["paper"] = (thresholds, at_held_out | at_paper)
        for origin, (thresholds, statistics) in origins.items():
            counted = thresholds[one.pairs.similar >= 0]
            rows.append(
                {
                    "metric": one.metric.name,
                    "variant": one.metric.variant,
                    "threshold": float(np.median(counted)),
                    "threshold_range": [float(counted.min()), float(counted.max())],
                    "threshold_from": origin,
                    **statistics,
                    "n_pairs": len(counted),
                    "n_similar": int((one.pairs.similar == 1).sum()),
                    "resampled": one.sample.unit,
                    **({"source": one.source} if one.source else {}),
                }
            )
    return rows


def thresholds_by_key(rows, source=""):
    """The held-out (median) threshold of each metric, by its key, from Table 1's rows."""
    variants = {(metric.name, metric.variant): metric.key for metric in METRICS}
    return {
        variants[row["metric"], row["variant"]]: row["threshold"]
        for row in rows
        if row["threshold_from"] == "validation" and row.get("source", "") == source
    }


def accuracy_by_kind(pairs, scores, profile):
    """Accuracy per kind of pair and metric, at held-out thresholds.

    Returns
    -------
    dict
        Kind to {metric key: accuracy as a fraction}, with "n_pairs"; empty without kinds.
    """
    kinds = sorted(set(pairs.kind.tolist()) - {""})
    if not kinds:
        return {}
    table = {}
    for metric in METRICS:
        values = np.asarray(scores[metric.key])
        thresholds = held_out_thresholds(pairs, values, profile.threshold_criterion, profile.seed)
        for kind in kinds:
            inside = (pairs.kind == kind) & ~np.isnan(thresholds)
            right = (values >= thresholds)[inside] == (pairs.similar[inside] == 1)
            cell = table.setdefault(kind, {"n_pairs": int(inside.sum())})
            cell[metric.key] = float(right.mean())
    return table


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
        From `clipsim.evaluation.table_1.evaluations` of the same pairs.

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
