"""The charts of notebook 12, and their captions."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from clipsim.figures import PAGE_IN, flat_table
from clipsim.record import time_taken
from clipsim.studies.cost_and_scale.cost_breakdown import (
    ANEW,
    ENCODE,
    FILED,
    READ,
    SCORE,
    SEARCH,
    WAYS,
)
from clipsim.studies.cost_and_scale.cost_findings import PARALLEL
from clipsim.studies.cost_and_scale.cost_study import (
    ALL_PAIRS,
    EXACT,
    GRAPH,
    LISTS,
    PAIR_BY_PAIR,
    RECALL,
)
from clipsim.studies.cost_and_scale.timing import timing_row

LOOK = {
    EXACT: {"color": "#222222", "linestyle": "-", "marker": "o"},
    GRAPH: {"color": "#d55e00", "linestyle": "--", "marker": "^"},
    LISTS: {"color": "#0173b2", "linestyle": "-.", "marker": "s"},
}
WORK_LOOK = (
    {"color": "#222222", "linestyle": "-", "marker": "o"},
    {"color": "#029e73", "linestyle": "--", "marker": "D"},
    {"color": "#cc78bc", "linestyle": "-.", "marker": "v"},
)
LIMIT = {"color": "#777777", "linestyle": ":", "linewidth": 1.4}
SHADES = {  # of the stages of a comparison; they differ in grey
    READ: "#ece133", ENCODE: "#56b4e9", FILED: "#d55e00", ANEW: "#d55e00", SEARCH: "#222222",
    SCORE: "#029e73",
}  # fmt: skip
BESIDE = "#888888"


def pool_chart(rows):
    """Milliseconds per image and recall against the size of the pool.

    Parameters
    ----------
    rows : list of dict
        From `clipsim.studies.cost_and_scale.cost_study.pool_rows`.
    """
    table = flat_table(rows)
    figure, axes = plt.subplots(1, 3, figsize=(PAGE_IN, 2.9))
    most = int(table.queries.max())
    panels = {1: "One image at a time", most: f"{most:,} images at once"}
    for axis, (queries, title) in zip(axes, panels.items(), strict=False):
        of_axis = table[table.queries == queries]
        for name, look in LOOK.items():
            _draw_times(axis, of_axis[of_axis.search == name], "pool", 1e3, label=name, **look)
        exact = of_axis[of_axis.search == EXACT]
        label = "limit: reading the pool (left), arithmetic (middle)"
        axis.plot(exact["pool"], 1e3 * exact.limit_s, label=label, **LIMIT)
        axis.set(title=title, ylabel="ms per image", yscale="log")
    approximate = table[(table.search != EXACT) & (table.queries == 1)]
    for name in (GRAPH, LISTS):
        of_search = approximate[approximate.search == name]
        axes[2].plot(of_search["pool"], of_search.recall, **LOOK[name])
    axes[2].axhline(RECALL, color="#bbbbbb", linewidth=0.8, zorder=0)
    lowest = min(0.9, approximate.recall.min() - 0.02)
    axes[2].set(title="Recall", ylabel="share of the N best", ylim=(lowest, 1.005))
    for axis in axes:
        axis.set(xscale="log", xlabel="descriptions in the pool")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure, table


def images_chart(rows, stages):
    """Seconds to describe M images, and to score all their pairs.

    Parameters
    ----------
    rows : list of dict
        From `clipsim.studies.cost_and_scale.cost_study.image_rows`.
    stages : dict of str to array
        From `cost_breakdown.pair_seconds`: what encoding the pool, reading its vectors
        and encoding a picture take.
    """
    table = pd.DataFrame(rows)
    searched = table[table.work == SEARCH].set_index("images")
    once = {name: np.median(stages[name]) for name in (ANEW, FILED, ENCODE)}
    lines = {
        "captions encoded anew, and search": searched.median_s + once[ANEW],
        "vectors from their file, and search": searched.median_s + once[FILED],
        "pictures encoded": searched.index.to_series() * once[ENCODE] / 2,
    }
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE_IN, 3.3))
    for (label, seconds), look in zip(lines.items(), WORK_LOOK, strict=True):
        left.plot(searched.index, seconds, label=label, **look)
    for work, look in zip((PAIR_BY_PAIR, ALL_PAIRS), WORK_LOOK, strict=False):
        _draw_times(right, table[table.work == work], "images", 1, label=work, **look)
    limited = table.dropna(subset="limit_s")
    right.plot(limited.images, limited.limit_s, label="limit: arithmetic", **LIMIT)
    left.set(title="N descriptions of every image", ylabel="seconds")
    right.set(title="Eq. 4 of all pairs", ylabel="seconds")
    for axis in (left, right):
        axis.set(xscale="log", yscale="log", xlabel="images")
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2))
    computed = pd.DataFrame(lines).melt(ignore_index=False, var_name="work", value_name="median_s")
    return figure, pd.concat([table, computed.reset_index()], ignore_index=True)


def breakdown_chart(stages):
    """Time of every stage of a comparison, and the shares of the stages in it.

    Parameters
    ----------
    stages : dict of str to array
        From `clipsim.studies.cost_and_scale.cost_breakdown.pair_seconds`.
    """
    table = pd.DataFrame({"stage": name} | timing_row(stages[name]) for name in stages)
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(PAGE_IN, 2.8), gridspec_kw={"width_ratios": [1, 1.15]}
    )
    for height, row in enumerate(table.itertuples()):
        color = SHADES.get(row.stage, BESIDE)
        left.plot([1e3 * row.low_s, 1e3 * row.high_s], [height] * 2, color=color, linewidth=2)
        left.plot(1e3 * row.median_s, height, "o", color=color, markeredgecolor="#222222")
        place = (1e3 * row.high_s, height)
        label = time_taken(row.median_s)
        left.annotate(label, place, (6, 0), textcoords="offset points", va="center")
    left.set_yticks(range(len(table)), table.stage)
    left.set(xscale="log", xlabel="ms for one pair", title="Stages", ylim=(len(table) - 0.5, -0.5))
    left.set_xlim(right=2000 * table.high_s.max() * 1e3)
    shares = []
    for height, way in enumerate(WAYS):
        shares += _draw_shares(right, height, way, table.set_index("stage").median_s)
    right.set_yticks(range(len(WAYS)), [way.replace(" ", "\n", 1) for way in WAYS])
    right.set(xlim=(0, 1), xlabel="share of the time", title="One comparison")
    right.grid(visible=False, axis="y")
    right.invert_yaxis()
    return figure, pd.concat([table, pd.DataFrame(shares)], ignore_index=True)


def _draw_shares(axis, height, way, medians):
    """A bar of the stages of a comparison, named where there is room."""
    names = [name for name in (READ, ENCODE, WAYS[way], SEARCH, SCORE) if name]
    shares = medians[names] / medians[names].sum()
    for name, end in shares.cumsum().items():
        share, color = shares[name], SHADES[name]
        axis.barh(height, share, 0.66, left=end - share, color=color, edgecolor="white")
        if share > 0.15:
            ink = "white" if color in ("#222222", "#d55e00") else "#222222"
            label = f"{name.replace(' the ', chr(10) + 'the ')}\n{share:.1%}"
            axis.text(end - share / 2, height, label, ha="center", va="center", color=ink, size=7)
    return [{"way": way, "stage": name, "share": share} for name, share in shares.items()]


def savings_chart(rows):
    """How many times as fast every way is, with its interval.

    Parameters
    ----------
    rows : list of dict
        From `clipsim.studies.cost_and_scale.cost_findings.saving_rows`.
    """
    table = flat_table(rows).dropna(subset="ratio").reset_index(drop=True)
    figure, axis = plt.subplots(figsize=(PAGE_IN, 0.7 + 0.36 * len(table)))
    for height, row in enumerate(table.itertuples()):
        ends = [row.ratio_ci95_low, row.ratio_ci95_high]
        axis.plot(ends, [height, height], color="#222222")
        axis.plot(row.ratio, height, "o", color="#222222", markersize=5)
        if row.way == PARALLEL:
            ends.append(2)
            axis.plot(2, height, "|", color=BESIDE, markersize=11)
        label = f"{row.ratio:,.{0 if row.ratio >= 100 else 1}f}×"
        axis.annotate(label, (max(ends), height), (6, 0), textcoords="offset points", va="center")
    axis.axvline(1, color="#bbbbbb", linewidth=0.8, zorder=0)
    labels = table.what.str.partition(" instead")[0] + ":\n" + table.work
    axis.set_yticks(range(len(table)), labels, fontsize=7)
    axis.set(xscale="log", xlabel="times as fast   | both processes always at work")
    axis.set(ylim=(len(table) - 0.5, -0.5), xlim=(None, 4 * table.ratio_ci95_high.max()))
    return figure, table


def _draw_times(axis, table, x, scale, **look):
    """Medians as a line, the quartiles of the rounds as a band."""
    low, median, high = (scale * table[f"{name}_s"] for name in ("low", "median", "high"))
    axis.plot(table[x], median, **look)
    axis.fill_between(table[x], low, high, color=look["color"], alpha=0.15, linewidth=0)
