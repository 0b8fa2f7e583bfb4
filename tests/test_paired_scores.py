"""AUC and accuracy of scores on the same samples, and their differences."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from clipsim.data import LabelledPairs
from clipsim.evaluation.figures_1_to_4 import sampled_score
from clipsim.studies.encoders_and_language.encoder_findings import (
    difference_rows,
    difference_sentence,
    encoder_findings,
    encoder_rows,
    sampled_by_source,
)


def made_pairs(n, split, source, shared=False):
    """Pairs in turns similar and not; each image in one pair, or few images in many pairs."""
    number = np.arange(n)
    a, b = (number % 40, 40 + number * 7 % 43) if shared else (2 * number, 2 * number + 1)
    return LabelledPairs(
        id_a=np.array([f"i{i}" for i in a]),
        id_b=np.array([f"i{i}" for i in b]),
        similar=(number % 2).astype(np.int8),
        graded=np.zeros(n, dtype=np.float32),
        kind=np.full(n, ""),
        split=np.array(split),
        source=np.array(source),
    )


@pytest.fixture
def drawn():
    return made_pairs(300, ["val"] * 100 + ["test"] * 200, [""] * 300)


@pytest.fixture
def judged():
    return made_pairs(400, ["cross"] * 400, ["expert", "expert", "crowd", "crowd"] * 100, True)


def noisy(pairs, strength, seed):
    return strength * pairs.similar + np.random.default_rng(seed).normal(size=len(pairs))


def test_auc_and_accuracy_as_scikit_learn_has_them(drawn, smoke):
    scores = [noisy(drawn, 1, seed) for seed in range(2)]
    sampled = sampled_score(drawn, scores, smoke)
    test = drawn.split == "test"
    expected = [roc_auc_score(drawn.similar[test], values[test]) for values in scores]
    assert sampled.row["auc_of_seeds"] == pytest.approx(expected)
    assert sampled.row["auc"] == pytest.approx(np.mean(expected))
    assert (sampled.n_pairs, sampled.unit) == (200, "pairs")
    low, high = sampled.row["accuracy_ci95"]
    assert low <= sampled.row["accuracy"] <= high


def test_a_difference_is_paired(drawn, smoke):
    """Two scores that err together differ by less than their own intervals are wide."""
    score = noisy(drawn, 1, 0)
    nearly = score + 0.05 * np.random.default_rng(1).normal(size=len(drawn))
    first, second = (sampled_score(drawn, [values], smoke) for values in (score, nearly))
    low, high = first.difference(second)["auc_ci95"]
    own_low, own_high = first.row["auc_ci95"]
    assert high - low < 0.3 * (own_high - own_low)
    same = first.difference(first)
    assert (same["auc"], same["auc_ci95"]) == (0, [0, 0])


def test_scores_of_other_pairs_are_refused(drawn, smoke):
    first = sampled_score(drawn, [noisy(drawn, 1, 0)], smoke)
    second = sampled_score(drawn, [noisy(drawn, 1, 0)] * 2, smoke)
    with pytest.raises(ValueError, match="seeds"):
        first.difference(second)


def test_judged_pairs_are_evaluated_by_source_and_resample_images(judged, smoke):
    scores = {"own": {"clip_score": [noisy(judged, 2, 0)]}}
    by_source = sampled_by_source(smoke, judged, scores)
    assert list(by_source) == ["expert", "crowd"]
    for sampled in by_source.values():
        assert sampled["own"]["clip_score"].unit == "images"
        assert sampled["own"]["clip_score"].n_pairs == 200


@pytest.mark.parametrize(
    ("image", "text", "verdicts"),
    [
        (3, 0, ["not supported", "supported"]),
        (0, 3, ["supported", "not supported"]),
        (1, 1, ["undecided", "undecided"]),
    ],
)
def test_findings_follow_the_better_encoder(drawn, smoke, image, text, verdicts):
    """The own score's strength is 1; that of the others as given, with errors shared and own."""
    shared = np.random.default_rng(9).normal(size=len(drawn))
    strengths = {"own": 1, "random image": image, "random text": text}
    of = {
        name: {"clip_score": [shared + noisy(drawn, strength, seed) / 2] * 2}
        for seed, (name, strength) in enumerate(strengths.items())
    }
    by_source = sampled_by_source(smoke, drawn, of)
    found = encoder_findings(by_source)
    assert [f["verdict"] for f in found] == verdicts
    assert [f["experiment"].split()[0] for f in found] == ["image", "text"]
    assert {f["n_seeds"] for f in found} == {2}
    assert encoder_rows(by_source[""])[0]["own_less_this"] == 0


def test_differences_in_words(drawn, smoke):
    sampled = {
        "good": sampled_score(drawn, [noisy(drawn, 3, 0)], smoke),
        "bad": sampled_score(drawn, [noisy(drawn, 0, 1)], smoke),
        "worse": sampled_score(drawn, [noisy(drawn, 0, 1)], smoke),
    }
    sentences = [difference_sentence(row) for row in difference_rows(sampled)]
    assert "good against bad: higher" in sentences[0]
    assert "bad against worse: not clearly different" in sentences[2]
