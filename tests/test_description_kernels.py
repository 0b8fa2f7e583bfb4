"""Eq. 4 at every N at once, and its alternatives, against one N, one image at a time."""

import numpy as np
import pytest

from clipsim.retrieval.score import caption_score, score_matrix, score_pairs
from clipsim.studies.number_of_descriptions.description_kernels import (
    pair_cosines,
    pair_scores,
    prefix_means,
    self_scores,
    softmax_means,
    softmax_weights,
)

COUNTS = (1, 2, 5, 9, 20)


@pytest.fixture
def retrieved():
    """Vectors of a pool (any length), ids and sims of 150 images, more than one block."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 6)) * rng.uniform(0.5, 3, size=(40, 1))
    ids = np.stack([rng.permutation(40)[:20] for _ in range(150)])
    sims = -np.sort(-rng.uniform(-1, 1, size=(150, 20)), axis=1)
    return vectors, ids, sims


def pairs_of(n_images, seed=1):
    return np.random.default_rng(seed).integers(n_images, size=(30, 2))


@pytest.mark.parametrize("normalisation", ["mean", "paper"])
def test_all_counts_at_once_are_eq_4_of_each(retrieved, normalisation):
    vectors, ids, _ = retrieved
    pairs = pairs_of(len(ids))
    scores = pair_scores(prefix_means(vectors, ids, COUNTS), pairs)
    for n, of_n in zip(COUNTS, scores, strict=True):
        expected = score_pairs(vectors[ids[:, :n]], pairs, normalisation)
        factor = n if normalisation == "paper" else 1
        np.testing.assert_allclose(factor * of_n, expected, atol=2e-5)


def test_the_normalisations_rank_alike_at_one_n_and_not_across(retrieved):
    vectors, ids, _ = retrieved
    pairs = pairs_of(len(ids))
    mean, paper = (
        np.concatenate([score_pairs(vectors[ids[:, :n]], pairs, name) for n in (2, 9)])
        for name in ("mean", "paper")
    )
    for half in (slice(0, 30), slice(30, 60)):
        assert (np.argsort(mean[half]) == np.argsort(paper[half])).all()
    assert (np.argsort(mean) != np.argsort(paper)).any()


def test_self_scores_are_the_diagonal(retrieved):
    vectors, ids, _ = retrieved
    of_all = self_scores(prefix_means(vectors, ids, COUNTS))
    for n, of_n in zip(COUNTS, of_all, strict=True):
        np.testing.assert_allclose(of_n, score_matrix(vectors[ids[:, :n]]).diagonal(), atol=1e-5)
    np.testing.assert_allclose(of_all[0], 1, atol=1e-6)
    assert (of_all[1:] < 1).all()


def test_an_image_whose_descriptions_agree_scores_one_with_itself():
    vectors = np.array([[2.0, 0], [0.5, 0], [7, 0]])
    means = prefix_means(vectors, np.array([[0, 1, 2]]), (1, 2, 3))
    np.testing.assert_allclose(self_scores(means), 1, atol=1e-6)


def test_the_cosine_is_that_of_the_sums_and_one_with_itself(retrieved):
    vectors, ids, _ = retrieved
    pairs = pairs_of(len(ids))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = pair_cosines(prefix_means(vectors, ids, COUNTS), pairs)
    for n, of_n in zip(COUNTS, cosines, strict=True):
        for (a, b), value in zip(pairs, of_n, strict=True):
            x, y = unit[ids[a, :n]].sum(axis=0), unit[ids[b, :n]].sum(axis=0)
            assert value == pytest.approx(x @ y / np.sqrt((x @ x) * (y @ y)), abs=1e-5)
    same = np.stack([np.arange(len(ids))] * 2, axis=1)
    np.testing.assert_allclose(
        pair_cosines(prefix_means(vectors, ids, COUNTS), same), 1, atol=1e-5
    )


def test_descriptions_that_cancel_have_cosine_zero():
    vectors = np.array([[1.0, 0], [-1, 0], [0, 1]])
    means = prefix_means(vectors, np.array([[0, 1], [2, 0]]), (2,))
    np.testing.assert_array_equal(pair_cosines(means, [[0, 1], [0, 0]]), [[0, 0]])


def test_softmax_scores_are_the_weighted_double_sum(retrieved):
    vectors, ids, sims = retrieved
    pairs, temperature = pairs_of(len(ids))[:5], 0.3
    (scores,) = pair_scores(softmax_means(vectors, ids, sims, [temperature]), pairs)
    for (a, b), value in zip(pairs, scores, strict=True):
        weights = [np.exp(sims[i] / temperature) for i in (a, b)]
        expected = sum(
            weights[0][i] / weights[0].sum() * weights[1][k] / weights[1].sum()
            * caption_score(vectors[ids[a, i]][None], vectors[ids[b, k]][None])
            for i in range(20)
            for k in range(20)
        )  # fmt: skip
        assert value == pytest.approx(expected, abs=1e-5)


def test_temperature_runs_from_the_best_description_to_equal_weights(retrieved):
    vectors, ids, sims = retrieved
    lowest, infinite = softmax_means(vectors, ids, sims, [1e-6, np.inf])
    first, every = prefix_means(vectors, ids, (1, 20))
    np.testing.assert_allclose(lowest, first, atol=1e-5)
    np.testing.assert_allclose(infinite, every, atol=1e-6)
    weights = softmax_weights(sims, [0.1])
    np.testing.assert_allclose(weights.sum(axis=2), 1, rtol=1e-5)
    assert (np.diff(weights, axis=2) <= 0).all()


@pytest.mark.parametrize(
    ("counts", "words"),
    [((), "increasing"), ((2, 2), "increasing"), ((0, 3), "increasing"), ((5, 21), "20 desc")],
)
def test_refuses_counts_that_make_no_sense(retrieved, counts, words):
    vectors, ids, _ = retrieved
    with pytest.raises(ValueError, match=words):
        prefix_means(vectors, ids, counts)


def test_refuses_zero_vectors_and_temperatures(retrieved):
    vectors, ids, sims = retrieved
    with pytest.raises(ValueError, match="above 0"):
        softmax_means(vectors, ids, sims, [0.1, 0])
    vectors[3] = 0
    with pytest.raises(ValueError, match="zero length"):
        prefix_means(vectors, ids, (1,))
