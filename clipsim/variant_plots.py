"""The charts of notebook 07: both variants' values beside the paper's, and the ladder."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from clipsim.evaluation import METRICS
from clipsim.style import IDENTITY, OTHER, PAGE_IN, SIMILAR, marker_style
from clipsim.variants import MATRICES, paper_scores


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
        From `clipsim.variants.ladder_table`, of one metric.
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
