"""A data set that a tiny model learns in seconds: pictures of one colour, and their captions."""

import numpy as np
from PIL import Image

from clipsim.data import CaptionedImages

COLOURS = {"red": [0], "green": [1], "blue": [2], "yellow": [0, 1]}


def coloured_pictures():
    """24 training and 8 validation pictures of one colour, which their captions name."""
    names = list(COLOURS)
    ids = [f"{names[i % 4]} {i}" for i in range(32)]
    return CaptionedImages(
        name="colours",
        image_ids=tuple(ids),
        captions=tuple(
            (f"a {i.split()[0]} picture", f"number {i.split()[1]} is {i.split()[0]}") for i in ids
        ),
        split=np.array(["train"] * 24 + ["val"] * 8),
        read_image=coloured_picture,
        pixels_key="colours",
    )


def coloured_picture(image_id):
    colour, number = image_id.split()
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[..., COLOURS[colour]] = 155 + 3 * int(number)
    return Image.fromarray(pixels)
