"""The charts of the study. Every function returns the figure and its numbers as a table."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve, roc_curve

from clipsim.evaluation import METRICS, sweep
from clipsim.style import COLUMN_IN, IDENTITY, OTHER, PAGE_IN, SIMILAR, marker_style


def caption_lengths(images):
    """Number of captions by their number of words."""
    words = [len(caption.split()) for group in images.captions for caption in group]
    table = pd.Series(words).value_counts().sort_index().rename_axis("words")
    table = table.rename("captions").reset_index()
    figure, axis = plt.subplots(figsize=(COLUMN_IN, 2.2))
    axis.bar(table.words, table.captions, color="#888888", width=0.8)
    axis.set(xlabel="words per caption", ylabel="captions")
    return figure, table


def similarity_by_rank(sims):
    """Cosine of image and description against its rank: median and middle 80 % of images.

    Parameters
    ----------
    sims : array of float, shape (M, N)
    """
    low, median, high = np.quantile(sims, [0.1, 0.5, 0.9], axis=0)
    ranks = np.arange(1, sims.shape[1] + 1)
    figure, axis = plt.subplots(figsize=(COLUMN_IN, 2.4))
    axis.fill_between(ranks, low, high, color=IDENTITY["clip_score"]["color"], alpha=0.2)
    axis.plot(ranks, median, **marker_style("clip_score"))
    axis.set(xlabel="rank of the description", ylabel="sim(image, description)")
    return figure, pd.DataFrame({"rank": ranks, "low": low, "median": median, "high": high})


def score_distributions(scores, similar):
    """Histogram of each metric's scores, similar pairs against others; each on its own axis.

    Heights are shares of the similar and of the other pairs, which may differ in number.

    Parameters
    ----------
    scores : mapping of str to array of float, shape (P,)
    similar : array of {0, 1}, shape (P,)
    """
    keys = [metric for metric in METRICS if metric.key in scores]
    columns = min(len(keys), 3) if len(keys) != 4 else 4
    rows = -(-len(keys) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(PAGE_IN, 1.9 * rows), squeeze=False)
    for unused in axes.flat[len(keys) :]:
        unused.remove()
    counts = []
    for axis, metric in zip(axes.flat, keys, strict=False):
        values = np.asarray(scores[metric.key])
        edges = np.linspace(values.min(), values.max(), 31)
        for name, flag, colour in (("similar", 1, SIMILAR), ("other", 0, OTHER)):
            height = np.histogram(values[similar == flag], edges)[0] / (similar == flag).sum()
            axis.stairs(height, edges, fill=True, color=colour, alpha=0.55, label=name)
            axis.stairs(height, edges, color=colour, linewidth=1)
            low, high = edges[:-1], edges[1:]
            counts.append(
                pd.DataFrame(
                    {
                        "metric": metric.key,
                        "pairs": name,
                        "low": low,
                        "high": high,
                        "share": height,
                    }
                )
            )
        axis.set_title(metric.label)
        axis.set(xlabel="score", ylabel="share of pairs" if axis in axes[:, 0] else "")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure, pd.concat(counts, ignore_index=True)


def threshold_sweeps(scores, similar, chosen, criterion):
    """Accuracy against the threshold, one panel per metric, with chosen and paper's thresholds.

    Parameters
    ----------
    scores : mapping of str to array of float, shape (P,)
    similar : array of {0, 1}, shape (P,)
    chosen : mapping of str to float
        The held-out threshold of each metric.
    criterion : {"accuracy", "balanced_accuracy"}
    """
    keys = [metric for metric in METRICS if metric.key in scores]
    columns = min(len(keys), 3) if len(keys) != 4 else 4
    rows = -(-len(keys) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(PAGE_IN, 2.0 * rows), sharey=True, squeeze=False
    )
    for unused in axes.flat[len(keys) :]:
        unused.remove()
    tables = []
    for axis, metric in zip(axes.flat, keys, strict=False):
        values = np.asarray(scores[metric.key])
        marks = [mark for mark in (metric.paper_threshold, chosen[metric.key]) if mark is not None]
        low, high = min([values.min(), *marks]), max([values.max(), *marks])
        table = sweep(values, similar, np.linspace(low, high, 201))
        identity = IDENTITY[metric.key]
        line = {name: identity[name] for name in ("color", "linestyle")}
        axis.plot(table.threshold, table[criterion], **line)
        axis.axvline(chosen[metric.key], color=identity["color"], linewidth=0.8)
        if metric.paper_threshold is not None:
            axis.axvline(metric.paper_threshold, color="#888888", linestyle=":", linewidth=1)
            axis.plot(metric.paper_threshold, metric.paper_accuracy, "x", color="#888888")
        axis.set_title(metric.label)
        axis.set(xlabel="threshold", ylim=(0.35, 1.0))
        tables.append(table.assign(metric=metric.key))
    for axis in axes[:, 0]:
        axis.set_ylabel(criterion.replace("_", " "))
    return figure, pd.concat(tables, ignore_index=True)


def roc_curves(scores, similar):
    """ROC curves of all metrics on one (unit-free) pair of axes."""
    figure, axis = plt.subplots(figsize=(COLUMN_IN, COLUMN_IN))
    axis.plot([0, 1], [0, 1], color="#cccccc", linewidth=0.8)
    tables = []
    for metric in METRICS:
        if metric.key not in scores:
            continue
        false_rate, true_rate, _ = roc_curve(similar, scores[metric.key])
        identity = IDENTITY[metric.key]
        axis.plot(
            false_rate,
            true_rate,
            linestyle=identity["linestyle"],
            markevery=0.15,
            label=metric.label,
            **marker_style(metric.key),
        )
        tables.append(
            pd.DataFrame({"metric": metric.key, "false_rate": false_rate, "true_rate": true_rate})
        )
    axis.set(xlabel="others called similar", ylabel="similar called similar", aspect="equal")
    axis.legend(loc="lower right")
    return figure, pd.concat(tables, ignore_index=True)


def precision_recall_curves(scores, similar):
    """Precision against recall of all metrics; the grey line is the share of similar pairs."""
    figure, axis = plt.subplots(figsize=(COLUMN_IN, COLUMN_IN))
    axis.axhline(np.mean(similar), color="#cccccc", linewidth=0.8)
    tables = []
    for metric in (metric for metric in METRICS if metric.key in scores):
        precision, recall, _ = precision_recall_curve(similar, scores[metric.key])
        # The last point, no pair called similar, has a precision by convention only.
        precision, recall = precision[:-1], recall[:-1]
        axis.plot(
            recall,
            precision,
            linestyle=IDENTITY[metric.key]["linestyle"],
            markevery=0.15,
            label=metric.label,
            **marker_style(metric.key),
        )
        tables.append(
            pd.DataFrame({"metric": metric.key, "recall": recall, "precision": precision})
        )
    axis.set(
        xlabel="recall: similar called similar", ylabel="precision: called similar that are",
        xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal",
    )  # fmt: skip
    figure.legend(loc="outside lower center", ncols=2)
    return figure, pd.concat(tables, ignore_index=True)


def accuracy_chart(rows, criterion):
    """Accuracy with its interval, and the paper's, per metric: Table 1 as a picture.

    Parameters
    ----------
    rows : list of dict
        Table 1's rows of one source with `threshold_from` "validation".
    criterion : {"accuracy", "balanced_accuracy"}
    """
    figure, axis = plt.subplots(figsize=(PAGE_IN, 0.6 + 0.32 * len(rows)))
    by_name = {(metric.name, metric.variant): metric for metric in METRICS}
    for height, row in enumerate(reversed(rows)):
        metric = by_name[row["metric"], row["variant"]]
        low, high = row[f"{criterion}_ci95"]
        axis.plot([low, high], [height, height], color=IDENTITY[metric.key]["color"])
        axis.plot(row[criterion], height, markersize=6, **marker_style(metric.key))
        axis.text(1.015, height, f"{row[criterion]:.2f}", va="center", ha="right")
        if metric.paper_accuracy is not None:
            axis.plot(metric.paper_accuracy, height, "x", color="#888888", markersize=6)
    labels = [by_name[row["metric"], row["variant"]].label for row in reversed(rows)]
    axis.set_yticks(range(len(rows)), labels)
    axis.axvline(0.5, color="#cccccc", linewidth=0.8)
    name = criterion.replace("_", " ")
    axis.set(xlabel=f"{name} (fraction)   × accuracy in the paper", xlim=(0.35, 1.02))
    axis.set_ylim(-0.6, len(rows) - 0.4)
    return figure, pd.DataFrame(rows).drop(columns="threshold_range")


def accuracy_by_kind_chart(by_kind):
    """Accuracy of each metric in each kind of pair: the cells of the 2×2."""
    kinds = list(by_kind)
    figure, axis = plt.subplots(figsize=(PAGE_IN, 2.4))
    shown = [metric for metric in METRICS if metric.key in by_kind[kinds[0]]]
    for offset, metric in zip(np.linspace(-0.3, 0.3, len(shown)), shown, strict=True):
        values = [by_kind[kind][metric.key] for kind in kinds]
        places = np.arange(len(kinds)) + offset
        axis.vlines(places, 0, values, color=IDENTITY[metric.key]["color"], linewidth=1)
        axis.plot(
            places, values, linestyle="", markersize=6, label=metric.label,
            **marker_style(metric.key),
        )  # fmt: skip
    axis.set_xticks(range(len(kinds)), [kind.replace(", ", ",\n") for kind in kinds])
    axis.set(ylabel="accuracy (fraction)", ylim=(0, 1.05))
    axis.axhline(0.5, color="#bbbbbb", linewidth=0.8)
    figure.legend(loc="outside lower center", ncols=len(shown))
    return figure, pd.DataFrame(by_kind).T.rename_axis("kind").reset_index()
