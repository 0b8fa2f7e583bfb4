"""The similarity graph and its hierarchy drawn with the pictures themselves.

Charts of notebook 11: clusters over thresholds. What shows pictures is in `graph_sheets`.
"""

import math

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from scipy.cluster.hierarchy import dendrogram
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import rankdata

from clipsim.evaluation import METRICS
from clipsim.figures import FRAME, IDENTITY, OTHER, PAGE_IN, SIMILAR, marker_style
from clipsim.retrieval import community_labels
from clipsim.studies.similarity_graph.clusters import CLUSTERS, PAIRS, PAPER

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
        Of `clusters.quality_rows`; the thresholds of components are marked.
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


# Safe for colour-blind readers; a letter in the corner says the same.
COLOURS = (
    "#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#ca9161", "#fbafe4", "#ece133",
    "#56b4e9", "#4d4d4d",
)  # fmt: skip
SPACE = 2.3  # places on the grid for each picture
PICTURE = 0.8  # side of a picture, in units of the places' distance
UNRELATED = "#d55e00"
LEAF, STAGGERED = 2.8, 3  # side of a picture in leaves' distances; rows of pictures
THINNED = 3  # every third pixel: a picture is half an inch wide


def graph_sheet(images, graph, alike, seed):
    """A drawing of a similarity graph whose nodes are the pictures.

    Related pictures are drawn to each other by NetworkX's spring layout, then each gets a place
    of its own on a grid, the nearest to where it was, so that no picture hides another.

    Parameters
    ----------
    images : CaptionedImages
    graph : networkx.Graph
        Of `clipsim.retrieval.graph.similarity_graph`, named by the images' ids: some tens.
    alike : set of (int, int), or None
        Which edges i < j join what is known to be alike; None where that is not known.
    seed : int

    Returns
    -------
    figure, table
        A row per image: place and community; -1 for pictures that are alone.
    """
    communities = community_labels(graph, seed)
    communities[np.bincount(communities)[communities] == 1] = -1
    columns, rows = grid_size(len(graph))
    places = grid_places(graph, seed)
    figure, axis = plt.subplots(figsize=(PAGE_IN, PAGE_IN * rows / columns + 0.1))
    lowest = min(nx.get_edge_attributes(graph, "score").values(), default=0)
    for a, b, score in graph.edges(data="score"):
        known = alike is None or (min(a, b), max(a, b)) in alike
        axis.plot(
            *places[[a, b]].T, zorder=1,
            color="#333333" if known else UNRELATED,
            linestyle="-" if known else (0, (3, 1.5)),
            linewidth=0.6 + 2.4 * (score - lowest) / max(1 - lowest, 1e-9),
            alpha=0.75,
        )  # fmt: skip
    for node, (x, y) in enumerate(places):
        community = communities[node]
        colour = COLOURS[community % len(COLOURS)] if community >= 0 else "#bbbbbb"
        draw_picture(axis, images.pixels(graph.nodes[node]["name"]), x, y, PICTURE, colour, 2.0)
        if community >= 0:
            axis.text(
                x - PICTURE / 2, y + PICTURE / 2, letters(community), fontsize=6, color="white",
                ha="left", va="top", zorder=5,
                bbox={"facecolor": colour, "edgecolor": "none", "pad": 1.2},
            )  # fmt: skip
    axis.set(xlim=(-0.5, columns - 0.5), ylim=(-0.5, rows - 0.5), aspect="equal")
    axis.set_axis_off()
    names = list(nx.get_node_attributes(graph, "name").values())
    return figure, pd.DataFrame(
        {"image_id": names, "x": places[:, 0], "y": places[:, 1], "community": communities}
    )


def grid_size(n_images):
    """Columns and rows of a page's grid with room between the pictures: two int."""
    columns = math.ceil(math.sqrt(SPACE * n_images * 11 / 8))
    return columns, math.ceil(SPACE * n_images / columns)


def grid_places(graph, seed):
    """A place of its own for each node, near its neighbours': float64, shape (M, 2)."""
    springs = np.array(list(nx.spring_layout(graph, weight="score", seed=seed).values()))
    # Ranks fill the page evenly, where springs would leave it empty around one thick cluster.
    ranks = rankdata(springs, axis=0) / len(graph)
    across, up = (np.arange(size) for size in grid_size(len(graph)))
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    wanted = ranks * grid.max(axis=0)
    _, taken = linear_sum_assignment(cdist(wanted, grid, "sqeuclidean"))
    return grid[taken].astype(float)


