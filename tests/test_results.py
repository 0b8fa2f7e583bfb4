"""Results: provenance, atomic writes, and what is stale is refused by name."""

import json
from dataclasses import replace

import numpy as np
import pytest

import clipsim
from clipsim.profile import Profile
from clipsim.record import StaleError, atomic_path, read_results, start_run


@pytest.fixture
def in_tmp(tmp_path, monkeypatch):
    monkeypatch.setattr(Profile, "results_dir", tmp_path)
    return tmp_path


def test_results_carry_their_provenance(in_tmp):
    run = start_run("05_threshold_sweeps", "smoke")
    run.write_results(data={"n": 3}, results={"value": np.float32(1 / 3), "none": np.nan})
    record = json.loads((in_tmp / "05_threshold_sweeps.json").read_text())
    for key in ("profile", "seed", "git_commit", "versions", "device", "runtime_s", "data"):
        assert key in record
    assert record["results"] == {"value": 0.333333, "none": None}
    assert read_results(run.profile, "05_threshold_sweeps") == record["results"]


def test_results_of_other_settings_are_refused_by_name(in_tmp):
    run = start_run("05_threshold_sweeps", "smoke")
    run.write_results(data={}, results={})
    with pytest.raises(StaleError, match="run notebook 05_threshold_sweeps again"):
        read_results(replace(run.profile, seed=7), "05_threshold_sweeps")
    with pytest.raises(StaleError, match="run notebook 03_caption_retrieval first"):
        read_results(run.profile, "03_caption_retrieval")


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def half_written():
        with atomic_path(path) as temporary:
            temporary.write_text("new")
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        half_written()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_run_with_overrides_never_writes_over_the_committed_results():
    pristine = clipsim.load_profile("demo")
    changed = clipsim.load_profile("demo", n_descriptions=3)
    elsewhere = clipsim.load_profile("demo", data_root="/somewhere/else")
    assert pristine.results_dir.parts[-2:] == ("results", "demo")
    assert "runs" in changed.results_dir.parts
    assert "runs" in changed.figures_dir.parts
    assert elsewhere.results_dir == pristine.results_dir  # where data lie changes no number
