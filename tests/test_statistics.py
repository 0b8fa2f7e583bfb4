"""Statistics of all samples at once, against scikit-learn and SciPy on one sample at a time."""

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    roc_auc_score,
)

from clipsim.evaluation import resampling as statistics

RANKING = {
    "auc": (statistics.auc, roc_auc_score),
    "average precision": (statistics.average_precision, average_precision_score),
}
CORRELATIONS = {
    "spearman": (statistics.rank_correlation, spearmanr),
    "kendall": (statistics.kendall, kendalltau),
}


def data(seed, n=200, decimals=1):
    """Labels, grades and scores with ties, and samples of unequal length with their weights."""
    rng = np.random.default_rng(seed)
    similar = rng.random(n) < 0.3
    graded = np.round(rng.random(n), 1)
    scores = np.round(rng.normal(size=n) + similar, decimals).astype(np.float32)
    samples = [np.arange(n), *(rng.integers(n, size=size) for size in (n, n, n // 2, 2 * n))]
    weights = np.array([np.bincount(sample, minlength=n) for sample in samples], dtype=float)
    return similar, graded, scores, samples, weights


@pytest.mark.parametrize("decimals", [0, 1, 6])  # many ties, some, none
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("statistic", "library"), RANKING.values(), ids=RANKING)
def test_ranking_is_the_librarys_of_the_drawn_pairs(statistic, library, seed, decimals):
    similar, _, scores, samples, weights = data(seed, decimals=decimals)
    expected = [library(similar[sample], scores[sample]) for sample in samples]
    np.testing.assert_allclose(statistic(similar, scores, weights), expected, atol=1e-12)


@pytest.mark.parametrize("decimals", [0, 1, 6])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("statistic", "library"), CORRELATIONS.values(), ids=CORRELATIONS)
def test_correlations_are_scipys_of_the_drawn_pairs(statistic, library, seed, decimals):
    _, graded, scores, samples, weights = data(seed, decimals=decimals)
    expected = [library(scores[sample], graded[sample]).statistic for sample in samples]
    np.testing.assert_allclose(statistic(scores, graded, weights), expected, atol=1e-12)


def test_accuracies_are_scikit_learns_of_the_drawn_pairs():
    similar, _, scores, samples, weights = data(3)
    called = scores >= 0.5
    plain = statistics.accuracy(called == similar, weights)
    balanced = statistics.balanced_accuracy(called == similar, similar, weights)
    for b, sample in enumerate(samples):
        truth, answer = similar[sample], called[sample]
        assert plain[b] == pytest.approx(accuracy_score(truth, answer))
        assert balanced[b] == pytest.approx(balanced_accuracy_score(truth, answer))


def test_without_weights_it_is_the_value_of_the_pairs_themselves():
    similar, graded, scores, *_ = data(4)
    assert statistics.auc(similar, scores) == pytest.approx(roc_auc_score(similar, scores))
    expected = spearmanr(scores, graded).statistic
    assert statistics.rank_correlation(scores, graded) == pytest.approx(expected)


def test_kendall_is_tau_b_of_all_pairs_of_pairs():
    _, graded, scores, _, weights = data(5, n=40)
    signs = [np.sign(np.subtract.outer(x, x)) for x in (scores.astype(float), graded)]
    expected = (signs[0] * signs[1]).sum() / np.sqrt((signs[0] ** 2).sum() * (signs[1] ** 2).sum())
    assert statistics.kendall(scores, graded, weights)[0] == pytest.approx(expected)


@pytest.mark.parametrize("transform", [np.exp, np.cbrt, lambda x: 5 * x - 3])
def test_only_the_order_of_the_scores_counts(transform):
    similar, graded, scores, _, weights = data(6)
    changed = transform(scores.astype(float))
    for statistic, _ in RANKING.values():
        np.testing.assert_allclose(
            statistic(similar, changed, weights), statistic(similar, scores, weights)
        )
    for statistic, _ in CORRELATIONS.values():
        np.testing.assert_allclose(
            statistic(changed, graded, weights), statistic(scores, graded, weights)
        )


def test_a_reversed_score_has_the_opposite_order():
    similar, graded, scores, _, weights = data(7)
    forward, backward = (statistics.auc(similar, s, weights) for s in (scores, -scores))
    np.testing.assert_allclose(backward, 1 - forward)
    for statistic, _ in CORRELATIONS.values():
        np.testing.assert_allclose(
            statistic(-scores, graded, weights), -statistic(scores, graded, weights), atol=1e-12
        )


def test_without_both_classes_there_is_nothing_to_rank():
    similar, graded, scores, *_ = data(8)
    weights = np.stack([similar, ~similar, np.ones(200)]).astype(float)
    for statistic, _ in RANKING.values():
        assert np.isnan(statistic(similar, scores, weights)).tolist() == [True, True, False]
    balanced = statistics.balanced_accuracy(scores > 0, similar, weights)
    assert np.isnan(balanced).tolist() == [True, True, False]
    assert np.isfinite(statistics.accuracy(scores > 0, weights)).all()
    assert np.isfinite(statistics.rank_correlation(scores, graded, weights)).all()
    assert np.isnan(statistics.auc(np.ones(200, dtype=bool), scores))
    assert np.isnan(statistics.auc(np.zeros(0, dtype=bool), np.zeros(0)))


def test_a_constant_score_says_nothing():
    similar, graded, scores, _, weights = data(9)
    constant = np.zeros_like(scores)
    shares = weights[:, similar].sum(axis=1) / weights.sum(axis=1)
    np.testing.assert_allclose(statistics.auc(similar, constant, weights), 0.5)
    np.testing.assert_allclose(statistics.average_precision(similar, constant, weights), shares)
    one_grade = (graded == graded[0]).astype(float)[None]
    for statistic, _ in CORRELATIONS.values():
        assert np.isnan(statistic(constant, graded, weights)).all()
        assert np.isnan(statistic(scores, graded, one_grade)).all()


def test_the_interval_leaves_out_what_is_no_number():
    values = np.random.default_rng(0).permutation(np.arange(1001.0))
    assert statistics.interval(values) == pytest.approx([25, 975])
    assert statistics.interval([*values, np.nan]) == pytest.approx([25, 975])
    assert np.isnan(statistics.interval([np.nan, np.nan])).all()
    assert np.isnan(statistics.interval([])).all()


def test_the_exact_interval_is_clopper_and_pearsons():
    # Without any success the upper end solves (1 - p)^n = 0.025.
    assert statistics.exact_interval(0, 50) == pytest.approx([0, 1 - 0.025 ** (1 / 50)])
    low, high = statistics.exact_interval(1, 50)
    assert low == pytest.approx(1 - 0.975 ** (1 / 50))
    assert high < 0.12
