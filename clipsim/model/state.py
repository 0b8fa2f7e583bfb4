"""Training states: all that the next step needs, so that a killed training goes on bit for bit.

A state is one file, written whole or not at all; the last few are kept beside the checkpoint
until the training is done.

Accelerate as the study uses it: one process or several, on whatever device there is.

Ctrl-C and SIGTERM during long work: the step under way ends before anything stops.
"""

import errno
import io
import signal
import sys
import threading
from contextlib import contextmanager
from datetime import timedelta

import torch
from accelerate import Accelerator
from accelerate.utils import GradientAccumulationPlugin, InitProcessGroupKwargs
from timm.layers import convert_sync_batchnorm

from clipsim.errors import BadInput
from clipsim.model.clip import CheckpointError
from clipsim.profile import relative
from clipsim.record import atomic_path

LONGEST_WAIT = timedelta(hours=12)  # processes wait while one computes features


class TrainingError(BadInput, RuntimeError):
    """Training that cannot start or go on; says where it stopped."""


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


def prepared_model(model, accelerator):
    """The model on its device, with batch statistics over all processes where they are trained.

    Raises
    ------
    TrainingError
        If the device cannot do what the profile asks for.
    """
    profile, device = model.profile, accelerator.device
    wants_bf16 = device.type == "cuda" and profile.mixed_precision == "bf16"
    if wants_bf16 and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise TrainingError(
            f"{torch.cuda.get_device_name()} has no bf16: pass -p mixed_precision=no"
        )
    own_statistics = not model.is_frozen and profile.batch_norm == "train"
    if own_statistics and accelerator.num_processes > 1:
        if device.type == "cpu":
            raise TrainingError(
                "batch_norm: train on several processes needs batch statistics over all of them, "
                "which torch has on GPUs only: pass -p batch_norm=frozen"
            )
        # timm's, because torch's own loses the activation that timm's layers hold.
        model.image_backbone = convert_sync_batchnorm(model.image_backbone)
    return model.to(device)


class TrainingInterrupted(KeyboardInterrupt):
    """Training that was asked to stop, saved its state and says how to go on."""


class EncodingInterrupted(KeyboardInterrupt):
    """Encoding that was asked to stop; what is encoded is kept, and it says how to go on."""


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


FOLDER = "states"
KEYS = {"profile", "data", "processes", "step", "epoch", "sums", "history", "random"}
KEYS |= {"model", "optimizer"}


def state_paths(folder):
    """The states of the training in `folder`, the oldest first."""
    return sorted((folder / FOLDER).glob("step-*.pt"))


def write_state(folder, state, keep):
    """Write a state and drop all but the last `keep`.

    Parameters
    ----------
    folder : Path
        Of the checkpoint.
    state : dict
        Plain values and tensors; `step` names the file.
    keep : int

    Returns
    -------
    Path

    Raises
    ------
    CheckpointError
        If there is no room or the folder cannot be written; earlier states are untouched.
    """
    path = folder / FOLDER / f"step-{state['step']:08d}.pt"
    content = io.BytesIO()  # torch's own writer tells a full disk only as a failed assertion
    torch.save(state, content)
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(content.getbuffer())
    except OSError as error:
        size = f"{content.tell() / 2**20:,.0f} MiB"
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        remedy = f"make room for {size}" if full else "make the folder writable"
        kept = f"{state_paths(folder)[-1].name} is kept" if state_paths(folder) else "none before"
        raise CheckpointError(
            f"{relative(path)} cannot be written ({error.strerror}; {kept}): {remedy}, and resume"
        ) from None
    for old in [*state_paths(folder)[:-keep], *_unfinished(folder)]:
        old.unlink()
    return path


def read_state(path):
    """A state that `write_state` wrote.

    Raises
    ------
    CheckpointError
        If it is missing or damaged; names the one before, where there is one.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if not state.keys() >= KEYS:
            raise ValueError("not a training state")
        return state
    except FileNotFoundError:
        raise CheckpointError(f"{relative(path)}: there is no such training state") from None
    except (OSError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or "not enough memory"
        raise CheckpointError(f"{relative(path)} cannot be read: {reason}") from None
    except Exception as error:  # zip, pickle and tensor faults share no base class
        before = [other for other in state_paths(path.parent.parent) if other.name < path.name]
        remedy = (
            f"delete it to go on from {before[-1].name} before it, or pass --resume {before[-1]}"
            if before
            else "delete it to start anew"
        )
        reason = " ".join(str(error).split())[:80]
        raise CheckpointError(f"{relative(path)} is damaged ({reason}): {remedy}") from None


def clear_states(folder):
    """Delete the states of the training in `folder`."""
    for path in [*state_paths(folder), *_unfinished(folder)]:
        path.unlink()
    if (folder / FOLDER).is_dir() and not any((folder / FOLDER).iterdir()):
        (folder / FOLDER).rmdir()


def _unfinished(folder):
    """What processes that were killed in the middle of writing left."""
    return list((folder / FOLDER).glob(".step-*.pt"))


def random_state(device):
    """The random state of this process: torch's, and the GPU's where it trains on one.

    Nothing else draws: the order of the examples follows from the seed and the epoch.
    """
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(state):
    """Take up what `random_state` returned."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"])
