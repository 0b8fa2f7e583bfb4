"""Which pairs the figures show, and the most confident errors: by hand and by brute force."""

import numpy as np
import pytest
from made_pairs import SCORES, SIMILAR, TESTED, described_pairs, labelled_pairs
from reference import eq_4

from clipsim.evaluation import figures_1_to_4 as room

KEYS = ("clip_score", "ssim_package", "fsim_package")


def test_each_figure_has_its_class_and_an_empty_one_no_pair():
    similar = np.array([1, 1, 0, 0, 0, 1, -1], dtype=np.int8)
    tested = np.array([True, True, True, True, True, False, False])
    of_pixels = np.array([1, 0, 1, 1, 1, 1, 1], dtype=bool)
    clip = np.array([1, 1, 0, 0, 1, 1, 1], dtype=bool)
    called = dict(zip(KEYS, (clip, of_pixels, of_pixels), strict=True))
    classes = [
        room.comparison_class(c, similar, tested, called).tolist() for c in room.COMPARISONS
    ]
    assert classes == [[0], [1], [2, 3], [2, 3]]
    scores = {key: 2.0 * called[key] + np.linspace(0, 1, 7) for key in KEYS}
    pairs = labelled_pairs(7, "test", similar=similar)
    thresholds = {key: np.where(tested, 1.5, np.nan) for key in KEYS}
    shown = room.Candidates(pairs, None, scores, thresholds)
    assert {shown.choice(c)[0] for c in room.COMPARISONS[2:]} == {2, 3}
    nothing = room.Candidates(pairs, None, {key: np.zeros(7) for key in KEYS}, thresholds)
    assert nothing.choice(room.COMPARISONS[0]) == (None, 0)


def test_in_the_paper_s_figures_2_and_4_the_pixel_metrics_miss_by_a_hair():
    """Its scores are .69 and .28, .72 and .32; its thresholds .7 and .3 (Table 1)."""
    table = room.margins_in_the_paper()
    wrong = table[~table.right]
    assert set(wrong.figure) == {"figure_2", "figure_3", "figure_4"}
    few = wrong[wrong.figure != "figure_3"]
    assert sorted(few.margin) == pytest.approx([-0.02, -0.01, 0.02, 0.02])


def test_the_most_typical_pair_is_the_one_in_the_middle_of_all_three():
    rng = np.random.default_rng(0)
    scores = {key: rng.normal(size=21) for key in KEYS}
    for values in scores.values():
        values[4] = np.median(np.delete(values, 4))
    assert room.typical_order(np.arange(21), scores)[0] == 4


def errors(metric="ssim", **changes):
    """The errors of the made scores; and their positions and margins."""
    thresholds = np.where(TESTED, 0.5, np.nan)
    given = {"similar": SIMILAR, "scores": SCORES, "thresholds": thresholds, "tested": TESTED}
    found = room.errors_by_confidence(metric, **given | changes)
    return found, {e: [(c.position, round(c.margin, 12)) for c in found[e]] for e in found}


def test_errors_and_margins_worked_by_hand():
    found, margins = errors()
    # Tested scores in order: .1 .2 .4 | .6 .8 .9; of .9 two of six lie between, of .6 none.
    third, sixth = round(1 / 3, 12), round(1 / 6, 12)
    assert margins == {room.FALSE_ALARM: [(0, third), (1, 0)], room.MISS: [(3, 0.5), (4, sixth)]}
    first = found[room.FALSE_ALARM][0]
    assert (first.metric, first.score, first.threshold) == ("ssim", 0.9, 0.5)
    thresholds = np.where(TESTED, 0.5, np.nan)
    stretched = errors(scores=np.exp(9 * SCORES), thresholds=np.exp(9 * thresholds))
    assert stretched[1] == margins  # no matter the metric's scale
    thresholds[0], thresholds[4] = 0.95, 0.3
    _, own = errors(thresholds=thresholds)  # each pair has its own
    assert [position for cases in own.values() for position, _ in cases] == [1, 3]


@pytest.mark.parametrize("highest", [True, False])
def test_matched_descriptions_are_the_extreme_cosines_each_description_once(highest):
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(5, 4)), 3 * rng.normal(size=(5, 4))
    cosines = np.array([[u @ w / np.linalg.norm(u) / np.linalg.norm(w) for w in b] for u in a])
    found = room.matched_descriptions(a, b, 9, highest)
    assert len({i for i, *_ in found}) == len({k for _, k, _ in found}) == 5
    for step, (i, k, value) in enumerate(found):
        assert cosines[i, k] == pytest.approx(value)
        rows, columns = ([m[side] for m in found[:step]] for side in (0, 1))
        free = np.delete(np.delete(cosines, rows, 0), columns, 1)
        assert value == pytest.approx(free.max() if highest else free.min())
    orthogonal = room.matched_descriptions(np.eye(2), np.eye(2), 3)
    assert eq_4(np.eye(2), np.eye(2)) == pytest.approx(sum(c for *_, c in orthogonal) / 4)


def test_descriptions_under_the_pictures_are_theirs():
    pairs, retrieval = described_pairs()
    texts = room.described(errors()[0][room.FALSE_ALARM][0], pairs, retrieval)
    for side, image_id in zip(texts, (pairs.id_a[0], pairs.id_b[0]), strict=True):
        assert [text for _, text in side] == retrieval.descriptions(image_id)[:3]
