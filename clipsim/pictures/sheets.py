"""Sliders for N and τ: the clusters of pictures, drawn anew whenever one is moved.

The sliders search nothing: descriptions are retrieved once, for the largest N, and those for a
smaller N are the first of them. Nothing else in a notebook depends on where they stand.

Contact sheets of pictures of one's own: neighbours, search results, clusters, in rows.
"""

import html
import io
from dataclasses import dataclass, field
from functools import lru_cache

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.layout_engine import PlaceHolderLayoutEngine
from PIL import Image

from clipsim.data import DataError
from clipsim.figures import OTHER, PAGE_IN, SIMILAR, wrapped
from clipsim.pictures.index import (
    best_for_text,
    clusters,
    deciding_pairs,
    most_alike,
    picture_graph,
)
from clipsim.retrieval import community_labels, component_labels

COLUMNS = 6
MARGIN_IN, GAP_IN, TITLE_IN, LINE_IN = 0.05, 0.08, 0.24, 0.095
SHOWN = 152  # pixels a side, of about an inch: more would be larger files, and no better to see
BORDER = 5  # pixels of a frame
ASKED = "#222222"


@dataclass
class Strip:
    """A row of pictures with a title.

    Attributes
    ----------
    title : str
    pictures : list of (pixels, note, frame)
        Pixels uint8, shape (3, 224, 224); the text below it; a colour, or None.
    """

    title: str
    pictures: list = field(default_factory=list)

    @property
    def notes(self):
        """The texts below the pictures."""
        return [note for _, note, _ in self.pictures]

    def add(self, pixels, note="", frame=None):
        """Append a picture."""
        self.pictures.append((pixels, note, frame))


def strip_sheet(strips, head=""):
    """A figure of strips, one below the other, and what stands above them."""
    side = (PAGE_IN - 2 * MARGIN_IN - (COLUMNS - 1) * GAP_IN) / COLUMNS
    n_lines = max((len(note.splitlines()) for strip in strips for note in strip.notes), default=0)
    height = TITLE_IN + side + LINE_IN * n_lines + MARGIN_IN
    above = TITLE_IN if head or not strips else 0
    total = above + height * len(strips)
    # Not layout="none": after the first save it would be the style's, which warns of this sheet.
    by_hand = PlaceHolderLayoutEngine(adjust_compatible=True, colorbar_gridspec=True)
    figure = plt.figure(figsize=(PAGE_IN, total), layout=by_hand)
    head = head if strips else f"{head} nothing to show".strip()
    figure.text(
        MARGIN_IN / PAGE_IN, 1 - 0.05 / total, head, va="top", fontsize=8, parse_math=False
    )
    for row, strip in enumerate(strips):
        # Of the pictures, in inches from below.
        top = total - above - row * height - TITLE_IN
        title = wrapped(strip.title, 110, 1)
        figure.text(MARGIN_IN / PAGE_IN, (top + 0.05) / total, title, fontsize=8, parse_math=False)
        for column, (pixels, note, frame) in enumerate(strip.pictures[:COLUMNS]):
            left = MARGIN_IN + column * (side + GAP_IN)
            box = (left / PAGE_IN, (top - side) / total, side / PAGE_IN, side / total)
            axis = figure.add_axes(box)
            axis.imshow(_framed(pixels, frame), interpolation="none", aspect="auto")
            axis.set_axis_off()
            below = (left / PAGE_IN, (top - side - 0.03) / total)
            figure.text(*below, note, va="top", fontsize=6, linespacing=1.1, parse_math=False)
    return figure


def neighbour_sheet(pixels, retrieval, normalisation, threshold, positions):
    """Some pictures, each with those most alike it: figure and table of the pairs.

    Below a neighbour stands the one of its descriptions that comes closest to one of the first
    picture's.

    Parameters
    ----------
    pixels : callable
        Image id to uint8 array, shape (3, 224, 224): `CaptionedImages.pixels`.
    retrieval : Retrieval
    normalisation : {"mean", "paper"}
    threshold : float
        Neighbours at or above it are framed in green.
    positions : sequence of int
        The pictures asked about.

    Returns
    -------
    figure : matplotlib Figure
    table : pandas.DataFrame
        picture, rank, neighbour, score, and the two descriptions closest to each other.
    """
    strips, rows = [], []
    for position in positions:
        asked = str(retrieval.image_ids[position])
        others = most_alike(retrieval, retrieval.at([position]), normalisation, COLUMNS)
        found = [(i, score) for i, score in zip(*others, strict=True) if i != position]
        strip = Strip(f"{asked}: {retrieval.descriptions(asked)[0]}")
        strip.add(pixels(asked), "asked about", ASKED)
        for rank, (i, score) in enumerate(found[: COLUMNS - 1], 1):
            name = str(retrieval.image_ids[i])
            (closest,) = deciding_pairs(retrieval, retrieval, position, i, 1)["most"]
            row = {"picture": asked, "rank": rank, "neighbour": name, "score": float(score)}
            rows.append(row | {"description": closest["a"], "and": closest["b"]})
            colour = SIMILAR if score >= threshold else OTHER
            strip.add(pixels(name), f"D = {score:.2f}\n{wrapped(closest['b'], 24, 3)}", colour)
        strips.append(strip)
    return strip_sheet(strips), pd.DataFrame(rows)


