"""What notebooks show: tables, figures, alternative text."""

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from clipsim.figures.style import LONGEST, alt_text, sharp_png, table_html


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


class TestTables:
    TABLE = pd.DataFrame(
        {
            "experiment": ["a < b", "c"],
            "estimate": [0.123456, 1e-9],
            "rounded": [0.12, np.nan],
            "ci95": [[0.123456, 0.2], [1.0, 2.0]],
            "pairs": [12345, 2],
            "by split": [{"train": 5000}, None],
        }
    )

    @pytest.mark.parametrize(
        "cell",
        [
            *(">a &lt; b<", ">0.123<", ">1e-09<", ">0.12<", ">–<"),
            *(">[0.123, 0.200]<", ">[1.000, 2.000]<", ">12,345<", ">train: 5,000<"),
        ],
    )
    def test_values_are_written_for_people(self, cell):
        assert cell in table_html(self.TABLE)

    def test_nothing_is_left_out_of_a_long_sentence(self):
        sentence = "one experiment after another " * 20
        assert sentence in table_html(pd.DataFrame({"experiment": [sentence]}))

    def test_row_numbers_are_left_out_and_names_are_not(self):
        assert ">1</th>" not in table_html(self.TABLE)
        named = self.TABLE.rename_axis("N")
        assert 'scope="row"' in table_html(named)
        assert ">N</th>" in table_html(named)
        assert ">clip</th>" in table_html(pd.DataFrame({"x": [1]}, index=["clip"]))

    def test_many_rows_end_in_dots(self):
        text = table_html(pd.DataFrame({"n": range(500)}))
        assert text.count("<tr>") < 70
        assert "..." in text

    def test_equal_names_and_nested_headings(self):
        twice = pd.concat([self.TABLE, self.TABLE])
        assert table_html(twice).count("12,345") == 2
        wide = pd.DataFrame({("share", "joint"): [0.25], ("share", "text"): [0.5]})
        assert 'colspan="2"' in table_html(wide)


class TestFigures:
    def test_two_pixels_for_one(self):
        figure, axis = plt.subplots(figsize=(2, 1), dpi=100)
        axis.set(xlabel="threshold", ylabel="accuracy")
        data, known = sharp_png(figure)
        size = Image.open(io.BytesIO(base64.b64decode(data))).size
        assert [known["width"], known["height"]] == [side // 2 for side in size]
        assert size[0] > 300
        assert known["alt"] == "Chart, accuracy against threshold."

    def test_a_figure_without_axes_is_left_to_ipython(self):
        assert sharp_png(plt.figure()) is None


class TestAlternativeText:
    def test_panels_that_share_what_they_draw_are_listed(self):
        figure, axes = plt.subplots(1, 2, sharey=True)
        axes[0].set_ylabel("share of pairs")
        for axis, name in zip(axes, ("SSIM", "FSIM"), strict=True):
            axis.plot([1, 2], label="similar")
            axis.set(title=name, xlabel="score")
        axes[0].legend()
        assert alt_text(figure) == (
            "2 panels, share of pairs against score: SSIM; FSIM. Shown: similar."
        )

    def test_panels_that_do_not_are_told_apart(self):
        figure, axes = plt.subplots(1, 2)
        for axis, name in zip(axes, ("loss", "rate"), strict=True):
            axis.set(title=name.title(), ylabel=name, xlabel="epoch")
        assert alt_text(figure) == (
            "2 panels: Loss: loss against epoch; Rate: rate against epoch."
        )

    def test_categories_are_named(self):
        figure, axis = plt.subplots()
        axis.set_yticks([0, 1], ["CLIP score", "SSIM, package"])
        axis.set_xlabel("AUC")
        axis.set_xscale("log")
        assert alt_text(figure) == "Chart, AUC for CLIP score, “SSIM, package”."

    def test_pictures_have_their_titles_or_what_stands_below(self):
        figure, axes = plt.subplots(1, 3)
        figure.suptitle("Figure 1")
        for axis in axes:
            axis.imshow(np.zeros((2, 2)))
        axes[0].set_title("alike")
        axes[1].set_xlabel("A dog\nruns.")
        assert alt_text(figure) == "Figure 1. 3 pictures: alike; A dog runs."

    def test_words_in_place_of_a_panel(self):
        figure, axis = plt.subplots()
        axis.set_axis_off()
        axis.text(0, 0, "no such pair")
        assert alt_text(figure) == "no such pair."

    def test_ends_at_a_word_before_it_tires(self):
        figure, axis = plt.subplots()
        axis.set_title("word " * 200)
        assert len(alt_text(figure)) <= LONGEST + 2
        assert alt_text(figure).endswith("word …")
