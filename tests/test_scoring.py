"""Eq. 4: the factorised paths against the double loop, and what must hold for any vectors."""

import numpy as np
import pytest
from reference import eq_4

from clipsim.scoring import caption_score, description_sums, score_matrix, score_pairs


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


def test_the_lengths_of_the_vectors_do_not_matter(vectors):
    lengths = np.random.default_rng(1).uniform(0.1, 9, size=(7, 5, 1))
    np.testing.assert_allclose(score_matrix(vectors * lengths), score_matrix(vectors), atol=1e-5)


def test_the_order_of_the_descriptions_does_not_matter(vectors):
    np.testing.assert_allclose(score_matrix(vectors[:, ::-1]), score_matrix(vectors), atol=1e-6)


def test_an_image_scores_one_with_itself_only_if_its_descriptions_agree(vectors):
    alike = np.repeat(vectors[:1, :1], 5, axis=1)
    assert score_matrix(alike)[0, 0] == pytest.approx(1, abs=1e-6)
    assert (np.diag(score_matrix(vectors)) < 0.9).all()


def test_the_printed_normalisation_is_n_times_the_mean(vectors):
    np.testing.assert_allclose(
        score_matrix(vectors, "paper"), 5 * score_matrix(vectors, "mean"), atol=1e-5
    )


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
        (np.ones((2, 3)), np.array([[1.0, 1, 1], [0, 0, 0]]), "zero length"),
        (np.ones((2, 3)), np.array([[1.0, 1, 1], [np.nan, 0, 0]]), "not a number"),
    ],
)
def test_bad_vectors_are_named(emb_a, emb_b, what):
    with pytest.raises(ValueError, match=what):
        caption_score(emb_a, emb_b)


def test_an_unknown_normalisation_is_named(vectors):
    with pytest.raises(ValueError, match="normalisation='sum'"):
        description_sums(vectors, "sum")
