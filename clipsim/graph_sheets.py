"""The similarity graph and its hierarchy drawn with the pictures themselves."""

import math

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle
from scipy.cluster.hierarchy import dendrogram
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import rankdata

from clipsim.graph import community_labels
from clipsim.sheets import FRAME
from clipsim.style import OTHER, PAGE_IN, SIMILAR

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
        Of `clipsim.graph.similarity_graph`, named by the images' ids: some tens.
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
