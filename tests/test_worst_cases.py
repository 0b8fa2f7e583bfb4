"""The most confident errors, in cases worked by hand; the descriptions by brute force."""

from itertools import pairwise
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from reference import eq_4
from test_evaluation import labelled_pairs

from clipsim.evaluation.figures_1_to_4 import (
    FALSE_ALARM,
    MISS,
    case_record,
    described,
    errors_by_confidence,
    matched_descriptions,
)
from clipsim.evaluation.steps import Retrieval
from clipsim.evaluation.table_1 import METRICS
from clipsim.figures.sheets import worst_case_sheet

SIMILAR = np.array([0, 0, 0, 1, 1, 1, 0, -1], dtype=np.int8)
SCORES = np.array([0.9, 0.6, 0.2, 0.1, 0.4, 0.8, 0.95, 0.99])
TESTED = np.array([True] * 6 + [False, False])


def errors(**changes):
    thresholds = np.where(TESTED, 0.5, np.nan)
    given = {"similar": SIMILAR, "scores": SCORES, "thresholds": thresholds, "tested": TESTED}
    return errors_by_confidence("ssim", **(given | changes))


def test_errors_and_margins_worked_by_hand():
    found = errors()
    # Tested scores in order: .1 .2 .4 | .6 .8 .9; of .9 two of six lie between, of .6 none.
    assert [(c.position, c.margin) for c in found[FALSE_ALARM]] == [
        (0, pytest.approx(2 / 6)),
        (1, pytest.approx(0)),
    ]
    assert [(c.position, c.margin) for c in found[MISS]] == [
        (3, pytest.approx(3 / 6)),
        (4, pytest.approx(1 / 6)),
    ]
    first = found[FALSE_ALARM][0]
    assert (first.metric, first.score, first.threshold) == ("ssim", 0.9, 0.5)


def test_margins_do_not_depend_on_the_metrics_scale():
    thresholds = np.where(TESTED, 0.5, np.nan)
    stretched = errors(scores=np.exp(9 * SCORES), thresholds=np.exp(9 * thresholds))
    for error, cases in errors().items():
        assert [(c.position, c.margin) for c in stretched[error]] == [
            (c.position, c.margin) for c in cases
        ]


def test_each_pair_is_judged_by_its_own_threshold():
    thresholds = np.where(TESTED, 0.5, np.nan)
    thresholds[0], thresholds[4] = 0.95, 0.3
    found = errors(thresholds=thresholds)
    assert [c.position for c in found[FALSE_ALARM]] == [1]
    assert [c.position for c in found[MISS]] == [3]


def test_errors_are_all_of_the_wrong_decisions():
    rng = np.random.default_rng(0)
    similar, scores = rng.integers(2, size=90), rng.normal(size=90).round(1)
    found = errors_by_confidence(
        "fsim", similar, scores, np.full(90, 0.1), np.ones(90, dtype=bool)
    )
    positions = [case.position for cases in found.values() for case in cases]
    assert sorted(positions) == np.flatnonzero((scores >= 0.1) != similar).tolist()
    for cases in found.values():
        assert all(a.margin >= b.margin for a, b in pairwise(cases))


@pytest.mark.parametrize("highest", [True, False])
def test_matched_descriptions_are_the_extreme_cosines_each_description_once(highest):
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(5, 4)), 3 * rng.normal(size=(5, 4))
    cosines = np.array([[u @ w / np.linalg.norm(u) / np.linalg.norm(w) for w in b] for u in a])
    found = matched_descriptions(a, b, 3, highest)
    i, k, value = found[0]
    assert value == pytest.approx(cosines.max() if highest else cosines.min())
    assert cosines[i, k] == pytest.approx(value)
    for step in range(1, 3):
        free = np.delete(np.delete(cosines, [m[0] for m in found[:step]], 0),
                         [m[1] for m in found[:step]], 1)  # fmt: skip
        assert found[step][2] == pytest.approx(free.max() if highest else free.min())
    assert len({m[0] for m in found}) == len({m[1] for m in found}) == 3


def test_all_matched_descriptions_are_no_more_than_there_are():
    vectors = np.eye(2)
    found = matched_descriptions(vectors, vectors, 3)
    assert sorted(found) == [(0, 0, 1.0), (1, 1, 1.0)]
    assert eq_4(vectors, vectors) == pytest.approx(sum(c for *_, c in found) / 4)


@pytest.fixture
def study():
    """Eight pairs of sixteen images, each with four of six descriptions."""
    pairs = labelled_pairs(8, "test", similar=SIMILAR)
    rng = np.random.default_rng(2)
    ids = np.array(pairs.image_ids)
    chosen = np.array([rng.choice(6, 4, replace=False) for _ in ids])
    pool = np.array([f"description {i}" for i in range(6)])
    retrieval = Retrieval(
        ids, rng.normal(size=(16, 3)), chosen, rng.random((16, 4)), pool, rng.normal(size=(6, 3))
    )
    return pairs, retrieval


def test_descriptions_under_the_pictures(study):
    pairs, retrieval = study
    case = errors()[FALSE_ALARM][0]
    of_ssim = described(case, pairs, retrieval)
    for side, image_id in enumerate((pairs.id_a[0], pairs.id_b[0])):
        assert [t for _, t in of_ssim[side]] == retrieval.descriptions(image_id)[:3]
    clip = errors_by_confidence(
        "clip_score", SIMILAR, SCORES, np.where(TESTED, 0.5, np.nan), TESTED
    )
    left, right = described(clip[FALSE_ALARM][0], pairs, retrieval)
    # The same description under both is a cosine of one, and it is the highest.
    both = [set(retrieval.descriptions(ids[0])) for ids in (pairs.id_a, pairs.id_b)]
    assert left[0][0] == right[0][0] == pytest.approx(1)
    assert left[0][1] == right[0][1]
    assert left[0][1] in both[0] & both[1]
    lowest, _ = described(clip[MISS][0], pairs, retrieval)
    assert [value for value, _ in lowest] == sorted(value for value, _ in lowest)


def test_the_sheet_shows_every_case_and_says_where_there_is_none(study):
    pairs, retrieval = study
    images = SimpleNamespace(pixels=lambda image_id: np.zeros((3, 8, 8), dtype=np.uint8))
    metric = next(m for m in METRICS if m.key == "ssim")
    cases = errors() | {MISS: []}
    texts = {case: described(case, pairs, retrieval) for case in cases[FALSE_ALARM]}
    figure, table = worst_case_sheet(metric, cases, texts, images, pairs, SCORES)
    assert table.id_a.tolist() == [pairs.id_a[0], pairs.id_a[1]]
    words = " ".join(text.get_text() for axis in figure.get_axes() for text in axis.texts)
    assert "no miss among the test pairs" in words
    assert len([axis for axis in figure.get_axes() if axis.images]) == 4
    plt.close(figure)
    none = worst_case_sheet(metric, {FALSE_ALARM: [], MISS: []}, {}, images, pairs, SCORES)
    assert len(none[1]) == 0
    plt.close(none[0])
    record = case_record(cases[FALSE_ALARM][0], pairs, texts[cases[FALSE_ALARM][0]])
    assert record["pair"] == [pairs.id_a[0], pairs.id_b[0]]
    assert (record["similar"], record["error"], record["score"]) == (False, "false alarm", 0.9)
