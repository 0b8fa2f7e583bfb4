"""Notebooks made for a test, and a folder to run them in; `study` is made a fixture there."""

import signal

import nbformat

from clipsim import profile as config
from clipsim.report import run as runner

PARAMETERS_CELL = 'profile = "smoke"\noverrides = {}'


def write_notebook(path, *sources, parameters=PARAMETERS_CELL, first="# Title\n\nWhat is it?"):
    """A notebook with a markdown cell, a parameters cell, and code cells."""
    v4 = nbformat.v4
    tagged = v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
    cells = [v4.new_markdown_cell(first), tagged, *map(v4.new_code_cell, sources)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


def study(tmp_path, monkeypatch):
    """A folder with three notebooks and a profile; runs go below it; it is the caller's."""
    (tmp_path / "notebooks").mkdir()
    for stem in ("00_first", "03_second", "05_third"):
        write_notebook(tmp_path / "notebooks" / f"{stem}.ipynb", "1 + 1")
    (tmp_path / "mine.yaml").write_text("dataset: openmoji\npairs: scenes\n")
    monkeypatch.setattr(runner, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(config, "RUNS", tmp_path / "runs")
    monkeypatch.setattr("clipsim.report.current.write_stamp", lambda *_: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.delenv(runner.SHELL_COMMAND, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def repository(folder, monkeypatch, stems):
    """A folder that stands for the repository, with a profile `mine`; no notebook is executed."""
    (folder / "profiles").mkdir()
    (folder / "profiles" / "mine.yaml").write_text("dataset: openmoji\npairs: scenes\n")
    (folder / "notebooks").mkdir()
    for stem in stems:
        write_notebook(folder / "notebooks" / f"{stem}.ipynb")
    monkeypatch.setattr(runner, "NOTEBOOKS", folder / "notebooks")
    monkeypatch.setattr(config, "REPOSITORY", folder)
    monkeypatch.setattr(config, "PROFILES", folder / "profiles")
    monkeypatch.setattr(config, "RUNS", folder / "runs")
    monkeypatch.setattr("clipsim.report.check.RUNS", folder / "runs")
    monkeypatch.setattr("clipsim.report.current.REPOSITORY", folder)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.chdir(folder)