def search_sheet(pixels, describer, retrieval, texts):
    """The pictures that fit each text best (Eq. 3): figure and table."""
    strips, rows = [], []
    for text in texts:
        strip = Strip(f"“{text}”")
        found = best_for_text(describer, retrieval, text, COLUMNS)
        for rank, (i, similarity) in enumerate(zip(*found, strict=True), 1):
            name = str(retrieval.image_ids[i])
            rows.append({"text": text, "rank": rank, "picture": name, "similarity": similarity})
            strip.add(pixels(name), f"sim = {similarity:.2f}")
        strips.append(strip)
    return strip_sheet(strips), pd.DataFrame(rows)


def cluster_sheet(pixels, retrieval, labels, head="", n_shown=5):
    """The largest clusters: figure and table of all clusters of two pictures or more.

    Parameters
    ----------
    pixels : callable
        As in `neighbour_sheet`.
    retrieval : Retrieval
    labels : array of int, shape (M,)
        See `clipsim.retrieval.graph.community_labels`.
    head : str
        What stands above the figure.
    n_shown : int
        How many clusters the figure shows.
    """
    groups = [group for group in clusters(retrieval, labels) if len(group["names"]) > 1]
    strips = []
    for group in groups[:n_shown]:
        strip = Strip(f"{len(group['names']):,} pictures: {group['typical']}")
        for name in group["names"][:COLUMNS]:
            strip.add(pixels(name))
        strips.append(strip)
    table = pd.DataFrame(
        {
            "pictures": [len(group["names"]) for group in groups],
            "typical": [group["typical"] for group in groups],
            "names": [" | ".join(group["names"]) for group in groups],
        }
    )
    return strip_sheet(strips, head), table


def _framed(pixels, colour):
    """A picture as (H, W, 3), its border in a colour."""
    whole = Image.fromarray(np.asarray(pixels).transpose(1, 2, 0))
    picture = np.array(whole.resize((SHOWN, SHOWN), Image.Resampling.LANCZOS))
    if colour is not None:
        inside = picture[BORDER:-BORDER, BORDER:-BORDER].copy()
        picture[:] = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        picture[BORDER:-BORDER, BORDER:-BORDER] = inside
    return picture


DPI = 110
CACHED = 1000  # pictures in memory


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
    n = widgets.IntSlider(
        profile.n_descriptions, 1, most, description="N", continuous_update=False
    )
    reach = most if profile.normalisation == "paper" else 1.0
    tau = widgets.FloatSlider(
        threshold, min=-reach, max=reach, step=0.01, description="τ", continuous_update=False
    )
    line, picture = widgets.HTML(), widgets.Image(format="png")
    pixels = lru_cache(CACHED)(images.pixels)

    def redraw(_=None):
        try:
            line.value, picture.value = drawn(pixels, retrieval, profile, n.value, tau.value)
        except DataError as error:  # too many pairs reach τ; an observer's errors are not shown
            line.value, picture.value = html.escape(str(error)), b""

    for slider in (n, tau):
        slider.observe(redraw, "value")
    redraw()
    return widgets.VBox([widgets.HBox([n, tau]), line, picture])


def drawn(pixels, retrieval, profile, n, threshold):
    """The largest clusters at N and τ: a line that counts, and the picture (PNG)."""
    of_n = retrieval.first(n)
    graph = picture_graph(of_n, profile.normalisation, threshold)
    labels = community_labels(graph, profile.seed)
    position = f"N = {n}, τ = {threshold:.2f}:"
    figure, table = cluster_sheet(pixels, of_n, labels, position)
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=DPI)
    plt.close(figure)
    n_alone = len(graph) - table.pictures.sum()
    line = (
        f"{position} pairs alike: {graph.number_of_edges():,}, "
        f"components: {component_labels(graph).max() + 1:,}, communities of two or more: "
        f"{len(table):,}, pictures alone: {n_alone:,}"
    )
    return line, written.getvalue()
