"""Table 1's rows and the spread over seeds, against the libraries on the same pairs."""

from functools import partial

import numpy as np
import pytest
from made_pairs import of_three_seeds, study
from scipy.stats import spearmanr
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    roc_auc_score,
)

from clipsim.evaluation.table_1 import (
    METRICS,
    accuracy_by_kind,
    seed_spread,
    table_1_rows,
    thresholds_by_key,
)
from clipsim.evaluation.thresholds import best_threshold

EQUAL = {metric.key: 1.5 for metric in METRICS}


def test_rows_hold_what_the_libraries_give():
    pairs, scores, _, evaluated = study({"clip_score": 1.5})
    rows = table_1_rows(evaluated)
    row = rows[0]
    test = pairs.split == "test"
    similar, values = pairs.similar[test], scores["clip_score"][test]
    expected = {
        "threshold": best_threshold(scores["clip_score"][~test], pairs.similar[~test]),
        "accuracy": accuracy_score(similar, values >= row["threshold"]),
        "balanced_accuracy": balanced_accuracy_score(similar, values >= row["threshold"]),
        "auc": roc_auc_score(similar, values),
        "average_precision": average_precision_score(similar, values),
        "spearman": spearmanr(values, pairs.graded[test]).statistic,
        "n_pairs": 300,
        "n_similar": similar.sum(),
    }
    assert {name: row[name] for name in expected} == pytest.approx(expected)
    assert row["accuracy_ci95"][0] < row["accuracy"] < row["accuracy_ci95"][1]
    at_paper = rows[1]
    assert (at_paper["threshold_from"], at_paper["threshold"]) == ("paper", 0.5)
    assert at_paper["accuracy"] == pytest.approx(accuracy_score(similar, values >= 0.5))
    assert thresholds_by_key(rows)["clip_score"] == row["threshold"]


@pytest.fixture(scope="module")
def seeds():
    """Three seeds of which the last has a score of another scale, hence another threshold."""
    others = partial(of_three_seeds, quality=1.5, scales=(1.0, 10.0))
    pairs, scores, _, evaluated = study(EQUAL, seeds=others)
    return pairs, others(pairs, scores), evaluated


def test_each_seed_is_judged_at_the_threshold_of_its_own_validation_scores(seeds):
    pairs, of_seeds, evaluated = seeds
    val, test = pairs.split == "val", pairs.split == "test"
    trained = [one for one in evaluated if one.seeds]
    assert [one.metric.key for one in trained] == ["clip_score", "image_cosine"]
    for metric in trained:
        for seed, one in metric.seeds.items():
            scores, truth = of_seeds[seed][metric.metric.key], pairs.similar[test]
            threshold = best_threshold(scores[val], pairs.similar[val])
            accuracy = accuracy_score(truth, scores[test] >= threshold)
            assert set(one.thresholds) == {threshold}
            assert one.statistics["accuracy"][0] == pytest.approx(accuracy)
            assert one.statistics["auc"][0] == pytest.approx(roc_auc_score(truth, scores[test]))


def test_values_mean_and_sd_stand_apart_from_the_bootstrap(seeds):
    _, _, evaluated = seeds
    rows = seed_spread(evaluated)
    row = next(r for r in rows if (r["metric"], r["statistic"]) == ("clip_score", "auc"))
    assert row["values"] == [one.statistics["auc"][0] for one in evaluated[0].seeds.values()]
    assert row["values"][0] == evaluated[0].statistics["auc"][0]
    assert row["mean"] == pytest.approx(table_1_rows(evaluated)[0]["auc"])
    assert row["seeds"] == [0, 1, 2]
    assert row["mean"] == pytest.approx(sum(row["values"]) / 3)
    variance = sum((value - row["mean"]) ** 2 for value in row["values"]) / 2
    assert row["sd"] == pytest.approx(variance**0.5)
    assert row["bootstrap_sd"] == pytest.approx(evaluated[0].statistics["auc"][1:].std(ddof=1))
    threshold = next(r for r in rows if r["statistic"] == "threshold")
    assert threshold["bootstrap_sd"] is None
    assert max(threshold["values"]) > 3 * min(threshold["values"])


def test_accuracy_by_kind_averages_to_the_accuracy():
    *_, evaluated = study(EQUAL)
    by_kind = accuracy_by_kind(evaluated)
    assert by_kind.keys() == {"even", "odd"}
    for row, key in zip(table_1_rows(evaluated)[::2], ("clip_score", "ssim"), strict=False):
        whole = np.mean([cell[key] for cell in by_kind.values()])
        assert whole == pytest.approx(row["accuracy"])
