"""The control: where labels are shuffled, no metric may know them; and the control can fail.

Scores are those that the steps compute on scenes. One shuffle at a fixed seed goes through
Table 1; many shuffles are averaged, so that a leak too small for one shuffle still shows.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm
from scored_scenes import scored_scenes

from clipsim.evaluation import auc
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


def accuracy(similar, scores, thresholds):
    return np.mean((scores >= thresholds) == (similar == 1))


def test_table_1_of_shuffled_labels_is_chance(study):
    profile, pairs, scores = study
    for one in evaluations(shuffled(pairs, np.random.default_rng(0)), scores, profile):
        similar = one.pairs.similar
        assert is_chance(one.statistics["auc"][0], auc_sd(similar)), one.metric.key
        assert is_chance(one.statistics["accuracy"][0], accuracy_sd(len(similar)))


@pytest.mark.parametrize("key", KEYS)
def test_the_mean_of_many_shuffles_is_chance_and_what_saw_the_labels_is_not(study, key):
    _, pairs, scores = study
    test, rng = pairs.split == "test", np.random.default_rng(1)
    own, found = scores[key][test], []
    for _ in range(SHUFFLES):
        other = shuffled(pairs, rng)
        similar = other.similar[test]
        held_out = held_out_thresholds(other, scores[key], "accuracy", 0)[test]
        area = auc(similar == 1, own)
        found.append(
            {
                "auc": area,
                "accuracy": accuracy(similar, own, held_out),
                "a threshold fitted to them": accuracy(similar, own, best_threshold(own, similar)),
                "a direction fitted to them": max(area, 1 - area),
                "a little of the label": auc(similar == 1, own + 0.3 * own.std() * similar),
            }
        )
    means = {name: [values[name] for values in found] for name in found[0]}
    sds = {name: auc_sd(pairs.similar[test]) for name in means}
    sds |= dict.fromkeys(("accuracy", "a threshold fitted to them"), accuracy_sd(test.sum()))
    chance = {name for name, values in means.items() if is_chance(values, sds[name])}
    assert chance == {"auc", "accuracy"}
