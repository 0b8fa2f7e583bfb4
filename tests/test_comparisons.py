"""The rule that picks the pairs of Figures 1–4."""

import numpy as np

from clipsim.evaluation.figures_1_to_4 import (
    COMPARISONS,
    chosen_pair,
    comparison_class,
    typical_order,
)

SIMILAR = np.array([1, 1, 0, 0, 0, 1, -1], dtype=np.int8)
TESTED = np.array([True, True, True, True, True, False, False])
CALLED = {
    "clip_score": np.array([1, 1, 0, 0, 1, 1, 1], dtype=bool),
    "ssim": np.array([1, 0, 1, 1, 1, 1, 1], dtype=bool),
    "fsim": np.array([1, 0, 1, 1, 1, 1, 1], dtype=bool),
}


def test_each_figure_has_its_class():
    classes = [
        comparison_class(comparison, SIMILAR, TESTED, CALLED).tolist()
        for comparison in COMPARISONS
    ]
    assert classes == [[0], [1], [2, 3], [2, 3]]


def test_figures_3_and_4_show_two_different_pairs():
    scores = {key: np.linspace(0, 1, 7) for key in ("clip_score", "ssim", "fsim")}
    third, fourth = (
        chosen_pair(comparison, SIMILAR, TESTED, CALLED, scores)[0]
        for comparison in COMPARISONS[2:]
    )
    assert {third, fourth} == {2, 3}


def test_the_most_typical_pair_is_the_one_in_the_middle_of_all_three():
    rng = np.random.default_rng(0)
    scores = {key: rng.normal(size=21) for key in ("clip_score", "ssim", "fsim")}
    for values in scores.values():
        values[4] = np.median(np.delete(values, 4))
    assert typical_order(np.arange(21), scores)[0] == 4


def test_an_empty_class_has_no_pair():
    nothing = {key: np.zeros(7, dtype=bool) for key in CALLED}
    scores = {key: np.zeros(7) for key in CALLED}
    assert chosen_pair(COMPARISONS[0], SIMILAR, TESTED, nothing, scores) == (None, 0)
