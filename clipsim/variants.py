"""Which SSIM and FSIM the paper can have used: what each variant says, and each step between.

The paper names no software. What it prints, four scores of each metric and two thresholds, is
compared here with the values that the canonical definitions and one package's defaults give.
"""

import dataclasses

import numpy as np
import pandas as pd

from clipsim.comparisons import COMPARISONS
from clipsim.evaluation import METRICS
from clipsim.metrics import fsim_matrix, ladder, ssim_matrix
from clipsim.metrics.definitions import PACKAGE, SSIMDefinition
from clipsim.statistics import auc

MATRICES = {"ssim": ssim_matrix, "fsim": fsim_matrix}


def paper_scores(name):
    """The four scores of a metric that the paper's Figures 1–4 print, in their order."""
    return np.array([comparison.paper[name] for comparison in COMPARISONS])


def random_pairs(n_images, n_pairs, seed):
    """Distinct pairs of different images: int64, shape (P, 2), P at most `n_pairs`."""
    first, second = np.triu_indices(n_images, k=1)
    chosen = np.random.default_rng(seed).permutation(len(first))[:n_pairs]
    return np.stack([first[chosen], second[chosen]], axis=1)


def variant_scores(pixels, index_pairs):
    """SSIM and FSIM of both variants: dict of metric key to array, shape (P,).

    Parameters
    ----------
    pixels : array of uint8, shape (M, 3, H, W)
    index_pairs : array of int, shape (P, 2)
    """
    return {
        metric.key: np.asarray(
            MATRICES[metric.name](pixels, variant=metric.variant, pairs=index_pairs)
        )
        for metric in METRICS
        if metric.name in MATRICES
    }


def range_table(scores):
    """Where the scores of each variant lie, and how many fall where the paper's do.

    Parameters
    ----------
    scores : mapping of str to array
        By metric key, of pairs that are not alike.

    Returns
    -------
    pandas.DataFrame
        Quantiles, the share within the range of the paper's four scores, and the share at or
        above the paper's threshold (called alike).
    """
    rows = []
    for metric in METRICS:
        if metric.key not in scores or metric.name not in MATRICES:
            continue
        values, paper = np.asarray(scores[metric.key]), paper_scores(metric.name)
        low, median, high = np.quantile(values, [0.05, 0.5, 0.95])
        rows.append(
            {
                "metric": metric.name,
                "variant": metric.variant,
                "5 %": low,
                "median": median,
                "95 %": high,
                "paper": f"{paper.min():.2f}–{paper.max():.2f}",
                "share in the paper's range": float(
                    ((values >= paper.min()) & (values <= paper.max())).mean()
                ),
                "share called alike": float((values >= metric.paper_threshold).mean()),
            }
        )
    return pd.DataFrame(rows)


def ladder_table(name, pixels, index_pairs):
    """The scores on each rung from canonical to package, one change at a time.

    Parameters
    ----------
    name : {"ssim", "fsim"}
    pixels : array of uint8, shape (M, 3, H, W)
    index_pairs : array of int, shape (P, 2)

    Returns
    -------
    pandas.DataFrame
        A row per rung: `change`, `low`, `median`, `high` (5, 50, 95 %), `moved` (mean change of
        a pair's score by this step) and `rank_kept` (Spearman's ρ with the rung before).
    """
    rows, before = [], None
    for label, definition in ladder(name):
        values = np.asarray(MATRICES[name](pixels, variant=definition, pairs=index_pairs))
        low, median, high = np.quantile(values, [0.05, 0.5, 0.95])
        row = {"metric": name, "change": label, "low": low, "median": median, "high": high}
        if before is not None:
            ranks = pd.DataFrame({"now": values, "before": before}).corr(method="spearman")
            row |= {"moved": float((values - before).mean()), "rank_kept": ranks.iloc[0, 1]}
        rows.append(row)
        before = values
    return pd.DataFrame(rows)


def structure_table(pixels, index_pairs):
    """What is left of SSIM when its structure term is taken out, for both variants.

    Returns
    -------
    pandas.DataFrame
        Per variant and term: the median score of the term alone, and its Spearman correlation
        with the whole SSIM and with minus the difference of the images' mean brightness.
    """
    brightness = pixels.mean(axis=(1, 2, 3))
    nearness = -np.abs(brightness[index_pairs[:, 0]] - brightness[index_pairs[:, 1]])
    rows = []
    for variant, whole in (("canonical", SSIMDefinition()), ("package", PACKAGE["ssim"])):
        scores = {}
        for terms in (whole.terms, ("luminance",), ("contrast",), ("structure",)):
            changed = dataclasses.replace(whole, terms=terms)
            values = np.asarray(ssim_matrix(pixels, variant=changed, pairs=index_pairs))
            scores[" · ".join(terms)] = values
        table = pd.DataFrame(scores | {"nearness": nearness})
        correlation = table.corr(method="spearman")
        for term in scores:
            rows.append(
                {
                    "variant": variant,
                    "terms": term,
                    "median": float(np.median(scores[term])),
                    "ρ with SSIM": correlation.loc[term].iloc[0],
                    "ρ with equal brightness": correlation.loc[term, "nearness"],
                }
            )
    return pd.DataFrame(rows)


def separation_table(scores, similar):
    """AUC of each variant, and its accuracy at the paper's threshold, on labelled pairs.

    Parameters
    ----------
    scores : mapping of str to array, shape (P,)
    similar : array of {0, 1}, shape (P,)
    """
    rows = []
    for metric in METRICS:
        if metric.paper_threshold is None:
            continue
        values = np.asarray(scores[metric.key])
        called = values >= metric.paper_threshold
        hits, rejections = called[similar == 1].mean(), (~called)[similar == 0].mean()
        rows.append(
            {
                "metric": metric.name,
                "variant": metric.variant,
                "auc": auc(similar == 1, values),
                "paper threshold": metric.paper_threshold,
                "called alike there": float(called.mean()),
                "balanced accuracy there": float((hits + rejections) / 2),
                "paper accuracy": metric.paper_accuracy,
            }
        )
    return pd.DataFrame(rows)
