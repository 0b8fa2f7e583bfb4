"""Charts of notebook 11: clusters over thresholds. What shows pictures is in `graph_sheets`."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.lines import Line2D

from clipsim.cluster_tables import CLUSTERS, PAIRS, PAPER
from clipsim.evaluation import METRICS
from clipsim.style import IDENTITY, PAGE_IN, marker_style

LABEL = {metric.key: metric.label for metric in METRICS}
MARKS = {
    PAIRS: {"color": "#222222", "linestyle": "-", "linewidth": 0.9},
    PAPER: {"color": "#222222", "linestyle": ":", "linewidth": 1.2},
    CLUSTERS: {"color": "#222222", "linestyle": (0, (5, 2)), "linewidth": 0.9},
}
COMMUNITIES = {"color": "#222222", "linestyle": "", "marker": ".", "markersize": 3.5}
AREAS = {"largest component": "#8c8c8c", "other components": "#c4c4c4", "alone": "#efefef"}


def quality_chart(tables, rows):
    """Above, κ of the clusters against τ; below, where the images are. A column per metric.

    Parameters
    ----------
    tables : dict of str to pandas.DataFrame
        By metric key, the `sweep` of test images.
    rows : list of dict
        Of `clipsim.cluster_tables.quality_rows`; the thresholds of components are marked.
    """
    figure, axes = plt.subplots(
        2, len(tables), figsize=(PAGE_IN, 4.2), sharex="col", sharey="row", squeeze=False
    )
    for (above, below), (key, table) in zip(axes.T, tables.items(), strict=True):
        color = IDENTITY[key]["color"]
        above.plot(table.threshold, table.components, label="κ of components", color=color)
        found = table.dropna(subset="communities")
        above.plot(found.threshold, found.communities, label="κ of communities", **COMMUNITIES)
        largest = table.share_in_largest.where(table.n_components > 0, 0)
        shares = [largest, 1 - largest - table.share_alone, table.share_alone]
        below.stackplot(table.threshold, shares, colors=AREAS.values(), labels=AREAS)
        for row in _of(rows, key):
            mark = {"label": f"τ: {row['origin']}", **MARKS[row["origin"]]}
            above.axvline(row["threshold"], **mark)
            below.axvline(row["threshold"], **MARKS[row["origin"]])
        above.set_title(LABEL[key], color=color)
        whole = table[table.share_in_largest == 1].threshold.max()  # lower ones change nothing
        below.set(xlabel=f"τ of {LABEL[key]}", ylim=(0, 1))
        below.set_xlim(left=min([whole, *(row["threshold"] for row in _of(rows, key))]) - 0.05)
        below.grid(False)
    axes[0, 0].set_ylabel("κ with what is known")
    axes[1, 0].set_ylabel("share of images")
    (lines, names), (areas, shares) = (axis.get_legend_handles_labels() for axis in axes[:, 0])
    nothing = Line2D([], [], linestyle="")  # columns of three: κ, thresholds, shares
    figure.legend(
        [*lines[:2], nothing, *lines[2:], *areas], [*names[:2], "", *names[2:], *shares],
        loc="outside lower center", ncols=3, columnspacing=2.5,
    )  # fmt: skip
    return figure, _long(tables)


def component_chart(tables, rows):
    """Number of components, the largest, and κ against the neighbours per image.

    However the scores of metrics are scaled, their graphs can be compared where they have equally
    many edges.

    Parameters
    ----------
    tables, rows
        As `quality_chart`. A metric's marker is where Table 1's threshold puts it.
    """
    panels = {
        "n_components": ("n_components", "components of ≥ 2 images"),
        "share_in_largest": ("share_in_largest", "images in the largest (share)"),
        "components": ("kappa", "κ of components"),
    }
    figure, axes = plt.subplots(1, len(panels), figsize=(PAGE_IN, 2.7))
    for axis, (name, (name_in_row, label)) in zip(axes, panels.items(), strict=True):
        for key, table in tables.items():
            line = {part: IDENTITY[key][part] for part in ("color", "linestyle")}
            axis.plot(table.neighbours, table[name], **line)
            (row,) = (row for row in _of(rows, key) if row["origin"] == PAIRS)
            marker = {"label": LABEL[key], "linestyle": line["linestyle"], **marker_style(key)}
            axis.plot(row["neighbours"], row[name_in_row], markersize=6, **marker)
        axis.set(xscale="log", xlabel="neighbours per image", ylabel=label)
        axis.xaxis.set_major_formatter("{x:g}")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), handlelength=4)
    return figure, _long(tables)


def quality_caption(rows, known):
    """What the clusters of the CLIP score are worth at each threshold, in words."""
    n_alike, n_pairs = int(known.alike.sum()), len(known.alike)
    words = [f"{len(known)} test images; {n_alike:,} of {n_pairs:,} known pairs are alike."]
    for row in _of(rows, "clip_score"):
        low, high = row["kappa_ci95"]
        plural = "s" if row["n_components"] != 1 else ""
        words.append(
            f"τ = {row['threshold']:.2f} ({row['origin']}): {row['n_components']} "
            f"component{plural}, {row['share_in_largest']:.0%} of the images in the largest, "
            f"{row['edges_alike']:.0%} of the known edges alike, κ {_number(row['kappa'])} "
            f"[{_number(low)}, {_number(high)}]."
        )
    shuffled = max(abs(row["kappa_shuffled"]) for row in rows)
    words.append(
        "Intervals: images resampled, clusters held fixed. With the clusters dealt out anew among "
        f"the images, mean κ is at most {shuffled:.3f} in size anywhere."
    )
    return " ".join(words)


def component_caption(tables):
    """At how many neighbours per image the largest component takes half of the images."""
    words = []
    for key, table in tables.items():
        over = table[table.share_in_largest >= 0.5].iloc[0]
        words.append(f"{LABEL[key]} {over.neighbours:.1f} (τ = {over.threshold:.2f})")
    return (
        "Neighbours per image from which half of the images are in one component: "
        f"{', '.join(words)}. Markers: Table 1's thresholds."
    )


def difference_caption(differences):
    """By how much the CLIP score's clusters are better than those of other metrics, in words."""
    words = []
    for row in differences:
        low, high = row["difference_ci95"]
        words.append(
            f"{row['method']}, less {LABEL[row['baseline']]}: "
            f"{row['difference']:+.2f} [{low:+.2f}, {high:+.2f}]"
        )
    return f"κ of the CLIP score at validation's best thresholds: {'; '.join(words)}."


