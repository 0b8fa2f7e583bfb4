"""What notebook 14 shows of a folder of pictures: neighbours, search results, clusters, sliders.

A sheet is rows of small pictures. The sliders search nothing: descriptions are retrieved once, for
the largest N, and those for a smaller N are the first of them; nothing else in a notebook depends
on where the sliders stand.
"""

import html
import io
from functools import lru_cache

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from clipsim.data import DataError
from clipsim.figures import FRAME, PAGE_IN, SIMILAR, show_picture, wrapped
from clipsim.pictures.answers import clusters, most_alike, picture_graph
from clipsim.pictures.chosen_model import reaches
from clipsim.retrieval import community_labels, component_labels, score_matrix

COLUMNS = 6
SHOWN = 152  # pixels a side, of about an inch: more would be larger files, and no better to see
CACHED = 1000  # pictures in memory while sliders move
DPI = 110  # of the clusters above which the sliders stand


def neighbour_sheet(index, n_rows=5):
    """Some pictures, each with those most alike it.

    Parameters
    ----------
    index : PictureIndex
        Neighbours at or above its threshold are framed in green.
    n_rows : int
        How many pictures are asked about, spread evenly over all.

    Returns
    -------
    figure : matplotlib Figure
        Below a neighbour stands the one of its descriptions that comes closest to one of the
        first picture's.
    table : pandas.DataFrame
        picture, rank, neighbour, score, and the two descriptions closest to each other.
    caption : str
    """
    images, retrieval, threshold = index.images, index.retrieval, index.known["threshold"]
    normalisation = index.describer.profile.normalisation
    strips, rows = [], []
    step = max(1, len(retrieval.image_ids) // n_rows)
    for position in range(0, len(retrieval.image_ids), step)[:n_rows]:
        asked = str(retrieval.image_ids[position])
        found = most_alike(retrieval, retrieval.at([position]), normalisation, COLUMNS)
        shown = [(asked, "asked about", "black")]
        others = [row for row in found if row["name"] != asked][: COLUMNS - 1]
        for rank, row in enumerate(others, 1):
            name, score, closest = row["name"], row["score"], row["most"][0]
            rows.append((asked, rank, name, score, closest["a"], closest["b"]))
            note = f"D = {score:.2f}\n{wrapped(closest['b'], 24, 3)}"
            shown.append((name, note, SIMILAR if score >= threshold else FRAME))
        strips.append((f"{asked}: {retrieval.descriptions(asked)[0]}", shown))
    columns = ["picture", "rank", "neighbour", "score", "description", "and"]
    table = pd.DataFrame(rows, columns=columns)
    reached = np.mean(table.score >= threshold)
    caption = f"{reached:.0%} of the neighbours shown reach τ = {threshold:.2f}."
    title = f"{images.name}: pictures and those most alike (green: D ≥ {threshold:.2f})"
    return _sheet(title, strips, images.pixels), table, caption


def search_sheet(index, texts):
    """The pictures that fit each of some texts best (Eq. 3).

    Parameters
    ----------
    index : PictureIndex
    texts : sequence of str

    Returns
    -------
    figure : matplotlib Figure
        Green frames: the picture fits the text.
    table : pandas.DataFrame
        text, rank, picture, similarity, fits (`PictureIndex.search`).
    caption : str
    """
    strips, rows = [], []
    for text in texts:
        found = index.search(text, COLUMNS)
        colours = [SIMILAR if row["fits"] else FRAME for row in found]
        notes = [f"sim = {row['similarity']:.2f}" for row in found]
        names = [row["name"] for row in found]
        strips.append((f"“{text}”", [*zip(names, notes, colours, strict=True)]))
        for rank, row in enumerate(found, 1):
            rows.append((text, rank, row["name"], row["similarity"], row["fits"]))
    table = pd.DataFrame(rows, columns=["text", "rank", "picture", "similarity", "fits"])
    unfit = table[(table["rank"] == 1) & (table.fits == False)].text  # noqa: E712
    caption = f"Texts that no picture fits: {', '.join(unfit) or 'none'}."
    title = f"{index.images.name}: the pictures that fit a text best (green: they fit)"
    return _sheet(title, strips, index.images.pixels), table, caption


def answer_sheet(index, names, n=3):
    """Some pictures, the descriptions that fit each best, and the scores of their pairs.

    Parameters
    ----------
    index : PictureIndex
    names : sequence of str
        Of pictures of the index.
    n : int
        Descriptions that are shown.

    Returns
    -------
    figure : matplotlib Figure
    table : pandas.DataFrame
        a, b, score.
    caption : str
    """
    found = index.retrieval.at(index.retrieval.rows(names))
    scores = score_matrix(found.description_vectors, index.describer.profile.normalisation)
    figure = plt.figure(figsize=(PAGE_IN, 4.0), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=[1.5, 1])
    for axis, name in zip(top.subplots(1, len(names)), names, strict=True):
        show_picture(axis, index.images.pixels(name), SHOWN)
        lines = [wrapped(text, 24, 3) for text in found.descriptions(name)[:n]]
        if reaches(found.sims[found.rows([name])[0], 0], index.known["least_similarity"]) is False:
            lines.insert(0, "(unsure)")
        axis.set_xlabel("\n".join(lines), x=0, ha="left", fontsize=6)
    labels = [name.split(".")[0] for name in names]
    table = pd.DataFrame(scores, index=labels, columns=labels)
    own = np.eye(len(names), dtype=bool)
    axis = bottom.subplots()
    sns.heatmap(table, mask=own, annot=True, fmt=".2f", cmap="Blues", ax=axis, cbar=False)
    axis.set(ylabel="")
    axis.grid(False)
    axis.tick_params(length=0)
    threshold = index.known["threshold"]
    title = f"What the model sees in each picture, and how alike they are (τ = {threshold:.2f})"
    figure.suptitle(title, x=0.01, ha="left")
    pairs = table.where(np.triu(~own)).stack().dropna().rename_axis(["a", "b"])
    pairs = pairs.reset_index(name="score")
    reached = (pairs.score >= threshold).sum()
    caption = f"Of {len(pairs)} pairs {reached} are alike at the threshold of {threshold:.2f}."
    return figure, pairs, caption


def cluster_sheet(images, retrieval, graph, seed, n_rows=5, pixels=None):
    """The largest communities of a graph of pictures.

    Parameters
    ----------
    images, retrieval
        As in `neighbour_sheet`.
    graph : networkx.Graph
        Of `picture_graph`.
    seed : int
        See `clipsim.retrieval.community_labels`.
    n_rows : int
        How many communities the figure shows.
    pixels : callable, optional
        Image id to its picture, in place of `images.pixels`.

    Returns
    -------
    figure : matplotlib Figure
    table : pandas.DataFrame
        Of all communities of two pictures or more: pictures (how many), typical (the description
        closest to the mean of all of its pictures), names.
    caption : str
    """
    groups = clusters(retrieval, community_labels(graph, seed))
    rows = [(len(group["names"]), group["typical"], group["names"]) for group in groups]
    rows = [row for row in rows if row[0] > 1]
    strips = [
        (f"{n_pictures:,} pictures: {typical}", [(name, "", FRAME) for name in names[:COLUMNS]])
        for n_pictures, typical, names in rows[:n_rows]
    ]
    table = pd.DataFrame(rows, columns=["pictures", "typical", "names"])
    table["names"] = table.names.map(" | ".join)
    caption = (
        f"Pairs alike: {graph.number_of_edges():,}; components: "
        f"{component_labels(graph).max() + 1:,}; communities of two or more: {len(table):,}; "
        f"pictures alone: {len(graph) - table.pictures.sum():,}."
    )
    title = f"{images.name}: the largest communities (N = {retrieval.ids.shape[1]})"
    return _sheet(title, strips, pixels or images.pixels), table, caption


def explorer(images, retrieval, profile, threshold):
    """Sliders for N and τ above the largest clusters.

    Parameters
    ----------
    images : CaptionedImages
        Whose pixels are shown.
    retrieval : Retrieval
        With as many descriptions as N may be.
    profile : Profile
        `n_descriptions`, where the slider starts, `normalisation` and `seed`.
    threshold : float
        Where its slider starts.

    Returns
    -------
    ipywidgets.VBox
        The sliders, a line that counts, and the clusters as a picture.
    """
    most = retrieval.ids.shape[1]
    reach = most if profile.normalisation == "paper" else 1.0
    n = widgets.IntSlider(profile.n_descriptions, 1, most, description="N")
    tau = widgets.FloatSlider(threshold, min=-reach, max=reach, step=0.01, description="τ")
    line, picture = widgets.HTML(), widgets.Image(format="png")
    pixels = lru_cache(CACHED)(images.pixels)

    def redraw(_=None):
        found = retrieval.first(n.value)
        try:
            graph = picture_graph(found, profile.normalisation, tau.value)
        except DataError as error:  # too many pairs reach τ; an observer's errors are not shown
            line.value, picture.value = html.escape(str(error)), b""
            return
        figure, _, caption = cluster_sheet(images, found, graph, profile.seed, pixels=pixels)
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=DPI)
        plt.close(figure)
        line.value = f"N = {n.value}, τ = {tau.value:.2f}: {caption}"
        picture.value = drawn.getvalue()

    for slider in (n, tau):
        slider.continuous_update = False
        slider.observe(redraw, "value")
    redraw()
    return widgets.VBox([widgets.HBox([n, tau]), line, picture])


