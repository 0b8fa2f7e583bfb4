"""The benchmarks' table is that of their committed results, and says rightly what was met."""

import importlib
import json
import sys

import pytest

from clipsim.profile import REPOSITORY

FOLDER = REPOSITORY / "benchmarks"
PATHS = sorted(FOLDER.glob("*.json"))


@pytest.fixture
def script(monkeypatch):
    """Import a script of the folder, as when it is run there."""
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    return importlib.import_module


def test_the_table_is_that_of_the_committed_results(script):
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == script("run").table()


def test_every_benchmark_has_been_run(script):
    assert {path.stem for path in PATHS} == set(script("run").NAMES)
    assert all(path.with_suffix(".py").is_file() for path in PATHS)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_ratios_and_verdicts_are_those_of_the_medians(path):
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    assert rows
    for row in rows:
        ratio = row["ours_median"] / row["peer_median"]
        if row["ratio_of"] == "peer / ours":
            ratio = 1 / ratio
        assert row["ratio"] == pytest.approx(ratio, rel=0.01), row
        if row["target"] is not None:
            sign, bound = row["target"].split()
            below = row["ratio"] <= float(bound)
            assert row["met"] == (below if sign == "≤" else row["ratio"] >= float(bound)), row
