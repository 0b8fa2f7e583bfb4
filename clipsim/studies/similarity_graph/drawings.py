"""The graph in two pictures: quality over the threshold, and single linkage with the pictures."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from scipy.cluster.hierarchy import dendrogram

from clipsim.figures import IDENTITY, INK, OTHER, PAGE_IN, SIMILAR, give_title
from clipsim.metrics import METRIC_LABELS
from clipsim.studies.similarity_graph.clusters import CLUSTERS, PAIRS, PAPER

DASHES = {"-": "", "--": (4, 1.5), "-.": (4, 1.5, 1, 1.5), ":": (1, 1)}  # as seaborn has them
MARKERS = {PAIRS: "o", PAPER: "X", CLUSTERS: "^"}
PICTURE_PT, THINNED = 24, 3  # side of a picture, drawn from every third pixel


def quality_chart(sweeps, marked, known):
    """κ of the clusters against the neighbours per image, which metrics of any scale share.

    Parameters
    ----------
    sweeps : dict of str to pandas.DataFrame
        By metric key, `sweep` of test images.
    marked : pandas.DataFrame
        From `quality_table`.
    known : KnownImages
        The images, for the caption.

    Returns
    -------
    figure, numbers, caption
    """
    lines = pd.concat([table.assign(metric=key) for key, table in sweeps.items()])
    figure, axis = plt.subplots(figsize=(PAGE_IN, 2.8))
    palette = {key: IDENTITY[key]["color"] for key in sweeps}
    look = {"hue": "metric", "hue_order": list(sweeps), "palette": palette, "ax": axis}
    look |= {"x": "neighbours", "y": "kappa"}
    dashes = {key: DASHES[IDENTITY[key]["linestyle"]] for key in sweeps}
    sns.lineplot(lines, style="metric", dashes=dashes, errorbar=None, **look)
    marks = {"markers": MARKERS, "s": 45, "edgecolor": INK, "zorder": 3}
    sns.scatterplot(marked, style="origin", **marks, **look)
    axis.set(xscale="log", xlabel="neighbours per image: τ falls", ylabel="κ of the components")
    axis.xaxis.set_major_formatter("{x:g}")
    of_table_1 = marked[marked.origin == PAIRS].set_index("metric")
    shares = of_table_1.share_in_largest
    named = [f"{METRIC_LABELS[key]}: {shares[key]:.0%} in one at ●" for key in sweeps]
    handles, labels = axis.get_legend_handles_labels()
    chosen = labels.index("origin") + 1  # lines first, then the marks of the thresholds
    handles, labels = handles[: len(named)] + handles[chosen:], named + labels[chosen:]
    axis.legend(handles, labels, loc="center left", bbox_to_anchor=(1, 0.5))
    numbers = pd.concat([lines.assign(origin="sweep"), marked])
    best = numbers[numbers.metric == "clip_score"].kappa.max()
    title = f"Table 1's threshold puts {shares['clip_score']:.0%} of {len(known)} images in one "
    of_clip = f"κ is {of_table_1.kappa['clip_score']:z.2f}, at best {best:.2f}"
    give_title(figure, f"{title}component: {of_clip}")
    caption = (
        f"κ: how well “in one component” agrees with “alike” over {len(known.alike):,} known "
        f"pairs of {len(known)} test images, {known.alike.sum():,} of them alike."
    )
    names = ["metric", "origin", "threshold", "neighbours", "kappa", "share_in_largest"]
    return figure, numbers[names], caption


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
    members = [np.flatnonzero(known.groups == label) for label in np.unique(known.groups)]
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
        Lines to draw, by what they are; `PAIRS` is among them.

    Returns
    -------
    figure, numbers, caption
        In the numbers a row per join: the score and the images that it brings together.
    """
    joins, ids, groups = graphs.joins, graphs.known.image_ids, graphs.known.groups
    members = [[i] for i in range(len(ids))]
    for left, right in joins[:, :2].astype(int):
        members.append(members[left] + members[right])
    is_one = [len({*groups[of_join]}) == 1 for of_join in members]
    highest = graphs.scores.max()
    start = np.ceil(10 * highest + 0.2) / 10  # a round score, where also the first join has a leg
    figure, axis = plt.subplots(figsize=(PAGE_IN, 7.8))
    drawn = dendrogram(
        joins + np.array([0, 0, start - highest, 0]), orientation="right", no_labels=True, ax=axis,
        link_color_func=lambda join: SIMILAR if is_one[join] else OTHER,
    )  # fmt: skip
    for place, leaf in enumerate(drawn["leaves"]):
        pixels = images.pixels(ids[leaf])[:, ::THINNED, ::THINNED].transpose(1, 2, 0)
        picture = OffsetImage(pixels, zoom=PICTURE_PT / len(pixels))
        at = (0, 5 + 10 * place), (-PICTURE_PT * (0.6 + 1.08 * (place % 2)), 0)
        line = {"arrowstyle": "-", "color": OTHER, "linewidth": 0.6}
        look = {"boxcoords": "offset points", "frameon": False, "pad": 0, "arrowprops": line}
        axis.add_artist(AnnotationBbox(picture, *at, **look))
    lines = zip(thresholds.items(), ("-", ":", "--"), strict=False)
    for (name, threshold), style in lines:
        n_clusters = len({*graphs.labels(threshold)})
        label = f"τ = {threshold:.2f}, {name}: {n_clusters} clusters"
        axis.axvline(start - threshold, color=INK, linestyle=style, linewidth=0.9, label=label)
    axis.plot([], [], color=SIMILAR, label="of one known group")
    axis.plot([], [], color=OTHER, label="of several")
    axis.xaxis.set_major_formatter(lambda fallen, _: f"{start - fallen:.1f}")
    axis.set(xlabel="score at which clusters join", yticks=[])
    axis.spines["left"].set_visible(False)
    axis.legend(loc="upper left", bbox_to_anchor=(0, -0.07), ncols=2)
    largest = np.bincount(graphs.labels(thresholds[PAIRS])).max()
    give_title(figure, f"At Table 1's threshold {largest} of {len(ids)} images hang together")
    joined = [" | ".join(ids[i] for i in of_join) for of_join in members[len(ids) :]]
    numbers = pd.DataFrame({"score": highest - joins[:, 2], "images": joined})
    group = "the same content" if images.scenes else "photographs that judged pairs link"
    return figure, numbers, f"Single linkage of the scores of these images alone. Group: {group}."
