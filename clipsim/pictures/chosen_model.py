"""Which model describes a user's pictures, with which descriptions, and what its data tell.

The model that ships is the folder `pretrained`: a checkpoint like notebook 02's, whose record also
holds what a user needs (`known`): when pictures are alike, how sure that is, and when no
description fits (`clipsim.pictures.shipped` makes it). Descriptions are encoded once for each
model, and kept in the cache folder.
"""

import hashlib
import json
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from clipsim import data
from clipsim.data import DataError
from clipsim.model import DualEncoder, is_whole
from clipsim.profile import CACHE, REPOSITORY, relative
from clipsim.record import StaleError, read_record
from clipsim.retrieval import Describer

SHIPPED = REPOSITORY / "clipsim" / "pretrained"
THRESHOLDS = "05_threshold_sweeps"
CHANCE = 0.1  # of the folders without a fitting picture one is said to fit


@lru_cache(maxsize=1)
def shipped_describer():
    """The model that ships, with its composed descriptions."""
    return own_describer()


def loaded_model(checkpoint=None):
    """The folder of a model, by default of the one that ships, and the model.

    If its training was interrupted, it is said on stderr.
    """
    folder = SHIPPED if checkpoint is None else Path(checkpoint).expanduser()
    model = DualEncoder.load(folder)
    if not is_whole(model.record):
        print(
            f"warning: the training of {relative(folder)} was interrupted: its best epoch is used",
            file=sys.stderr,
        )
    return folder, model


def own_describer(checkpoint=None, pool_file=None, n_descriptions=None):
    """The model of a checkpoint with its encoded descriptions.

    Parameters
    ----------
    checkpoint : str or Path, optional
        Folder; by default that of the model that ships. If its training was interrupted, it is
        said on stderr.
    pool_file : str or Path, optional
        Descriptions to choose from, one per line; by default those of the model's profile.
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
        If there are no descriptions beside it.
    DataError
        If the file cannot be read, or there are fewer than N descriptions.
    """
    folder, model = loaded_model(checkpoint)
    profile = model.profile
    if n_descriptions is not None:
        profile = replace(profile, n_descriptions=n_descriptions)
    if pool_file is not None:
        profile = replace(profile, pool="file", pool_file=str(pool_file))
        pool = data.file_pool(pool_file)
        describer = _encoded_once(profile, model, lambda: pool, pool)
    elif profile.pool == "composed":
        key = data.composed_pool_key()
        describer = _encoded_once(profile, model, lambda: data.caption_pool(profile), key)
    else:
        try:
            describer = Describer.load(folder, profile, model)
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


def known(describer):
    """What the data of a model tell of its scores; None, each, where they do not.

    Parameters
    ----------
    describer : Describer

    Returns
    -------
    dict
        "threshold", from which score on two pictures are called alike, and "threshold_from", where
        it is from, or why there is none; "calibration", pairs of a score and the share of
        caption-judged pairs with such a score that were similar; "least_similarity" of a picture
        and the best of its descriptions if that fits; "chance", pairs of a similarity and the
        share of pictures that a text which fits none of them reaches it with.
    """
    model, profile = describer.model, describer.profile
    nothing = dict.fromkeys(("calibration", "least_similarity", "chance"))
    if profile.settings == model.profile.settings and "known" in model.record:
        return nothing | model.record["known"]
    threshold, origin = _held_out_threshold(describer)
    return nothing | {"threshold": threshold, "threshold_from": origin}


def _held_out_threshold(describer):
    """The threshold that notebook 05 chose for this very model, pool and N, and where it is from.

    Where people of several sources judged the pairs, it is the experts'. None and why not, where
    there is none.
    """
    if describer.profile.pool == "file":
        return None, "a threshold is known for the model's own descriptions only"
    try:
        found = read_record(describer.profile, THRESHOLDS)
    except StaleError as error:
        return None, str(error)
    if found["data"].get("fingerprint") != describer.model.record["data"]:
        return None, f"notebook {THRESHOLDS} last ran on other data than the model's"
    rows = (row for row in found["results"]["table1"] if row["threshold_from"] != "paper")
    row = next(row for row in rows if row["metric"] == "clip_score")
    judges = f", {row['source']} pairs" if "source" in row else ""
    return row["threshold"], f"held out, notebook {THRESHOLDS}{judges}"


def cache_folder(kind, model, *content):
    """A folder of the cache for what a model makes of some content."""
    text = json.dumps([model.fingerprint, *content])
    return CACHE / kind / hashlib.sha256(text.encode()).hexdigest()[:24]


def _encoded_once(profile, model, pool, key):
    folder = cache_folder("descriptions", model, profile.vector_space, key)
    try:
        return Describer.load(folder, profile, model)
    except StaleError:  # not encoded yet, or damaged
        describer = Describer.of(profile, model, pool())
        describer.save(folder)
        return describer


def judged(score, knowledge):
    """What a score says: "alike", and "share_alike" of judged pairs with such a score."""
    curve = knowledge["calibration"]
    share = None if curve is None else float(np.interp(score, *np.transpose(curve)))
    return {"alike": reaches(score, knowledge["threshold"]), "share_alike": share}


def least_text_similarity(knowledge, n_pictures):
    """What one of n pictures reaches with a text that fits none, in one folder of ten; or None."""
    if knowledge["chance"] is None:
        return None
    similarity, share = np.transpose(knowledge["chance"])  # the share falls
    return float(np.interp(-CHANCE / max(1, n_pictures), -share, similarity))


def reaches(value, least):
    """Whether a value is at or above the least that counts; None where there is none."""
    return None if least is None else bool(value >= least)
