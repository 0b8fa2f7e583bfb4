"""Thresholds against brute force, intervals against known coverage, and no leaks."""

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import accuracy_score, balanced_accuracy_score

import clipsim
from clipsim.data import LabelledPairs
from clipsim.evaluation.resampling import bootstrap_weights
from clipsim.evaluation.table_1 import (
    METRICS,
    accuracy_by_kind,
    best_threshold,
    held_out_thresholds,
    table_1,
)


def labelled_pairs(n, split, seed=0, n_images=None, similar=None):
    """Pairs of fresh images, or drawn among `n_images`."""
    rng = np.random.default_rng(seed)
    if n_images is None:
        ids = np.arange(2 * n).reshape(n, 2)
    else:
        ids = np.array([rng.choice(n_images, 2, replace=False) for _ in range(n)])
    similar = rng.integers(2, size=n) if similar is None else similar
    return LabelledPairs(
        id_a=np.array([f"{split} {i}" for i in ids[:, 0]]),
        id_b=np.array([f"{split} {i}" for i in ids[:, 1]]),
        similar=np.asarray(similar, dtype=np.int8),
        graded=np.asarray(similar, dtype=np.float32).clip(0),
        kind=np.array(["even", "odd"])[np.arange(n) % 2],
        split=np.array([split] * n),
        source=np.array([""] * n),
    )


def pairs_of(pairs):
    return zip(pairs.id_a.tolist(), pairs.id_b.tolist(), strict=True)


def joined(*parts):
    columns = ("id_a", "id_b", "similar", "graded", "kind", "split", "source")
    return LabelledPairs(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in columns}
    )


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(
    ("criterion", "function"),
    [("accuracy", accuracy_score), ("balanced_accuracy", balanced_accuracy_score)],
)
def test_best_threshold_is_as_good_as_any(seed, criterion, function):
    rng = np.random.default_rng(seed)
    similar = rng.integers(2, size=40)
    similar[:2] = 0, 1
    scores = np.round(rng.normal(size=40) + similar, 1)  # rounded: with ties
    chosen = function(similar, scores >= best_threshold(scores, similar, criterion))
    every = [function(similar, scores >= t) for t in [*scores, scores.max() + 1]]
    assert chosen == pytest.approx(max(every))


def test_the_threshold_lies_in_the_middle_of_the_longest_plateau():
    # Perfectly separable: one candidate is best, midway between the classes.
    assert best_threshold([0.0, 0.2, 0.8, 1.0], [0, 0, 1, 1]) == pytest.approx(0.5)
    # 0.5 and 2.5 are right in 5 of 6 pairs, runs of one candidate each: the first counts.
    assert best_threshold([0, 1, 2, 3, 4, 5], [0, 1, 0, 1, 1, 1]) == 0.5


def test_the_threshold_does_not_depend_on_the_order_of_the_pairs():
    rng = np.random.default_rng(0)
    scores, similar = rng.normal(size=60).round(1), rng.integers(2, size=60)
    order = rng.permutation(60)
    assert best_threshold(scores, similar) == best_threshold(scores[order], similar[order])


def test_a_threshold_needs_both_classes():
    with pytest.raises(ValueError, match="similar pairs and other pairs"):
        best_threshold([0.1, 0.2], [1, 1])


def test_test_pairs_do_not_move_their_threshold():
    pairs = joined(labelled_pairs(30, "val", 1), labelled_pairs(30, "test", 2))
    scores = np.random.default_rng(3).normal(size=60)
    changed = np.where(pairs.split == "test", -scores, scores)
    first = held_out_thresholds(pairs, scores, "accuracy", 0)
    second = held_out_thresholds(pairs, changed, "accuracy", 0)
    np.testing.assert_array_equal(first, second)
    assert np.isnan(first[:30]).all()
    assert len(set(first[30:])) == 1


