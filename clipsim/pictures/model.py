"""A trained model with its descriptions and its threshold, for pictures that no profile knows.

Which trained model is used: one named, the newest of photographs, else the demo's. The
descriptions belong to the model: notebook 03 leaves them encoded beside the checkpoint. Those of
another pool, a text file with one description per line, are encoded once and kept in the cache.
"""

import hashlib
import json
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from clipsim.data import DataError, file_pool
from clipsim.evaluation import checkpoint_folder
from clipsim.model import CheckpointError, DualEncoder, checkpoint_record, is_whole
from clipsim.profile import CACHE, RUNS, Profile, relative
from clipsim.record import StaleError, read_record
from clipsim.retrieval import CaptionIndex, Describer, load_store

PHOTOGRAPHS, DRAWINGS = "flickr8k", "demo"
THRESHOLDS = "05_threshold_sweeps"
HOW_TO_TRAIN = (
    "./run_all.sh --profile flickr8k -p data_root=FOLDER --only 02,03 "
    "(-p pairs=captions without judgments)"
)


def chosen_checkpoint(folder=None, announce=True):
    """The folder of the model to use.

    Parameters
    ----------
    folder : str or Path, optional
        The one that the user names; by default the newest whole checkpoint of the flickr8k
        profile below `runs/`, else of the demo.
    announce : bool
        Print on stderr where the choice needs a warning: the demo's model has only seen drawings,
        or a training that the user names was interrupted.

    Returns
    -------
    Path

    Raises
    ------
    CheckpointError
        If there is none, or the one named cannot be read.
    """
    warning = None
    if folder is not None:
        found = Path(folder).expanduser()
        _profile(found)
        if not is_whole(checkpoint_record(found)):
            warning = f"the training of {relative(found)} was interrupted: its best epoch is used"
    elif (found := newest_checkpoint(PHOTOGRAPHS)) is None:
        found = newest_checkpoint(DRAWINGS)
        if found is None:
            raise CheckpointError(
                "no trained model under runs/: train the demo's with ./run_all.sh --only 02,03 "
                f"(drawings; minutes), one for photographs with {HOW_TO_TRAIN}, or pass "
                "--checkpoint FOLDER"
            )
        warning = (
            f"the model of {relative(found)} has only seen drawings; one for photographs: "
            f"{HOW_TO_TRAIN}"
        )
    if warning and announce:
        print(f"warning: {warning}", file=sys.stderr)
    return found


def newest_checkpoint(name):
    """The newest whole checkpoint of a profile of this name, with or without overrides, or None.

    Damaged ones, those of interrupted trainings and of other versions are passed over.
    """
    found = []
    for path in RUNS.glob("*/work/*/checkpoint/checkpoint.json"):
        with suppress(CheckpointError, KeyError, TypeError):
            record = checkpoint_record(path.parent)
            if is_whole(record) and _profile(path.parent).name == name:
                found.append((path.stat().st_mtime_ns, path.parent))
    return max(found)[1] if found else None


def describer_of(profile):
    """The describer of the model that notebook 02 trained for this very profile."""
    return own_describer(chosen_checkpoint(checkpoint_folder(profile)))


def own_describer(checkpoint, pool_file=None, n_descriptions=None):
    """The model of a checkpoint with its encoded descriptions.

    Parameters
    ----------
    checkpoint : str or Path
        Folder; see `chosen_checkpoint`.
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
        If there are no descriptions beside it, or those of `pool_file` are another model's.
    DataError
        If the file cannot be read, or there are fewer than N descriptions.
    """
    model = DualEncoder.load(checkpoint)
    profile = model.profile
    if n_descriptions is not None:
        profile = replace(profile, n_descriptions=n_descriptions)
    if pool_file is not None:
        profile = replace(profile, pool="file", pool_file=str(pool_file))
        with_pool = _with_store if Path(pool_file).is_dir() else _with_file
        describer = with_pool(profile, model)
    else:
        try:
            describer = Describer.load(Path(checkpoint), profile, model)
        except StaleError as error:
            raise StaleError(
                f"no descriptions beside the model ({error}); run notebook 03_caption_retrieval "
                "of its profile, or pass --pool FILE with one description per line"
            ) from None
    n_captions = len(describer.index.captions)
    if profile.n_descriptions > n_captions:
        raise DataError(
            f"N = {profile.n_descriptions}: there are {n_captions:,} descriptions; choose fewer "
            "(-n), or a larger pool"
        )
    return describer


def held_out_threshold(describer):
    """The threshold that notebook 05 chose for this very model, pool and N.

    Where people of several sources judged the pairs, it is the experts'.

    Parameters
    ----------
    describer : Describer

    Returns
    -------
    threshold : float or None
        From which score on two pictures are called alike; None where there is none that fits.
    origin : str
        Where it is from, or why there is none.
    """
    if describer.profile.pool == "file":
        return None, "a threshold is known for the model's own descriptions only"
    try:
        found = read_record(describer.profile, THRESHOLDS)
    except StaleError as error:
        return None, str(error)
    if found["data"]["fingerprint"] != describer.model.record["data"]:
        return None, f"notebook {THRESHOLDS} last ran on other data than the model's"
    row = next(
        row
        for row in found["results"]["table1"]
        if row["metric"] == "clip_score" and row["threshold_from"] == "validation"
    )
    judges = f", {row['source']} pairs" if "source" in row else ""
    return row["threshold"], f"held out, notebook {THRESHOLDS}{judges}"


def cache_folder(kind, model, *content):
    """A folder of the cache for what a model makes of some content."""
    text = json.dumps([model.fingerprint, *content])
    return CACHE / kind / hashlib.sha256(text.encode()).hexdigest()[:24]


def _profile(folder):
    """The profile that made a checkpoint; `CheckpointError` if this version does not know it."""
    try:
        return Profile(**checkpoint_record(folder)["profile"])
    except (KeyError, TypeError, ValidationError) as error:
        fault = error.errors()[0] if isinstance(error, ValidationError) else None
        reason = f"{fault['loc'][0]}: {fault['msg']}" if fault else error
        raise CheckpointError(
            f"{relative(folder)} was made by settings that this version cannot use ({reason}): "
            "train anew"
        ) from None


def _with_file(profile, model):
    pool = file_pool(profile.pool_file)
    folder = cache_folder("descriptions", model, profile.vector_space, pool)
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
