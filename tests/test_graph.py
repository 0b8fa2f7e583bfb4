"""The similarity graph against slow references, and what its files give back."""

import csv

import networkx as nx
import numpy as np
import pytest
from reference import components_by_search, random_edges

from clipsim.retrieval import (
    community_labels,
    component_labels,
    similarity_graph,
    write_edges,
    write_graphml,
)

NAMES = ["кіт.jpg", 'a,b "quoted".png', "<&>.jpg", "two\nlines", "猫/犬 🐕.png", "'; --", ""]


def groups(labels):
    return [set(np.flatnonzero(labels == label).tolist()) for label in range(labels.max() + 1)]


@pytest.mark.parametrize("n_edges", [0, 10, 25, 60, 400])
def test_components_are_those_of_a_search(n_edges):
    pairs, scores = random_edges(40, n_edges, seed=n_edges)
    labels = component_labels(similarity_graph(range(40), pairs, scores))
    expected = components_by_search(40, pairs)
    assert sorted(map(sorted, groups(labels))) == sorted(map(sorted, expected))
    sizes = np.bincount(labels)
    assert (np.diff(sizes) <= 0).all(), "the largest first"


def test_without_edges_every_image_is_alone():
    graph = similarity_graph(NAMES, np.empty((0, 2)), [])
    assert component_labels(graph).tolist() == list(range(len(NAMES)))
    assert community_labels(graph, seed=0).tolist() == list(range(len(NAMES)))
    assert component_labels(similarity_graph([], [], [])).shape == (0,)


def test_communities_weigh_the_scores():
    ring = np.array([(i, (i + 1) % 8) for i in range(8)])
    strong = np.where(np.arange(8) % 4 == 3, 0.01, 1.0)  # weak between 3 and 4, 7 and 0
    labels = community_labels(similarity_graph(range(8), ring, strong), seed=0)
    assert sorted(map(sorted, groups(labels))) == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_communities_repeat_and_stay_within_components():
    pairs, scores = random_edges(60, 90, seed=1)
    graph = similarity_graph(range(60), pairs, scores)
    labels = community_labels(graph, seed=3)
    np.testing.assert_array_equal(labels, community_labels(graph, seed=3))
    components = component_labels(graph)
    assert all(len(set(components[list(group)])) == 1 for group in groups(labels))


def test_edges_without_a_positive_score_join_no_community():
    graph = similarity_graph(range(3), [[0, 1], [1, 2]], [0.0, -0.3])
    assert community_labels(graph, seed=0).tolist() == [0, 1, 2]
    assert component_labels(graph).tolist() == [0, 0, 0]


def test_graphml_comes_back(tmp_path):
    pairs, scores = random_edges(len(NAMES), 12, seed=2)
    graph = similarity_graph(NAMES, pairs, scores, community=np.arange(len(NAMES)))
    write_graphml(graph, tmp_path / "g.graphml")
    back = nx.read_graphml(tmp_path / "g.graphml", node_type=int)
    assert dict(back.nodes(data=True)) == dict(graph.nodes(data=True))
    assert {frozenset(edge): s for *edge, s in back.edges(data="score")} == {
        frozenset(edge): s for *edge, s in graph.edges(data="score")
    }
    assert list(tmp_path.iterdir()) == [tmp_path / "g.graphml"]


def test_graphml_of_names_that_xml_cannot_hold(tmp_path):
    graph = similarity_graph(["bell\x07", "raw \udcff byte", "r\r"], [[0, 1]], [0.5])
    write_graphml(graph, tmp_path / "g.graphml")
    back = nx.read_graphml(tmp_path / "g.graphml", node_type=int)
    names = [name for _, name in back.nodes(data="name")]
    assert names == ["bell\\x07", "raw \\udcff byte", "r\\r"]
    assert graph.nodes[0]["name"] == "bell\x07", "the graph stays as it was"


def test_csv_comes_back_best_first(tmp_path):
    pairs, scores = random_edges(len(NAMES), 15, seed=3)
    write_edges(similarity_graph(NAMES, pairs[:, ::-1], scores), tmp_path / "e.csv")
    with (tmp_path / "e.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(int(r["a"]), int(r["b"])): float(r["score"]) for r in rows} == {
        (a, b): score for (a, b), score in zip(pairs.tolist(), scores.tolist(), strict=True)
    }
    assert [float(r["score"]) for r in rows] == sorted(scores.tolist(), reverse=True)
    assert all(
        (r["name_a"], r["name_b"]) == (NAMES[int(r["a"])], NAMES[int(r["b"])]) for r in rows
    )
