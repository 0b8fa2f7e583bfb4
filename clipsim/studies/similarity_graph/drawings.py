"""Charts of clusters over thresholds, the graph and its hierarchy drawn with the pictures."""

import math

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.patches import Rectangle
from scipy.cluster.hierarchy import dendrogram
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import rankdata

from clipsim.evaluation import METRICS
from clipsim.figures import FRAME, IDENTITY, OTHER, PAGE_IN, SIMILAR
from clipsim.retrieval import community_labels
from clipsim.studies.similarity_graph.clusters import CLUSTERS, METHODS, PAIRS, PAPER

LABEL = {metric.key: metric.label for metric in METRICS}
DASHES = {"-": "", "--": (4, 1.5), "-.": (4, 1.5, 1, 1.5), ":": (1, 1)}  # as seaborn has them
MARKERS = {f"τ: {PAIRS}": "o", f"τ: {PAPER}": "X", f"τ: {CLUSTERS}": "^"}
SPACE = 2.3  # places on the grid for each picture
PICTURE = 0.8  # side of a picture, in units of the places' distance
ALONE, UNRELATED = "#bbbbbb", "#d55e00"
LEAF, STAGGERED = 2.8, 3  # side of a picture in leaves' distances; rows of pictures
THINNED = 3  # every third pixel: a picture is half an inch wide


def quality_chart(sweeps, rows, known):
    """κ of the clusters against the neighbours per image, which metrics of any scale share.

    Parameters
    ----------
    sweeps : dict of str to pandas.DataFrame
        By metric key, `clusters.sweep` of test images.
    rows : list of dict
        From `clusters.quality_rows`.
    known : KnownImages
        The images, for the caption.

    Returns
    -------
    figure, numbers, caption
    """
    marked = pd.DataFrame(rows)
    for method in METHODS:
        marked[method] = marked.kappa.where(marked.method == method)
    titles = {method: f"κ of {method} with what is known" for method in METHODS}
    figure, numbers = _sweep_panels(sweeps, marked, titles)
    words = []
    for row in rows:
        if (row["metric"], row["method"]) == ("clip_score", "components"):
            low, high = row["kappa_ci95"]
            words.append(
                f"τ = {row['threshold']:.2f} ({row['origin']}): κ {row['kappa']:z.2f} "
                f"[{low:z.2f}, {high:z.2f}], {row['share_in_largest']:.0%} of the images in one"
            )
    shuffled = max(abs(row["kappa_shuffled"]) for row in rows)
    caption = (
        f"{len(known)} test images; {known.alike.sum():,} of {len(known.alike):,} known pairs are "
        f"alike. Components of the CLIP score at {'; '.join(words)}. 95 %: images resampled, "
        "clusters held fixed. With clusters dealt out anew among the images, mean κ is at most "
        f"{shuffled:.3f} in size."
    )
    return figure, numbers, caption


def component_chart(sweeps, rows):
    """Number of components, and the largest, against the neighbours per image.

    Parameters
    ----------
    sweeps, rows
        As in `quality_chart`.

    Returns
    -------
    figure, numbers, caption
    """
    marked = pd.DataFrame(row for row in rows if row["method"] == "components")
    titles = {
        "n_components": "Components of two images or more",
        "share_in_largest": "Share of images in the largest",
    }
    figure, numbers = _sweep_panels(sweeps, marked, titles)
    halves = []
    for key, table in sweeps.items():
        half = table[table.share_in_largest >= 0.5].iloc[0]
        halves.append(f"{LABEL[key]} {half.neighbours:.1f} (τ = {half.threshold:.2f})")
    caption = "Neighbours per image from which half of the images are in one component: "
    return figure, numbers, f"{caption}{', '.join(halves)}."


def _sweep_panels(sweeps, marked, titles):
    """A panel for each column of the sweeps: lines by metric, and markers at the thresholds."""
    lines = pd.concat([table.assign(metric=LABEL[key]) for key, table in sweeps.items()])
    marked = marked.assign(metric=marked.metric.map(LABEL), origin="τ: " + marked.origin)
    colours = {LABEL[key]: IDENTITY[key]["color"] for key in sweeps}
    dashes = {LABEL[key]: DASHES[IDENTITY[key]["linestyle"]] for key in sweeps}
    figure, axes = plt.subplots(1, len(titles), figsize=(PAGE_IN, 3))
    shown = {}
    for axis, (column, title) in zip(axes, titles.items(), strict=True):
        common = {"x": "neighbours", "y": column, "hue": "metric", "palette": colours, "ax": axis}
        drawn = lines.dropna(subset=column)
        sns.lineplot(drawn, style="metric", dashes=dashes, errorbar=None, **common)
        sns.scatterplot(
            marked, style="origin", markers=MARKERS, s=45, edgecolor="#222222", zorder=3, **common
        )
        axis.set(xscale="log", title=title, xlabel="neighbours per image", ylabel="")
        axis.xaxis.set_major_formatter("{x:g}")
        for handle, name in zip(*axis.get_legend_handles_labels(), strict=True):
            shown.setdefault(name, handle)  # the lines come first
        axis.get_legend().remove()
    names = [*colours, *MARKERS]
    names = [*names[::3], *names[1::3], *names[2::3]]  # metrics in one row, thresholds below
    handles = [shown[name] for name in names]
    figure.legend(handles, names, loc="outside lower center", ncols=3)
    numbers = pd.concat([lines.assign(origin="sweep"), marked])
    return figure, numbers[["metric", "origin", "threshold", "neighbours", *titles]]


