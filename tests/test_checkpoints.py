"""Which model is used: the one named, the newest of photographs, the demo's, or none."""

import json
import os
from dataclasses import replace

import pytest

from clipsim import load_profile
from clipsim.model.clip import CheckpointError, DualEncoder
from clipsim.pictures.model import checkpoint_profile, chosen_checkpoint, newest_checkpoint


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setattr("clipsim.pictures.model.RUNS", tmp_path / "runs")
    return tmp_path / "runs"


@pytest.fixture
def leave(runs):
    """Write the record of a checkpoint of some age as a training would; returns its folder."""

    def checkpoint(name, run, age_s, n_epochs=3, **settings):
        folder = runs / run / "work" / "0123abcd" / "checkpoint"
        folder.mkdir(parents=True)
        profile = {**load_profile("smoke").settings, "name": name, **settings}
        record = {"sha256": "0", "profile": profile, "history": [{}] * n_epochs}
        path = folder / "checkpoint.json"
        path.write_text(json.dumps(record))
        os.utime(path, (2e9 - age_s, 2e9 - age_s))
        return folder

    return checkpoint


def test_the_newest_of_photographs_comes_first(leave, capsys):
    leave("demo", "demo", age_s=0)
    leave("flickr8k", "flickr8k", age_s=20)
    newest = leave("flickr8k", "flickr8k-89abcdef", age_s=10)
    assert chosen_checkpoint() == newest
    assert capsys.readouterr().err == ""


def test_the_demos_has_one_line_of_warning(leave, capsys):
    folder = leave("demo", "demo", age_s=0)
    leave("smoke", "smoke", age_s=0)
    leave("demography", "demography", age_s=0)
    assert chosen_checkpoint() == folder
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "has only seen drawings" in said[0]
    lines = []
    assert chosen_checkpoint(announce=lines.append) == folder
    assert len(lines) == 1


def test_interrupted_and_damaged_ones_are_passed_over(leave):
    leave("flickr8k", "flickr8k", age_s=0, n_epochs=2)  # not the last
    damaged = leave("flickr8k", "flickr8k-00000000", age_s=1)
    (damaged / "checkpoint.json").write_text("{")
    nothing_in_it = leave("flickr8k", "flickr8k-11111111", age_s=1)
    (nothing_in_it / "checkpoint.json").write_text("{}")
    whole = leave("flickr8k", "flickr8k-22222222", age_s=2)
    assert chosen_checkpoint() == newest_checkpoint("flickr8k") == whole


def test_without_any_one_line_says_how_to_get_one(runs):
    with pytest.raises(CheckpointError, match=r"run_all.sh --only 02,03") as error:
        chosen_checkpoint()
    assert len(str(error.value).splitlines()) == 1


def test_the_one_named_is_taken_whatever_there_is(leave, tmp_path, capsys):
    leave("flickr8k", "flickr8k", age_s=0)
    named = leave("smoke", "smoke", age_s=99)
    assert chosen_checkpoint(named) == named
    assert capsys.readouterr().err == ""
    with pytest.raises(CheckpointError, match="no checkpoint there"):
        chosen_checkpoint(tmp_path / "elsewhere")


def test_an_interrupted_one_that_is_named_is_used_with_a_warning(leave, capsys):
    named = leave("smoke", "smoke", age_s=0, n_epochs=2)
    assert chosen_checkpoint(named) == named
    assert "interrupted" in capsys.readouterr().err


def test_settings_of_another_version_are_one_line(leave):
    named = leave("smoke", "smoke", age_s=0, unheard_of=1)
    with pytest.raises(CheckpointError, match=r"unheard_of.*train anew") as error:
        chosen_checkpoint(named)
    assert len(str(error.value).splitlines()) == 1


def test_the_profile_is_the_one_that_trained(tmp_path):
    profile = replace(load_profile("smoke"), n_descriptions=3, data_root="somewhere")
    model = DualEncoder(profile)
    model.save(tmp_path, {"history": [{}] * 3})
    assert checkpoint_profile(tmp_path) == replace(profile, data_root=None)
    assert DualEncoder.load(tmp_path).profile == checkpoint_profile(tmp_path)
