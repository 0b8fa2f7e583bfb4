"""The threshold a criterion chooses, against the rule in words; and what it never saw."""

from itertools import pairwise

import numpy as np
import pytest
from made_pairs import joined, labelled_pairs
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from clipsim.evaluation.thresholds import (
    best_threshold,
    held_out_thresholds,
    right_decisions,
    sweep,
)

CRITERIA = {"accuracy": accuracy_score, "balanced_accuracy": balanced_accuracy_score}


def rule(scores, similar, criterion):
    """The documented rule, word for word and slowly."""
    levels = sorted(set(scores))
    candidates = [levels[0] - 1e-6]
    candidates += [(a + b) / 2 for a, b in pairwise(levels)]
    candidates += [levels[-1] + 1e-6]
    function = CRITERIA[criterion]
    values = [function(similar, [s >= c for s in scores]) for c in candidates]
    runs, run = [], []
    for candidate, value in zip(candidates, values, strict=True):
        if value > max(values) - 1e-12:
            run.append(candidate)
        elif run:
            runs.append(run)
            run = []
    runs += [run] if run else []
    longest = next(r for r in runs if len(r) == max(map(len, runs)))
    return longest[(len(longest) - 1) // 2]


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("seed", range(40))
def test_equal_to_the_rule_in_words(seed, criterion):
    rng = np.random.default_rng(seed)
    similar = (rng.random(25) < rng.choice([0.1, 0.5, 0.8])).astype(int)
    similar[:2] = 0, 1
    # Few levels: ties within and between the classes, and plateaus.
    scores = rng.integers(8, size=25) / 4 + similar * rng.choice([-0.5, 0.0, 0.5])
    chosen = best_threshold(scores, similar, criterion)
    assert chosen == pytest.approx(rule(scores.tolist(), similar, criterion))
    order = rng.permutation(25)
    assert best_threshold(scores[order], similar[order], criterion) == chosen


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e15])
@pytest.mark.parametrize("criterion", CRITERIA)
def test_neighbouring_floats_and_large_ones_are_told_apart(scale, criterion):
    low = scale
    high = np.nextafter(low, np.inf)
    scores, similar = [low, low, high, high], [0, 0, 1, 1]
    called = np.array(scores) >= best_threshold(scores, similar, criterion)
    assert called.tolist() == [False, False, True, True]
    reverse = np.array(scores) >= best_threshold(scores, [1, 1, 0, 0], criterion)
    assert reverse.all() or not reverse.any()  # no threshold is right: one constant answer


@pytest.mark.parametrize(
    ("scores", "similar", "criterion", "message"),
    [
        ([0.1, np.nan], [0, 1], "accuracy", "1 scores are not finite"),
        ([0.1, 0.2, 0.3], [0, 1, -1], "accuracy", "leave out those in between"),
        ([], [], "accuracy", "similar pairs and other pairs"),
        ([0.1, 0.2], [0], "accuracy", "expected"),
        ([0.1, 0.2], [0, 1], "auc", "expected accuracy or balanced_accuracy"),
    ],
)
def test_what_no_threshold_can_be_chosen_from(scores, similar, criterion, message):
    with pytest.raises(ValueError, match=message):
        best_threshold(scores, similar, criterion)


def test_test_pairs_do_not_move_their_threshold():
    pairs = joined(labelled_pairs(30, "val", 1), labelled_pairs(30, "test", 2))
    scores = np.random.default_rng(3).normal(size=60)
    changed = np.where(pairs.split == "test", -scores, scores)
    first = held_out_thresholds(pairs, scores, "accuracy", 0)
    second = held_out_thresholds(pairs, changed, "accuracy", 0)
    np.testing.assert_array_equal(first, second)
    assert np.isnan(first[:30]).all()
    assert set(first[30:]) == {best_threshold(scores[:30], pairs.similar[:30])}


def test_cross_fitting_leaves_out_every_pair_of_the_images_judged():
    pairs = labelled_pairs(400, "cross", 4, n_images=60)
    scores = np.random.default_rng(5).normal(size=400)
    thresholds = held_out_thresholds(pairs, scores, "balanced_accuracy", 0)
    assert not np.isnan(thresholds).any()
    for judged in (0, 7, 99):
        mine = [pairs.id_a[judged], pairs.id_b[judged]]
        touching = np.isin(pairs.id_a, mine) | np.isin(pairs.id_b, mine)
        changed = np.where(touching, 50 * scores, scores)
        again = held_out_thresholds(pairs, changed, "balanced_accuracy", 0)
        assert again[judged] == thresholds[judged]


def test_pairs_in_between_have_no_threshold_and_no_decision():
    rng = np.random.default_rng(6)
    similar = rng.integers(-1, 2, size=200)
    pairs = labelled_pairs(200, "cross", 6, n_images=50, similar=similar)
    scores = rng.normal(size=200)
    thresholds = held_out_thresholds(pairs, scores, "accuracy", 0)
    np.testing.assert_array_equal(np.isnan(thresholds), similar < 0)
    right, kept = right_decisions(pairs, scores, thresholds), similar >= 0
    expected = accuracy_score(similar[kept], scores[kept] >= thresholds[kept])
    assert right[kept].mean() == pytest.approx(expected)
    assert not right[~kept].any()


def test_the_sweep_is_scikit_learns_accuracy_and_best_where_the_threshold_is():
    rng = np.random.default_rng(5)
    similar = rng.integers(2, size=80)
    scores = rng.normal(size=80) + similar
    table = sweep(scores, similar, [best_threshold(scores, similar), *np.linspace(-3, 4, 50)])
    assert table.accuracy.idxmax() == 0
    for name, function in CRITERIA.items():
        expected = [function(similar, scores >= threshold) for threshold in table.threshold]
        np.testing.assert_allclose(table[name], expected)
