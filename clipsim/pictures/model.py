"""A trained model with its descriptions and its threshold, for pictures that no profile knows.

The descriptions belong to the model: notebook 03 leaves them encoded beside the checkpoint. Those
of another pool, a text file with one description per line, are encoded once and kept in the cache.

Which trained model is used: one named, the newest of photographs, else the demo's.
"""

import hashlib
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from clipsim.data import DataError, caption_pool, file_pool, load
from clipsim.model import CheckpointError, DualEncoder, checkpoint_record, is_whole
from clipsim.profile import CACHE, RUNS, Profile, relative
from clipsim.record import StaleError, read_record
from clipsim.retrieval import CaptionIndex, Describer, load_store

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


THRESHOLDS = "05_threshold_sweeps"


@dataclass(frozen=True)
class Threshold:
    """From which score on two pictures are called alike.

    Attributes
    ----------
    value : float or None
        None where there is none that fits.
    origin : str
        Where it is from, or why there is none.
    """

    value: float | None
    origin: str


def own_describer(checkpoint, pool_file=None, n_descriptions=None):
    """The model of a checkpoint with its encoded descriptions.

    Parameters
    ----------
    checkpoint : str or Path
        Folder; see `clipsim.pictures.model.chosen_checkpoint`.
    pool_file : str or Path, optional
        Descriptions to choose from, one per line, or a folder that the command `encode` filled
        from such a file; by default those of the model's profile.
    n_descriptions : int, optional
        N; by default the profile's.

    Returns
    -------
    Describer
        Its `profile` is that of the checkpoint, with these two changes.

    Raises
    ------
    CheckpointError
        If the model cannot be read.
    StaleError
        If it has no descriptions yet, and they cannot be made without the data.
    DataError
        If the file cannot be read, or there are fewer than N descriptions.
    """
    checkpoint = Path(checkpoint)
    model = DualEncoder.load(checkpoint, checkpoint_profile(checkpoint))
    profile = model.profile
    if n_descriptions is not None:
        profile = replace(profile, n_descriptions=n_descriptions)
    if pool_file is None:
        describer = _with_own_pool(checkpoint, profile, model)
    else:
        profile = replace(profile, pool="file", pool_file=str(pool_file))
        describer = _with_file(profile, model)
    n_captions = len(describer.index.captions)
    if profile.n_descriptions > n_captions:
        raise DataError(
            f"N = {profile.n_descriptions}: there are {n_captions:,} descriptions; choose fewer "
            "(-n), or a larger pool"
        )
    return describer


def held_out_threshold(describer):
    """The threshold that notebook 05 chose for this very model, pool and N: a `Threshold`.

    Where people of several sources judged the pairs, it is the experts'.
    """
    profile, record = describer.profile, describer.model.record
    if profile.pool == "file":
        return Threshold(None, "a threshold is known for the model's own descriptions only")
    try:
        found = read_record(profile, THRESHOLDS)
    except StaleError as error:
        return Threshold(None, str(error))
    if found["data"]["fingerprint"] != record["data"]:
        return Threshold(None, f"notebook {THRESHOLDS} last ran on other data than the model's")
    row = next(
        row
        for row in found["results"]["table1"]
        if row["metric"] == "clip_score" and row["threshold_from"] == "validation"
    )
    judges = f", {row['source']} pairs" if "source" in row else ""
    return Threshold(row["threshold"], f"held out, notebook {THRESHOLDS}{judges}")


def _with_own_pool(checkpoint, profile, model):
    try:
        return Describer.load(checkpoint, profile, model)
    except StaleError as error:
        if profile.dataset != "openmoji" or profile.pool == "file":
            raise StaleError(
                f"no descriptions beside the model ({error}); run notebook 03_caption_retrieval "
                "of its profile, or pass --pool FILE with one description per line"
            ) from None
    images = load(profile)
    if images.fingerprint != model.record["data"]:
        raise StaleError(
            f"{relative(checkpoint)} was trained on other scenes than this version draws: run "
            "notebooks 02 and 03 again"
        )
    describer = Describer.of(profile, model, caption_pool(profile, images))
    describer.save(checkpoint)
    return describer


def _with_file(profile, model):
    if Path(profile.pool_file).is_dir():
        return _with_store(profile, model)
    pool = file_pool(profile.pool_file)
    content = json.dumps([model.fingerprint, profile.vector_space, pool])
    folder = CACHE / "descriptions" / hashlib.sha256(content.encode()).hexdigest()[:24]
    try:
        return Describer.load(folder, profile, model)
    except StaleError:  # not encoded yet, or damaged
        describer = Describer.of(profile, model, pool)
        describer.save(folder)
        return describer


def _with_store(profile, model):
    stored = load_store(profile.pool_file, model)
    if stored.source != "captions":
        raise DataError(f"{profile.pool_file} holds {stored.source}, not descriptions")
    if profile.vector_space == "text":
        raise DataError(
            f"{profile.pool_file} holds vectors of the joint space, and this model's profile "
            "compares texts in the text encoder's own: pass the file of descriptions"
        )
    index = CaptionIndex.build(stored.vectors, stored.names)
    return Describer(profile, model, index, index.vectors)