def pictured(known, seed, n_groups=6, n_each=4, n_others=12):
    """Positions of images for a picture: some of each of several groups, and any others.

    No score has a say.

    Parameters
    ----------
    known : KnownImages
    seed : int
        Draws groups among those that are large enough, their members, and the others.
    n_groups, n_each, n_others : int
        Where groups are too small, there are more of them, for as many images.

    Returns
    -------
    array of int64, shape (at most n_groups * n_each + n_others,)
    """
    rng = np.random.default_rng(seed)
    groups = known.groups
    members = [np.flatnonzero(groups == label) for label in range(groups.max() + 1)]
    drawn = rng.permutation(len(members)).tolist()
    drawn.sort(key=lambda label: -min(len(members[label]), n_each))  # stable: ties stay random
    chosen = [rng.permutation(members[label])[:n_each] for label in drawn]
    chosen = np.concatenate(chosen)[: n_groups * n_each]
    others = np.setdiff1d(np.arange(len(known)), chosen)
    return np.sort(np.concatenate([chosen, rng.permutation(others)[:n_others]]))


def dendrogram_sheet(images, graphs, thresholds):
    """The joins of a falling threshold, with the pictures as leaves.

    Parameters
    ----------
    images : CaptionedImages
    graphs : MetricGraphs
        Of these images alone, some tens.
    thresholds : dict of str to float
        Lines to draw, by what they are.

    Returns
    -------
    figure, numbers, caption
        In the numbers a row per join: the score and the images that it brings together.
    """
    joins, ids, groups = graphs.joins, graphs.known.image_ids, graphs.known.groups
    highest = graphs.scores.max()
    scores = highest - joins[:, 2]
    members = [[i] for i in range(len(ids))]
    for left, right in joins[:, :2].astype(int):
        members.append(members[left] + members[right])
    legs = 0.06 * joins[-1, 2] + 1e-3  # so that the first join, too, has some
    drawn = dendrogram(
        joins + np.array([0, 0, legs, 0]), no_plot=True,
        link_color_func=lambda k: SIMILAR if len(set(groups[members[k]])) == 1 else OTHER,
    )  # fmt: skip
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(PAGE_IN, 5.4), height_ratios=[3.4, 1.6], sharex=True
    )
    lines = zip(drawn["icoord"], drawn["dcoord"], drawn["color_list"], strict=True)
    for across, heights, colour in lines:
        above.plot((np.array(across) - 5) / 10, highest + legs - np.array(heights), color=colour)
    for (name, threshold), style in zip(thresholds.items(), ("-", ":", "--"), strict=False):
        above.axhline(threshold, color="#222222", linestyle=style, linewidth=0.8, label=name)
    above.plot([], [], color=SIMILAR, label="one known group")
    above.plot([], [], color=OTHER, label="several")
    above.set_ylim(highest + legs, min([scores[-1], *thresholds.values()]) - legs)  # falls
    above.set_ylabel("score at which clusters join")
    above.grid(axis="x", visible=False)
    above.tick_params(bottom=False, labelbottom=False)
    figure.legend(loc="outside upper center", ncols=5, handlelength=1.6, columnspacing=1.4)
    for place, leaf in enumerate(drawn["leaves"]):
        y = -LEAF * (0.6 + 1.06 * (place % STAGGERED))
        below.plot([place, place], [0, y], color=ALONE, linewidth=0.6, zorder=0)
        _draw_picture(below, images.pixels(ids[leaf]), place, y, LEAF, FRAME, 0.5)
    below.set(xlim=(-LEAF / 2, len(ids) - 1 + LEAF / 2), ylim=(-1.1 * STAGGERED * LEAF, 0))
    below.set(aspect="equal", anchor="N")
    below.set_axis_off()
    joined = [" | ".join(ids[i] for i in of_join) for of_join in members[len(ids) :]]
    group = "the same content" if graphs.known.classes else "photographs that judged pairs link"
    caption = (
        f"{len(ids)} test images; single linkage of their CLIP scores, of these images alone. "
        f"The pictures stand under their leaves, in rows in turn. Green: {group}."
    )
    return figure, pd.DataFrame({"score": scores, "images": joined}), caption


