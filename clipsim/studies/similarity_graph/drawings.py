"""The graph in two pictures: quality over the threshold, and single linkage with the pictures."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.patches import Rectangle
from scipy.cluster.hierarchy import dendrogram

from clipsim.figures import FRAME, IDENTITY, OTHER, PAGE_IN, SIMILAR
from clipsim.metrics import METRIC_LABELS
from clipsim.studies.similarity_graph.clusters import CLUSTERS, METHODS, PAIRS, PAPER

DASHES = {"-": "", "--": (4, 1.5), "-.": (4, 1.5, 1, 1.5), ":": (1, 1)}  # as seaborn has them
MARKERS = {f"τ: {PAIRS}": "o", f"τ: {PAPER}": "X", f"τ: {CLUSTERS}": "^"}
LEAF, STAGGERED = 2.8, 3  # side of a picture in leaves' distances; rows of pictures
THINNED = 3  # every third pixel: a picture is half an inch wide


def quality_chart(sweeps, rows, known):
    """κ of the clusters against the neighbours per image, which metrics of any scale share.

    Parameters
    ----------
    sweeps : dict of str to pandas.DataFrame
        By metric key, `sweep` of test images.
    rows : list of dict
        From `quality_rows`.
    known : KnownImages
        The images, for the caption.

    Returns
    -------
    figure, numbers, caption
    """
    lines = pd.concat([table.assign(metric=METRIC_LABELS[key]) for key, table in sweeps.items()])
    marked = pd.DataFrame(rows)
    marked = marked.assign(metric=marked.metric.map(METRIC_LABELS), origin="τ: " + marked.origin)
    for method in METHODS:
        marked[method] = marked.kappa.where(marked.method == method)
    colours = {METRIC_LABELS[key]: IDENTITY[key]["color"] for key in sweeps}
    dashes = {METRIC_LABELS[key]: DASHES[IDENTITY[key]["linestyle"]] for key in sweeps}
    marks = {"markers": MARKERS, "s": 45, "edgecolor": "#222222", "zorder": 3}
    figure, axes = plt.subplots(1, len(METHODS), figsize=(PAGE_IN, 2.6))
    for axis, method in zip(axes, METHODS, strict=True):
        common = {"x": "neighbours", "y": method, "hue": "metric", "palette": colours, "ax": axis}
        drawn = lines.dropna(subset=method)
        look = {"dashes": dashes, "errorbar": None, "legend": False}
        sns.lineplot(drawn, style="metric", **look, **common)
        sns.scatterplot(marked, style="origin", legend=axis is axes[-1], **marks, **common)
        axis.set(xscale="log", title=f"κ of {method}", xlabel="neighbours per image", ylabel="")
        axis.xaxis.set_major_formatter("{x:g}")
    sns.move_legend(axes[-1], "center left", bbox_to_anchor=(1, 0.5))
    words = []
    for row in rows:
        if (row["metric"], row["method"]) == ("clip_score", "components"):
            low, high = row["kappa_ci95"]
            words.append(
                f"τ = {row['threshold']:.2f} ({row['origin']}): κ {row['kappa']:z.2f} "
                f"[{low:z.2f}, {high:z.2f}], {row['share_in_largest']:.0%} of the images in one"
            )
    caption = (
        f"κ of clusters with what is known of {len(known)} test images; {known.alike.sum():,} of "
        f"{len(known.alike):,} known pairs are alike. Components of the CLIP score at "
        f"{'; '.join(words)}. 95 %: images resampled, clusters held fixed."
    )
    numbers = pd.concat([lines.assign(origin="sweep"), marked])
    return figure, numbers[["metric", "origin", "threshold", "neighbours", *METHODS]], caption


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
    frame = {"fill": False, "edgecolor": FRAME, "linewidth": 0.5, "zorder": 4}
    for place, leaf in enumerate(drawn["leaves"]):
        y = -LEAF * (0.6 + 1.06 * (place % STAGGERED))
        below.plot([place, place], [0, y], color="#bbbbbb", linewidth=0.6, zorder=0)
        pixels = images.pixels(ids[leaf])[:, ::THINNED, ::THINNED].transpose(1, 2, 0)
        corner = place - LEAF / 2, y - LEAF / 2
        extent = (corner[0], corner[0] + LEAF, corner[1], corner[1] + LEAF)
        below.imshow(pixels, extent=extent, zorder=3, aspect="auto")
        below.add_patch(Rectangle(corner, LEAF, LEAF, **frame))
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
