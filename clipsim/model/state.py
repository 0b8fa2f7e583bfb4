"""Long work: the processes that share it, how it is stopped, the states from which it goes on.

A state is all that the next step needs, so that a killed training goes on bit for bit: one
file, written whole or not at all; the last few are kept beside the checkpoint until the training
is done.
"""

import io
import shutil
import signal
import sys
import threading
from contextlib import contextmanager
from datetime import timedelta

import torch
from accelerate import Accelerator
from accelerate.utils import GradientAccumulationPlugin, InitProcessGroupKwargs

from clipsim.model.clip import CheckpointError
from clipsim.profile import relative
from clipsim.record import atomic_path

FOLDER = "states"
LONGEST_WAIT = timedelta(hours=12)  # processes wait while one computes features


def study_accelerator():
    """An Accelerator that leaves precision and accumulation to the profile.

    Accelerate fixes its own for the life of a process, and takes them from whatever
    `accelerate launch` was configured with; here a process may train twice, differently.
    """
    return Accelerator(
        cpu=not torch.accelerator.is_available(),  # else several CPU processes stay apart
        mixed_precision="no",
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
        kwargs_handlers=[InitProcessGroupKwargs(timeout=LONGEST_WAIT)],
    )


@contextmanager
def stop_requests():
    """An event that Ctrl-C or SIGTERM sets, so that a step ends before the work stops.

    A second Ctrl-C stops at once; SIGTERM may follow it, as it does where a kernel is shut down.
    Outside the main thread signals are left alone.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number, frame):
        if stop.is_set() and number == signal.SIGINT:
            signal.signal(number, before[number])
            signal.raise_signal(number)
        elif not stop.is_set():
            print("stopping after this step …", file=sys.stderr, flush=True)
        stop.set()

    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def state_paths(folder):
    """The states of the training in a folder, the oldest first.

    Parameters
    ----------
    folder : Path
        Of the checkpoint.

    Returns
    -------
    list of Path
    """
    return sorted((folder / FOLDER).glob("step-*.pt"))


def write_state(folder, state, keep):
    """Write a state, of which `step` names the file, and drop all but the last `keep`."""
    path = folder / FOLDER / f"step-{state['step']:08d}.pt"
    content = io.BytesIO()  # torch's own writer tells a full disk only as a failed assertion
    torch.save(state, content)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.getbuffer())
    unfinished = path.parent.glob(".step-*.pt")  # of processes that were killed while they wrote
    for old in [*state_paths(folder)[:-keep], *unfinished]:
        old.unlink()


def read_state(path):
    """A state that `write_state` wrote; `CheckpointError` if it is missing or damaged."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # disk, zip, pickle and tensor faults share no base class
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:80]
        raise CheckpointError(
            f"{relative(path)} cannot be read ({reason}): delete it to go on from the state "
            "before it, or to start anew where there is none"
        ) from None


def clear_states(folder):
    """Delete the states of the training in `folder`."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)


def random_state(device):
    """The random state of this process: torch's, and the GPU's where it trains on one.

    Nothing else draws: the order of the examples follows from the seed and the epoch.
    """
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state