def graph_sheet(images, graphs, threshold, seed):
    """A drawing of a similarity graph whose nodes are the pictures.

    Related pictures are drawn to each other by NetworkX's spring layout, then each gets a place
    of its own on a grid, the nearest to where it was, so that no picture hides another.

    Parameters
    ----------
    images : CaptionedImages
    graphs : MetricGraphs
        Of these images alone, some tens.
    threshold : float
    seed : int

    Returns
    -------
    figure, numbers, caption
        In the numbers a row per image: place and community; -1 for pictures that are alone.
    """
    graph, ids = graphs.graph(threshold), graphs.known.image_ids
    communities = community_labels(graph, seed)
    communities[np.bincount(communities)[communities] == 1] = -1
    content = graphs.known.classes.get("content", np.zeros(len(ids)))
    places, (columns, rows) = grid_places(graph, seed), grid_size(len(ids))
    figure, axis = plt.subplots(figsize=(PAGE_IN, PAGE_IN * rows / columns + 0.1))
    scores = np.array(list(nx.get_edge_attributes(graph, "score").values()))
    alike = [content[a] == content[b] for a, b in graph.edges]
    nx.draw_networkx_edges(
        graph, places, ax=axis, alpha=0.75,
        width=np.clip(3 * scores / scores.max(initial=1e-9), 0.3, 3),
        edge_color=["#333333" if same else UNRELATED for same in alike],
        style=["-" if same else (0, (3, 1.5)) for same in alike],
    )  # fmt: skip
    colours = sns.color_palette("colorblind")
    for (x, y), image_id, community in zip(places, ids, communities, strict=True):
        colour = colours[community % len(colours)] if community >= 0 else ALONE
        _draw_picture(axis, images.pixels(image_id), x, y, PICTURE, colour, 2)
        if community >= 0:  # a number says the same as the colour
            axis.text(
                x - PICTURE / 2, y + PICTURE / 2, community + 1, fontsize=6, color="white",
                ha="left", va="top", zorder=5,
                bbox={"facecolor": colour, "edgecolor": "none", "pad": 1.2},
            )  # fmt: skip
    axis.set(xlim=(-0.5, columns - 0.5), ylim=(-0.5, rows - 0.5), aspect="equal")
    axis.set_axis_off()
    numbers = pd.DataFrame(places, columns=["x", "y"]).assign(image_id=ids, community=communities)
    caption = (
        f"{len(ids)} test images, chosen by what is known of them; {len(alike)} edges at D ≥ "
        f"{threshold:.2f}, wider for higher scores. Frames and numbers: communities; grey: alone."
    )
    if graphs.known.classes:
        caption += (
            f" Dashed: other content, {alike.count(False)} of the edges; groups of one content "
            "were drawn on purpose."
        )
    return figure, numbers, caption


def grid_size(n_images):
    """Columns and rows of a page's grid with room between the pictures: two int."""
    columns = math.ceil(math.sqrt(SPACE * n_images * 11 / 8))
    return columns, math.ceil(SPACE * n_images / columns)


def grid_places(graph, seed):
    """A place of its own for each node, near its neighbours': float64, shape (M, 2)."""
    springs = np.array(list(nx.spring_layout(graph, weight="score", seed=seed).values()))
    # Ranks fill the page evenly, where springs would leave it empty around one thick cluster.
    ranks = rankdata(springs, axis=0) / len(graph)
    columns, rows = grid_size(len(graph))
    grid = np.argwhere(np.ones((rows, columns)))[:, ::-1].astype(float)
    _, taken = linear_sum_assignment(cdist(ranks * grid.max(axis=0), grid, "sqeuclidean"))
    return grid[taken]


def _draw_picture(axis, pixels, x, y, side, colour, width):
    """A picture (3, H, W) in a frame, its middle at (x, y) in the axis' units."""
    left, bottom, small = x - side / 2, y - side / 2, pixels[:, ::THINNED, ::THINNED]
    extent = (left, left + side, bottom, bottom + side)
    axis.imshow(small.transpose(1, 2, 0), extent=extent, zorder=3, aspect="auto")
    frame = {"fill": False, "edgecolor": colour, "linewidth": width, "zorder": 4}
    axis.add_patch(Rectangle((left, bottom), side, side, **frame))
