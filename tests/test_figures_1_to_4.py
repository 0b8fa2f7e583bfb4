"""Which pairs the figures show, and the most confident errors: by hand and by brute force."""

import numpy as np
import pytest
from made_pairs import SCORES, TESTED, described_pairs, labelled_pairs

from clipsim.evaluation.figures_1_to_4 import (
    COMPARISONS,
    FALSE_ALARM,
    MISS,
    Candidates,
    comparison_class,
    described,
    errors_by_confidence,
    margins_in_the_paper,
    matched_descriptions,
    typical_order,
)

KEYS = ("clip_score", "ssim_package", "fsim_package")


def test_each_figure_has_its_class_and_an_empty_one_no_pair():
    similar = np.array([1, 1, 0, 0, 0, 1, -1], dtype=np.int8)
    tested = np.array([True, True, True, True, True, False, False])
    of_pixels = np.array([1, 0, 1, 1, 1, 1, 1], dtype=bool)
    clip = np.array([1, 1, 0, 0, 1, 1, 1], dtype=bool)
    called = dict(zip(KEYS, (clip, of_pixels, of_pixels), strict=True))
    classes = [comparison_class(c, similar, tested, called).tolist() for c in COMPARISONS]
    assert classes == [[0], [1], [2, 3], [2, 3]]
    scores = {key: 2.0 * called[key] + np.linspace(0, 1, 7) for key in KEYS}
    pairs = labelled_pairs(7, "test", similar=similar)
    thresholds = {key: np.where(tested, 1.5, np.nan) for key in KEYS}
    shown = Candidates(pairs, None, scores, thresholds)
    assert {shown.choice(c)[0] for c in COMPARISONS[2:]} == {2, 3}
    nothing = Candidates(pairs, None, {key: np.zeros(7) for key in KEYS}, thresholds)
    assert nothing.choice(COMPARISONS[0]) == (None, 0)


def test_in_the_paper_s_figures_2_and_4_the_pixel_metrics_miss_by_a_hair():
    """Its scores are .69 and .28, .72 and .32; its thresholds .7 and .3 (Table 1)."""
    table = margins_in_the_paper()
    wrong = table[~table.right]
    assert set(wrong.figure) == {"figure_2", "figure_3", "figure_4"}
    few = wrong[wrong.figure != "figure_3"]
    assert sorted(few.margin) == pytest.approx([-0.02, -0.01, 0.02, 0.02])


def test_the_most_typical_pair_is_the_one_in_the_middle_of_all_three():
    rng = np.random.default_rng(0)
    scores = {key: rng.normal(size=21) for key in KEYS}
    for values in scores.values():
        values[4] = np.median(np.delete(values, 4))
    assert typical_order(np.arange(21), scores)[0] == 4


THRESHOLDS = np.where(TESTED, 0.5, np.nan)
PAIRS, RETRIEVAL = described_pairs()


def errors(scores=SCORES, thresholds=THRESHOLDS):
    """The errors of the made scores; and the numbers of their pairs, with margins, by kind."""
    of_metrics = [{"ssim": values, "clip_score": values} for values in (scores, thresholds)]
    found = errors_by_confidence(Candidates(PAIRS, None, *of_metrics), "ssim")
    number = {image_id: i for i, image_id in enumerate(PAIRS.id_a.tolist())}
    margins = {FALSE_ALARM: [], MISS: []}
    for case in found.itertuples():
        margins[case.error].append((number[case.id_a], round(case.margin, 12)))
    return found, margins


def test_errors_and_margins_worked_by_hand():
    found, margins = errors()
    # Tested scores in order: .1 .2 .4 | .6 .8 .9; of .9 two of six lie between, of .6 none.
    third, sixth = round(1 / 3, 12), round(1 / 6, 12)
    assert margins == {FALSE_ALARM: [(0, third), (1, 0)], MISS: [(3, 0.5), (4, sixth)]}
    first = found.iloc[0]
    assert (first.metric, first.score, first.threshold) == ("ssim", 0.9, 0.5)
    stretched = errors(np.exp(9 * SCORES), np.exp(9 * THRESHOLDS))
    assert stretched[1] == margins  # no matter the metric's scale
    thresholds = THRESHOLDS.copy()
    thresholds[0], thresholds[4] = 0.95, 0.3
    _, own = errors(thresholds=thresholds)  # each pair has its own
    assert [position for cases in own.values() for position, _ in cases] == [1, 3]


@pytest.mark.parametrize("highest", [True, False])
def test_matched_descriptions_are_the_extreme_cosines_each_description_once(highest):
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(5, 4)), 3 * rng.normal(size=(5, 4))
    cosines = np.array([[u @ w / np.linalg.norm(u) / np.linalg.norm(w) for w in b] for u in a])
    found = matched_descriptions(a, b, 9, highest)
    assert len({i for i, *_ in found}) == len({k for _, k, _ in found}) == 5
    for step, (i, k, value) in enumerate(found):
        assert cosines[i, k] == pytest.approx(value)
        rows, columns = ([m[side] for m in found[:step]] for side in (0, 1))
        free = np.delete(np.delete(cosines, rows, 0), columns, 1)
        assert value == pytest.approx(free.max() if highest else free.min())


def test_descriptions_under_the_pictures_are_the_first_retrieved():
    found, _ = errors()
    texts = described(found.iloc[0], RETRIEVAL)
    for side, image_id in zip(texts, (PAIRS.id_a[0], PAIRS.id_b[0]), strict=True):
        assert [text for _, text in side] == RETRIEVAL.descriptions(image_id)[:3]
