"""Paired differences: Holm, McNemar and the bootstrap's p-value against their definitions."""

from dataclasses import replace
from itertools import product
from math import comb

import numpy as np
import pytest
from scipy.stats import false_discovery_control
from test_evaluation import joined, labelled_pairs

import clipsim
from clipsim.evaluation.differences import (
    bootstrap_p,
    clip_findings,
    holm,
    mcnemar_p,
    metric_differences,
)
from clipsim.evaluation.resampling import interval
from clipsim.evaluation.table_1 import METRICS, evaluations, seed_evaluations


def test_holm_on_a_case_worked_by_hand():
    # Sorted: .01·4 = .04, .02·3 = .06, .03·2 = .06, .04·1 = .04 raised to .06.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([0.2]) == pytest.approx([0.2])
    assert holm([]).size == 0


@pytest.mark.parametrize("seed", range(10))
def test_holm_rejects_what_the_step_down_procedure_rejects(seed):
    rng = np.random.default_rng(seed)
    p_values = np.round(rng.random(7) ** 3, 2)  # rounded: with ties
    adjusted = holm(p_values)
    for level in (0.01, 0.05, 0.2):
        rejected, order = set(), sorted(range(7), key=p_values.__getitem__)
        for step, i in enumerate(order):
            if p_values[i] > level / (7 - step):
                break
            rejected.add(i)
        assert set(np.flatnonzero(adjusted <= level + 1e-12)) == rejected
    assert (adjusted >= false_discovery_control(p_values) - 1e-12).all()  # stricter than BH
    assert (adjusted <= np.minimum(7 * p_values, 1) + 1e-12).all()  # no stricter than Bonferroni


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 5), (3, 9), (10, 10), (1, 0)])
def test_mcnemar_is_the_binomial_test_of_the_discordant_pairs(only_a, only_b):
    right_a = np.repeat([True, True, False, False], [20, only_a, only_b, 4])
    right_b = np.repeat([True, False, True, False], [20, only_a, only_b, 4])
    n = only_a + only_b
    tail = sum(comb(n, k) for k in range(min(only_a, only_b) + 1)) / 2**n
    assert mcnemar_p(right_a, right_b) == pytest.approx(min(1.0, 2 * tail))
    assert mcnemar_p(right_b, right_a) == mcnemar_p(right_a, right_b)


def test_mcnemar_of_equal_decisions_is_one():
    right = np.array([True, False, True])
    assert mcnemar_p(right, right) == 1.0


def test_the_bootstraps_p_value_counts_the_far_side_twice_and_never_is_zero():
    assert bootstrap_p(np.ones(999)) == pytest.approx(2 / 1000)
    assert bootstrap_p(-np.ones(999)) == pytest.approx(2 / 1000)
    assert bootstrap_p([-1.0, 1, 1, 1, 1, 1, 1, 1, 1]) == pytest.approx(2 * 2 / 10)
    assert bootstrap_p([np.nan, -1.0, 1, 1, 1, 1, 1, 1, 1, 1]) == pytest.approx(2 * 2 / 10)
    assert bootstrap_p([0.0, 0.0, 0.0]) == 1.0


def test_the_bootstraps_p_value_agrees_with_the_interval():
    rng = np.random.default_rng(0)
    for shift in np.linspace(0, 4, 41):
        values = rng.normal(shift, 1, size=1999)
        low, _ = interval(values)
        if abs(bootstrap_p(values) - 0.05) > 0.005:
            assert (bootstrap_p(values) < 0.05) == (low > 0)


def study(quality, n=300, split="test", source=("",), **options):
    """Evaluations where each metric's score is its quality times the truth, plus noise."""
    parts = []
    for s, name in enumerate(source):
        if split == "test":
            part = joined(labelled_pairs(n, "val", 2 * s), labelled_pairs(n, "test", 2 * s + 1))
        else:
            part = labelled_pairs(n, split, s, n_images=60)
        parts.append(replace(part, source=np.full(len(part), name)))
    pairs = joined(*parts)
    rng = np.random.default_rng(4)
    scores = {
        metric.key: quality.get(metric.key, 0.0) * pairs.similar + rng.normal(size=len(pairs))
        for metric in METRICS
    }
    profile = clipsim.load_profile("smoke", n_bootstrap=300, **options)
    return pairs, scores, profile, evaluations(pairs, scores, profile)


def test_differences_are_the_metrics_own_values_resampled_together():
    quality = {metric.key: 2.0 for metric in METRICS}
    pairs, _, _, evaluated = study(quality)
    by_key = {one.metric.key: one for one in evaluated}
    rows = metric_differences(evaluated, "accuracy")
    assert [row["baseline"] for row in rows] == [m.name for m in METRICS[1:]]
    clip, ssim, row = by_key["clip_score"], by_key["ssim"], rows[0]
    for name in ("accuracy", "balanced_accuracy", "auc", "average_precision"):
        assert row[f"difference_{name}"] == pytest.approx(
            clip.statistics[name][0] - ssim.statistics[name][0]
        )
    # By hand, on the first resample: both metrics' accuracies of the same pairs.
    assert ssim.sample is clip.sample
    drawn = np.repeat(np.arange(len(clip.right)), clip.sample.weights[1].astype(int))
    own = clip.right[drawn].mean() - ssim.right[drawn].mean()
    assert clip.statistics["accuracy"][1] - ssim.statistics["accuracy"][1] == pytest.approx(own)
    assert row["n_pairs"] == (pairs.split == "test").sum() == len(clip.right)


