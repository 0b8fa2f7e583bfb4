"""`run`, `train` and `fetch`: what they say, what they refuse, where they write; two processes."""

import json
import os
import shlex
import signal
import subprocess
import sys

import photograph_folders as folders
import pytest

from clipsim import load_profile
from clipsim.__main__ import main
from clipsim.model import Trainer, state_paths
from clipsim.profile import REPOSITORY

SETTINGS = ["--profile", "smoke", "-p", "seed=3"]
HELP = """
import sys
from clipsim.__main__ import main
for command in ("run", "train", "encode", "score", "search", "graph", "fetch"):
    assert main([command, "--help"]) == 0
assert main(["--help"]) == 0
assert not {"torch", "matplotlib", "pandas", "accelerate"} & sys.modules.keys()
"""


def test_help_is_at_once_and_needs_no_unicode():
    ascii_only = os.environ | {"PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-c", HELP]
    done = subprocess.run(command, capture_output=True, cwd=REPOSITORY, env=ascii_only)
    assert done.returncode == 0, done.stderr
    for option in b"--only --fresh --out --threshold --like --store --pool --repo".split():
        assert option in done.stdout


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
def train(coloured, monkeypatch, tmp_path, capsys):
    """Run `train` on small data; its status, and what it printed on either stream."""
    monkeypatch.setattr("clipsim.data.load", lambda profile: coloured)

    def train(*options):
        status = main(["train", *SETTINGS, "--out", str(tmp_path / "model"), *options])
        return status, "".join(capsys.readouterr())

    return train


def test_trains_once_and_anew_only_if_told(train, tmp_path):
    record = tmp_path / "model" / "checkpoint.json"
    status, said = train()
    assert (status, "training on cpu" in said, "best epoch" in said) == (0, True, True)
    first = record.stat().st_mtime_ns
    assert "already trained" in train()[1]
    status, said = train("-p", "learning_rate=0.5")
    assert (status, "holds a training of other settings or data" in said) == (2, True)
    assert record.stat().st_mtime_ns == first
    assert train("--fresh", "-p", "learning_rate=0.5")[0] == 0
    assert record.stat().st_mtime_ns > first


def test_a_dry_run_prints_the_estimate_and_leaves_nothing(train, tmp_path):
    status, said = train("--dry-run")
    assert (status, said.count("timed steps"), "best epoch" in said) == (0, 1, False)
    assert not (tmp_path / "model").exists()


def test_an_interrupted_training_is_resumed(train, tmp_path, monkeypatch):
    take_step = Trainer.take_step

    def signalled(self, *args):
        if self.step == 1:
            signal.raise_signal(signal.SIGINT)
        return take_step(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "take_step", signalled)
        patch.setattr("clipsim.model.training.training_estimate", lambda *_: "")
        status, said = train()
    assert (status, "the state is saved" in said) == (130, True)
    assert "holds a training of other settings" in train("-p", "learning_rate=0.5")[1]
    assert "going on at step 3 of 6" in train()[1]
    assert not state_paths(tmp_path / "model")


# Trains a whole model, and one for which the last process alone is asked to stop, and resumed.
STOPPED = """
import json, os, sys, threading
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
sys.path.insert(0, "tests")
import torch
torch.set_num_threads(1)
import clipsim
from clipsim.model import features, training
from clipsim.model import Trainer, TrainingInterrupted
from coloured import coloured_pictures

work = Path(sys.argv[1])
features.CACHE = work / "cache"
images = coloured_pictures()
options = dict(trainable="all", head="residual", dropout=0.3, batch_size=4, save_every=2)
profile = clipsim.load_profile("smoke", **options)
whole = training.train(profile, images, work / "whole", announce=False)
folder, stop = work / "stopped", threading.Event()
trainer = Trainer(profile, images, folder)
take_step = trainer.take_step

def stopping(loader, examples, stop):
    if trainer.step == 3 and trainer.accelerator.is_last_process:
        stop.set()
    return take_step(loader, examples, stop)

trainer.take_step = stopping
with suppress(TrainingInterrupted):
    trainer.run(stop)
trainer.accelerator.wait_for_everyone()
state = training.resumable(profile, images, folder)
resumed = training.train(profile, images, folder, resume=state, announce=False)
if trainer.is_main:
    out = [state.name, whole.record["processes"], whole.fingerprint, resumed.fingerprint]
    (work / "out.json").write_text(json.dumps(out))
trainer.accelerator.wait_for_everyone()
os._exit(0)  # gloo may abort where its peer is gone first
"""


def test_two_processes_stop_together_and_resume_to_the_same_weights(tmp_path):
    script = tmp_path / "stopped.py"
    script.write_text(STOPPED, encoding="utf-8")
    # As `accelerate launch` does on GPUs; on CPUs it starts one process only.
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [sys.executable, *launch, script, tmp_path], capture_output=True, text=True,
        cwd=REPOSITORY, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    state, processes, whole, resumed = json.loads((tmp_path / "out.json").read_text())
    assert (state, processes) == ("step-00000004.pt", 2)
    assert resumed == whole
