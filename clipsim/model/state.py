"""Training states: all that the next step needs, so that a killed training goes on bit for bit.

A state is one file, written whole or not at all; the last few are kept beside the checkpoint
until the training is done.
"""

import io
import shutil

import torch

from clipsim.model.clip import CheckpointError
from clipsim.profile import relative
from clipsim.record import atomic_path

FOLDER = "states"


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
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(content.getbuffer())
    except OSError as error:
        raise CheckpointError(
            f"{relative(path)} cannot be written ({error.strerror}; earlier states are kept): "
            f"make room for {content.tell() / 2**20:,.0f} MiB, and resume"
        ) from None
    unfinished = path.parent.glob(".step-*.pt")  # of processes that were killed while they wrote
    for old in [*state_paths(folder)[:-keep], *unfinished]:
        old.unlink()


def read_state(path):
    """A state that `write_state` wrote; `CheckpointError` if it is missing or damaged."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if "optimizer" not in state:
            raise ValueError("not a training state")
        return state
    except FileNotFoundError:
        raise CheckpointError(f"{relative(path)}: there is no such training state") from None
    except Exception as error:  # disk, zip, pickle and tensor faults share no base class
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:80]
        raise CheckpointError(
            f"{relative(path)} cannot be read ({reason}): delete it to go on from the state "
            "before it, or to start anew where there is none"
        ) from None


def clear_states(folder):
    """Delete the states of the training in `folder`."""
    if (folder / FOLDER).is_dir():
        shutil.rmtree(folder / FOLDER)


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
