"""`run`, `train` and `fetch`: what they say, what they refuse, where they write; two processes."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import photograph_folders as folders
import pytest
from test_loss import free_port

from clipsim import load_profile
from clipsim.__main__ import main
from clipsim.model import Trainer, state_paths
from clipsim.profile import REPOSITORY

SETTINGS = ["--profile", "smoke", "-p", "seed=3"]
HELPED = """
import sys
from clipsim.__main__ import main
assert main(sys.argv[1:]) == 0
assert not {"torch", "matplotlib", "pandas", "accelerate"} & sys.modules.keys()
"""


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("run", "profile p from only list check"),
        ("train", "profile p out resume fresh dry-run"),
        ("encode", "out checkpoint"),
        ("score", "k n threshold checkpoint pool json"),
        ("search", "like k n store threshold checkpoint pool json"),
        ("graph", "out n store threshold checkpoint pool json"),
        ("fetch", "to repo revision"),
    ],
)
def test_each_command_says_its_options(command, options, capsys):
    assert main([command, "--help"]) == 0
    out = capsys.readouterr().out
    for option in options.split():
        assert f" --{option} " in out or f" -{option} " in out


def test_help_lists_the_commands_and_is_at_once():
    done = subprocess.run(
        [sys.executable, "-c", HELPED, "--help"],
        capture_output=True, cwd=REPOSITORY, env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for command in (b"run", b"train", b"encode", b"score", b"search", b"graph", b"fetch"):
        assert b" " + command + b" " in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--frm", "03"],
        ["run", "--from", "03", "--only", "03"],
        ["run", "--list", "--only", "03"],
        ["run", "-p"],
        ["train", "--fresh", "--resume"],
        ["train", "state.pt"],
        ["fetch", "flickr9k"],
        ["fetch"],
        [],
    ],
)
def test_options_that_make_no_sense_are_one_line(words, capsys):
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)


def test_run_hands_its_options_on(monkeypatch):
    asked = []

    def run_notebooks(profile, overrides, first, only, list_only, check):
        asked.append((profile, list(overrides), first, list(only), list_only, check))
        return 7

    monkeypatch.setattr("clipsim.report.run_notebooks", run_notebooks)
    words = ["--profile", "x.yaml", "-p", "a=1", "-p", "b=2", "--only", "03", "--only", "05,06"]
    assert main(["run", *words, "--check"]) == main(["run", "--from", "04"]) == 7
    assert main(["run", "--list"]) == 7
    assert asked == [
        ("x.yaml", ["a=1", "b=2"], None, ["03", "05,06"], False, True),
        ("demo", [], "04", [], False, False),
        ("demo", [], None, [], True, False),
    ]


def refused(tmp_path, *overrides, profile="flickr8k"):
    """The one line that `run` says on bad input."""
    words = [word for override in overrides for word in ("-p", override)]
    done = subprocess.run(
        [sys.executable, "-m", "clipsim", "run", "--only", "01", "--profile", profile, *words],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.strip().splitlines()
    return line


@pytest.mark.notebooks
def test_bad_input_comes_back_from_the_notebooks_kernel(tmp_path):
    assert "nowhere: no such folder" in refused(tmp_path, "data_root=nowhere")
    folders.kaggle(tmp_path)
    picture = tmp_path / "Images" / folders.names()[3]
    picture.write_bytes(picture.read_bytes()[:-60])
    line = refused(tmp_path, "data_root=.", "pairs=captions")
    assert picture.name in line
    assert "-p on_bad_image=skip" in line
    line = refused(tmp_path, "n_descriptions=100000", profile="smoke")
    assert "n_descriptions=100000: the pool has" in line
    assert not load_profile("smoke", n_descriptions=100000).results_dir.exists()


def test_a_reader_that_stops_is_no_error():
    command = f"{shlex.quote(sys.executable)} -m clipsim run --list | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=REPOSITORY)
    assert done.stdout.startswith("00")
    assert done.stderr == ""


@pytest.fixture
def small(coloured, monkeypatch):
    monkeypatch.setattr("clipsim.data.load", lambda profile: coloured)


def trained(*options, folder):
    return main(["train", *SETTINGS, "--out", str(folder), *options])


@pytest.mark.usefixtures("small")
def test_trains_once_and_anew_only_if_told(tmp_path, capsys):
    folder = tmp_path / "model"
    assert trained(folder=folder) == 0
    out = capsys.readouterr().out
    assert "training on cpu" in out
    assert "best epoch" in out
    first = (folder / "checkpoint.json").stat().st_mtime_ns
    assert trained(folder=folder) == 0
    assert "already trained" in capsys.readouterr().out
    assert (folder / "checkpoint.json").stat().st_mtime_ns == first
    assert trained("--fresh", folder=folder) == 0
    assert (folder / "checkpoint.json").stat().st_mtime_ns > first


@pytest.mark.usefixtures("small")
def test_a_dry_run_prints_the_estimate_and_leaves_nothing(tmp_path, capsys):
    assert trained("--dry-run", folder=tmp_path / "model") == 0
    out = capsys.readouterr().out
    assert "timed steps" in out
    assert len(out.splitlines()) == 1
    assert not (tmp_path / "model").exists()


def interrupted(folder, monkeypatch):
    take_step = Trainer.take_step

    def signalled(self, *args):
        if self.step == 1 and self.folder.name == "model" and len(self.images) == 24:
            signal.raise_signal(signal.SIGINT)
        return take_step(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "take_step", signalled)
        patch.setattr("clipsim.model.training.training_estimate", lambda *_: "")
        assert trained(folder=folder) == 130


@pytest.mark.usefixtures("small")
def test_an_interrupted_training_waits_to_be_resumed(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "model"
    interrupted(folder, monkeypatch)
    assert "the state is saved" in capsys.readouterr().err
    assert trained(folder=folder) == 2
    said = capsys.readouterr().err
    assert "interrupted training (step-00000002): pass --resume to go on" in said
    assert len(said.splitlines()) == 1
    assert trained("--resume", folder=folder) == 0
    assert "going on at step 3 of 6" in capsys.readouterr().out
    assert not state_paths(folder)


@pytest.mark.usefixtures("small")
def test_another_training_is_not_overwritten_unasked(tmp_path, capsys):
    folder = tmp_path / "model"
    assert trained(folder=folder) == 0
    before = (folder / "model.safetensors").read_bytes()
    assert trained("-p", "learning_rate=0.5", folder=folder) == 2
    assert "holds a training of other settings or data" in capsys.readouterr().err
    assert (folder / "model.safetensors").read_bytes() == before
    assert trained("-p", "learning_rate=0.5", "--fresh", folder=folder) == 0


@pytest.mark.usefixtures("small")
def test_nothing_to_resume_is_said(tmp_path, capsys):
    assert trained("--resume", folder=tmp_path) == 2
    assert "holds no interrupted training" in capsys.readouterr().err
    assert trained("--resume", str(tmp_path / "no.pt"), folder=tmp_path) == 2
    assert "there is no such training state" in capsys.readouterr().err


# Trains a whole model, and one for which the last process alone is asked to stop, and resumed.
TWO = """
import json, os, sys, threading
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(1)
import clipsim
from clipsim.model import features, training
from clipsim.model import Trainer, TrainingInterrupted
from coloured import coloured_pictures

