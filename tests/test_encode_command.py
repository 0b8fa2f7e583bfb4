"""The command `encode`: what it says, what it refuses, and that Ctrl-C loses nothing."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from own_pictures import noise_pictures, tiny_checkpoint

from clipsim.__main__ import main
from clipsim.model.clip import DualEncoder
from clipsim.retrieval.store import SHARDS, load_store


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint")
    tiny_checkpoint(folder)
    return str(folder)


def test_it_says_what_was_new_what_was_there_and_what_is_broken(checkpoint, tmp_path, capsys):
    photos, out = tmp_path / "photos", tmp_path / "store"
    noise_pictures(photos, 5)
    for i in range(12):
        (photos / f"broken {i}.jpg").touch()
    command = ["encode", str(photos), "--out", str(out), "--checkpoint", checkpoint]
    assert main(command) == 0
    printed = capsys.readouterr()
    assert printed.out == f"pictures: 5 encoded now, 0 were there, 12 broken: {out}\n"
    expected = [f"{photos}/broken {i}.jpg: not a readable image (empty file)" for i in range(12)]
    said = [line for line in printed.err.splitlines() if "broken" in line]
    assert said == [*expected, "left out: 12 broken pictures"]
    noise_pictures(photos, 2, first=5)
    assert main(command) == 0
    assert "2 encoded now, 5 were there, 12 broken" in capsys.readouterr().out
    for path in photos.glob("broken*"):
        path.unlink()
    assert main(command) == 0
    assert f"12 were there and are not in {photos}: dropped" in capsys.readouterr().out


def test_descriptions_are_the_lines_of_a_text_file(checkpoint, tmp_path, capsys):
    lines = tmp_path / "lines.txt"
    lines.write_text("﻿a dog \n\n two   cats\na dog\n", encoding="utf-8")
    out = tmp_path / "store"
    assert main(["encode", str(lines), "--out", str(out), "--checkpoint", checkpoint]) == 0
    assert "descriptions: 2 encoded now, 0 were there, 0 broken" in capsys.readouterr().out
    assert load_store(out, DualEncoder.load(checkpoint)).names == ("a dog", "two cats")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("gone", "gone: there is no such folder of pictures, nor file of descriptions"),
        ("empty", "empty: no picture in it"),
        ("picture.png", "picture.png:1: not UTF-8"),
        ("blank.txt", "blank.txt: no descriptions in it"),
    ],
)
def test_what_cannot_be_encoded_is_one_line(checkpoint, tmp_path, capsys, source, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "blank.txt").touch()
    noise_pictures(tmp_path, 1)[0].rename(tmp_path / "picture.png")
    out = ["--out", str(tmp_path / "store"), "--checkpoint", checkpoint]
    assert main(["encode", str(tmp_path / source), *out]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line
    assert not (tmp_path / "store").exists()


def test_a_checkpoint_that_is_none(tmp_path, capsys):
    noise_pictures(tmp_path / "photos", 1)
    command = ["encode", str(tmp_path / "photos"), "--out", str(tmp_path / "store")]
    assert main([*command, "--checkpoint", str(tmp_path)]) == 2
    assert "no checkpoint there" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        main(command[:2])
    assert stopped.value.code == 2
    assert "--out" in capsys.readouterr().err


def test_ctrl_c_keeps_what_is_encoded_and_says_how_to_go_on(checkpoint, tmp_path, capsys):
    photos, out = tmp_path / "photos", tmp_path / "store"
    noise_pictures(photos, 600)
    command = ["encode", str(photos), "--out", str(out), "--checkpoint", checkpoint]
    process = subprocess.Popen(
        [sys.executable, "-m", "clipsim", *command],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    while process.poll() is None and not list((out / SHARDS).glob("[!.]*")):
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    printed, said = process.communicate()
    assert process.returncode == 130, said
    assert printed == ""
    assert "of 600 done, which are kept: run the same again to go on" in said.splitlines()[-1]
    kept = 64 * len(list((out / SHARDS).glob("[!.]*")))
    assert 0 < kept < 600
    assert main(command) == 0
    assert f"{600 - kept} encoded now, {kept} were there" in capsys.readouterr().out
