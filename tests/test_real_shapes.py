"""The paper's networks at their real size, with random weights, learn a batch of photographs."""

import math

import numpy as np
import pytest

from clipsim import load_profile
from clipsim.data import load
from clipsim.model import Trainer
from clipsim.profile import REPOSITORY

PHOTOGRAPHS = REPOSITORY.parent / "shared" / "flickr8k"
MOST_STEPS = 60


@pytest.mark.skipif(
    not PHOTOGRAPHS.is_dir(), reason=f"{PHOTOGRAPHS.name} is not beside the project"
)
def test_resnet50_and_bert_base_fit_one_batch_of_five_photographs(tmp_path):
    images = load(load_profile("flickr8k", data_root=str(PHOTOGRAPHS)))
    five = images.subset(np.concatenate([images.indices("train")[:5], images.indices("val")[:2]]))
    # Random weights have no batch statistics worth keeping: those of the batch are used.
    profile = load_profile("paper", weights="random", learning_rate=1e-4, batch_norm="train")
    trainer = Trainer(profile, five, tmp_path)
    n_weights = sum(weight.numel() for weight in trainer.weights)
    assert n_weights > 130e6  # ResNet-50 has 23.5 M without its classifier, BERT-base 109 M
    (step,) = trainer.examples_of_epoch(1)
    loader = trainer.loader(np.repeat(step[None], MOST_STEPS, axis=0))
    trainer.model.train()
    losses = []
    while len(losses) < MOST_STEPS and (not losses or losses[-1] >= math.log(5) / 2):
        before = trainer.sums["loss"]
        trainer.take_step(loader, step)
        losses.append(trainer.sums["loss"] - before)
    assert losses[0] > 0.9 * math.log(5)  # nothing is known at first
    assert losses[-1] < math.log(5) / 2
