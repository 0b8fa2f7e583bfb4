"""Altered training data differ in what they say, and in nothing else."""

from collections import Counter

import numpy as np
import pytest

from clipsim import load_profile
from clipsim import profile as config
from clipsim.data import load, load_pairs
from clipsim.data.pool import caption_pool
from clipsim.studies.beyond_the_training_data.training_variants import (
    fewer_images,
    fewer_validation_images,
    noisy_captions,
    size_rows,
)


@pytest.fixture(scope="module")
def images():
    return load(load_profile("smoke"))


def changed(images, noisy):
    pairs = zip(images.captions, noisy.captions, strict=True)
    return {i for i, (before, after) in enumerate(pairs) if before != after}


@pytest.mark.parametrize("share", [0, 0.25, 1])
def test_noise_moves_captions_between_training_images(images, share):
    noisy = noisy_captions(images, share, seed=0)
    training = images.indices("train")
    assert changed(images, noisy) <= set(training.tolist())
    assert len(changed(images, noisy)) == round(share * len(training))
    assert Counter(noisy.captions) == Counter(images.captions)
    assert noisy.image_ids == images.image_ids
    assert (noisy.fingerprint == images.fingerprint) == (share == 0)


def test_more_noise_holds_less_noise(images):
    few, many = (changed(images, noisy_captions(images, share, seed=0)) for share in (0.25, 0.5))
    assert few < many


def test_fewer_images_keep_their_captions_and_all_held_out_ones(images):
    few = fewer_images(images, 0.25, seed=0)
    assert len(few.indices("train")) == len(images.indices("train")) // 4
    for split in ("val", "test"):
        kept = [few.image_ids[i] for i in few.indices(split)]
        assert kept == [images.image_ids[i] for i in images.indices(split)]
    captions = dict(zip(images.image_ids, images.captions, strict=True))
    assert all(captions[i] == c for i, c in zip(few.image_ids, few.captions, strict=True))
    other = fewer_images(images, 0.25, seed=1)
    assert other.image_ids != few.image_ids


def test_a_quarter_of_the_validation_images_selects(images):
    few = fewer_validation_images(images)
    assert len(few.indices("val")) == len(images.indices("val")) / 4
    for split in ("train", "test"):
        assert len(few.indices(split)) == len(images.indices(split))


def test_sizes_below_a_batch_are_not_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "RUNS", tmp_path)
    monkeypatch.setattr("clipsim.model.features.CACHE", tmp_path / "cache")
    profile = load_profile("smoke", n_pairs=8, epochs=1, batch_size=16)
    images = load(profile)
    pairs = load_pairs(profile, images)
    test = pairs.where(pairs.split == "test")
    rows = size_rows(profile, images, test, caption_pool(profile, images))
    assert [(row["n_train"], row["epochs"]) for row in rows] == [(16, 2), (32, 1)]
    for row in rows:
        assert row["auc_ci95"][0] <= row["auc"] <= row["auc_ci95"][1]
        assert 0 <= row["recall"] <= 1
    trained = sorted(path.name for path in (profile.work_dir / "variants").iterdir())
    assert trained == ["full", "size-0.5-0"]
    assert np.isfinite([row["auc"] for row in rows]).all()
