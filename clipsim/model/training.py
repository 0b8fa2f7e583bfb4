"""Contrastive training: symmetric cross-entropy over a batch of images and captions.

Through Accelerate, so that the same loop runs on a CPU, a GPU, several of them or several
machines. With frozen backbones the inputs are their cached features; with `trainable: all`,
pixels and tokens. Everything that the next step needs is saved as a training state; a training
that was killed and resumed ends as one that was not, to the bit.
"""

from clipsim.model.clip import DualEncoder
from clipsim.model.estimate import training_estimate
from clipsim.model.state import clear_states, read_state, state_paths, stop_requests
from clipsim.model.trainer import Trainer


def train(profile, images, folder, resume=None, announce=True):
    """Train the profile's model and keep the epoch with the best validation recall.

    Parameters
    ----------
    profile : Profile
    images : CaptionedImages
        Trains on the split "train", selects the epoch on "val".
    folder : Path
        Where the checkpoint goes: `model.safetensors` and `checkpoint.json`, with the history;
        and, until the training is done, its states.
    resume : Path, optional
        A training state to go on from, such as `resumable` finds; without it, from the start.
    announce : bool
        Print what a training from the start will cost before it begins (`training_estimate`).

    Returns
    -------
    DualEncoder
        The best epoch's model.

    Raises
    ------
    TrainingError
        If there are fewer training images than a batch, or the loss is not finite.
    CheckpointError
        If a state cannot be read or written, or belongs to another training.
    TrainingInterrupted
        After Ctrl-C or SIGTERM, once the state is saved.
    """
    fresh = resume is None
    estimate = training_estimate(profile, images, folder) if announce and fresh else None
    trainer = Trainer(profile, images, folder)
    if estimate:
        trainer.say(estimate)
    if not fresh:
        trainer.restore(read_state(resume))
        trainer.say(f"going on at step {trainer.step + 1:,} of {trainer.n_steps:,}")
    elif trainer.is_main:
        # First the record: weights without one are no model, whatever happens from here.
        (folder / "checkpoint.json").unlink(missing_ok=True)
        clear_states(folder)
    with stop_requests() as stop:
        trainer.run(stop)
    trainer.accelerator.wait_for_everyone()
    return DualEncoder.load(folder, profile)


def resumable(profile, images, folder):
    """The newest state of an interrupted training with these settings and data, or None."""
    paths = state_paths(folder)
    if not paths:
        return None
    state = read_state(paths[-1])
    same = state["profile"] == profile.hash and state["data"] == images.fingerprint
    return paths[-1] if same else None
