"""Shared fixtures: a small profile, and a data set of plain pictures with captions."""

import numpy as np
import pytest
from PIL import Image

import clipsim
from clipsim.data import CaptionedImages

COLOURS = ("red", "green", "blue", "yellow")


@pytest.fixture
def smoke():
    """The smoke profile: tiny random encoders."""
    return clipsim.load_profile("smoke")


@pytest.fixture
def coloured(tmp_path, monkeypatch):
    """24 training and 8 validation pictures of one colour, which their captions name."""
    monkeypatch.setattr("clipsim.model.features.CACHE", tmp_path / "cache")
    ids = [f"{COLOURS[i % 4]} {i}" for i in range(32)]

    def read_image(image_id):
        colour, number = image_id.split()
        level = 155 + 3 * int(number)
        channels = {"red": [0], "green": [1], "blue": [2], "yellow": [0, 1]}[colour]
        pixels = np.zeros((64, 64, 3), dtype=np.uint8)
        pixels[..., channels] = level
        return Image.fromarray(pixels)

    return CaptionedImages(
        name="colours",
        image_ids=tuple(ids),
        captions=tuple(
            (f"a {i.split()[0]} picture", f"number {i.split()[1]} is {i.split()[0]}") for i in ids
        ),
        split=np.array(["train"] * 24 + ["val"] * 8),
        read_image=read_image,
        pixels_key="colours",
    )
