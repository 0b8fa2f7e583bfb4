"""Statistics of all bootstrap samples at once, against one sample at a time."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score

from clipsim.bootstrap_weights import (
    sample_weights,
    weighted_accuracy,
    weighted_auc,
    weighted_rank_correlation,
)


@pytest.fixture
def drawn():
    """Scores with ties, grades, labels, and samples of unequal length."""
    rng = np.random.default_rng(3)
    scores = rng.integers(8, size=40) / 8
    graded = np.round(scores + rng.normal(0, 0.4, 40), 1)
    similar = rng.random(40) < 0.4
    samples = [rng.integers(40, size=size) for size in (40, 40, 25, 60, 33)]
    return scores, graded, similar, samples, sample_weights(samples, 40)


def test_weights_count_the_draws(drawn):
    *_, samples, weights = drawn
    assert weights.sum(axis=1).tolist() == [len(sample) for sample in samples]
    assert weights[0, 7] == (samples[0] == 7).sum()
    assert sample_weights([], 40).shape == (0, 40)


def test_auc_is_scikit_learns_of_the_drawn_pairs(drawn):
    scores, _, similar, samples, weights = drawn
    expected = [roc_auc_score(similar[sample], scores[sample]) for sample in samples]
    np.testing.assert_allclose(weighted_auc(similar, scores, weights), expected)


def test_rank_correlation_is_scipys_of_the_drawn_pairs(drawn):
    scores, graded, _, samples, weights = drawn
    expected = [spearmanr(scores[sample], graded[sample]).statistic for sample in samples]
    np.testing.assert_allclose(weighted_rank_correlation(scores, graded, weights), expected)


def test_accuracies_are_scikit_learns_of_the_drawn_pairs(drawn):
    scores, _, similar, samples, weights = drawn
    called = scores >= 0.5
    accuracy, balanced = weighted_accuracy(called == similar, similar, weights)
    for b, sample in enumerate(samples):
        truth, answer = similar[sample], called[sample]
        assert accuracy[b] == pytest.approx(accuracy_score(truth, answer))
        assert balanced[b] == pytest.approx(balanced_accuracy_score(truth, answer))


def test_nan_where_a_sample_has_one_class_or_one_grade(drawn):
    scores, graded, similar, _, _ = drawn
    only = np.stack([similar, np.ones(40)]).astype(float)
    assert np.isnan(weighted_auc(similar, scores, only)).tolist() == [True, False]
    assert np.isnan(weighted_accuracy(similar, similar, only)[1]).tolist() == [True, False]
    one_grade = (graded == graded[0]).astype(float)[None]
    assert np.isnan(weighted_rank_correlation(scores, graded, one_grade)).all()
