"""Encoders compared alike: the same data, random weights that stay the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_pairs import labelled_pairs
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from clipsim.data import load, load_pairs
from clipsim.model import IMAGE_BACKBONES, image_backbone
from clipsim.studies.encoders_and_language import encoders


def test_a_random_encoder_is_its_draw_whatever_came_before():
    name = encoders.random_encoder(IMAGE_BACKBONES, "tiny", 3)
    pixels = torch.randint(256, (2, 3, 224, 224), dtype=torch.uint8)
    first = image_backbone(name)(pixels)
    torch.rand(5)
    assert torch.equal(first, image_backbone(name)(pixels))
    other = image_backbone(encoders.random_encoder(IMAGE_BACKBONES, "tiny", 4))(pixels)
    assert not torch.equal(first, other)


def test_the_comparison_keeps_every_test_pair(smoke, monkeypatch):
    images = load(smoke)
    pairs = load_pairs(smoke, images)
    monkeypatch.setattr(encoders, "N_TRAIN", 20)
    monkeypatch.setattr(encoders, "N_VAL_PAIRS", 6)
    few, kept = encoders.comparison_data(smoke, images, pairs)
    assert len(few.indices("train")) == 20
    assert (kept.split == "val").sum() == 6
    assert (kept.split == "test").sum() == (pairs.split == "test").sum()
    assert set(kept.image_ids) == set(few.image_ids) - set(np.array(few.image_ids)[:20])


def test_rows_are_of_each_source_and_differences_paired(smoke):
    source, rng = np.repeat(["expert", "vsts"], 200), np.random.default_rng(0)
    pairs = replace(labelled_pairs(400, "cross", n_images=80), source=source)
    good = pairs.similar + rng.normal(size=(2, 400))
    scores = {"good": good, "nearly": good + 0.05 * rng.normal(size=(2, 400)), "bad": -good}
    rows = encoders.score_rows(smoke, pairs, scores)
    assert [(row["source"], row["group"]) for row in rows[:4]] == [
        ("expert", "good"), ("expert", "nearly"), ("expert", "bad"), ("vsts", "good"),
    ]  # fmt: skip
    for row in rows:
        inside = pairs.source == row["source"]
        of_seeds = [roc_auc_score(pairs.similar[inside], v[inside]) for v in scores[row["group"]]]
        assert row["auc_of_seeds"] == pytest.approx(of_seeds)
        assert row["auc"] == pytest.approx(np.mean(of_seeds))
        assert (row["n_pairs"], row["resampled"]) == (200, "images")
        if row["source"] == "vsts":
            graded, values = pairs.graded[inside], scores[row["group"]][:, inside]
            assert row["statistic"] == "spearman"
            expected = [spearmanr(graded, v).statistic for v in values]
            assert row["spearman_of_seeds"] == pytest.approx(expected)
    itself, nearly, bad = rows[:3]
    assert (itself["auc_first_minus_this"], itself["auc_first_minus_this_ci95"]) == (0, [0, 0])
    assert bad["auc_first_minus_this_ci95"][0] > 0
    # Scores that err together differ by less than their own intervals are wide.
    width = np.diff(nearly["auc_first_minus_this_ci95"])
    assert width < 0.3 * np.diff(nearly["auc_ci95"])
