"""Eq. 4: the factorised paths against the double loop, and what must hold for any vectors."""

import numpy as np
import pytest
from reference import eq_4

from clipsim import caption_score, score_edges, score_matrix, score_pairs
from clipsim.retrieval import description_sums, joined, search


@pytest.fixture
def vectors():
    return np.random.default_rng(0).normal(size=(7, 5, 16)).astype(np.float32)


@pytest.mark.parametrize("normalisation", ["mean", "paper"])
def test_every_path_equals_the_double_loop(vectors, normalisation):
    expected = np.array([[eq_4(a, b, normalisation) for b in vectors] for a in vectors])
    np.testing.assert_allclose(score_matrix(vectors, normalisation), expected, atol=1e-5)
    index_pairs = np.array([[0, 1], [3, 3], [6, 2]])
    np.testing.assert_allclose(
        score_pairs(vectors, index_pairs, normalisation), expected[[0, 3, 6], [1, 3, 2]], atol=1e-5
    )
    one = caption_score(vectors[4], vectors[5], normalisation)
    assert one == pytest.approx(expected[4, 5], abs=1e-5)


def test_an_image_scores_one_with_itself_only_if_its_descriptions_agree(vectors):
    alike = np.repeat(vectors[:1, :1], 5, axis=1)
    assert score_matrix(alike)[0, 0] == pytest.approx(1, abs=1e-6)
    assert (np.diag(score_matrix(vectors)) < 0.9).all()


def test_the_mean_stays_within_its_range(vectors):
    opposite = np.concatenate([vectors, -vectors])
    scores = score_matrix(opposite)
    assert scores.min() >= -1 - 1e-6
    assert scores.max() <= 1 + 1e-6
    np.testing.assert_allclose(scores, scores.T)


@pytest.mark.parametrize(
    ("emb_a", "emb_b", "what"),
    [
        (np.ones((2, 3)), np.ones((3, 3)), "differ in shape"),
        (np.ones((0, 3)), np.ones((0, 3)), "N ≥ 1"),
        (np.ones((2, 3)), np.array([[1.0, 1, 1], [np.nan, 0, 0]]), "not a number"),
    ],
)
def test_bad_vectors_are_named(emb_a, emb_b, what):
    with pytest.raises(ValueError, match=what):
        caption_score(emb_a, emb_b)


@pytest.fixture
def many():
    """Vectors of the descriptions of 60 images in 6 groups, (60, 4, 12)."""
    rng = np.random.default_rng(2)
    groups = rng.normal(size=(6, 1, 12))[np.arange(60) % 6]
    return (groups + rng.normal(size=(60, 4, 12))).astype(np.float32)


def edges_of(vectors, threshold, normalisation="mean"):
    return joined(score_edges(vectors, threshold, normalisation))


@pytest.mark.parametrize("normalisation", ["mean", "paper"])
@pytest.mark.parametrize("panel", [1, 100, 2**24])
def test_edges_equal_the_double_loop_in_blocks_of_any_size(
    many, normalisation, panel, monkeypatch
):
    monkeypatch.setattr(search, "PANEL_ELEMENTS", panel)
    threshold = 0.4 * (4 if normalisation == "paper" else 1)
    expected = np.array([[eq_4(a, b, normalisation) for b in many] for a in many])
    pairs, scores = edges_of(many, threshold, normalisation)
    np.testing.assert_array_equal(pairs, np.argwhere(np.triu(expected >= threshold, k=1)))
    assert 50 < len(pairs) < 1000
    np.testing.assert_allclose(scores, expected[tuple(pairs.T)], atol=1e-5)


def test_sums_are_means_of_unit_vectors(many):
    by_definition = (many / np.linalg.norm(many, axis=2, keepdims=True)).mean(axis=1)
    np.testing.assert_allclose(description_sums(many), by_definition, atol=1e-6)


def test_vectors_may_be_whole_numbers():
    vectors = np.arange(1, 25).reshape(2, 3, 4)
    assert score_matrix(vectors)[0, 1] == pytest.approx(eq_4(*vectors), abs=1e-6)
