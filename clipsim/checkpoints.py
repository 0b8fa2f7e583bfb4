"""Which trained model is used: one named, the newest of photographs, else the demo's."""

import sys
from pathlib import Path

from pydantic import ValidationError

from clipsim.config import Profile
from clipsim.model.clip import CheckpointError, checkpoint_record
from clipsim.paths import RUNS, relative

PHOTOGRAPHS, DRAWINGS = "flickr8k", "demo"
HOW_TO_TRAIN = (
    "./run_all.sh --profile flickr8k -p data_root=FOLDER --only 02,03 "
    "(-p pairs=captions without judgments)"
)


def add_checkpoint_argument(parser):
    """Add `--checkpoint`, the same for every command that needs a trained model."""
    parser.add_argument(
        "--checkpoint",
        metavar="FOLDER",
        help="folder of a trained model (default: the newest of the flickr8k profile, else the "
        "demo's)",
    )


def chosen_checkpoint(folder=None, announce=None):
    """The folder of the model to use.

    Parameters
    ----------
    folder : str or Path, optional
        The one that the user names; by default the newest whole checkpoint of the flickr8k
        profile below `runs/`, else of the demo.
    announce : callable, optional
        Called with one line where the choice needs a warning: the demo's model has only seen
        drawings, or a training that the user names was interrupted. By default it is printed on
        stderr.

    Returns
    -------
    Path

    Raises
    ------
    CheckpointError
        If there is none, or the one named cannot be read.
    """
    announce = announce or _warn
    if folder is not None:
        return _named(Path(folder).expanduser(), announce)
    for name in (PHOTOGRAPHS, DRAWINGS):
        found = newest_checkpoint(name)
        if found is None:
            continue
        if name == DRAWINGS:
            announce(
                f"the model of {relative(found)} has only seen drawings; "
                f"one for photographs: {HOW_TO_TRAIN}"
            )
        return found
    raise CheckpointError(
        "no trained model under runs/: train the demo's with ./run_all.sh --only 02,03 (drawings; "
        f"minutes), one for photographs with {HOW_TO_TRAIN}, or pass --checkpoint FOLDER"
    )


def newest_checkpoint(name):
    """The newest whole checkpoint of a profile of this name, with or without overrides, or None.

    Damaged ones and those of interrupted trainings are passed over.
    """
    found = []
    for path in RUNS.glob("*/work/*/checkpoint/checkpoint.json"):
        try:
            record = checkpoint_record(path.parent)
            usable = is_whole(record) and record["profile"]["name"] == name
        except (CheckpointError, KeyError, TypeError):
            continue
        if usable:
            found.append((path.stat().st_mtime_ns, path.parent))
    return max(found)[1] if found else None


def is_whole(record):
    """Whether the training behind a checkpoint's record ran to its end.

    Every best epoch is saved with the history so far; the whole one also has epoch 0.
    """
    return len(record["history"]) == record["profile"]["epochs"] + 1


def checkpoint_profile(folder):
    """The profile that made a checkpoint; without `data_root`, which is no part of it.

    Raises
    ------
    CheckpointError
        If it cannot be read, or has settings that this version does not know.
    """
    settings = checkpoint_record(folder).get("profile", {})
    try:
        return Profile(**settings)
    except (TypeError, ValidationError) as error:
        fault = error.errors()[0] if isinstance(error, ValidationError) else None
        reason = f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" if fault else error
        raise CheckpointError(
            f"{relative(folder)} was made by settings that this version cannot use ({reason}): "
            "train anew"
        ) from None


def _named(folder, announce):
    record = checkpoint_record(folder)
    checkpoint_profile(folder)
    if not is_whole(record):
        announce(
            f"the training of {relative(folder)} was interrupted: its best epoch so far is used"
        )
    return folder


def _warn(line):
    print(f"warning: {line}", file=sys.stderr)
