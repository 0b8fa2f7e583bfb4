"""Statistics of all samples at once, against scikit-learn and SciPy on one sample at a time."""

from dataclasses import replace

import numpy as np
import pytest
from made_pairs import labelled_pairs
from scipy.stats import spearmanr
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    roc_auc_score,
)

from clipsim import load_profile
from clipsim.evaluation import resampling
from clipsim.evaluation.resampling import ResampledPairs, bootstrap_weights, finding_of, measured

PROFILE = load_profile("smoke", n_bootstrap=40)
RANKING = {
    "auc": (resampling.auc, roc_auc_score),
    "average precision": (resampling.average_precision, average_precision_score),
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
def test_statistics_are_the_libraries_of_the_drawn_pairs(seed, decimals):
    similar, graded, scores, samples, weights = data(seed, decimals=decimals)
    for statistic, library in RANKING.values():
        expected = [library(similar[sample], scores[sample]) for sample in samples]
        np.testing.assert_allclose(statistic(similar, scores, weights), expected, atol=1e-12)
    found = resampling.rank_correlation(scores, graded, weights)
    expected = [spearmanr(scores[sample], graded[sample]).statistic for sample in samples]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert resampling.auc(similar, scores) == pytest.approx(roc_auc_score(similar, scores))


def test_without_both_classes_there_is_nothing_to_rank():
    similar, graded, scores, *_ = data(8)
    weights = np.stack([similar, ~similar, np.ones(200)]).astype(float)
    right = scores > 0
    balanced = resampling.accuracy(similar, right, weights, "balanced_accuracy")
    for found in (
        balanced,
        *(statistic(similar, scores, weights) for statistic, _ in RANKING.values()),
    ):
        assert np.isnan(found).tolist() == [True, True, False]
    assert np.isfinite(resampling.accuracy(similar, right, weights, "accuracy")).all()
    assert np.isfinite(resampling.rank_correlation(scores, graded, weights)).all()
    assert np.isnan(resampling.auc(np.zeros(0, dtype=bool), np.zeros(0)))
    weights = data(9)[-1]
    assert np.isnan(resampling.rank_correlation(np.zeros(200), graded, weights)).all()
    assert resampling.interval([*range(1001), np.nan]) == pytest.approx([25, 975])


def test_the_exact_interval_is_clopper_and_pearsons():
    # Without any success the upper end solves (1 - p)^n = 0.025.
    assert resampling.exact_interval(0, 50) == pytest.approx([0, 1 - 0.025 ** (1 / 50)])
    assert resampling.exact_interval(1, 50)[0] == pytest.approx(1 - 0.975 ** (1 / 50))


def test_what_is_resampled_depends_on_whether_images_repeat():
    weights, unit = bootstrap_weights(labelled_pairs(50, "test"), 10, 0)
    assert unit == "pairs"
    assert set(weights.sum(axis=1)) == {50}
    assert np.ptp(weights, axis=0).all()
    shared = labelled_pairs(300, "test", n_images=40)
    weights, unit = bootstrap_weights(shared, 400, 0)
    assert unit == "images"
    # A pair counts as the product of its images' draws: (1 - 1/M) on average, M images.
    assert weights.sum(axis=1).mean() == pytest.approx(300 * (1 - 1 / 40), rel=0.05)


@pytest.mark.parametrize("n_images", [None, 25])
def test_every_sample_of_every_model_is_its_own(n_images):
    """More samples than are computed at a time, of two models, on pairs or images."""
    pairs = labelled_pairs(30, "test", 3, n_images)
    rng = np.random.default_rng(3)
    scores = rng.integers(6, size=(2, 30)) / 6  # many ties
    sample = ResampledPairs.of(pairs, replace(PROFILE, n_bootstrap=60), stream=2)
    weights, unit = bootstrap_weights(pairs, 60, [PROFILE.seed, 2])
    assert sample.unit == unit == ("images" if n_images else "pairs")
    drawn = [np.arange(30), *(np.repeat(np.arange(30), row.astype(int)) for row in weights)]
    aucs, called = sample.auc(scores), scores > 0.5
    right = called == (pairs.similar == 1)
    balanced = sample.accuracy(right, "balanced_accuracy")
    plain = sample.accuracy(right)
    assert aucs.shape == (2, 61)
    assert (
        sample.weights[1:]
        != ResampledPairs.of(pairs, replace(PROFILE, n_bootstrap=60)).weights[1:]
    ).any()
    for b, index in enumerate(drawn):
        truth = pairs.similar[index]
        for m in range(2):
            assert plain[m, b] == pytest.approx(accuracy_score(truth, called[m, index]))
            if len(set(truth)) == 2:
                assert aucs[m, b] == pytest.approx(roc_auc_score(truth, scores[m, index]))
                expected = balanced_accuracy_score(truth, called[m, index])
                assert balanced[m, b] == pytest.approx(expected)
            else:
                assert np.isnan(aucs[m, b])


def test_pairs_in_between_count_for_the_correlation_alone():
    rng = np.random.default_rng(3)
    labels, scores = rng.integers(-1, 2, size=30), rng.integers(6, size=30) / 6
    pairs = labelled_pairs(30, "test", similar=labels)
    mixed = replace(pairs, graded=np.round(scores + labels, 1))
    sample = ResampledPairs.of(mixed, PROFILE)
    weights = sample.weights[:, labels >= 0]
    labelled = replace(sample, pairs=mixed.where(labels >= 0), weights=weights)
    assert sample.n_labelled == len(labelled.pairs) == (labels >= 0).sum()
    kept = scores[labels >= 0]
    np.testing.assert_array_equal(sample.auc(scores), labelled.auc(kept))
    np.testing.assert_array_equal(sample.accuracy(scores > 0.5), labelled.accuracy(kept > 0.5))
    expected = spearmanr(scores, mixed.graded).statistic
    assert sample.spearman(scores)[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("shift", "expected"), [(3, "supported"), (-3, "not supported"), (0, "undecided")]
)
def test_a_finding_follows_the_data(shift, expected):
    rng = np.random.default_rng(0)
    similar = np.arange(80) % 2
    sample = ResampledPairs.of(labelled_pairs(80, "test", similar=similar), PROFILE)
    scores = rng.standard_normal((2, 80)) + shift * similar
    values = sample.auc(scores)
    found = finding_of("fine_grained", "AUC less 0.5", values - 0.5, sample)
    assert (found["verdict"], found["n_pairs"], found["n_seeds"]) == (expected, 80, 2)
    row = measured({"auc": values})  # the mean of models, and their spread apart
    assert row["auc"] - 0.5 == pytest.approx(found["estimate"])
    assert row["auc_of_seeds"] == values[:, 0].tolist()
    assert row["auc_ci95"] == resampling.interval(values.mean(axis=0)[1:])


def test_a_handful_of_pairs_decides_nothing():
    sample = ResampledPairs.of(labelled_pairs(18, "test", similar=[1, 0] * 9), PROFILE)
    values = sample.auc(np.tile([1.0, 0.0], 9)) - 0.5
    found = finding_of("fine_grained", "AUC", values, sample)
    assert (found["estimate"], found["verdict"]) == (0.5, "undecided")
    assert "9 pairs of a class: too few" in found["experiment"]
