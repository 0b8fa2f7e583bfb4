"""Paired differences: tests against their definitions, findings against planted answers."""

from functools import partial
from itertools import product
from math import comb
from types import SimpleNamespace

import numpy as np
import pytest
from made_pairs import of_three_seeds, study

from clipsim.evaluation.differences import (
    bootstrap_p,
    clip_findings,
    mcnemar_p,
    metric_differences,
)
from clipsim.evaluation.resampling import interval
from clipsim.evaluation.table_1 import METRICS, evaluations


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 5), (3, 9), (10, 10), (1, 0), (0, 0)])
def test_mcnemar_is_the_binomial_test_of_the_discordant_pairs(only_a, only_b):
    right_a = np.repeat([True, True, False, False], [20, only_a, only_b, 4])
    right_b = np.repeat([True, False, True, False], [20, only_a, only_b, 4])
    n = only_a + only_b
    tail = sum(comb(n, k) for k in range(min(only_a, only_b) + 1)) / 2**n
    assert mcnemar_p(right_a, right_b) == pytest.approx(min(1.0, 2 * tail))
    assert mcnemar_p(right_b, right_a) == mcnemar_p(right_a, right_b)


def test_the_bootstraps_p_value_counts_the_far_side_twice_and_never_is_zero():
    assert bootstrap_p(np.ones(999)) == bootstrap_p(-np.ones(999)) == pytest.approx(2 / 1000)
    assert bootstrap_p([np.nan, -1.0, 1, 1, 1, 1, 1, 1, 1, 1]) == pytest.approx(2 * 2 / 10)
    assert bootstrap_p([0.0, 0.0, 0.0]) == 1.0
    for shift in np.linspace(0, 4, 41):  # and it agrees with the interval
        values = np.random.default_rng(0).normal(shift, 1, size=1999)
        if abs(bootstrap_p(values) - 0.05) > 0.005:
            assert (bootstrap_p(values) < 0.05) == (interval(values)[0] > 0)


@pytest.mark.parametrize("split", ["test", "cross"])
def test_differences_are_the_metrics_own_values_resampled_together(split):
    *_, evaluated = study({metric.key: 2.0 for metric in METRICS}, split=split)
    rows = metric_differences(evaluated, "accuracy")
    assert [row["baseline"] for row in rows] == [m.name for m in METRICS[1:]]
    clip, *others = evaluated
    for name, (row, other) in product(
        ("accuracy", "auc", "average_precision"), zip(rows, others, strict=True)
    ):
        value = clip.statistics[name][0] - other.statistics[name][0]
        assert row[f"difference_{name}"] == pytest.approx(value)
        low, high = row[f"difference_{name}_ci95"]
        assert low <= value <= high
    # By hand, on the first resample: both metrics' accuracies of the same pairs.
    drawn = np.repeat(np.arange(len(clip.right)), clip.sample.weights[1].astype(int))
    by_hand = clip.right[drawn].mean() - others[0].right[drawn].mean()
    less = clip.statistics["accuracy"] - others[0].statistics["accuracy"]
    assert less[1] == pytest.approx(by_hand)
    exact = mcnemar_p(clip.right, others[0].right)
    assert rows[0]["p"] == pytest.approx(exact if split == "test" else bootstrap_p(less[1:]))
    p = np.sort([row["p"] for row in rows])
    holm = np.maximum.accumulate(np.minimum(1, p * np.arange(len(p), 0, -1)))
    assert sorted(row["p_holm"] for row in rows) == pytest.approx(holm.tolist())


def test_a_metric_is_no_different_from_itself_and_the_pairing_makes_the_interval_narrow():
    pairs, scores, profile, _ = study({metric.key: 1.5 for metric in METRICS})
    scores["ssim"] = scores["clip_score"]
    scores["fsim"] = scores["clip_score"] + 0.1 * np.random.default_rng(1).normal(size=len(pairs))
    same, near, *_, other = metric_differences(evaluations(pairs, scores, profile), "accuracy")
    assert same["difference_accuracy"] == 0
    assert same["difference_auc_ci95"] == [0, 0]
    assert same["mcnemar_p"] == same["p_holm"] == 1
    assert np.ptp(near["difference_auc_ci95"]) < np.ptp(other["difference_auc_ci95"]) / 2


@pytest.mark.parametrize(
    ("clip", "ssim", "expected"),
    [(3.0, 0.0, "supported"), (0.0, 3.0, "not supported"), (1.5, 1.5, "undecided")],
)
@pytest.mark.parametrize("split", ["test", "cross"])
def test_the_findings_follow_the_planted_answer(clip, ssim, expected, split):
    quality = {"clip_score": clip, "ssim": ssim, "ssim_package": ssim, "fsim": ssim}
    seeds = partial(of_three_seeds, quality=clip)
    *_, profile, evaluated = study(quality, split=split, seeds=seeds)
    differences = metric_differences(evaluated, "accuracy")
    findings = clip_findings(evaluated, differences, profile)
    assert {found["verdict"] for found in findings} == {"by design"}
    judged = SimpleNamespace(pairs="human", threshold_criterion="accuracy")
    findings = clip_findings(evaluated, differences, judged)
    assert len(findings) == 4  # SSIM and FSIM, two variants each; not the image cosine
    assert findings[0]["verdict"] == expected
    assert findings[0]["region"] == [0.05, None]
    for found, row in zip(findings, differences, strict=False):
        assert found["n_seeds"] == len(found["of_seeds"]) == 3
        assert found["of_seeds"][0] == pytest.approx(row["difference_accuracy"])
        assert found["estimate"] == pytest.approx(np.mean(found["of_seeds"]))
        assert found["p_holm"] == row["p_holm"]
