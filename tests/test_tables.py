"""Tables for people, and figures that are equal files when they are equal figures."""

import json

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from clipsim import load_profile
from clipsim.figures import tables
from clipsim.figures.style import IDENTITY, save_figure
from clipsim.figures.tables import (
    caption,
    paper_and_run,
    recall_table,
    table_1_markdown,
    write_table_1,
)
from clipsim.profile import Profile

ROW = {
    "metric": "ssim",
    "variant": "canonical",
    "threshold": 0.42,
    "threshold_range": [0.4, 0.45],
    "threshold_from": "validation",
    "accuracy": 0.6,
    "accuracy_ci95": [0.5, 0.7],
    "balanced_accuracy": 0.61,
    "balanced_accuracy_ci95": [0.51, 0.71],
    "auc": 0.62,
    "auc_ci95": [0.52, 0.72],
    "spearman": 0.3,
    "spearman_ci95": [0.2, 0.4],
    "n_pairs": 1000,
    "n_similar": 100,
    "resampled": "images",
    "source": "expert",
}
AT_PAPERS = ROW | {"threshold_from": "paper", "threshold": 0.7, "threshold_range": [0.7, 0.7]}


def test_table_1_says_metric_threshold_range_and_source():
    head, _, row, at_papers, _, note = table_1_markdown([ROW, AT_PAPERS]).splitlines()
    assert head.startswith("| metric") is False
    assert "experts | SSIM | 0.42 (0.40–0.45) | validation | 0.60 [0.50, 0.70]" in row
    assert "| 0.70 | paper |" in at_papers
    assert note == "experts: 1,000 pairs, 100 of them similar; intervals resample images."


def test_paper_and_run_side_by_side():
    row = paper_and_run([ROW, AT_PAPERS | {"accuracy": 0.55}]).splitlines()[2]
    assert row == "| SSIM | 0.64 (0.7) | 0.60 [0.50, 0.70] (0.42) | -0.04 | 0.55 |"


def test_recall_table_has_a_row_per_direction():
    directions = {name: {"R@1": 0.5} for name in ("image_to_text", "text_to_image")}
    table = recall_table(directions | {"pool_size": 50, "n_images": 10})
    assert table.queries.tolist() == [10, 50]
    assert table.candidates.tolist() == [50, 10]


def test_a_caption_names_the_judges_and_is_no_bullet():
    assert caption("5 pairs.") == "*5 pairs.*"
    assert caption("5 pairs.", "crowd") == "*Crowd: 5 pairs.*"


@pytest.fixture
def profile(smoke, tmp_path, monkeypatch):
    monkeypatch.setattr(Profile, "figures_dir", tmp_path)
    return smoke


def test_table_1_is_written_for_people_and_programs(profile, tmp_path):
    text = write_table_1([ROW, AT_PAPERS], profile)
    assert (tmp_path / "table_1.md").read_text() == text + "\n"
    written = pd.read_csv(tmp_path / "table_1.csv")
    assert written.accuracy.tolist() == [0.6, 0.6]
    assert json.loads(written.accuracy_ci95[0]) == [0.5, 0.7]


def test_equal_figures_are_equal_files(profile, tmp_path):
    files = []
    for _ in range(2):
        figure, axis = plt.subplots()
        axis.plot([1, 2], **IDENTITY["ssim"])
        save_figure(figure, profile, "plot", pd.DataFrame({"y": [1 / 3]}))
        plt.close(figure)
        files.append([(tmp_path / f"plot{s}").read_bytes() for s in (".png", ".pdf", ".csv")])
    assert files[0] == files[1]
    assert files[0][2] == b"y\n0.333333\n"


def test_metrics_differ_in_more_than_colour():
    looks = {(str(i["linestyle"]), i["marker"]) for i in IDENTITY.values()}
    assert len(looks) == len(IDENTITY)


def test_the_paper_profile_trains_with_the_paper_s_settings():
    paper = tables.training_settings(load_profile("paper"), {"processes": 1}, 35_000)
    assert set(paper.difference) == {"", "not printed"}
    shared = tables.training_settings(load_profile("paper"), {"processes": 8}, 35_000)
    assert shared.setting[shared.difference == "differs"].tolist() == [
        "images that are contrasted"
    ]
    demo = tables.training_settings(load_profile("demo"), {"processes": 1}, 5000)
    assert (demo.difference == "differs").sum() >= 5