def test_a_metric_is_no_different_from_itself_and_the_pairing_makes_the_interval_narrow():
    quality = {metric.key: 1.5 for metric in METRICS}
    pairs, scores, profile, _ = study(quality)
    scores["ssim"] = scores["clip_score"]
    scores["fsim"] = scores["clip_score"] + 0.1 * np.random.default_rng(1).normal(size=len(pairs))
    evaluated = evaluations(pairs, scores, profile)
    same, near, *_, other = metric_differences(evaluated, "accuracy")
    assert same["difference_accuracy"] == 0
    assert same["difference_auc_ci95"] == [0, 0]
    assert same["mcnemar_p"] == same["p_holm"] == 1
    width = {
        name: np.ptp(row["difference_auc_ci95"])
        for name, row in {"near": near, "other": other}.items()
    }
    assert width["near"] < width["other"] / 2


def test_no_mcnemar_where_images_are_in_several_pairs():
    quality = {"clip_score": 3.0, "image_cosine": 3.0}
    *_, evaluated = study(
        quality, split="cross", source=("expert", "crowd"), threshold_criterion="balanced_accuracy"
    )
    rows = metric_differences(evaluated, "balanced_accuracy")
    assert len(rows) == 2 * (len(METRICS) - 1)
    assert {row["mcnemar_p"] for row in rows} == {None}
    assert {row["p_of"] for row in rows} == {"bootstrap, balanced_accuracy"}
    assert {row["resampled"] for row in rows} == {"images"}
    assert [row["source"] for row in rows] == ["expert"] * 5 + ["crowd"] * 5
    # One family: Holm counts both sources.
    assert [row["p_holm"] for row in rows] == pytest.approx(holm([row["p"] for row in rows]))
    clip, ssim = evaluated[:2]
    less = clip.statistics["balanced_accuracy"] - ssim.statistics["balanced_accuracy"]
    assert rows[0]["p"] == pytest.approx(bootstrap_p(less[1:]))


def test_few_of_many_studies_without_a_difference_are_called_different():
    p_values = []
    for seed in range(60):
        pairs = joined(labelled_pairs(80, "val", seed), labelled_pairs(80, "test", seed + 500))
        rng = np.random.default_rng(seed)
        scores = {m.key: 1.2 * pairs.similar + rng.normal(size=160) for m in METRICS}
        profile = clipsim.load_profile("smoke", n_bootstrap=2)
        rows = metric_differences(evaluations(pairs, scores, profile), "accuracy")
        p_values.append(min(row["p_holm"] for row in rows))
    # At level .05 the family should be rejected at most 5 % of the time; 60 studies, 99.9 %: 9.
    assert sum(p < 0.05 for p in p_values) <= 9


@pytest.mark.parametrize(
    ("clip", "ssim", "expected"),
    [(3.0, 0.0, "supported"), (0.0, 3.0, "not supported"), (1.5, 1.5, "undecided")],
)
@pytest.mark.parametrize("split", ["test", "cross"])
def test_the_findings_follow_the_planted_answer(clip, ssim, expected, split):
    quality = {"clip_score": clip, "ssim": ssim, "ssim_package": ssim, "fsim": ssim}
    pairs, scores, profile, evaluated = study(quality, split=split)
    rng = np.random.default_rng(9)
    of_seeds = {0: scores} | {
        seed: {
            key: clip * pairs.similar + rng.normal(size=len(pairs))
            for key in ("clip_score", "image_cosine")
        }
        for seed in range(1, 3)
    }
    seeds = seed_evaluations(pairs, of_seeds, profile, evaluated)
    differences = metric_differences(evaluated, "accuracy")
    findings = clip_findings(evaluated, differences, seeds, "accuracy")
    assert len(findings) == 4  # SSIM and FSIM, two variants each; not the image cosine
    assert findings[0]["verdict"] == expected
    for found, row in zip(findings, differences, strict=False):
        assert found["n_seeds"] == len(found["of_seeds"]) == 3
        assert found["of_seeds"][0] == pytest.approx(row["difference_accuracy"])
        assert found["estimate"] == pytest.approx(np.mean(found["of_seeds"]))
        assert found["p_holm"] == row["p_holm"]


def test_every_row_of_a_product_has_its_interval():
    *_, evaluated = study({metric.key: 1.0 for metric in METRICS})
    names = ("accuracy", "auc")
    for row, name in product(metric_differences(evaluated, "accuracy"), names):
        low, high = row[f"difference_{name}_ci95"]
        assert low <= row[f"difference_{name}"] <= high
