"""A user's folder of small pictures, and a tiny model with a checkpoint of its own."""

import numpy as np
from PIL import Image

import clipsim
from clipsim.model.clip import DualEncoder


def noise_pictures(folder, count, first=0):
    """Write `count` pictures of noise, named by number; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{first + i}.png" for i in range(count)]
    for i, path in enumerate(paths):
        pixels = np.random.default_rng(first + i).integers(0, 256, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return paths


def tiny_checkpoint(folder, **overrides):
    """Write the checkpoint of an untrained smoke model, and return the model loaded from it."""
    profile = clipsim.load_profile("smoke", **overrides)
    history = [{"epoch": i, "mean_recall": 0.0} for i in range(profile.epochs + 1)]
    DualEncoder(profile).save(folder, {"history": history, "epoch": 0, "data": ""})
    return DualEncoder.load(folder)
