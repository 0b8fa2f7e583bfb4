"""The control: where labels are shuffled, no metric may know them; and the control can fail.

Scores are those that the pipeline computes on scenes. One shuffle at a fixed seed goes through
Table 1; many shuffles are averaged, so that a leak too small for one shuffle still shows.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm
from scored_scenes import scored_scenes
from test_evaluation import labelled_pairs

from clipsim.evaluation import resampling as statistics
from clipsim.evaluation.table_1 import METRICS, evaluations
from clipsim.evaluation.thresholds import best_threshold, held_out_thresholds

# One shuffle is judged by the 99.9 % interval. The means of many leave room for a stricter one,
# which none of these tests meets by chance when scores change in the last digits.
LEVEL, LEVEL_OF_MEANS = 0.999, 1 - 1e-6
SHUFFLES = 200
KEYS = [metric.key for metric in METRICS]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A profile, pairs of scenes, and every metric's scores of them."""
    for profile, _, pairs, *_, scores in scored_scenes(
        tmp_path_factory.mktemp("runs"), n_pairs=24
    ):
        yield profile, pairs, scores


def shuffled(pairs, rng):
    """The pairs with the labels of each split among themselves in another order."""
    order = np.arange(len(pairs))
    for split in np.unique(pairs.split):
        inside = np.flatnonzero(pairs.split == split)
        order[inside] = rng.permutation(inside)
    return replace(pairs, similar=pairs.similar[order], graded=pairs.graded[order])


def auc_sd(similar):
    """Standard deviation of the AUC of scores that are independent of the labels (no ties)."""
    n, k = len(similar), int(similar.sum())
    return np.sqrt((n + 1) / (12 * k * (n - k)))


def accuracy_sd(n):
    """Of the accuracy of decisions on n pairs, half of them similar, drawn without replacement."""
    return 0.5 / np.sqrt(n - 1)


def is_chance(values, sd):
    """Whether a value, or the mean of independent ones, is 0.5 within its interval."""
    level = LEVEL if np.size(values) == 1 else LEVEL_OF_MEANS
    return abs(np.mean(values) - 0.5) <= norm.ppf((1 + level) / 2) * sd / np.sqrt(np.size(values))


@pytest.mark.parametrize("key", KEYS)
def test_table_1_of_shuffled_labels_is_chance(study, key):
    profile, pairs, scores = study
    pairs = shuffled(pairs, np.random.default_rng(0))
    (one,) = (e for e in evaluations(pairs, scores, profile) if e.metric.key == key)
    similar = one.pairs.similar
    assert is_chance(one.statistics["auc"][0], auc_sd(similar))
    assert is_chance(one.statistics["accuracy"][0], accuracy_sd(len(similar)))


def of_shuffles(study, key, statistic):
    """A statistic of (similar, scores, similar and scores of validation) over many shuffles."""
    _, pairs, scores = study
    rng, values = np.random.default_rng(1), []
    test, val = pairs.split == "test", pairs.split == "val"
    for _ in range(SHUFFLES):
        similar = shuffled(pairs, rng).similar == 1
        values.append(statistic(similar[test], scores[key][test], similar[val], scores[key][val]))
    return values


def accuracy(similar, scores, threshold):
    return np.mean((scores >= threshold) == similar)


@pytest.mark.parametrize("key", KEYS)
def test_the_mean_of_many_shuffles_is_chance(study, key):
    _, pairs, scores = study
    test = pairs.split == "test"
    rng, aucs, accuracies = np.random.default_rng(1), [], []
    for _ in range(SHUFFLES):
        other = shuffled(pairs, rng)
        thresholds = held_out_thresholds(other, scores[key], "accuracy", 0)
        similar = other.similar[test] == 1
        aucs.append(statistics.auc(similar, scores[key][test]))
        accuracies.append(accuracy(similar, scores[key][test], thresholds[test]))
    assert is_chance(aucs, auc_sd(pairs.similar[test]))
    assert is_chance(accuracies, accuracy_sd(test.sum()))


@pytest.mark.parametrize("key", KEYS)
def test_a_threshold_that_saw_the_test_labels_is_caught(study, key):
    values = of_shuffles(study, key, lambda y, s, _, __: accuracy(y, s, best_threshold(s, y)))
    assert not is_chance(values, accuracy_sd((study[1].split == "test").sum()))


@pytest.mark.parametrize("key", KEYS)
def test_a_direction_chosen_on_the_test_labels_is_caught(study, key):
    def chosen(similar, scores, val_similar, val_scores):
        auc = statistics.auc(similar, scores)
        return max(auc, 1 - auc)

    def held_out(similar, scores, val_similar, val_scores):
        sign = 1 if statistics.auc(val_similar, val_scores) >= 0.5 else -1
        return statistics.auc(similar, sign * scores)

    sd = auc_sd(study[1].similar[study[1].split == "test"])
    assert not is_chance(of_shuffles(study, key, chosen), sd)
    assert is_chance(of_shuffles(study, key, held_out), sd)


def test_a_metric_chosen_on_the_test_labels_is_caught(study):
    aucs = [of_shuffles(study, key, lambda y, s, _, __: statistics.auc(y, s)) for key in KEYS]
    sd = auc_sd(study[1].similar[study[1].split == "test"])
    assert not is_chance(np.max(aucs, axis=0), sd)


def test_a_score_that_holds_a_little_of_the_label_is_caught(study):
    sd = auc_sd(study[1].similar[study[1].split == "test"])

    def leaking(similar, scores, *_):
        return statistics.auc(similar, scores + 0.3 * scores.std() * similar)

    for key in KEYS:
        assert not is_chance(of_shuffles(study, key, leaking), sd)


def test_cross_fitting_does_no_better_than_chance_and_thresholds_fitted_to_all_pairs_do():
    pairs = labelled_pairs(300, "cross", 2, n_images=60, similar=np.arange(300) % 2)
    rng = np.random.default_rng(3)
    fair, leaking = [], []
    for _ in range(30):
        scores, other = rng.normal(size=300), shuffled(pairs, rng)
        similar = other.similar == 1
        fair.append(accuracy(similar, scores, held_out_thresholds(other, scores, "accuracy", 0)))
        leaking.append(accuracy(similar, scores, best_threshold(scores, similar)))
    # Cross-fitted accuracy may lie below one half: what is left out is missing where one learns.
    bound = 0.5 + norm.ppf(LEVEL) * accuracy_sd(300) / np.sqrt(30)
    assert np.mean(fair) <= bound < np.mean(leaking)
