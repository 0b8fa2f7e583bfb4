"""Resampled statistics against scikit-learn on the repeated pairs themselves."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from clipsim import load_profile
from clipsim.data import LabelledPairs
from clipsim.evaluation.resampling import ResampledPairs, bootstrap_weights, finding_of, measured

PROFILE = load_profile("smoke", n_bootstrap=40)


def pairs_of(similar, shared=False):
    n = len(similar)
    return LabelledPairs(
        id_a=np.array([f"a{0 if shared else i}" for i in range(n)]),
        id_b=np.array([f"b{i}" for i in range(n)]),
        similar=np.asarray(similar, dtype=np.int8),
        graded=np.asarray(similar, dtype=np.float32),
        kind=np.full(n, ""),
        split=np.full(n, "test"),
        source=np.full(n, ""),
    )


def drawn_indices(pairs, seed):
    """The bootstrap samples as positions of pairs, and what was resampled."""
    weights, unit = bootstrap_weights(pairs, PROFILE.n_bootstrap, seed)
    return [np.repeat(np.arange(len(pairs)), row.astype(int)) for row in weights], unit


@pytest.fixture
def drawn():
    rng = np.random.default_rng(3)
    similar = rng.integers(2, size=30)
    return pairs_of(similar), rng.integers(6, size=30) / 6  # many ties


@pytest.mark.parametrize("shared", [False, True])
def test_auc_of_every_resample(drawn, shared):
    pairs, scores = drawn
    pairs = pairs_of(pairs.similar, shared)
    sample = ResampledPairs.of(pairs, PROFILE, stream=2)
    values = sample.auc(scores)
    assert values[0] == pytest.approx(roc_auc_score(pairs.similar, scores))
    indices, unit = drawn_indices(pairs, [PROFILE.seed, 2])
    assert sample.unit == unit == ("images" if shared else "pairs")
    for value, index in zip(values[1:], indices, strict=True):
        if len(set(pairs.similar[index])) == 2:
            assert value == pytest.approx(roc_auc_score(pairs.similar[index], scores[index]))
        else:
            assert np.isnan(value)


def test_accuracies_of_every_resample(drawn):
    pairs, scores = drawn
    sample = ResampledPairs.of(pairs, PROFILE)
    called = scores > 0.5
    right = called == (pairs.similar == 1)
    plain, balanced = (
        sample.accuracy(right, criterion) for criterion in ("accuracy", "balanced_accuracy")
    )
    indices, _ = drawn_indices(pairs, PROFILE.seed)
    for row, index in enumerate([np.arange(len(pairs)), *indices]):
        assert plain[row] == pytest.approx(right[index].mean())
        assert balanced[row] == pytest.approx(
            balanced_accuracy_score(pairs.similar[index], called[index])
        )


def test_several_models_are_averaged_and_their_spread_is_apart(drawn):
    pairs, scores = drawn
    sample = ResampledPairs.of(pairs, PROFILE)
    both = sample.auc(np.stack([scores, -scores]))
    np.testing.assert_allclose(both.mean(axis=0), 0.5)
    row = measured({"auc": both})
    assert row["auc"] == pytest.approx(0.5)
    assert row["auc_ci95"] == pytest.approx([0.5, 0.5])
    assert row["auc_of_seeds"] == pytest.approx([both[0, 0], both[1, 0]])
    assert "auc_of_seeds" not in measured({"auc": both[0]})


def test_streams_are_independent_and_reproducible(drawn):
    pairs, _ = drawn
    first, again, other = (ResampledPairs.of(pairs, PROFILE, s).weights for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first[1:] != other[1:]).any(axis=1).all()


def test_pairs_in_between_count_for_the_correlations_alone(drawn):
    pairs, scores = drawn
    labels = np.where(np.arange(30) % 3 == 0, -1, pairs.similar).astype(np.int8)
    mixed = replace(pairs, similar=labels, graded=np.round(scores + labels, 1))
    sample = ResampledPairs.of(mixed, PROFILE)
    labelled = sample.where(labels >= 0)
    assert sample.n_labelled == len(labelled.pairs) == 20
    kept = scores[labels >= 0]
    np.testing.assert_array_equal(sample.auc(scores), labelled.auc(kept))
    np.testing.assert_array_equal(sample.accuracy(scores > 0.5), labelled.accuracy(kept > 0.5))
    indices, _ = drawn_indices(mixed, PROFILE.seed)
    for value, index in zip(sample.spearman(scores)[1:], indices, strict=True):
        expected = spearmanr(scores[index], mixed.graded[index]).statistic
        assert value == pytest.approx(expected)


def test_many_samples_are_each_their_own():
    """More samples than are computed at a time, of several models."""
    pairs = pairs_of(np.arange(30) % 2)
    scores = np.random.default_rng(1).normal(size=(2, 30))
    sample = ResampledPairs.of(pairs, replace(PROFILE, n_bootstrap=100))
    values = sample.kendall(scores)
    assert values.shape == (2, 101)
    index = np.repeat(np.arange(30), sample.weights[77].astype(int))
    expected = kendalltau(scores[1, index], pairs.graded[index]).statistic
    assert values[1, 77] == pytest.approx(expected)
    np.testing.assert_array_equal(sample.whole.kendall(scores), values[:, :1])


@pytest.mark.parametrize(
    ("shift", "expected"), [(3, "supported"), (-3, "not supported"), (0, "undecided")]
)
def test_a_finding_follows_the_data(shift, expected):
    rng = np.random.default_rng(0)
    similar = np.arange(80) % 2
    sample = ResampledPairs.of(pairs_of(similar), PROFILE)
    scores = rng.standard_normal((2, 80)) + shift * similar
    found = finding_of("fine_grained", "AUC less 0.5", sample.auc(scores) - 0.5, sample)
    assert (found["verdict"], found["n_pairs"], found["n_seeds"]) == (expected, 80, 2)


def test_a_handful_of_pairs_decides_nothing():
    sample = ResampledPairs.of(pairs_of([1, 0] * 9), PROFILE)
    scores = np.tile([1.0, 0.0], 9)
    found = finding_of("fine_grained", "AUC", sample.auc(scores) - 0.5, sample)
    assert (found["estimate"], found["verdict"]) == (0.5, "undecided")
    assert "9 pairs of a class: too few" in found["experiment"]


def test_one_class_leaves_the_claim_undecided():
    sample = ResampledPairs.of(pairs_of([1, 1, 1]), PROFILE)
    found = finding_of("fine_grained", "", sample.auc(np.arange(3)) - 0.5, sample)
    assert found["verdict"] == "undecided"
