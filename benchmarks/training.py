"""What training costs beyond its arithmetic, and whether reading keeps ahead of the encoder.

Run `python benchmarks/training.py`; it prints and writes `training.json` beside itself. Pictures
are photographs of ../shared/flickr8k if they are there, else scenes, drawn when they are
read. Contestants take turns, so that a busy machine slows both; ratios are what holds.

- a step of the training loop (reading, tokens, loss, gradient norm, sums) against
  forward, backward and optimiser alone on a batch already in memory; every weight trained.
- reading: pictures read and transformed per second, as training reads them, against encoded ones.
"""

import statistics
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from timeit import timeit

import numpy as np
import torch
from inputs import photographs_or_scenes
from rows import OURS_BY_PEER, row, write

from clipsim.model import IMAGE_BATCH, DualEncoder, Trainer, contrastive_loss

ROUNDS = 3
STEPS_PER_ROUND = 4
ENCODED = 256
MOST_BY_BARE = 1.1
RESULT = Path(__file__).with_suffix(".json")
seconds = partial(timeit, number=1)


def main():
    profile, images = photographs_or_scenes()
    rows = [step_row(profile, images), reading_row(profile, images)]
    what = f"training on {images.name}, {torch.get_num_threads()} threads"
    if not write(RESULT, what, rows, ("torch", "timm", "transformers")):
        sys.exit("a target is missed")


def step_row(profile, images):
    """The training loop's step against the bare one, both with the paper's batch of 5."""
    profile = replace(
        profile, trainable="all", batch_size=5, learning_rate=1e-5, optimizer="adam", head="linear"
    )
    part = images.subset(np.concatenate([images.indices(s)[:64] for s in ("train", "val")]))
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(profile, part, Path(folder))
    steps = trainer.examples_of_epoch(1)
    whole, bare = [], []
    trainer.model.train()
    for _ in range(ROUNDS):
        loader = trainer.loader(steps[: STEPS_PER_ROUND + 1])
        trainer.take_step(loader, steps[0])
        for step in steps[1 : STEPS_PER_ROUND + 1]:
            whole.append(seconds(lambda step=step, loader=loader: trainer.take_step(loader, step)))
        batches = list(trainer.loader(steps[: STEPS_PER_ROUND + 1]))
        for batch in batches[1:]:
            bare.append(seconds(lambda batch=batch: bare_step(trainer, batch)))
    medians = [1e3 * statistics.median(times) for times in (whole, bare)]
    case = f"a training step on {profile.batch_size} images, every weight trained"
    peer = "forward, backward, optimiser alone"
    return row(case, "Trainer", peer, "ms", medians, OURS_BY_PEER, f"≤ {MOST_BY_BARE:g}")


def bare_step(trainer, batch):
    image_inputs, text_inputs, _ = batch
    vectors = trainer.model(image_inputs, text_inputs)
    contrastive_loss(*vectors).backward()
    trainer.optimizer.step()
    trainer.optimizer.zero_grad()


def reading_row(profile, images):
    """Pictures read and transformed, as training reads them, against encoded ones."""
    model = DualEncoder(profile)
    ids = images.image_ids[:ENCODED]
    pixels = images.pixel_batch(ids[:IMAGE_BATCH])
    read, encoded = [], []
    for start in range(0, ENCODED, IMAGE_BATCH):
        chunk = ids[start : start + IMAGE_BATCH]
        read.append(seconds(lambda chunk=chunk: images.pixel_batch(chunk)) / len(chunk))
        encoded.append(seconds(lambda: model.encode_images(pixels)) / len(pixels))
    medians = [1 / statistics.median(times) for times in (read, encoded)]
    case, ours = "pictures read beside pictures encoded", "read and transformed"
    return row(case, ours, "encoded", "pictures/s", medians, OURS_BY_PEER, "≥ 1")


if __name__ == "__main__":
    main()
