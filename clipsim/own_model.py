"""A trained model with its descriptions and its threshold, for pictures that no profile knows.

The descriptions belong to the model: notebook 03 leaves them encoded beside the checkpoint. Those
of another pool, a text file with one description per line, are encoded once and kept in the cache.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

from clipsim.checkpoints import checkpoint_profile
from clipsim.data import DataError, load
from clipsim.data.pool import caption_pool, file_pool
from clipsim.model.clip import DualEncoder
from clipsim.pair_scoring import Describer
from clipsim.paths import CACHE, relative
from clipsim.results import StaleError, read_record
from clipsim.retrieval import CaptionIndex
from clipsim.store import load_store

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
        Folder; see `clipsim.checkpoints.chosen_checkpoint`.
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