def _sheet(title, strips, pixels):
    """A figure of rows of pictures: headings, each with (name, note, colour of the frame)."""
    n_lines = max((note.count("\n") + 1 for _, shown in strips for _, note, _ in shown), default=1)
    height = 0.4 + (1.35 + 0.11 * n_lines) * len(strips)
    figure = plt.figure(figsize=(PAGE_IN, height), layout="constrained")
    figure.suptitle(title if strips else f"{title}: none", x=0.01, ha="left", parse_math=False)
    parts = figure.subfigures(max(1, len(strips)), squeeze=False).flat
    for part, (heading, shown) in zip(parts, strips, strict=False):
        part.suptitle(wrapped(heading, 110, 1), x=0.01, ha="left", fontsize=8, parse_math=False)
        axes = part.subplots(1, COLUMNS)
        for axis in axes[len(shown) :]:
            axis.set_axis_off()
        for axis, (name, note, colour) in zip(axes, shown, strict=False):
            show_picture(axis, pixels(name), SHOWN)
            if colour != FRAME:
                axis.spines[:].set(color=colour, linewidth=3)
            # As many lines everywhere, so that all pictures get the same room.
            filled = note + "\n" * (n_lines - 1 - note.count("\n"))
            axis.set_xlabel(filled, x=0, ha="left", fontsize=6, parse_math=False)
    return figure