work = Path(sys.argv[2])
features.CACHE = work / "cache"
images = coloured_pictures()
options = dict(trainable=sys.argv[3], head="residual", dropout=float(sys.argv[4]))
profile = clipsim.load_profile("smoke", batch_size=8 // int(sys.argv[5]), save_every=2, **options)
whole = training.train(profile, images, work / "whole", announce=False)
folder, stop = work / "stopped", threading.Event()
trainer = Trainer(profile, images, folder)
take_step = trainer.take_step

def stopping(loader, examples, stop):
    if trainer.step == 3 and trainer.accelerator.is_last_process:
        stop.set()
    return take_step(loader, examples, stop)

trainer.take_step = stopping
try:
    trainer.run(stop)
except TrainingInterrupted:
    pass
trainer.accelerator.wait_for_everyone()
state = training.resumable(profile, images, folder)
resumed = training.train(profile, images, folder, resume=state, announce=False)
if trainer.is_main:
    losses = [epoch["loss"] for epoch in whole.record["history"][1:]]
    out = [state.name, whole.fingerprint, resumed.fingerprint, losses, whole.record["processes"]]
    (work / "out.json").write_text(json.dumps(out))
trainer.accelerator.wait_for_everyone()
os._exit(0)  # gloo may abort where its peer is gone first
"""


def trained_on(n_processes, folder, trainable, dropout):
    folder.mkdir()
    script = folder / "two.py"
    script.write_text(TWO, encoding="utf-8")
    here = Path(__file__).parent
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", str(n_processes)]
    launch += ["--master_addr", "127.0.0.1", "--master_port", str(free_port()), str(script)]
    done = subprocess.run(
        [*launch, str(here), str(folder), trainable, str(dropout), str(n_processes)],
        capture_output=True, text=True, cwd=here.parent, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "out.json").read_text(encoding="utf-8"))


def test_two_processes_stop_together_and_resume_to_the_same_weights(tmp_path):
    state, whole, resumed, _, processes = trained_on(2, tmp_path / "two", "all", 0.3)
    assert (state, processes) == ("step-00000004.pt", 2)
    assert resumed == whole


def test_two_processes_train_as_one_with_twice_the_batch(tmp_path):
    *_, two, processes = trained_on(2, tmp_path / "two", "projections", 0.0)
    *_, one, alone = trained_on(1, tmp_path / "one", "projections", 0.0)
    assert (processes, alone) == (2, 1)
    assert two == pytest.approx(one, abs=1e-5)


def test_two_processes(tmp_path):
    # As `accelerate launch` does on GPUs; on CPUs it starts one process only.
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    launch += ["--master_addr", "127.0.0.1", "--master_port", str(free_port())]
    options = ["-p", "trainable=all", "-p", "epochs=1", "-p", "batch_size=4"]
    done = subprocess.run(
        [*launch, "-m", "clipsim", "train", *SETTINGS, *options, "--out", str(tmp_path)],
        capture_output=True, text=True, cwd=Path(__file__).parent.parent,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(", 2 × 1 threads") == 1  # the estimate, printed once
    assert done.stdout.count("best epoch 1 of 1") == 1
    record = json.loads((tmp_path / "checkpoint.json").read_text(encoding="utf-8"))
    assert [epoch["epoch"] for epoch in record["history"]] == [0, 1]
    profile = load_profile("smoke", seed=3, trainable="all", epochs=1, batch_size=4)
    assert record["profile"] == profile.settings
