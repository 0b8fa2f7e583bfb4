"""The charts of notebook 12, and their captions."""

import matplotlib.pyplot as plt
import pandas as pd

from clipsim.beyond_plots import flat_table
from clipsim.cost_breakdown import (
    ANEW, ENCODE, FILED, FSIM, READ, SCORE, SEARCH, SSIM, WAYS, comparison_seconds,
)  # fmt: skip
from clipsim.cost_study import ALL_PAIRS, EXACT, GRAPH, LISTS, PAIR_BY_PAIR, RECALL
from clipsim.style import COLUMN_IN, IDENTITY, PAGE_IN
from clipsim.timing import timing_row
from clipsim.wording import duration

LOOK = {
    EXACT: {"color": "#222222", "linestyle": "-", "marker": "o"},
    GRAPH: {"color": "#d55e00", "linestyle": "--", "marker": "^"},
    LISTS: {"color": "#0173b2", "linestyle": "-.", "marker": "s"},
}
LIMIT = {"color": "#888888", "linestyle": ":", "linewidth": 1.2}
SHADES = {  # of the stages of a comparison; they differ in grey
    READ: "#ece133", ENCODE: "#56b4e9", FILED: "#d55e00", ANEW: "#d55e00", SEARCH: "#222222",
    SCORE: "#029e73",
}  # fmt: skip


def pool_chart(rows):
    """Milliseconds per image and recall against the size of the pool.

    Parameters
    ----------
    rows : list of dict
        From `clipsim.cost_study.pool_rows`.
    """
    table = flat_table(rows)
    figure, axes = plt.subplots(1, 3, figsize=(PAGE_IN, 2.7))
    titles = {1: ("One image at a time", "reading the pool once")}
    titles[table.queries.max()] = (f"{table.queries.max():,} images at once", "arithmetic")
    for axis, (queries, (title, limit)) in zip(axes, titles.items(), strict=False):
        of_axis = table[table.queries == queries]
        for name, look in LOOK.items():
            of_search = of_axis[of_axis.search == name]
            axis.plot(of_search.pool, 1e3 * of_search.median_s, label=name, **look)
            axis.fill_between(
                of_search.pool, 1e3 * of_search.low_s, 1e3 * of_search.high_s,
                color=look["color"], alpha=0.15, linewidth=0,
            )  # fmt: skip
        exact = of_axis[of_axis.search == EXACT]
        axis.plot(exact.pool, 1e3 * exact.limit_s, **LIMIT)
        axis.set(title=title, ylabel="ms per image", yscale="log")
    for name in (GRAPH, LISTS):
        of_search = table[(table.search == name) & (table.queries == 1)]
        axes[2].plot(of_search.pool, of_search.recall, **LOOK[name])
    axes[2].axhline(RECALL, **LIMIT)
    axes[2].set(title="Recall", ylabel="share of the N best found", ylim=(None, 1.003))
    for axis in axes:
        axis.set(xscale="log", xlabel="descriptions in the pool")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure, table
