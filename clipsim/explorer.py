"""Sliders for N and τ: the clusters of pictures, drawn anew whenever one is moved.

The sliders search nothing: descriptions are retrieved once, for the largest N, and those for a
smaller N are the first of them. Nothing else in a notebook depends on where they stand.
"""

import html
import io
from functools import lru_cache

import ipywidgets as widgets
import matplotlib.pyplot as plt

from clipsim.data import DataError
from clipsim.graph import community_labels, component_labels
from clipsim.own_pictures import picture_graph
from clipsim.own_sheets import cluster_sheet

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
