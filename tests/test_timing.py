"""Contestants take turns, and what is compared ran side by side; times come from a given clock."""

import numpy as np
import pytest
from clocks import Worked

from clipsim.studies.cost_and_scale.timing import median_interval, saving, timed_rounds, timing_row


def test_every_round_is_timed_but_the_first():
    clock = Worked()
    found = timed_rounds(
        {"a": clock.work("a", [99, 1, 2, 3]), "b": clock.work("b", [99, 4, 5, 6])}, 3, clock
    )
    assert {name: seconds.tolist() for name, seconds in found.items()} == {
        "a": [1, 2, 3],
        "b": [4, 5, 6],
    }


def test_contestants_take_turns_and_nobody_is_always_first():
    clock = Worked()
    timed_rounds({name: clock.work(name, [1] * 4) for name in "abc"}, 3, clock)
    rounds = ["".join(name for number, name in clock.done if number == n) for n in range(4)]
    assert rounds == ["abc", "bca", "cab", "abc"]
    assert [number for number, _ in clock.done] == sorted(number for number, _ in clock.done)


def test_no_round_is_refused():
    with pytest.raises(ValueError, match="n_rounds: expected at least 1, got 0"):
        timed_rounds({"a": lambda number: None}, 0)


def test_a_row_has_median_and_quartiles_of_one_thing():
    row = timing_row([10, 20, 30, 40, 50], per=10)
    assert row == {"median_s": 3.0, "low_s": 2.0, "high_s": 4.0, "rounds": 5}


def test_a_ratio_is_of_one_round():
    slow = np.array([2.0, 20.0, 8.0, 12.0, 6.0])  # of a machine that is at times ten times as slow
    found = saving(slow, slow / 4, 200, seed=0)
    assert found["ratio"] == pytest.approx(4)
    assert found["saved"] == pytest.approx(0.75)
    assert found["ratio_ci95"] == pytest.approx([4, 4])
    assert found["saved_ci95"] == pytest.approx([0.75, 0.75])


def test_saved_and_lost_are_alike():
    seconds, other = np.array([1.0, 2, 3, 4, 5]), np.array([3.0, 3, 3, 5, 9])
    gained, lost = saving(other, seconds, 200, seed=0), saving(seconds, other, 200, seed=0)
    assert gained["saved"] == pytest.approx(-lost["saved"])
    assert lost["ratio"] == pytest.approx(np.median([1 / 3, 2 / 3, 1, 4 / 5, 5 / 9]))
    assert lost["saved"] < 0 < gained["saved"] < 1


def test_the_interval_is_that_of_resampled_rounds():
    values = np.random.default_rng(1).normal(10, 1, size=101)
    interval = median_interval(values, 2000, seed=0)
    drawn = [np.random.default_rng(i).choice(values, size=101) for i in range(100, 2100)]
    other = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
    assert interval == pytest.approx(other, abs=0.05)
    assert interval[0] < np.median(values) < interval[1]


def test_few_rounds_have_no_interval():
    assert np.isnan(median_interval([1.0, 2, 3, 4], 100, seed=0)).all()
