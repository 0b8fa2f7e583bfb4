"""Ctrl-C under `run_all.sh`: the notebook's training saves its state before the kernel ends."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from clipsim import load_profile
from clipsim.evaluation.steps import checkpoint_folder
from clipsim.model import read_state, state_paths

PATIENCE_S = 300
OPTIONS = {"trainable": "all", "epochs": 5000, "seed": 4}


@pytest.mark.kernel
def test_ctrl_c_saves_the_training_under_way(tmp_path):
    profile = load_profile("smoke", **OPTIONS)
    folder = checkpoint_folder(profile)
    shutil.rmtree(profile.run_dir, ignore_errors=True)
    settings = [word for key, value in OPTIONS.items() for word in ("-p", f"{key}={value}")]
    command = [sys.executable, "-m", "clipsim", "run", "--profile", "smoke", *settings]
    run = subprocess.Popen(
        [*command, "--only", "02"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
        # What a shell starts in the background ignores Ctrl-C, and so would all that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        give_up = time.monotonic() + PATIENCE_S
        while not state_paths(folder):
            assert run.poll() is None, run.communicate()[0]
            assert time.monotonic() < give_up
            time.sleep(0.5)
        os.killpg(run.pid, signal.SIGINT)
        said, _ = run.communicate(timeout=PATIENCE_S)
        state = read_state(state_paths(folder)[-1])
        left = list(profile.run_dir.glob("notebooks/*"))
    finally:
        run.kill()
        shutil.rmtree(profile.run_dir, ignore_errors=True)
    assert run.returncode == 130
    assert "interrupted in 02_clip_training" in said
    assert "continue with: " in said
    assert left == []
    assert state["sums"]["loss"] > 0  # of an epoch under way: at an epoch's end it is 0
