"""Nothing lost: killed at any step and resumed, training ends as if nothing had happened."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from clipsim.model import (
    CheckpointError,
    Trainer,
    TrainingInterrupted,
    read_state,
    resumable,
    state_paths,
    train,
)
from clipsim.model.state import write_state

# One process that forks a child for each life of each training, before torch starts threads:
# imports are paid once. A life ends by SIGKILL where it is told to, else when training is done.
LIVES = """
import json, os, signal, sys, traceback
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(1)
import clipsim
from clipsim.model import clip, features, state, training
from coloured import coloured_pictures

work = Path(sys.argv[2])
features.CACHE = work / "cache"
images = coloured_pictures()


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def killed_after(kind, name, calls, before=False):
    original, seen = getattr(kind, name), []

    def counting(*args, **more):
        seen.append(name)
        if before and len(seen) == calls:
            killed()
        result = original(*args, **more)
        if len(seen) == calls:
            killed()
        return result

    setattr(kind, name, counting)


KILLS = {
    "step 1": lambda: killed_after(training.Trainer, "take_step", 1),
    "step 2": lambda: killed_after(training.Trainer, "take_step", 2),
    "last step of epoch 1": lambda: killed_after(training.Trainer, "take_step", 3),
    "step 5": lambda: killed_after(training.Trainer, "take_step", 5),
    "best saved, state not": lambda: killed_after(clip.DualEncoder, "save", 1),
    "weights saved, record not": lambda: killed_after(clip, "write_record", 1, True),
    "all recorded, states left": lambda: killed_after(state, "clear_states", 2, True),
    "while a state is written": lambda: killed_after(Path, "write_bytes", 3, True),
    "state written": lambda: killed_after(state, "write_state", 4),
}


def life(trainable, folder, kill):
    child = os.fork()
    if child == 0:
        try:
            profile = replace(
                clipsim.load_profile("smoke"), trainable=trainable, epochs=3, head="residual",
                dropout=0.3, save_every=2, learning_rate=1e-2, schedule="cosine",
            )
            if kill:
                KILLS[kill]()
            resume = training.resumable(profile, images, folder)
            training.train(profile, images, folder, resume, announce=False)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


outcome = {}
for trainable, kills in (("projections", ["step 2", "state written"]), ("all", KILLS)):
    for kill in ("", *kills):
        folder = work / trainable / (kill.replace(" ", "-") or "whole")
        exits = [life(trainable, folder, kill)] if kill else []
        exits.append(life(trainable, folder, ""))
        record = json.loads((folder / "checkpoint.json").read_text())
        for epoch in record["history"]:
            del epoch["images_per_s"]
        left = sorted(p.name for p in folder.rglob("*") if p.is_file())
        outcome[f"{trainable}: {kill}"] = [exits, record["sha256"], record["history"], left]
