"""The order of an epoch, what each setting does, and training that learns."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from clipsim.model import Trainer, TrainingError, retrieval_recall, train, training_estimate
from clipsim.model.examples import epoch_examples
from clipsim.model.training import learning_rate_factor


def test_one_caption_per_image_and_epoch_in_another_order_each_time():
    first, second = (epoch_examples([5, 1, *[5] * 198], epoch, seed=0) for epoch in (1, 2))
    assert sorted(first[:, 0]) == list(range(200))
    assert dict(first.tolist())[1] == 0
    assert (first[:, 0] != second[:, 0]).any()
    assert dict(first.tolist()) != dict(second.tolist())


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
    profile = replace(smoke, trainable=trainable, learning_rate=1e-2, epochs=8, temperature=0.2)
    model = train(profile, coloured, tmp_path / trainable)
    history = model.record["history"]
    assert history[-1]["loss"] < history[1]["loss"]
    assert max(r["mean_recall"] for r in history[1:]) > history[0]["mean_recall"]
    best = history[model.record["epoch"]]
    assert best["mean_recall"] == max(r["mean_recall"] for r in history[1:])


def test_too_few_images_for_a_batch_is_named(smoke, coloured, tmp_path):
    with pytest.raises(TrainingError, match="batch_size=8"):
        train(smoke, coloured.subset(list(range(4)) + list(range(24, 32))), tmp_path)


@pytest.mark.parametrize("trainable", ["projections", "all"])
def test_a_loss_that_is_not_finite_stops(smoke, coloured, tmp_path, trainable, monkeypatch):
    profile = replace(smoke, trainable=trainable)
    trainer = Trainer(profile, coloured, tmp_path)
    take_step, seen = trainer.take_step, []

    def poisoned(loader, examples, stop):
        seen.append([trainer.images.image_ids[image] for image in examples[..., 0].ravel()])
        if len(seen) == 2:
            torch.nn.init.constant_(trainer.model.image_head.weight, float("nan"))
        return take_step(loader, examples, stop)

    monkeypatch.setattr(trainer, "take_step", poisoned)
    with pytest.raises(TrainingError, match=r"loss is nan, .* at epoch 1, step 2, ") as caught:
        trainer.run(threading.Event())
    assert f"training images {', '.join(seen[1])}: look" in str(caught.value)


def test_a_gradient_that_is_not_finite_stops(smoke, coloured, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.nn.utils, "get_total_norm", lambda _: torch.tensor(float("inf")))
    with pytest.raises(TrainingError, match="gradient norm inf at epoch 1, step 1"):
        train(smoke, coloured, tmp_path)


def gradients(profile, images, folder, batches):
    """The gradient of one step, before the optimiser takes it."""
    trainer = Trainer(profile, images, folder)
    kept = {}
    trainer.optimizer.step = lambda: kept.update(
        (name, weight.grad.clone()) for name, weight in trainer.model.named_parameters()
        if weight.grad is not None
    )  # fmt: skip
    step = np.array(batches)[:, None]
    trainer.take_step(trainer.loader(step[None]), step)
    return kept


def test_accumulation_averages_gradients_and_does_not_enlarge_the_contrast(
    smoke, coloured, tmp_path
):
    batches = [[[i, 0] for i in range(8)], [[i, 1] for i in range(8, 16)]]
    both = gradients(replace(smoke, gradient_accumulation=2), coloured, tmp_path, batches)
    each = [gradients(smoke, coloured, tmp_path, [batch]) for batch in batches]
    for name, gradient in both.items():
        torch.testing.assert_close(gradient, (each[0][name] + each[1][name]) / 2)
    joined = gradients(
        replace(smoke, batch_size=16), coloured, tmp_path, [batches[0] + batches[1]]
    )
    assert not torch.allclose(joined["image_head.weight"], both["image_head.weight"], rtol=0.01)


def test_clipping_bounds_the_gradient_and_is_off_by_default(smoke, coloured, tmp_path):
    batch = [[[i, 0] for i in range(8)]]
    norms = [
        torch.stack([gradient.norm() for gradient in kept.values()]).norm().item()
        for kept in (
            gradients(smoke, coloured, tmp_path, batch),
            gradients(replace(smoke, max_gradient_norm=0.01), coloured, tmp_path, batch),
        )
    ]
    assert norms[0] > 0.05
    assert norms[1] == pytest.approx(0.01, rel=1e-3)


def test_training_is_repeatable_and_worker_processes_change_nothing(smoke, coloured, tmp_path):
    profile = replace(smoke, trainable="all", epochs=1)
    alone = train(profile, coloured, tmp_path / "alone")
    helped = train(replace(profile, workers=2), coloured, tmp_path / "helped")
    assert helped.fingerprint == alone.fingerprint


def test_the_learning_rate_follows_the_schedule(smoke, coloured, tmp_path):
    profile = replace(smoke, schedule="cosine", warmup_steps=2)
    *_, last = train(profile, coloured, tmp_path).record["history"]
    rate = profile.learning_rate * learning_rate_factor(2 * 3 - 1, 6, "cosine", 2)
    assert last["learning_rate"] == pytest.approx(rate)


def test_bf16_trains_on_the_same_path(smoke, coloured, tmp_path):
    profile = replace(smoke, trainable="all", learning_rate=1e-2, epochs=4)
    losses = {}
    for precision in ("no", "bf16"):
        model = train(replace(profile, mixed_precision=precision), coloured, tmp_path / precision)
        losses[precision] = [record["loss"] for record in model.record["history"][1:]]
        assert all(weight.dtype == torch.float32 for weight in model.parameters())
    assert losses["bf16"] != losses["no"]  # autocast took part
    np.testing.assert_allclose(losses["bf16"], losses["no"], rtol=0.05)


def test_the_estimate_says_what_training_takes(smoke, coloured, tmp_path):
    said = training_estimate(smoke, coloured, tmp_path / "model")
    assert f"{24 // smoke.batch_size * smoke.epochs} steps of " in said
    assert not (tmp_path / "model").exists()


def unit(rng, *shape):
    vectors = rng.normal(size=shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def recall_by_definition(images, texts, owner, captions, k):
    found_images = 0
    for i, image in enumerate(images):
        order = np.argsort(-(texts @ image), kind="stable")[:k]
        own = {captions[j] for j in np.flatnonzero(owner == i)}
        found_images += any(captions[j] in own for j in order)
    found_texts = sum(
        owner[j] in np.argsort(-(images @ text), kind="stable")[:k] for j, text in enumerate(texts)
    )
    return found_images / len(images), found_texts / len(texts)


def test_recall_equals_its_definition():
    rng = np.random.default_rng(3)
    images = unit(rng, 30, 6)
    owner = np.repeat(np.arange(30), 5)
    texts = images[owner] + 0.6 * unit(rng, 150, 6)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    captions = [f"caption {i}" for i in range(150)]
    recall = retrieval_recall(images, texts, owner, captions)
    for k in (1, 5, 10):
        expected = recall_by_definition(images, texts, owner, captions, k)
        got = (recall["image_to_text"][f"R@{k}"], recall["text_to_image"][f"R@{k}"])
        assert got == pytest.approx(expected)
    assert (recall["pool_size"], recall["n_images"]) == (150, 30)


def test_a_caption_equal_to_an_own_one_counts_as_found():
    images = np.eye(2, dtype=np.float32)
    texts = np.array([[1, 0], [1, 0]], dtype=np.float32)  # both point at image 0
    recall = retrieval_recall(images, texts, [0, 1], ["a dog", "a dog"], ks=(1,))
    assert recall["text_to_image"]["R@1"] == 1.0
    recall = retrieval_recall(images, texts, [0, 1], ["a dog", "a cat"], ks=(1,))
    assert recall["text_to_image"]["R@1"] == 0.5
