"""The loss against its definition, the order of an epoch, and training that learns."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from clipsim.model.clip import CheckpointError, DualEncoder
from clipsim.model.training import (
    TrainingError,
    contrastive_loss,
    epoch_examples,
    learning_rate_factor,
    train,
)


def loss_by_definition(images, texts, temperature):
    total = 0.0
    for i in range(len(images)):
        row = [math.exp(float(images[i] @ text) / temperature) for text in texts]
        column = [math.exp(float(image @ texts[i]) / temperature) for image in images]
        total -= math.log(row[i] / sum(row)) + math.log(column[i] / sum(column))
    return total / (2 * len(images))


def test_the_loss_equals_its_definition():
    torch.manual_seed(0)
    images, texts = (normalize(torch.randn(6, 8, dtype=torch.float64), dim=1) for _ in range(2))
    loss = contrastive_loss(images, texts, torch.tensor(math.log(1 / 0.07)))
    assert loss.item() == pytest.approx(loss_by_definition(images, texts, 0.07), abs=1e-6)


def test_vectors_that_say_nothing_cost_ln_b():
    same = normalize(torch.ones(5, 8), dim=1)
    assert contrastive_loss(same, same, torch.tensor(2.0)).item() == pytest.approx(math.log(5))


def test_the_temperature_is_bounded():
    images = normalize(torch.randn(4, 8), dim=1)
    at_bound = contrastive_loss(images, images, torch.tensor(math.log(100)))
    assert contrastive_loss(images, images, torch.tensor(50.0)) == at_bound


def test_one_caption_per_image_and_epoch():
    counts = [5, 1, 3]
    examples = epoch_examples(counts, 1, seed=0)
    assert sorted(examples[:, 0]) == [0, 1, 2]
    assert all(number < counts[image] for image, number in examples)
    np.testing.assert_array_equal(examples, epoch_examples(counts, 1, seed=0))


def test_epochs_differ_in_order_and_captions():
    first, second = (epoch_examples([5] * 200, epoch, seed=0) for epoch in (1, 2))
    assert (first[:, 0] != second[:, 0]).any()
    captions = [dict(examples.tolist()) for examples in (first, second)]
    assert captions[0] != captions[1]


def test_all_captions_once():
    examples = epoch_examples([2, 3], 1, seed=0, captions_per_epoch="all")
    assert sorted(map(tuple, examples.tolist())) == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]


def test_schedules():
    assert learning_rate_factor(7, 10, "constant") == 1
    assert learning_rate_factor(0, 10, "cosine") == 1
    assert learning_rate_factor(10, 10, "cosine") == pytest.approx(0)
    assert learning_rate_factor(1, 10, "cosine", warmup_steps=3) == pytest.approx(0.5)


@pytest.mark.parametrize("trainable", ["projections", "all"])
def test_training_learns_the_colours(smoke, coloured, tmp_path, trainable):
    from dataclasses import replace

    profile = replace(smoke, trainable=trainable, learning_rate=1e-2, epochs=8, temperature=0.2)
    model = train(profile, coloured, tmp_path / trainable)
    history = model.record["history"]
    assert history[-1]["loss"] < history[1]["loss"]
    assert max(r["mean_recall"] for r in history[1:]) > history[0]["mean_recall"]
    best = history[model.record["epoch"]]
    assert best["mean_recall"] == max(r["mean_recall"] for r in history[1:])


def test_training_is_repeatable_and_a_checkpoint_is_what_was_trained(smoke, coloured, tmp_path):
    first = train(smoke, coloured, tmp_path / "first")
    second = train(smoke, coloured, tmp_path / "second")
    assert first.record["sha256"] == second.record["sha256"]
    vectors = first.encode_texts(["a red picture"])
    again = DualEncoder.load(tmp_path / "first").encode_texts(["a red picture"])
    np.testing.assert_array_equal(vectors, again)


def test_a_checkpoint_of_another_profile_says_how_they_differ(smoke, coloured, tmp_path):
    from dataclasses import replace

    train(smoke, coloured, tmp_path / "checkpoint")
    other = replace(smoke, embedding_dim=8, head="residual")
    with pytest.raises(CheckpointError, match="embedding_dim: 16 there, 8 here") as caught:
        DualEncoder.load(tmp_path / "checkpoint", other)
    assert "head: 'linear' there, 'residual' here" in str(caught.value)


def test_a_damaged_checkpoint_is_named(smoke, coloured, tmp_path):
    train(smoke, coloured, tmp_path / "checkpoint")
    weights = tmp_path / "checkpoint" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged"):
        DualEncoder.load(tmp_path / "checkpoint")
    with pytest.raises(CheckpointError, match="no checkpoint there"):
        DualEncoder.load(tmp_path / "nowhere")


def test_too_few_images_for_a_batch_is_named(smoke, coloured, tmp_path):
    with pytest.raises(TrainingError, match="batch_size=8"):
        train(smoke, coloured.subset(list(range(4)) + list(range(24, 32))), tmp_path)


def test_a_loss_that_is_not_finite_stops(smoke, coloured, tmp_path, monkeypatch):
    def poisoned(model, images):
        return torch.full((len(images), model.image_backbone.width), float("nan"))

    monkeypatch.setattr("clipsim.model.training.image_features", poisoned)
    with pytest.raises(TrainingError, match="loss is nan at epoch 1, step 0, training images"):
        train(smoke, coloured, tmp_path)
