"""Drawings hold every picture once, and say the scores as they are; charts keep their numbers."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from planted import planted_groups

from clipsim.profile import load_profile
from clipsim.retrieval.graph import similarity_graph
from clipsim.studies.similarity_graph import drawings as graph_plots
from clipsim.studies.similarity_graph.clusters import (
    PAIRS,
    Hierarchy,
    MetricGraphs,
    best_thresholds,
    chosen_thresholds,
    quality_rows,
    sweep,
)
from clipsim.studies.similarity_graph.drawings import (
    dendrogram_sheet,
    graph_sheet,
    grid_places,
    letters,
)


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


class Pictures:
    """Grey squares, whatever the id."""

    def pixels(self, image_id):
        return np.full((3, 24, 24), 128, dtype=np.uint8)


@pytest.fixture
def graphs():
    return MetricGraphs.of(*planted_groups(n_classes=4, n_each=4))


@pytest.mark.parametrize("n_images", [1, 2, 9, 40])
def test_no_picture_hides_another_and_a_seed_repeats(n_images):
    pairs = np.array([(i, i + 1) for i in range(n_images - 1)]).reshape(-1, 2)
    graph = similarity_graph(range(n_images), pairs, np.full(len(pairs), 0.5))
    places = grid_places(graph, seed=0)
    assert len(set(map(tuple, places.tolist()))) == n_images
    np.testing.assert_array_equal(places, grid_places(graph, seed=0))


def test_neighbours_are_drawn_near_each_other(graphs):
    places = grid_places(graphs.graph(0.5), seed=0)
    apart = np.linalg.norm(places[graphs.pairs[:, 0]] - places[graphs.pairs[:, 1]], axis=1)
    assert apart[graphs.known.alike].mean() < 0.6 * apart[~graphs.known.alike].mean()


def test_the_drawing_has_every_picture_edge_and_community(graphs):
    figure, table = graph_sheet(Pictures(), graphs.graph(0.5), graphs.known.alike_pairs, seed=0)
    (axis,) = figure.axes
    assert len(axis.images) == 16
    assert len(axis.lines) == graphs.known.alike.sum()
    assert {text.get_text() for text in axis.texts} == {"A", "B", "C", "D"}
    groups = table.groupby("community").image_id.apply(set).tolist()
    expected = [set(graphs.known.image_ids[i : i + 4]) for i in range(0, 16, 4)]
    assert sorted(map(sorted, groups)) == sorted(map(sorted, expected))


def test_pictures_alone_have_no_letter(graphs):
    figure, table = graph_sheet(Pictures(), graphs.graph(2), None, seed=0)
    assert not figure.axes[0].texts
    assert not figure.axes[0].lines
    assert set(table.community) == {-1}


def test_the_dendrogram_joins_at_the_scores(graphs):
    groups = graphs.known.groups
    ids = graphs.known.image_ids
    figure, table = dendrogram_sheet(Pictures(), graphs.hierarchy, ids, groups, {"τ": 0.5})
    above, below = figure.axes
    joins = [line.get_ydata()[1] for line in above.lines if len(line.get_ydata()) == 4]
    np.testing.assert_allclose(sorted(joins, reverse=True), graphs.hierarchy.scores, atol=1e-6)
    bottom, top = above.get_ylim()
    assert bottom > max(joins) > min(joins) > top, "the score falls from the pictures upwards"
    assert len(below.images) == 16
    np.testing.assert_allclose(table.score, graphs.hierarchy.scores)
    assert set(table.images.iloc[-1].split(" | ")) == set(ids)


def test_a_dendrogram_needs_two_images():
    with pytest.raises(ValueError, match="two images or more, got 1"):
        dendrogram_sheet(Pictures(), Hierarchy.of(1, []), ["a"], np.zeros(1), {})


def test_letters():
    assert [letters(i) for i in (0, 25, 26, 27, 52)] == ["A", "Z", "AA", "AB", "BA"]


def test_charts_mark_the_thresholds_and_captions_say_the_numbers():
    known, matrix = planted_groups()
    graphs = {key: MetricGraphs.of(known, matrix) for key in ("clip_score", "image_cosine")}
    tables = {key: sweep(of_metric, 0) for key, of_metric in graphs.items()}
    best = {key: best_thresholds(graphs[key], tables[key]) for key in graphs}
    held_out = dict.fromkeys(graphs, 0.21)
    chosen = chosen_thresholds(held_out, {"clip_score": 0.5, "image_cosine": None}, best)
    rows, differences = quality_rows(graphs, chosen, load_profile("smoke"))

    figure, numbers = graph_plots.quality_chart(tables, rows)
    marks = {line.get_xdata()[0] for line in figure.axes[0].lines if len(line.get_xdata()) == 2}
    assert {0.21, 0.5, best["clip_score"]["components"]} <= marks
    assert len(numbers) == 2 * len(tables["clip_score"])

    figure, _ = graph_plots.component_chart(tables, rows)
    row = next(r for r in rows if r["origin"] == PAIRS)
    points = {
        tuple(line.get_xydata()[0]) for line in figure.axes[1].lines if len(line.get_xdata()) == 1
    }
    assert points == {(row["neighbours"], row["share_in_largest"])}

    caption = graph_plots.quality_caption(rows, known)
    assert f"40 test images; {known.alike.sum()} of 780 known pairs are alike" in caption
    assert "τ = 0.50 (the paper's): 8 components, 12% of the images" in caption
    assert "+0.00 [+0.00, +0.00]" in graph_plots.difference_caption(differences)
    assert "image cosine" in graph_plots.component_caption(tables)
    words = graph_plots.drawing_caption(*graphs.values(), (0.5, 0.21))
    assert "40 test images" in words
    assert "100% of these edges join the same content" in words
