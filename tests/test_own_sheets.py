"""Sheets of pictures in rows: they stay as they were laid out, however often they are saved."""

import io
import warnings

import matplotlib.pyplot as plt
import numpy as np

from clipsim.figures.style import use_style
from clipsim.pictures.sheets import Strip, strip_sheet


def test_saved_twice_it_neither_moves_nor_warns():
    with plt.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("error")
        use_style()
        strip = Strip("a title")
        strip.add(np.zeros((3, 224, 224), dtype=np.uint8), "a note", "#029e73")
        figure = strip_sheet([strip])
        files = [io.BytesIO(), io.BytesIO()]
        for file in files:
            figure.savefig(file, format="png", metadata={"Software": None})
        plt.close(figure)
    assert files[0].getvalue() == files[1].getvalue()


def test_names_and_descriptions_are_shown_as_they_are():
    strip = Strip("cost_$5_vs_$6.jpg: a dog")
    strip.add(np.zeros((3, 224, 224), dtype=np.uint8), "$a_$b", None)
    figure = strip_sheet([strip], "$x_$y")
    figure.savefig(io.BytesIO())  # as formulas these would be errors
    assert "cost_$5_vs_$6.jpg: a dog" in [text.get_text() for text in figure.texts]
    plt.close(figure)