def dendrogram_caption(known):
    """How to read the dendrogram of some images, in words."""
    group = "the same content" if known.classes else "photographs that judged pairs link"
    return (
        f"{len(known)} test images; single linkage of their CLIP scores, of these images alone. "
        f"The pictures stand under their leaves, in rows in turn. Green: {group}."
    )


def drawing_caption(drawn, graphs, thresholds):
    """What the drawing of some images shows, and how far it stands for the others, in words.

    Parameters
    ----------
    drawn, graphs : MetricGraphs
        Of the images drawn, and of the test images compared.
    thresholds : (float, float)
        The one drawn, and Table 1's.
    """
    here, there = drawn.shape(thresholds[0]), graphs.shape(thresholds[0])
    words = [
        f"{len(drawn.known)} test images, chosen by what is known of them; edges at D ≥ "
        f"{thresholds[0]:.2f} ({here['n_edges']}; at Table 1's τ there would be "
        f"{drawn.shape(thresholds[1])['n_edges']}), wider for higher scores. Frames and letters: "
        "communities; grey: alone."
    ]
    if drawn.known.classes and here["n_edges"]:
        words.append(
            f"Dashed: other content. {here['edges_alike']:.0%} of these edges join the same "
            f"content, and {there['edges_alike']:.0%} of those among all {len(graphs.known)} "
            "compared; groups of one content were drawn on purpose."
        )
    return " ".join(words)


def _number(value):
    """Two decimals, without the sign of a negative zero."""
    return f"{round(value, 2) + 0.0:.2f}"


def _of(rows, key):
    """The rows of a metric's components."""
    return [row for row in rows if (row["metric"], row["method"]) == (key, "components")]


def _long(tables):
    """The tables of all metrics as one."""
    return pd.concat([table.assign(metric=key) for key, table in tables.items()])
