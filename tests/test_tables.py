"""Tables for people say the numbers of their rows, the paper's beside them."""

import json

import pandas as pd
import pytest

from clipsim import load_profile
from clipsim.figures import tables
from clipsim.profile import Profile

ROW = {
    "metric": "ssim",
    "variant": "canonical",
    "threshold": 0.42,
    "threshold_range": [0.4, 0.45],
    "threshold_from": "validation",
    "n_pairs": 1000,
    "n_similar": 100,
    "resampled": "images",
    "source": "expert",
}
VALUES = {"accuracy": 0.6, "balanced_accuracy": 0.61, "auc": 0.62, "spearman": 0.3}
ROW |= VALUES | {f"{name}_ci95": [v - 0.1, v + 0.1] for name, v in VALUES.items()}
AT_PAPERS = ROW | {"threshold_from": "paper", "threshold": 0.7, "threshold_range": [0.7, 0.7]}


def test_table_1_says_metric_threshold_range_and_source():
    head, _, row, at_papers, _, note = tables.table_1_markdown([ROW, AT_PAPERS]).splitlines()
    assert head.startswith("| judged by | metric |")
    assert "experts | SSIM | 0.42 (0.40–0.45) | validation | 0.60 [0.50, 0.70]" in row
    assert "| 0.70 | paper |" in at_papers
    assert note == "experts: 1,000 pairs, 100 of them similar; intervals resample images."


def test_paper_and_run_side_by_side():
    alone = {name: value for name, value in ROW.items() if name != "source"}
    cosine = alone | {"metric": "image_cosine", "variant": "joint"}
    rows = [alone, alone | AT_PAPERS | {"source": None, "accuracy": 0.55}, cosine]
    del rows[1]["source"]
    _, _, ssim, last = tables.paper_and_run(rows).splitlines()
    assert ssim == "| SSIM | 0.64 (0.7) | 0.60 [0.50, 0.70] (0.42) | -0.04 | 0.55 |"
    assert last == "| image cosine | – | 0.60 [0.50, 0.70] (0.42) | – | – |"
    judged = tables.paper_and_run([ROW, AT_PAPERS | {"source": "crowd", "accuracy": 0.9}])
    assert judged.splitlines()[2].endswith("| -0.04 | – |")  # the paper's row is of others' pairs


def test_table_1_is_written_for_people_and_programs(smoke, tmp_path, monkeypatch):
    monkeypatch.setattr(Profile, "figures_dir", tmp_path)
    text = tables.write_table_1([ROW, AT_PAPERS], smoke)
    assert (tmp_path / "table_1.md").read_text() == text + "\n"
    written = pd.read_csv(tmp_path / "table_1.csv")
    assert written.accuracy.tolist() == [0.6, 0.6]
    assert json.loads(written.accuracy_ci95[0]) == pytest.approx([0.5, 0.7])


def test_the_paper_profile_trains_with_the_paper_s_settings():
    paper = tables.training_settings(load_profile("paper"), {"processes": 1}, 35_000)
    assert set(paper.difference) == {"", "not printed"}
    shared = tables.training_settings(load_profile("paper"), {"processes": 8}, 35_000)
    differs = shared.setting[shared.difference == "differs"]
    assert differs.tolist() == ["images that are contrasted"]
