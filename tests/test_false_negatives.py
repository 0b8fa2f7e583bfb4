"""What is alike is no negative: equal captions, and scenes of the same content."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from coloured import coloured_pictures
from torch.nn.functional import normalize

from clipsim import load_profile
from clipsim.data import load
from clipsim.data.scenes.scenes import PlacedObject, Scene
from clipsim.model import contrastive_loss
from clipsim.model.examples import Identities

CONTENT, TEXT = [0, 1, 0, 2, 3], [7, 8, 9, 8, 5]  # images 0 and 2 alike, captions 1 and 3


def loss_by_definition(images, texts, scale):
    total = 0.0
    for i in range(len(images)):
        kept = [
            k for k in range(len(images))
            if k == i or (CONTENT[i] != CONTENT[k] and TEXT[i] != TEXT[k])
        ]  # fmt: skip
        row = sum(math.exp(scale * float(images[i] @ texts[k])) for k in kept)
        column = sum(math.exp(scale * float(images[k] @ texts[i])) for k in kept)
        own = math.exp(scale * float(images[i] @ texts[i]))
        total -= math.log(own / row) + math.log(own / column)
    return total / (2 * len(images))


def test_the_loss_leaves_out_what_is_alike():
    torch.manual_seed(0)
    images, texts = (normalize(torch.randn(5, 8, dtype=torch.float64), dim=1) for _ in range(2))
    same = torch.tensor([CONTENT, TEXT]).T
    loss = contrastive_loss(images, texts, torch.tensor(math.log(9.0)), same)
    assert loss.item() == pytest.approx(loss_by_definition(images, texts, 9.0), abs=1e-6)


def test_a_false_negative_gets_no_gradient():
    torch.manual_seed(0)
    images = normalize(torch.randn(5, 8), dim=1)
    texts = normalize(torch.randn(5, 8), dim=1).requires_grad_()
    same = torch.tensor([[0, 0], [0, 1], [0, 2], [0, 3], [0, 4]])  # all show the same
    contrastive_loss(images, texts, torch.tensor(1.0), same).backward()
    assert texts.grad.abs().max() == 0


def scene_of(name, *concepts):
    placed = (PlacedObject(concept, "", i, 0, 10, False) for i, concept in enumerate(concepts))
    return Scene(name, "beach", 0, tuple(placed))


def test_a_quarter_of_a_batch_shows_what_another_image_of_the_batch_shows():
    """As counted elsewhere: 64 of 256, on average, of 5,000 scenes."""
    images = load(load_profile("demo", n_train_scenes=5000))
    content = Identities(images.subset(images.indices("train"))).content
    rng, shared = np.random.default_rng(0), []
    for _ in range(50):
        batch = rng.choice(content, 256, replace=False)
        _, group, counts = np.unique(batch, return_inverse=True, return_counts=True)
        shared.append((counts[group] > 1).sum())
    assert np.mean(shared) == pytest.approx(64, abs=6)


def test_identities_of_scenes_and_captions():
    pictures = coloured_pictures()
    first, second, *_ = pictures.image_ids
    shown = dict.fromkeys(pictures.image_ids, "ball") | {first: "dog cat", second: "cat dog"}
    scenes = {name: scene_of(name, *things.split()) for name, things in shown.items()}
    scenes[pictures.image_ids[4]] = scene_of("", "ball", "ball")
    identities = Identities(replace(pictures, scenes=scenes))
    content, text = identities(np.array([[0, 0], [1, 0], [4, 0], [4, 1]])).T
    assert content[0] == content[1]  # of the same things, in whatever order
    assert len(set(identities.content.tolist())) == 3  # two balls are not one ball
    assert content[2] == content[3] != content[0]  # the same image with another caption
    assert text[0] == text[2] != text[1]  # both are "a red picture"
    assert text[3] not in (text[0], text[1])
