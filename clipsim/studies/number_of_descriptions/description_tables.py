"""How well each kernel separates and ranks the test pairs, under each of its settings."""

import numpy as np
import pandas as pd

from clipsim.evaluation import DECISION, decision_statistics, held_out_thresholds, measured
from clipsim.studies.number_of_descriptions.description_kernels import self_scores

STATISTICS = ("auc", "spearman", *DECISION)


def settings_table(models, pairs, names, profile):
    """AUC, ρ and accuracy (held-out threshold) by kernel, setting and seed.

    Parameters
    ----------
    models : list of ModelScores
        The profile's own first: its rows have intervals.
    pairs : StudyPairs
    names : sequence of str
        Keys of `ModelScores.kernels`.
    profile : Profile

    Returns
    -------
    pandas.DataFrame
        Columns kernel, seed, setting (N, or a temperature), threshold (the median one), and
        `STATISTICS` with their intervals, as columns `_low` and `_high`.
    """
    rows = []
    for model in models:
        for name in names:
            kernel = model.kernels[name]
            for setting, scores in zip(kernel.settings, kernel.judged, strict=True):
                row = statistics_row(pairs, scores, profile, model is models[0])
                rows.append({"kernel": name, "seed": model.seed, "setting": setting} | row)
    return pd.DataFrame(rows)


def statistics_row(pairs, scores, profile, with_intervals=False):
    """`STATISTICS` of the test pairs at held-out thresholds, with intervals or without.

    Parameters
    ----------
    pairs : StudyPairs
    scores : array of float, shape (P,)
        Of `pairs.judged`.
    profile : Profile
    with_intervals : bool

    Returns
    -------
    dict
        `threshold` (the median one), the statistics, and `_low` and `_high` of each.
    """
    held_out = held_out_thresholds(
        pairs.judged, scores, profile.threshold_criterion, profile.seed
    )[pairs.evaluated]
    sample = pairs.sample if with_intervals else pairs.sample.whole
    own = scores[pairs.evaluated]
    ranking = {"auc": sample.auc(own), "spearman": sample.spearman(own)}
    return {"threshold": float(np.nanmedian(held_out))} | interval_columns(
        ranking | decision_statistics(sample, own, held_out)
    )


def interval_columns(statistics):
    """Values of statistics; where there are bootstrap samples, with columns `_low` and `_high`.

    Parameters
    ----------
    statistics : mapping of str to array of float, shape (1 + B,)
    """
    columns = {name: float(values[0]) for name, values in statistics.items()}
    for name, values in statistics.items():
        if len(values) > 1:
            ends = measured({name: values})[f"{name}_ci95"]
            columns |= {f"{name}_low": ends[0], f"{name}_high": ends[1]}
    return columns


def normalisation_gap(model, pairs, profile):
    """The largest change of any of `STATISTICS`, at any N, when 1/N replaces the mean.

    Zero but for rounding: at one N the printed score is N times the mean, and a held-out
    threshold moves along.
    """
    gaps = [0.0]
    for space in model.means:
        kernel = model.kernels[f"eq4 {space}"]
        for n, scores in zip(kernel.settings, kernel.judged.astype(float), strict=True):
            mean, printed = (statistics_row(pairs, factor * scores, profile) for factor in (1, n))
            gaps += [abs(mean[name] - printed[name]) for name in STATISTICS]
    return float(np.nanmax(gaps))


def self_score_table(model, pairs):
    """Eq. 4 of an image with itself, over the images of the test pairs, by vector space and N.

    Returns
    -------
    pandas.DataFrame
        Columns space, n, median, and low and high: the middle 80 % of the images.
    """
    present, rows = np.isin(model.image_ids, pairs.test.image_ids), []
    for space, means in model.means.items():
        counts = model.kernels[f"eq4 {space}"].settings
        for n, scores in zip(counts, self_scores(means)[:, present], strict=True):
            low, median, high = np.quantile(scores, [0.1, 0.5, 0.9])
            rows.append({"space": space, "n": n, "median": median, "low": low, "high": high})
    return pd.DataFrame(rows)
