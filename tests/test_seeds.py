"""The spread over training seeds: real models once, and numbers worked from their values."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, average_precision_score, roc_auc_score
from test_differences import study

import clipsim
from clipsim import profile as config
from clipsim.data import load, load_pairs
from clipsim.evaluation import steps as pipeline
from clipsim.evaluation.differences import metric_differences
from clipsim.evaluation.table_1 import METRICS, scores_of_seeds, seed_evaluations, seed_spread
from clipsim.evaluation.thresholds import best_threshold
from clipsim.figures.charts import differences_chart, seed_spread_chart
from clipsim.figures.tables import differences_table, of_source, p_text, seed_sentence


def test_the_first_seed_is_the_profiles_own_model(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "RUNS", tmp_path)
    monkeypatch.setattr("clipsim.model.features.CACHE", tmp_path / "cache")
    profile = clipsim.load_profile("smoke", n_pairs=8, epochs=1, seed=4)
    images = load(profile)
    pairs = load_pairs(profile, images)
    retrieval = pipeline.retrieve(profile, pipeline.train_or_load(profile, images), images)
    own = pipeline.description_scores(profile, retrieval, pairs)
    of_seeds = scores_of_seeds(profile, images, pairs)
    assert list(of_seeds) == [4, 5]
    for key, values in own.items():
        np.testing.assert_array_equal(of_seeds[4][key], values)
        assert not np.array_equal(of_seeds[5][key], values)


@pytest.fixture(scope="module")
def seeds():
    """Three seeds of which the last has a score of another scale, hence another threshold."""
    pairs, scores, profile, evaluated = study({metric.key: 1.5 for metric in METRICS})
    rng = np.random.default_rng(3)
    of_seeds = {0: scores} | {
        seed: {
            key: scale * (1.5 * pairs.similar + rng.normal(size=len(pairs)))
            for key in ("clip_score", "image_cosine")
        }
        for seed, scale in ((1, 1.0), (2, 10.0))
    }
    found = seed_evaluations(pairs, of_seeds, profile, evaluated)
    return pairs, of_seeds, evaluated, found, seed_spread(found, evaluated)


def test_each_seed_is_judged_at_the_threshold_of_its_own_validation_scores(seeds):
    pairs, of_seeds, _, found, _ = seeds
    val, test = pairs.split == "val", pairs.split == "test"
    assert len(found) == 2 * 3
    for one in found:
        scores = of_seeds[one.seed][one.metric.key]
        threshold = best_threshold(scores[val], pairs.similar[val])
        truth = pairs.similar[test]
        assert {name: one.values[name] for name in ("threshold", "accuracy")} == pytest.approx(
            {
                "threshold": threshold,
                "accuracy": accuracy_score(truth, scores[test] >= threshold),
            }
        )
        assert one.values["auc"] == pytest.approx(roc_auc_score(truth, scores[test]))
        assert one.values["average_precision"] == pytest.approx(
            average_precision_score(truth, scores[test])
        )


def test_the_first_seeds_values_are_those_of_table_1(seeds):
    _, _, evaluated, found, _ = seeds
    for one in evaluated:
        for seed in (s for s in found if s.metric is one.metric and s.seed == 0):
            for name in ("accuracy", "balanced_accuracy", "auc", "average_precision"):
                assert seed.values[name] == pytest.approx(one.statistics[name][0])
            accuracies = (e.statistics["accuracy"] for e in (seed, one))
            np.testing.assert_allclose(*accuracies)


def test_values_mean_and_sd_stand_apart_from_the_bootstrap(seeds):
    _, _, evaluated, found, rows = seeds
    row = next(r for r in rows if (r["metric"], r["statistic"]) == ("clip_score", "auc"))
    values = [s.values["auc"] for s in found if s.metric.key == "clip_score"]
    assert row["values"] == values
    assert row["seeds"] == [0, 1, 2]
    assert row["mean"] == pytest.approx(sum(values) / 3)
    assert row["sd"] == pytest.approx((sum((v - row["mean"]) ** 2 for v in values) / 2) ** 0.5)
    clip = next(one for one in evaluated if one.metric.key == "clip_score")
    assert row["bootstrap_sd"] == pytest.approx(clip.statistics["auc"][1:].std(ddof=1))
    threshold = next(r for r in rows if r["statistic"] == "threshold")
    assert threshold["bootstrap_sd"] is None
    assert max(threshold["values"]) > 3 * min(threshold["values"])


def test_one_seed_has_no_spread(seeds):
    _, _, evaluated, found, _ = seeds
    rows = seed_spread([s for s in found if s.seed == 0], evaluated)
    assert {row["sd"] for row in rows} == {None}
    assert seed_sentence(rows, "accuracy") == "One seed has no spread."


def test_charts_and_tables_show_the_rows(seeds):
    _, _, evaluated, _, rows = seeds
    differences = metric_differences(evaluated, "accuracy")
    figure, table = differences_chart(differences, "accuracy")
    points = [line.get_xdata()[0] for line in figure.axes[0].lines if len(line.get_xdata()) == 1]
    assert points[::-1] == [row["difference_accuracy"] for row in differences]
    assert len(table) == len(differences)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[::-1] == [f"over {metric.label}" for metric in METRICS[1:]]
    figure, table = seed_spread_chart(rows, ("accuracy", "auc"))
    shown = [line.get_xdata() for line in figure.axes[1].lines if len(line.get_xdata()) == 3]
    of_auc = [row["values"] for row in rows if row["statistic"] == "auc"]
    np.testing.assert_allclose(shown[::-1], of_auc)
    assert len(table) == 3 * len(rows)
    text = differences_table(differences, "accuracy").splitlines()
    assert len(text) == 2 + len(differences)
    assert f"{differences[0]['difference_accuracy']:+.2f} [" in text[2]
    assert of_source(differences, "") == differences
    assert of_source(differences, "crowd") == []


def test_p_values_in_words():
    assert [p_text(p) for p in (0.0002, 0.0123, 0.5, 1.0)] == ["< .001", ".012", ".500", "1.000"]
