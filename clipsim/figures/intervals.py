"""Charts of values with their intervals, and what figures of claims have in common.

What the studies share, and the charts of Table 1. Where several sources judged the pairs, they
stand side by side.
"""

from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from clipsim.evaluation import CLAIMS, claim_of, verdict_words
from clipsim.figures.style import IDENTITY, INK, PAGE_IN
from clipsim.figures.tables import JUDGED
from clipsim.metrics import METRIC_LABELS

TITLE_WIDTH = 88  # characters in 7 inches, of wide ones, too
NO_METRIC = {"color": INK, "marker": "o"}


def interval_points(axis, rows, value, by, legend=True):
    """Draw values by group and metric: a point, its 95 % interval, a tick for each model.

    Parameters
    ----------
    axis : matplotlib Axes
        Gets the values along x, the groups down y; where these have several metrics, side by side
        with a legend.
    rows : sequence of dict
        `value`, `value`_ci95 (None where there is none) and, where several models gave it,
        `value`_of_seeds; `metric` is a key of `IDENTITY`. Rows without one are drawn in black.
    value, by : str
        Names in the rows: of the value, and of its group.
    legend : bool
        False where another panel has it.
    """
    looks, points, seeds = {}, [], []
    beside = len({row[by] for row in rows}) < len(rows)  # metrics of one group
    for row in rows:
        key = row.get("metric")
        label = METRIC_LABELS.get(key, "")
        looks[label] = IDENTITY.get(key, NO_METRIC)
        named = {by: row[by], "metric": label}
        points += [named | {value: end} for end in (row[value], *(row[f"{value}_ci95"] or ()))]
        seeds += [named | {value: of_seed} for of_seed in row.get(f"{value}_of_seeds", ())]
    palette = {label: look["color"] for label, look in looks.items()}
    placed = {"x": value, "y": by, "hue": "metric", "hue_order": list(looks), "palette": palette}
    # Of the three numbers of a point the first is its value, and all span its interval.
    sns.pointplot(
        pd.DataFrame(points), ax=axis, **placed,
        estimator=lambda three: three.iloc[0], errorbar=("pi", 100), err_kws={"linewidth": 1},
        markers=[look["marker"] for look in looks.values()], markersize=4.5, linestyle="none",
        dodge=beside and 0.8 - 0.8 / len(looks), legend=legend and beside and len(looks) > 1,
    )  # fmt: skip
    if seeds:
        sns.stripplot(
            pd.DataFrame(seeds), ax=axis, **placed, marker="|", size=6, linewidth=1, alpha=0.5,
            dodge=beside, jitter=False, legend=False,
        )  # fmt: skip
    axis.set_ylabel("")
    if axis.get_legend():
        sns.move_legend(axis, "upper left", bbox_to_anchor=(1, 1), title="")


def auc_chart(rows, findings, data):
    """The AUC of every metric in groups of pairs, and what it says of the claims.

    Parameters
    ----------
    rows : list of dict
        `group`, `metric`, `auc` as `measured` gives it, `n_pairs`, `resampled`; `source` where
        several judged the pairs.
    findings : list of dict
        Of the same experiment: the title, and the caption.
    data : str
        What the pairs are.

    Returns
    -------
    figure, numbers, caption
        Without rows, where the data cannot answer, no figure.
    """
    numbers, words = flat_table(rows), [finding_sentence(found) for found in findings]
    if not rows:
        return None, numbers, " ".join(words or ["These data cannot answer this."])
    n_groups, n_metrics = numbers.group.nunique(), numbers.metric.nunique()
    figure, panels = panels_of(rows, ["auc"], 1 + n_groups * max(0.36, 0.14 * n_metrics))
    for axis, _, _, own in panels:
        counts = {row["n_pairs"] for row in own}
        if len(counts) > 1:
            own = [row | {"group": f"{row['group']}\n{row['n_pairs']:,} pairs"} for row in own]
        elif len(panels) > 1:
            own = [row | {"group": fill(row["group"], 28)} for row in own]
        interval_points(axis, own, "auc", "group", legend=axis is panels[-1][0])
        axis.axvline(0.5, color="silver", linewidth=0.8, zorder=0)
        axis.set_xlabel("" if len(counts) > 1 else f"{counts.pop():,} pairs")
        axis.set_title(axis.get_title(loc="left"), fontsize=8)
    figure.supxlabel(f"AUC, {data} (0.5: chance)", fontsize=8)
    claim_title(figure, findings)
    words.append(f"Lines: 95 % intervals, {rows[0]['resampled']} resampled; ticks: single models.")
    return figure, numbers, " ".join(words)


def flat_table(rows):
    """Rows as a table; of an interval, and of the values of seeds, the lowest and the highest."""
    table = pd.DataFrame(rows)
    for name in [name for name in table if name.endswith(("_ci95", "_of_seeds"))]:
        place, ends = table.columns.get_loc(name), table.pop(name)
        for i, (end, which) in enumerate({"low": min, "high": max}.items()):
            flat = f"{name.replace('_of_seeds', '_seeds')}_{end}"
            table.insert(place + i, flat, ends.map(which, na_action="ignore"))
    return table


def finding_sentence(found):
    """A finding in words: the experiment, its number with the interval, and what it rests on."""
    low, high = found.get("ci95", (np.nan, np.nan))  # none where a claim cannot be tested
    if not np.isfinite([low, high]).all():
        return f"{found['experiment']}."
    return (
        f"{found['experiment']}: {found['estimate']:+.2f} [{low:+.2f}, {high:+.2f}] "
        f"({found['n_pairs']:,} pairs, trainings: {found['n_seeds']}; {found['interval']})."
    )


def give_title(figure, *lines):
    """Give a figure its point as title."""
    wrapped = "\n".join(fill(line, TITLE_WIDTH) for line in lines)
    figure.suptitle(wrapped, x=0.01, ha="left")


def claim_title(figure, findings, *point):
    """Give a figure as its title a point, and the claims that it tests with their verdicts."""
    lines = [*point]
    for claim in dict.fromkeys(found["claim"] for found in findings):
        words = CLAIMS[claim].text.rstrip(".")
        said = claim_of([found for found in findings if found["claim"] == claim])
        lines.append(f"{words[0].upper()}{words[1:]}: {verdict_words(said)}")
    give_title(figure, *lines)


def heat_map(axis, table):
    """Fractions as a table of numbers on shades that differ in grey, too."""
    colours = {"vmin": 0, "vmax": 1, "cmap": "Blues", "cbar": False}
    sns.heatmap(table, annot=True, fmt=".2f", linewidths=1, ax=axis, **colours)
    axis.set(xlabel="", ylabel="")


def panels_of(found, statistics, height):
    """A figure with a row of panels for each statistic and a column for each source.

    Returns it with axis, source, statistic, and what was found for the source, panel by panel.
    """
    parts = by_source(found)
    size = (PAGE_IN, height * len(statistics))
    figure, axes = plt.subplots(
        len(statistics), len(parts), figsize=size, sharex="row", sharey=True, squeeze=False
    )
    panels = []
    for line, statistic in zip(axes, statistics, strict=True):
        for axis, (source, own) in zip(line, parts.items(), strict=True):
            axis.set_title(JUDGED[source] if axis in axes[0] else "")
            panels.append((axis, source, statistic, own))
    return figure, panels


def by_source(found):
    """Rows by who judged the pairs."""
    parts = {}
    for row in found:
        parts.setdefault(row.get("source", ""), []).append(row)
    return parts