def test_cross_fitting_leaves_out_every_pair_of_the_images_judged():
    pairs = labelled_pairs(400, "cross", 4, n_images=60)
    scores = np.random.default_rng(5).normal(size=400)
    thresholds = held_out_thresholds(pairs, scores, "balanced_accuracy", 0)
    assert not np.isnan(thresholds).any()
    for judged in (0, 7, 99):
        mine = {pairs.id_a[judged], pairs.id_b[judged]}
        touching = np.array([a in mine or b in mine for a, b in pairs_of(pairs)])
        changed = np.where(touching, 50 * scores, scores)
        again = held_out_thresholds(pairs, changed, "balanced_accuracy", 0)
        assert again[judged] == thresholds[judged]


def test_pairs_in_between_have_no_threshold():
    similar = np.random.default_rng(6).integers(-1, 2, size=200)
    pairs = labelled_pairs(200, "cross", 6, n_images=50, similar=similar)
    thresholds = held_out_thresholds(
        pairs, np.random.default_rng(7).normal(size=200), "accuracy", 0
    )
    np.testing.assert_array_equal(np.isnan(thresholds), similar < 0)


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


def test_the_interval_of_accuracy_is_near_the_binomial_one():
    profile = clipsim.load_profile("smoke", n_bootstrap=2000)
    pairs = joined(labelled_pairs(400, "val", 1), labelled_pairs(400, "test", 2))
    rng = np.random.default_rng(8)
    right = rng.random(800) < 0.8
    score = np.where(right, pairs.similar, 1 - pairs.similar) + 0.1 * rng.random(800)
    rows = table_1(pairs, {metric.key: score for metric in METRICS}, profile)
    row = next(r for r in rows if r["threshold_from"] == "validation")
    low, high = binom.ppf([0.025, 0.975], 400, row["accuracy"]) / 400
    assert row["accuracy_ci95"] == pytest.approx([low, high], abs=0.01)
    assert row["n_pairs"] == 400
    assert {r["threshold"] for r in rows if r["threshold_from"] == "paper"} == {0.3, 0.5, 0.7}


def test_a_score_that_knows_nothing_gets_half():
    profile = clipsim.load_profile("smoke", n_bootstrap=200)
    pairs = joined(labelled_pairs(500, "val", 1), labelled_pairs(1000, "test", 2))
    score = np.random.default_rng(9).normal(size=1500)
    row = table_1(pairs, {metric.key: score for metric in METRICS}, profile)[0]
    # 99.9 % interval of the AUC under independence, by its normal approximation.
    n, k = row["n_pairs"], row["n_similar"]
    sd = np.sqrt((n + 1) / (12 * k * (n - k)))
    assert abs(row["auc"] - 0.5) < 3.29 * sd


def test_accuracy_by_kind_averages_to_the_accuracy():
    profile = clipsim.load_profile("smoke")
    pairs = joined(labelled_pairs(100, "val", 1), labelled_pairs(100, "test", 2))
    rng = np.random.default_rng(10)
    scores = {metric.key: rng.normal(size=200) + pairs.similar for metric in METRICS}
    by_kind = accuracy_by_kind(pairs, scores, profile)
    rows = table_1(pairs, scores, profile)
    assert set(by_kind) == {"even", "odd"}
    whole = np.mean([cell["clip_score"] for cell in by_kind.values()])
    assert whole == pytest.approx(rows[0]["accuracy"])


def test_table_1_holds_accuracies_that_the_libraries_give():
    profile = clipsim.load_profile("smoke")
    pairs = joined(labelled_pairs(100, "val", 1), labelled_pairs(100, "test", 2))
    rng = np.random.default_rng(12)
    score = rng.normal(size=200) + pairs.similar
    row = table_1(pairs, {metric.key: score for metric in METRICS}, profile)[0]
    similar, called = pairs.similar[100:], score[100:] >= row["threshold"]
    assert row["accuracy"] == pytest.approx(accuracy_score(similar, called))
    assert row["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(similar, called))
    assert row["accuracy_ci95"][0] < row["accuracy"] < row["accuracy_ci95"][1]