print(json.dumps(outcome))
"""


def test_killed_at_any_point_and_resumed_ends_bit_identical(tmp_path):
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", LIVES, str(here), str(tmp_path)],
        capture_output=True, text=True, cwd=here.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout.splitlines()[-1])
    for trainable, n_kills in (("projections", 2), ("all", 9)):
        exits, weights, history, left = outcome.pop(f"{trainable}: ")
        assert (exits, len(history)) == ([0], 4)
        assert left == ["checkpoint.json", "model.safetensors"]
        killed = {name: o for name, o in outcome.items() if name.startswith(trainable)}
        assert len(killed) == n_kills
        for name, other in killed.items():
            assert other == [[-signal.SIGKILL, 0], weights, history, left], name


def stopped(step, profile, images, folder, how=signal.SIGINT):
    """Train until a signal arrives in the middle of a step, which is the last one then."""
    take_step = Trainer.take_step

    def signalled(self, *args):
        if self.step + 1 == step:
            signal.raise_signal(how)
        return take_step(self, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "take_step", signalled)
        with pytest.raises(TrainingInterrupted) as caught:
            train(profile, images, folder, announce=False)
    return str(caught.value)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_saves_says_how_to_go_on_and_does(smoke, coloured, tmp_path, how):
    before = signal.getsignal(how)
    said = stopped(3, smoke, coloured, tmp_path / "stopped", how)
    assert signal.getsignal(how) == before
    assert "stopped after step 3 of 6; the state is saved" in said
    assert "go on by the same command" in said
    state = resumable(smoke, coloured, tmp_path / "stopped")
    assert state.name == "step-00000003.pt"
    resumed = train(smoke, coloured, tmp_path / "stopped", resume=state)
    assert resumed.fingerprint == train(smoke, coloured, tmp_path / "whole").fingerprint


def test_the_last_states_are_kept(smoke, coloured, tmp_path):
    for keep, left in ((1, [5]), (2, [4, 5]), (9, [2, 3, 4, 5])):  # 3 is an epoch's end
        folder = tmp_path / str(keep)
        stopped(5, replace(smoke, save_every=2, keep=keep), coloured, folder)
        assert [int(path.stem[5:]) for path in state_paths(folder)] == left


def test_a_damaged_state_is_named_and_the_one_before_serves_without_it(smoke, coloured, tmp_path):
    profile = replace(smoke, save_every=2, keep=9)
    stopped(5, profile, coloured, tmp_path)
    *_, before, newest = state_paths(tmp_path)
    newest.write_bytes(newest.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"step-00000005.pt cannot be read .*: delete it"):
        resumable(profile, coloured, tmp_path)
    newest.unlink()
    assert resumable(profile, coloured, tmp_path) == before
    resumed = train(profile, coloured, tmp_path, resume=before)
    assert resumed.fingerprint == train(smoke, coloured, tmp_path / "whole").fingerprint


def test_a_state_of_another_training_is_refused(smoke, coloured, tmp_path):
    stopped(4, smoke, coloured, tmp_path)
    state = state_paths(tmp_path)[-1]
    other = replace(smoke, learning_rate=0.5)
    assert resumable(other, coloured, tmp_path) is None
    with pytest.raises(CheckpointError, match="the training state is of profile"):
        train(other, coloured, tmp_path, resume=state)
    assert resumable(smoke, coloured.subset(range(1, 32)), tmp_path) is None
    train(other, coloured, tmp_path / "second", announce=False)
    with pytest.raises(CheckpointError, match="second holds the checkpoint of another training"):
        train(smoke, coloured, tmp_path / "second", resume=state)
    write_state(tmp_path, read_state(state) | {"processes": 2}, 2)
    with pytest.raises(CheckpointError, match="of processes 2, this training of processes 1"):
        train(smoke, coloured, tmp_path, resume=state)


# A limit on the size of files stands for a full disk: writing fails in the middle.
FULL_DISK = """
import resource, sys
from pathlib import Path
import torch
import clipsim
from clipsim.model.state import write_state

folder = Path(sys.argv[1])
write_state(folder, {"step": 1, "weights": torch.zeros(10)}, keep=1)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
if sys.argv[2] == "state":
    write_state(folder, {"step": 2, "weights": torch.zeros(1_000_000)}, keep=1)
clipsim.DualEncoder(clipsim.load_profile("smoke", trainable="all")).save(folder, {})
"""


@pytest.mark.parametrize(
    ("writing", "what"),
    [
        ("state", r"OSError: .*File too large: '.*step-00000002\.pt'"),
        ("weights", r"OSError: .*: '.*model\.safetensors'"),
    ],
)
def test_a_full_disk_leaves_what_was_there(tmp_path, writing, what):
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path), writing]
    done = subprocess.run(command, capture_output=True, text=True)
    assert re.search(what, done.stderr.splitlines()[-1]), done.stderr
    assert os.listdir(tmp_path) == ["states"]
    assert os.listdir(tmp_path / "states") == ["step-00000001.pt"]
    whole = torch.load(tmp_path / "states" / "step-00000001.pt", weights_only=True)
    assert torch.equal(whole["weights"], torch.zeros(10))
