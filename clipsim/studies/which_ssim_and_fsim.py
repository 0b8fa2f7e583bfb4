"""Which SSIM and FSIM the paper can have used: the experiments of notebook 07.

The paper names no software. What it prints, four scores of each metric and two thresholds, is
compared here with the values that the canonical definitions and one package's defaults give, and
with every step between the two.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from sklearn.metrics import balanced_accuracy_score

from clipsim.evaluation import COMPARISONS, METRICS, auc, load_scores
from clipsim.figures import IDENTITY, INK, OTHER, PAGE_IN, SIMILAR, give_title
from clipsim.metrics import fsim_matrix, ladder, ssim_matrix

MATRICES = {"ssim": ssim_matrix, "fsim": fsim_matrix}
VARIANTS = [metric for metric in METRICS if metric.name in MATRICES]
QUANTILES = (0.05, 0.5, 0.95)


def paper_scores(name):
    """The four scores of a metric that the paper's Figures 1–4 print, in their order."""
    return np.array([comparison.paper[name] for comparison in COMPARISONS])


def random_and_labelled_pairs(profile, images, pairs):
    """What the study looks at.

    Parameters
    ----------
    profile : Profile
    images : CaptionedImages
    pairs : LabelledPairs

    Returns
    -------
    pixels : array of uint8, shape (M, 3, H, W)
        A hundred of the test images, or all.
    index_pairs : array of int64, shape (P, 2)
        Six hundred random pairs of them, or all there are.
    random, labelled : dict of str to array of float32
        Scores of the random pairs, SSIM and FSIM of both variants; scores of the labelled pairs,
        from notebook 04: by the key of the metric.
    """
    order = np.random.default_rng(profile.seed).permutation(images.indices("test"))
    pixels = images.pixel_batch([images.image_ids[i] for i in order[:100]])
    every = np.stack(np.triu_indices(len(pixels), k=1), axis=1)
    index_pairs = every[np.random.default_rng(profile.seed).permutation(len(every))[:600]]
    random = {m.key: m.matrix(pixels, variant=m.variant, pairs=index_pairs) for m in VARIANTS}
    return pixels, index_pairs, random, load_scores(profile, images, pairs)


def range_table(scores):
    """Where the scores of each variant lie, and how many fall where the paper's do.

    Parameters
    ----------
    scores : mapping of str to array of float, shape (P,)
        By the key of the metric, of pairs that are not alike.

    Returns
    -------
    pandas.DataFrame
        Quantiles, the share within the range of the paper's four scores, and the share at or
        above the paper's threshold (called alike).
    """
    rows = []
    for metric in VARIANTS:
        values, paper = scores[metric.key], paper_scores(metric.name)
        low, median, high = np.quantile(values, QUANTILES)
        row = {"metric": metric.name, "variant": metric.variant, "5 %": low, "median": median}
        row |= {"95 %": high, "paper": f"{paper.min():.2f}–{paper.max():.2f}"}
        inside = (values >= paper.min()) & (values <= paper.max())
        row["share in the paper's range"] = float(inside.mean())
        row["share called alike"] = float((values >= metric.paper_threshold).mean())
        rows.append(row)
    return pd.DataFrame(rows)


def variant_distributions(random, alike):
    """Both variants of SSIM and FSIM on random and on alike pairs, with the paper's values.

    Parameters
    ----------
    random, alike : mapping of str to array of float
        Scores by the key of the metric.

    Returns
    -------
    figure : matplotlib Figure
    numbers : pandas.DataFrame
        Columns metric, pairs, and count, mean, std, min, quartiles and max of the scores.
    caption : str
    """
    figure, axes = plt.subplots(2, 2, figsize=(PAGE_IN, 4.2), sharex="row")
    look = {"palette": {"random": OTHER, "alike": SIMILAR}, "element": "step", "binwidth": 0.02}
    look |= {"stat": "density", "common_norm": False}
    parts = {}
    for axis, metric in zip(axes.T.flat, VARIANTS, strict=True):
        scores = {"random": random[metric.key], "alike": alike[metric.key]}
        table = pd.DataFrame({pairs: pd.Series(values) for pairs, values in scores.items()})
        sns.histplot(table, ax=axis, **look)
        handles = axis.get_legend().legend_handles
        axis.get_legend().remove()
        line = axis.axvline(metric.paper_threshold, color=INK, linestyle=":", linewidth=1)
        paper, at_top = paper_scores(metric.name), axis.get_xaxis_transform()
        crosses = axis.plot(paper, np.full(len(paper), 0.93), "x", color=INK, transform=at_top)
        axis.set(title=f"{metric.name.upper()}, {metric.variant}", yticks=[], ylabel="")
        parts[metric.key] = table.describe().T
    place = {"loc": "upper left", "bbox_to_anchor": (0, -0.15), "ncols": 2}
    axes[1, 0].legend(handles, ["random pairs", "alike pairs"], **place)
    axes[1, 1].legend([line, *crosses], ["the paper's threshold", "its four scores"], **place)
    inside = range_table(random).groupby("variant")["share in the paper's range"]
    shares = {key: " and ".join(map("{:.0%}".format, values)) for key, values in inside}
    title = "Random pairs in the paper's range of SSIM and FSIM: canonical {}, package {}"
    give_title(figure, title.format(shares["canonical"], shares["package"]))
    caption = f"{len(random['ssim'])} random and {len(alike['ssim'])} alike pairs."
    return figure, pd.concat(parts, names=["metric", "pairs"]).reset_index(), caption


