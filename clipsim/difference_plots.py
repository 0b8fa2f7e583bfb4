"""The charts of differences between metrics, and of the spread over training seeds."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from clipsim.evaluation import METRICS
from clipsim.style import IDENTITY, PAGE_IN, marker_style
from clipsim.tables import p_text


def differences_chart(rows, criterion):
    """The CLIP score's lead over every other metric, with intervals: a forest of differences.

    Parameters
    ----------
    rows : list of dict
        Of one source, from `clipsim.differences.metric_differences`.
    criterion : {"accuracy", "balanced_accuracy"}
    """
    by_name = {(metric.name, metric.variant): metric for metric in METRICS}
    shown = [by_name[row["baseline"], row["baseline_variant"]] for row in rows]
    figure, axes = plt.subplots(
        1, 2, figsize=(PAGE_IN, 0.75 + 0.3 * len(rows)), sharey=True, sharex=True
    )
    for axis, name in zip(axes, (criterion, "auc"), strict=True):
        axis.axvline(0, color="#777777", linewidth=0.8)
        for height, (row, metric) in enumerate(zip(reversed(rows), reversed(shown), strict=True)):
            interval = row[f"difference_{name}_ci95"]
            axis.plot(interval, [height, height], color=IDENTITY[metric.key]["color"])
            axis.plot(row[f"difference_{name}"], height, markersize=6, **marker_style(metric.key))
        words = "AUC" if name == "auc" else name.replace("_", " ")
        axis.set_title(f"Difference in {words}")
        axis.set_xlabel("CLIP score less the other (fraction)")
    axes[0].set_yticks(range(len(rows)), [f"over {metric.label}" for metric in reversed(shown)])
    axes[0].set_ylim(-0.6, len(rows) - 0.4)
    _p_values(axes[0], rows)
    return figure, pd.DataFrame(rows)


def seed_spread_chart(rows, statistics):
    """Each seed's value, and beside it the bootstrap's spread of the profile's own model.

    Parameters
    ----------
    rows : list of dict
        Of one source, from `clipsim.seeds.seed_spread`.
    statistics : sequence of str
        Those to show, a panel each.
    """
    labels = {metric.key: metric.label for metric in METRICS}
    keys = list(dict.fromkeys(row["metric"] for row in rows))
    figure, axes = plt.subplots(1, len(statistics), figsize=(PAGE_IN, 1.7), sharey=True)
    for axis, statistic in zip(np.atleast_1d(axes), statistics, strict=True):
        of_metric = {row["metric"]: row for row in rows if row["statistic"] == statistic}
        for height, key in enumerate(reversed(keys)):
            row = of_metric[key]
            own, reach = row["values"][0], 1.96 * row["bootstrap_sd"]
            colour = IDENTITY[key]["color"]
            axis.plot([own - reach, own + reach], [height - 0.22] * 2, color=colour)
            axis.plot(own, height - 0.22, "|", color=colour, markersize=7)
            places = np.full(len(row["values"]), height + 0.12)
            axis.plot(
                row["values"], places, linestyle="", markersize=5, alpha=0.7, **marker_style(key)
            )
        axis.set_title("AUC" if statistic == "auc" else statistic.replace("_", " ").capitalize())
        axis.set_xlabel("fraction")
    axis.set_yticks(range(len(keys)), [labels[key] for key in reversed(keys)])
    axis.set_ylim(-0.6, len(keys) - 0.4)
    return figure, pd.DataFrame(rows).explode(["seeds", "values"], ignore_index=True)


def _p_values(axis, rows):
    """Holm's p-values at the right edge of a panel."""
    for height, row in enumerate(reversed(rows)):
        text = p_text(row["p_holm"])
        axis.annotate(
            f"Holm p {text}" if text.startswith("<") else f"Holm p = {text}", (1, height),
            xycoords=("axes fraction", "data"), xytext=(-2, 6), textcoords="offset points",
            ha="right", va="center", fontsize=6.5, color="#444444",
        )  # fmt: skip