def dendrogram_sheet(images, hierarchy, image_ids, groups, thresholds):
    """The joins of a falling threshold, with the pictures as leaves.

    Parameters
    ----------
    images : CaptionedImages
    hierarchy : Hierarchy
        Of these images alone.
    image_ids : sequence of str, length M
    groups : array, shape (M,)
        What is known to belong together: clusters of one group are drawn in green.
    thresholds : dict of str to float
        Lines to draw, by what they are.

    Returns
    -------
    figure, table
        A row per join: the score and the images that it brings together.

    Raises
    ------
    ValueError
        If there are not two images, or as `Hierarchy.linkage`.
    """
    if len(image_ids) < 2:
        raise ValueError(f"a dendrogram needs two images or more, got {len(image_ids)}")
    joins, scores = hierarchy.linkage(), hierarchy.scores.astype(float)
    members = [[i] for i in range(len(image_ids))]
    for left, right in joins[:, :2].astype(int):
        members.append(members[left] + members[right])
    beyond = 0.06 * (scores[0] - scores[-1]) + 1e-3  # so that the first join, too, has legs
    drawn = dendrogram(
        joins + np.array([0, 0, beyond, 0]), no_plot=True,
        link_color_func=lambda k: SIMILAR if len(set(groups[members[k]])) == 1 else OTHER,
    )  # fmt: skip
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(PAGE_IN, 5.4), height_ratios=[3.4, 1.6], sharex=True
    )
    lines = zip(drawn["icoord"], drawn["dcoord"], drawn["color_list"], strict=True)
    for across, heights, colour in lines:
        score = scores[0] + beyond - np.array(heights)
        above.plot((np.array(across) - 5) / 10, score, color=colour, linewidth=1.2)
    for (name, threshold), style in zip(thresholds.items(), ("-", ":", (0, (5, 2))), strict=False):
        above.axhline(threshold, color="#222222", linestyle=style, linewidth=0.8, label=name)
    above.plot([], [], color=SIMILAR, label="one known group")
    above.plot([], [], color=OTHER, label="several")
    above.set_ylim(scores[0] + beyond, min([scores[-1], *thresholds.values()]) - beyond)  # falls
    above.set_ylabel("score at which clusters join")
    above.spines["bottom"].set_visible(False)
    above.tick_params(bottom=False, labelbottom=False)
    above.grid(axis="x", visible=False)
    figure.legend(loc="outside upper center", ncols=5, handlelength=1.6, columnspacing=1.4)
    for place, leaf in enumerate(drawn["leaves"]):
        y = -LEAF * (0.6 + 1.06 * (place % STAGGERED))
        below.plot([place, place], [0, y], color="#bbbbbb", linewidth=0.6, zorder=0)
        draw_picture(below, images.pixels(image_ids[leaf]), place, y, LEAF, FRAME, 0.5)
    below.set(xlim=(-LEAF / 2, len(image_ids) - 1 + LEAF / 2), ylim=(-1.1 * STAGGERED * LEAF, 0))
    below.set(aspect="equal", anchor="N")
    below.set_axis_off()
    return figure, pd.DataFrame(
        {
            "score": scores,
            "n_left": [len(members[int(left)]) for left in joins[:, 0]],
            "n_right": [len(members[int(right)]) for right in joins[:, 1]],
            "images": [" | ".join(image_ids[i] for i in of) for of in members[len(image_ids) :]],
        }
    )


def draw_picture(axis, pixels, x, y, side, colour, width):
    """A picture (3, H, W) in a frame, its middle at (x, y) in the axis' units."""
    small = np.asarray(pixels)[:, ::THINNED, ::THINNED].transpose(1, 2, 0)
    half = side / 2
    extent = (x - half, x + half, y - half, y + half)
    axis.imshow(small, extent=extent, zorder=3, interpolation="none", aspect="auto")
    frame = {"fill": False, "edgecolor": colour, "linewidth": width, "zorder": 4}
    axis.add_patch(Rectangle((x - half, y - half), side, side, **frame))


def letters(number):
    """A, B, … Z, AA, AB, …"""
    rest, last = divmod(number, 26)
    return (letters(rest - 1) if rest else "") + chr(ord("A") + last)