def ladders(pixels, index_pairs):
    """Scores on each rung from canonical to package, one change of the definition at a time.

    Parameters
    ----------
    pixels : array of uint8, shape (M, 3, H, W)
    index_pairs : array of int, shape (P, 2)

    Returns
    -------
    figure : matplotlib Figure
    numbers : pandas.DataFrame
        A row per rung: metric, change, low, median, high (5, 50, 95 %), moved (mean change of
        a pair's score by this step) and rank_kept (Spearman's ρ with the rung before).
    caption : str
    """
    heights, parts = [len(ladder(name)) for name in MATRICES], []
    figure, axes = plt.subplots(2, 1, figsize=(PAGE_IN, 5), height_ratios=heights)
    look = {"estimator": "median", "errorbar": ("pi", 90), "err_kws": {"linewidth": 1}}
    for axis, (name, matrix) in zip(axes, MATRICES.items(), strict=True):
        rungs = {
            change: matrix(pixels, variant=definition, pairs=index_pairs)
            for change, definition in ladder(name)
        }
        scores, paper = pd.DataFrame(rungs), paper_scores(name)
        low, median, high = np.quantile(scores, QUANTILES, axis=0)
        table = {"metric": name, "change": list(rungs), "low": low, "median": median, "high": high}
        table["moved"] = np.r_[np.nan, np.diff(scores.to_numpy(), axis=1).mean(axis=0)]
        table["rank_kept"] = np.r_[np.nan, np.diag(scores.corr(method="spearman"), k=1)]
        parts.append(pd.DataFrame(table))
        own = {"color": IDENTITY[name]["color"], "marker": IDENTITY[name]["marker"]}
        sns.pointplot(scores, orient="h", linestyle="none", markersize=4, ax=axis, **look, **own)
        axis.axvspan(paper.min(), paper.max(), color="#dddddd", zorder=0)
        top = parts[-1].loc[parts[-1].moved.abs().idxmax()]
        axis.set(title=f"{name.upper()} moves most by “{top.change}”: {top.moved:+.2f}")
    axis.set_xlabel("random pairs: median, and middle 90 %; grey: the range of the paper's scores")
    caption = f"{len(index_pairs)} random pairs; each row changes the definition above it."
    return figure, pd.concat(parts, ignore_index=True), caption


def separation_table(scores, similar):
    """AUC of each variant, and its accuracy at the paper's threshold, on labelled pairs.

    Parameters
    ----------
    scores : mapping of str to array of float, shape (P,)
        By the key of the metric, the CLIP score among them.
    similar : array of {0, 1}, shape (P,)

    Returns
    -------
    pandas.DataFrame
        A row per variant, and one for the CLIP score.
    """
    rows = []
    for metric in (metric for metric in METRICS if metric.paper_threshold is not None):
        called = scores[metric.key] >= metric.paper_threshold
        row = {"metric": metric.name, "variant": metric.variant}
        row["auc"] = auc(similar == 1, scores[metric.key])
        row["paper threshold"] = metric.paper_threshold
        row["called alike there"] = float(called.mean())
        row["balanced accuracy there"] = balanced_accuracy_score(similar == 1, called)
        row["paper accuracy"] = metric.paper_accuracy
        rows.append(row)
    return pd.DataFrame(rows)
