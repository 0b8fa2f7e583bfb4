"""Training states: all that the next step needs, so that a killed training goes on bit for bit.

A state is one file, written whole or not at all; the last few are kept beside the checkpoint
until the training is done.
"""

import errno
import io

import torch

from clipsim.model.clip import CheckpointError
from clipsim.paths import relative
from clipsim.results import atomic_path

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
