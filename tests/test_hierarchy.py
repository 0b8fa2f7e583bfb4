"""The hierarchy at every threshold against a search, and against SciPy's single linkage."""

import numpy as np
import pytest
from reference import components_by_search, random_edges
from scipy.cluster.hierarchy import fcluster, is_valid_linkage, linkage
from scipy.spatial.distance import squareform

from clipsim.retrieval.graph import component_labels, similarity_graph
from clipsim.studies.similarity_graph.clusters import Hierarchy


def partition(labels):
    """What is together, without the numbers."""
    labels = np.asarray(labels)
    return sorted(np.flatnonzero(labels == label).tolist() for label in set(labels.tolist()))


def all_pairs(n_images, seed):
    return random_edges(n_images, n_images * n_images, seed)


def thresholds(scores):
    """Every score, and values between and beyond them."""
    levels = np.unique(scores).astype(float)
    middles = (levels[1:] + levels[:-1]) / 2
    return np.concatenate([levels, middles, [levels[0] - 1, levels[-1] + 1]])


@pytest.mark.parametrize("n_edges", [5, 30, 80, 435])
def test_at_every_threshold_as_a_search_and_as_the_graph(n_edges):
    pairs, scores = random_edges(30, n_edges, seed=n_edges)
    hierarchy = Hierarchy.of(30, [(pairs, scores)])
    for threshold in thresholds(scores):
        edges = scores >= threshold
        expected = sorted(map(sorted, components_by_search(30, pairs[edges])))
        assert partition(hierarchy.labels(threshold)) == expected
        graph = similarity_graph(range(30), pairs[edges], scores[edges])
        assert partition(component_labels(graph)) == expected


def test_cutting_the_dendrogram_gives_the_components():
    pairs, scores = all_pairs(40, seed=5)
    hierarchy = Hierarchy.of(40, [(pairs, scores)])
    joins = hierarchy.linkage()
    assert is_valid_linkage(joins)
    top = float(hierarchy.scores[0])
    for threshold in thresholds(scores):
        if threshold > top:  # SciPy always leaves something joined at height 0
            continue
        cut = fcluster(joins, top - threshold, "distance")
        assert partition(cut) == partition(hierarchy.labels(threshold))


def test_joins_where_scipys_single_linkage_does():
    pairs, scores = all_pairs(25, seed=6)
    matrix = np.zeros((25, 25))
    matrix[tuple(pairs.T)] = 1 - scores.astype(float)
    expected = linkage(squareform(matrix + matrix.T), "single")
    hierarchy = Hierarchy.of(25, [(pairs, scores)])
    np.testing.assert_allclose(1 - hierarchy.scores.astype(float), expected[:, 2])
    joins = hierarchy.linkage()
    for height in np.unique(joins[:, 2]):
        shift = 1 - float(hierarchy.scores[0])
        ours = fcluster(joins, height + 1e-9, "distance")
        assert partition(ours) == partition(fcluster(expected, height + shift + 1e-9, "distance"))


def test_a_pair_is_together_from_its_join_score_downwards():
    pairs, scores = all_pairs(25, seed=9)
    hierarchy = Hierarchy.of(25, [(pairs, scores)])
    joins = hierarchy.join_scores(pairs[:, ::-1])
    for threshold in thresholds(scores):
        labels = hierarchy.labels(threshold)
        together = labels[pairs[:, 0]] == labels[pairs[:, 1]]
        np.testing.assert_array_equal(joins >= threshold, together)
    assert Hierarchy.of(1, []).join_scores([]).shape == (0,)


def test_blocks_of_a_stream_make_no_difference():
    pairs, scores = all_pairs(30, seed=7)
    whole = Hierarchy.of(30, [(pairs, scores)])
    parts = np.array_split(np.random.default_rng(0).permutation(len(pairs)), 9)
    streamed = Hierarchy.of(30, ((pairs[part][:, ::-1], scores[part]) for part in parts))
    np.testing.assert_array_equal(streamed.scores, whole.scores)
    for threshold in thresholds(scores):
        assert partition(streamed.labels(threshold)) == partition(whole.labels(threshold))


def test_above_every_score_and_without_edges_all_are_alone():
    pairs, scores = all_pairs(6, seed=8)
    alone = [[i] for i in range(6)]
    assert partition(Hierarchy.of(6, [(pairs, scores)]).labels(2)) == alone
    assert partition(Hierarchy.of(6, []).labels(-1)) == alone


def test_one_image():
    hierarchy = Hierarchy.of(1, [])
    assert hierarchy.labels(0).tolist() == [0]
    assert hierarchy.linkage().shape == (0, 4)


def test_a_hierarchy_in_pieces_has_no_dendrogram():
    with pytest.raises(ValueError, match="leave 3 pieces"):
        Hierarchy.of(4, [([[0, 1]], np.float32([0.5]))]).linkage()


def test_a_pair_counts_once():
    with pytest.raises(ValueError, match="occurs twice"):
        Hierarchy.of(3, [([[0, 1], [1, 0]], np.float32([0.5, 0.4]))])
