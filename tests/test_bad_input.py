"""Bad input from the command line to the notebook's kernel and back: one line, exit status 2."""

import shlex
import subprocess
import sys

import photograph_folders as folders
import pytest

from clipsim.profile import load_profile

pytestmark = pytest.mark.notebooks


def run(tmp_path, *overrides, profile="flickr8k"):
    words = [word for override in overrides for word in ("-p", override)]
    done = subprocess.run(
        [sys.executable, "-m", "clipsim", "run", "--only", "01", "--profile", profile, *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.strip().splitlines()
    return line


def test_a_folder_that_is_not_there(tmp_path):
    assert "nowhere: no such folder" in run(tmp_path, "data_root=nowhere")


def test_a_truncated_picture(tmp_path):
    folders.kaggle(tmp_path)
    name = folders.names()[3]
    picture = tmp_path / "Images" / name
    picture.write_bytes(picture.read_bytes()[:-60])
    line = run(tmp_path, "data_root=.", "pairs=captions")
    assert name in line
    assert "-p on_bad_image=skip" in line


def test_more_descriptions_than_the_pool_has(tmp_path):
    line = run(tmp_path, "n_descriptions=100000", profile="smoke")
    assert "n_descriptions=100000: the pool has" in line
    assert not load_profile("smoke", n_descriptions=100000).results_dir.exists()


def test_a_reader_that_stops_is_no_error():
    command = f"{shlex.quote(sys.executable)} -m clipsim run --list | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.stdout.startswith("00")
    assert done.stderr == ""
