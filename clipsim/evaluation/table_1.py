"""Table 1: how well each metric tells similar from different pairs, and how far seeds lie apart.

Thresholds come from `thresholds`: never tuned on the pairs they are reported on. The intervals
hold the trained model fixed; the spread over training seeds stands beside them.
"""

from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from clipsim.evaluation.resampling import DECISION, ResampledPairs, measured
from clipsim.evaluation.thresholds import held_out_thresholds, is_cross_fitted, right_decisions
from clipsim.metrics import METRICS, Metric

# Rows of Table 1 for reference, compared with nothing.
CONSTANT = Metric("constant_answer", "constant_answer", "", "one answer for all", {})
JUDGED = Metric("judged_caption", "judged_caption", "", "sim(A, judged caption of B)", {})
REFERENCES = (CONSTANT, JUDGED)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A metric on the evaluated pairs of one source; all metrics share the bootstrap samples.

    Attributes
    ----------
    metric : Metric
    source : str
    threshold_from : {"validation", "cross-fitted"}
    sample : ResampledPairs
        The evaluated ones; those in between do not count as decisions.
    scores, thresholds : array of float, shape (P,)
        The thresholds are held out; NaN for pairs in between.
    statistics : dict of str to array of float, shape (1 + B,)
        Those of `decision_statistics`, `auc`, `average_precision` and `spearman`, with the
        graded similarity. Of all pairs, then of every bootstrap sample, thresholds held fixed.
    seeds : dict of int to Evaluation
        Every seed's model on the same pairs and samples, with thresholds of its own; of metrics
        that compare pixels none.
    """

    metric: Metric
    source: str
    threshold_from: str
    sample: ResampledPairs
    scores: np.ndarray
    thresholds: np.ndarray
    statistics: dict
    seeds: dict = field(default_factory=dict)

    @property
    def pairs(self):
        """The evaluated pairs."""
        return self.sample.pairs

    @property
    def labelled(self):
        """Which of them count as decisions: bool, shape (P,)."""
        return self.pairs.similar >= 0

    @property
    def right(self):
        """Whether each labelled pair is decided right: bool, shape (P',)."""
        return right_decisions(self.pairs, self.scores, self.thresholds)[self.labelled]

    @property
    def counts(self):
        """Of the sample; and `source` where there are several."""
        return self.sample.counts | ({"source": self.source} if self.source else {})


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
        Keys as `DECISION`, and `precision` and `recall` of "similar".
    """
    right = right_decisions(sample.pairs, scores, thresholds)
    precision, recall = sample.precision_and_recall(scores >= thresholds)
    found = {criterion: sample.accuracy(right, criterion) for criterion in DECISION}
    return found | {"precision": precision, "recall": recall}


def evaluations(pairs, scores, profile, of_seeds=None, metrics=None):
    """Every metric on every source's evaluated pairs, all on the same bootstrap samples.

    Parameters
    ----------
    pairs : LabelledPairs
        Test pairs with the validation pairs that thresholds come from, or cross-fitted ones.
    scores : mapping of str to array of float, shape (P,)
        Scores by `Metric.key`.
    profile : Profile
        `threshold_criterion`, `n_bootstrap`, `seed`.
    of_seeds : dict, optional
        From `scores_of_seeds`: what trained models of other seeds say of the same pairs.
    metrics : sequence of Metric, optional
        `METRICS` by default.

    Returns
    -------
    list of Evaluation
        Source by source, in the order of `metrics`; without those that a source has no scores of.
    """
    found = []
    for source, inside in pairs.by_source.items():
        of_source = pairs.where(inside)
        sample = ResampledPairs.of(of_source.where(of_source.split != "val"), profile)
        for metric in metrics or METRICS:
            evaluation = partial(_evaluation, profile, metric, source, of_source, sample)
            values = np.asarray(scores[metric.key])[inside]
            if np.isnan(values).any():  # a reference that this source does not have
                continue
            trained = (of_seeds or {}) if metric.matrix is None else {}
            seeds = {seed: evaluation(of[metric.key][inside]) for seed, of in trained.items()}
            found.append(replace(evaluation(values), seeds=seeds))
    return found


def reference_rows(pairs, judged, profile):
    """Table 1's rows that are no metric of images: the constant answer, and what was judged.

    Parameters
    ----------
    pairs : LabelledPairs
    judged : array of float, shape (P,)
        From `judged_caption_scores`.
    profile : Profile

    Returns
    -------
    list of dict
        As `table_1_rows`: "constant_answer", which calls every pair what most pairs are, and
        "judged_caption" where people judged captions.
    """
    scores = {CONSTANT.key: np.ones(len(pairs)), JUDGED.key: judged}
    return table_1_rows(evaluations(pairs, scores, profile, metrics=REFERENCES))


def _evaluation(profile, metric, source, pairs, sample, scores):
    """One metric's scores of a source's pairs, at thresholds held out from the sample's pairs."""
    criterion = "accuracy" if metric == CONSTANT else profile.threshold_criterion
    thresholds = held_out_thresholds(pairs, scores, criterion, profile.seed)
    chosen_by = "cross-fitted" if is_cross_fitted(pairs) else "validation"
    evaluated = pairs.split != "val"
    scores, thresholds = scores[evaluated], thresholds[evaluated]
    statistics = decision_statistics(sample, scores, thresholds) | {
        "auc": sample.auc(scores),
        "average_precision": sample.average_precision(scores),
        "spearman": sample.spearman(scores),
    }
    return Evaluation(metric, source, chosen_by, sample, scores, thresholds, statistics)


def table_1_rows(evaluated):
    """Table 1's rows; of a trained metric the mean over its seeds, not what one happens to give.

    Parameters
    ----------
    evaluated : list of Evaluation
        From `evaluations`.

    Returns
    -------
    list of dict
        A row per source, metric and origin of the threshold: `metric`, `variant`, `threshold` (the
        median of the held-out ones) with `threshold_range`, `threshold_from` ("validation" or
        "cross-fitted", both held out, or "paper"), every statistic with its `_ci95` (and of seeds
        `_of_seeds` and `_sd`, n - 1), `n_pairs`, `n_similar`, `n_seeds`, the unit that was
        `resampled`, and `source` where there are several.
    """
    rows = []
    for one in evaluated:
        seeds = one.seeds.values() or [one]
        at_held_out = _measured([seed.statistics for seed in seeds])
        origins = {one.threshold_from: (one.thresholds, at_held_out)}
        paper = one.metric.paper_threshold
        if paper is not None:
            thresholds = np.full(len(one.pairs), paper)
            at_paper = _measured(
                [decision_statistics(one.sample, seed.scores, thresholds) for seed in seeds]
            )
            origins["paper"] = (thresholds, at_held_out | at_paper)
        for origin, (thresholds, statistics) in origins.items():
            counted = thresholds[one.labelled]
            row = {"metric": one.metric.name, "variant": one.metric.variant}
            row["threshold"] = float(np.median(counted))
            row["threshold_range"] = [float(counted.min()), float(counted.max())]
            row["threshold_from"] = origin
            rows.append(row | statistics | one.counts | {"n_seeds": len(seeds)})
    return rows


def _measured(of_seeds):
    """`measured` of each statistic; of several seeds also their standard deviation."""
    if len(of_seeds) == 1:
        return measured(of_seeds[0])
    row = measured({name: np.stack([one[name] for one in of_seeds]) for name in of_seeds[0]})
    return row | {f"{name}_sd": _sd(row[f"{name}_of_seeds"]) for name in of_seeds[0]}


def thresholds_by_key(rows, source=""):
    """The held-out (median) threshold of each metric, by its key, from Table 1's rows.

    Parameters
    ----------
    rows : list of dict
        From `table_1_rows`.
    source : str

    Returns
    -------
    dict of str to float
    """
    variants = {(metric.name, metric.variant): metric.key for metric in METRICS}
    return {
        variants[row["metric"], row["variant"]]: row["threshold"]
        for row in rows
        if row["threshold_from"] != "paper"
        and row.get("source", "") == source
        and (row["metric"], row["variant"]) in variants  # no reference
    }


def accuracy_by_kind(evaluated):
    """Accuracy per kind of pair and metric, at held-out thresholds.

    Parameters
    ----------
    evaluated : list of Evaluation

    Returns
    -------
    dict
        Kind to {metric key: accuracy as a fraction}, with "n_pairs"; empty without kinds.
    """
    table = {}
    for one in evaluated:
        kinds = one.pairs.kind[one.labelled]
        for kind in sorted(set(kinds.tolist()) - {""}):
            inside = kinds == kind
            cell = table.setdefault(kind, {"n_pairs": int(inside.sum())})
            cell[one.metric.key] = float(one.right[inside].mean())
    return table


def seed_spread(evaluated):
    """Values, mean and standard deviation over the seeds, beside the bootstrap's.

    Parameters
    ----------
    evaluated : list of Evaluation

    Returns
    -------
    list of dict
        A row per trained metric, source and statistic: `values` by seed, their `mean` and `sd`
        (n - 1), and `bootstrap_sd`, of the profile's own model over the resampled pairs or images
        (None for the threshold, which is held fixed).
    """
    rows = []
    for one in (one for one in evaluated if one.seeds):
        seeds = one.seeds.values()
        values = {n: [float(s.statistics[n][0]) for s in seeds] for n in one.statistics}
        values["threshold"] = [float(np.nanmedian(s.thresholds)) for s in seeds]
        for statistic, of_statistic in values.items():
            row = {"metric": one.metric.key, "statistic": statistic, "seeds": list(one.seeds)}
            row |= {"values": of_statistic, "mean": float(np.mean(of_statistic))}
            drawn = one.statistics.get(statistic, ())[1:]
            row |= {"sd": _sd(of_statistic), "bootstrap_sd": _sd(drawn)}
            rows.append(row | one.counts)
    return rows


def _sd(values):
    return float(np.nanstd(values, ddof=1)) if len(values) > 1 else None
