"""What a notebook shows and keeps: figures, their alternative text, tables."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from clipsim.figures import IDENTITY, show
from clipsim.figures.style import table_html


class TestShow:
    @pytest.fixture
    def run(self, tmp_path):
        places = {"figures_dir": tmp_path / "figures", "run_dir": tmp_path / "run"}
        return SimpleNamespace(profile=SimpleNamespace(name="x", dataset="openmoji", **places))

    def shown(self, run, name):
        figure, axis = plt.subplots(figsize=(3, 2))
        axis.plot([1, 2], **IDENTITY["ssim"])
        show(run, name, figure, pd.DataFrame({"y": [1 / 3]}), "A line.")

    def test_keeps_the_figure_small_and_its_numbers(self, run):
        self.shown(run, "line")
        folder = run.profile.figures_dir
        assert {path.name for path in folder.iterdir()} == {"line.png", "line.csv"}
        assert (folder / "line.csv").read_text() == "y\n0.333333\n"
        assert Image.open(folder / "line.png").mode == "P"  # of a palette

    def test_equal_figures_are_equal_files(self, run):
        files = []
        for _ in range(2):
            self.shown(run, "figure_1")  # one of the paper's has its PDF beside it
            kept = sorted(run.profile.figures_dir.iterdir())
            files.append({path.name: path.read_bytes() for path in kept})
        assert files[0].keys() == {"figure_1.png", "figure_1.pdf", "figure_1.csv"}
        assert files[0] == files[1]


class TestTables:
    TABLE = pd.DataFrame(
        {
            "experiment": ["a < b", "clip_score"],
            "estimate": [0.123456, 1e-9],
            "rounded": [0.12, np.nan],
            "ci95": [[0.123456, 0.2], [1.0, 2.0]],
            "pairs": [12345, 2],
            "by split": [{"train": 5000}, None],
        }
    )

    def test_values_are_written_for_people(self):
        written = table_html(self.TABLE)
        cells = ["a &lt; b", "CLIP score", "0.123", "1e-09", "0.12", "–", "[0.123, 0.200]"]
        for cell in [*cells, "[1.000, 2.000]", "12,345", "train: 5,000"]:
            assert f">{cell}<" in written
