"""The charts of notebook 07: both variants' values beside the paper's, and the ladder.

Which SSIM and FSIM the paper can have used: what each variant says, and each step between.

The paper names no software. What it prints, four scores of each metric and two thresholds, is
compared here with the values that the canonical definitions and one package's defaults give.
"""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from clipsim.evaluation import COMPARISONS, METRICS, auc
from clipsim.figures import IDENTITY, OTHER, PAGE_IN, SIMILAR, marker_style
from clipsim.metrics import PACKAGE, SSIMDefinition, fsim_matrix, ladder, ssim_matrix

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


def variant_distributions(random, alike):
    """Both variants of SSIM and FSIM on random and on alike pairs, with the paper's values.

    Parameters
    ----------
    random, alike : mapping of str to array
        Scores by metric key.
    """
    figure, axes = plt.subplots(2, 2, figsize=(PAGE_IN, 3.8), sharex="row")
    shown = [metric for metric in METRICS if metric.name in MATRICES]
    tables = []
    for metric in shown:
        row, column = list(MATRICES).index(metric.name), int(metric.variant == "package")
        axis, paper = axes[row, column], paper_scores(metric.name)
        everything = np.concatenate(
            [values[m.key] for m in shown if m.name == metric.name for values in (random, alike)]
        )
        edges = np.linspace(min(everything.min(), paper.min()), everything.max(), 41)
        for label, values, colour in (("random", random, OTHER), ("alike", alike, SIMILAR)):
            density, _ = np.histogram(values[metric.key], edges, density=True)
            axis.stairs(density, edges, fill=True, color=colour, alpha=0.55, label=label)
            axis.stairs(density, edges, color=colour, linewidth=1)
            table = {"metric": metric.key, "pairs": label, "low": edges[:-1], "density": density}
            tables.append(pd.DataFrame(table))
        axis.axvline(metric.paper_threshold, color="#222222", linestyle=":", linewidth=1)
        height = 0.93 * axis.get_ylim()[1]
        axis.plot(
            paper, np.full(len(paper), height), "x", color="#222222", label="paper's figures"
        )
        axis.set_title(f"{metric.name.upper()}, {metric.variant}")
        axis.set(yticks=[], xlabel="score" if row else "")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure, pd.concat(tables, ignore_index=True)


def ladder_chart(table):
    """Scores on each rung from canonical to package: median and middle 90 % of random pairs.

    Parameters
    ----------
    table : pandas.DataFrame
        From `clipsim.studies.which_ssim_and_fsim.ladder_table`, of one metric.
    """
    name = table.metric.iloc[0]
    paper, places = paper_scores(name), np.arange(len(table))[::-1]
    figure, axis = plt.subplots(figsize=(PAGE_IN, 0.7 + 0.24 * len(table)))
    axis.axvspan(paper.min(), paper.max(), color="#dddddd", label="range of the paper's figures")
    axis.hlines(places, table.low, table.high, color=IDENTITY[name]["color"], linewidth=1)
    axis.plot(table["median"], places, linestyle="", **marker_style(name), label="median, 90 %")
    axis.set_yticks(places, table.change)
    axis.set(xlabel=f"{name.upper()} of random pairs")
    figure.legend(loc="outside lower center", ncols=2)
    return figure, table
