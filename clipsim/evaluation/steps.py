"""The steps that notebooks share, and what one hands to the next.

02 trains → checkpoint; 03 retrieves → retrieval; 04 scores → pair scores. Each is read back
only for the same profile, data and weights, else the reader is told which notebook to run.
"""

import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd

from clipsim.data import caption_pool
from clipsim.metrics import METRICS, pixel_scores
from clipsim.model import DualEncoder, checkpoint_record, is_whole, resumable, train
from clipsim.record import StaleError, load_arrays, save_arrays
from clipsim.retrieval import Describer, Retrieval, description_scores


def train_or_load(profile, images, folder=None):
    """The profile's model: from its checkpoint if it is whole and fits, else trained.

    An interrupted training of these settings and data goes on where it stopped.

    Parameters
    ----------
    profile : Profile
    images : CaptionedImages
    folder : Path, optional
        Of the checkpoint; by default that of notebook 02.

    Returns
    -------
    DualEncoder
    """
    is_main, folder = folder is None, folder or checkpoint_folder(profile)
    reason = checkpoint_fault(profile, images, folder)
    if not reason:
        return DualEncoder.load(folder, profile)
    if is_main:
        print(f"training now ({reason})")
    state = resumable(profile, images, folder)
    return train(profile, images, folder, resume=state, announce=is_main)


def trained_model(profile, images):
    """The model that notebook 02 trained on these data.

    Parameters
    ----------
    profile : Profile
    images : CaptionedImages

    Returns
    -------
    DualEncoder

    Raises
    ------
    StaleError
        If there is none, its training was interrupted, or other data or settings made it.
    """
    folder = checkpoint_folder(profile)
    reason = checkpoint_fault(profile, images, folder)
    if reason:
        raise StaleError(f"{reason}: run notebook 02_clip_training first")
    return DualEncoder.load(folder, profile)


def checkpoint_folder(profile):
    """Where notebook 02 and the command `train` leave the profile's model: a Path."""
    return profile.work_dir / "checkpoint"


def checkpoint_fault(profile, images, folder):
    """Why the checkpoint in a folder is not the whole model of this profile; "" if it is."""
    if not (folder / "checkpoint.json").is_file():
        return "no trained model yet"
    record = checkpoint_record(folder)
    if record.get("data") != images.fingerprint:
        return "the model there is from other data"
    if record["profile"] != profile.settings:
        return "the model there is from other settings"
    if not is_whole(record):
        return "the training there was interrupted"
    return ""


def models_of_seeds(profile, images, folder=None, most=None):
    """Models trained on the same data from `n_seeds` seeds; that of the profile's own first.

    The seed decides the initial projections, the order of the examples, their captions and
    dropout; data, splits and pairs stay those of the profile.

    Parameters
    ----------
    profile : Profile
    images : CaptionedImages
    folder : Path, optional
        Where they are kept, by seed; by default beside notebook 02's, which is then the first.
    most : int, optional
        Of the models.

    Yields
    ------
    DualEncoder
        Trained when it is asked for, and kept.
    """
    for number in range(min(profile.n_seeds, most or profile.n_seeds)):
        one = replace(profile, seed=profile.seed + number)
        kept = (folder or profile.work_dir / "seeds") / str(one.seed)
        yield train_or_load(one, images, kept if folder or number else None)


def retrieve(profile, model, images):
    """Retrieve N descriptions for every validation and test image, and keep them.

    The encoded pool stays beside the checkpoint: for any pictures described by the same model.

    Parameters
    ----------
    profile : Profile
    model : DualEncoder
    images : CaptionedImages

    Returns
    -------
    Retrieval
    """
    describer = Describer.of(profile, model, caption_pool(profile, images))
    describer.save(checkpoint_folder(profile))
    retrieval = describer.retrieval(images, _evaluated(images))
    save_arrays(
        profile.work_dir / "retrieval.npz", _fingerprint(profile, images), **vars(retrieval)
    )
    return retrieval


def load_retrieval(profile, images):
    """What `retrieve` kept.

    Parameters
    ----------
    profile : Profile
    images : CaptionedImages

    Returns
    -------
    Retrieval

    Raises
    ------
    StaleError
        If it is missing, or from other data, settings or weights.
    """
    fingerprint = _fingerprint(profile, images)
    path = profile.work_dir / "retrieval.npz"
    return Retrieval(**load_arrays(path, fingerprint, "03_caption_retrieval"))


def retrieval_of(profile, model, images, pool):
    """The N descriptions that a model picks from a pool for the validation and test images.

    Parameters
    ----------
    profile : Profile
        `n_descriptions` and `vector_space`.
    model : DualEncoder
    images : CaptionedImages
    pool : sequence of str
        See `clipsim.data.pool.caption_pool`.

    Returns
    -------
    Retrieval
    """
    return Describer.of(profile, model, pool).retrieval(images, _evaluated(images))


def scores_of_seeds(profile, images, pairs):
    """Eq. 4 and the image cosine of pairs, by the models of `models_of_seeds`.

    Parameters
    ----------
    profile : Profile
    images : CaptionedImages
    pairs : LabelledPairs

    Returns
    -------
    dict of int to dict of str to array of float32, shape (P,)
        By seed, the profile's own first; by metric key.
    """
    pool = caption_pool(profile, images)
    models = models_of_seeds(profile, images)
    return {
        seed: description_scores(profile, retrieval_of(profile, model, images, pool), pairs)
        for seed, model in enumerate(models, start=profile.seed)
    }


def score_all_metrics(profile, images, pairs, retrieval):
    """Score the pairs with every metric of the study, and keep the scores.

    Parameters
    ----------
    profile : Profile
    images : CaptionedImages
    pairs : LabelledPairs
    retrieval : Retrieval

    Returns
    -------
    dict of str to array of float32, shape (P,)
        By `Metric.key`.
    """
    scores = description_scores(profile, retrieval, pairs)
    scores |= pixel_scores(images, pairs, ("canonical", "package"))
    save_arrays(
        profile.work_dir / "pair_scores.npz", _fingerprint(profile, images),
        id_a=pairs.id_a, id_b=pairs.id_b, **scores,
    )  # fmt: skip
    return scores


def load_scores(profile, images, pairs):
    """What `score_all_metrics` kept.

    Parameters
    ----------
    profile : Profile
    images : CaptionedImages
    pairs : LabelledPairs

    Returns
    -------
    dict of str to array of float32, shape (P,)
        By `Metric.key`.

    Raises
    ------
    StaleError
        If it is missing, or of other pairs, metrics, data, settings or weights.
    """
    path = profile.work_dir / "pair_scores.npz"
    made_by = "04_similarity_scoring"
    scores = load_arrays(path, _fingerprint(profile, images), made_by)
    id_a, id_b = scores.pop("id_a"), scores.pop("id_b")
    if not (np.array_equal(id_a, pairs.id_a) and np.array_equal(id_b, pairs.id_b)):
        raise StaleError(f"the scores are of other pairs: run notebook {made_by} again")
    if scores.keys() != {metric.key for metric in METRICS}:
        raise StaleError(f"the scores are by other metrics: run notebook {made_by} again")
    return scores


def score_table(pairs, scores):
    """Pairs and their scores as a table, a row per pair.

    Parameters
    ----------
    pairs : LabelledPairs
    scores : mapping of str to array of float, shape (P,)

    Returns
    -------
    pandas.DataFrame
    """
    names = ("id_a", "id_b", "similar", "graded", "kind", "split", "source")
    return pd.DataFrame({name: getattr(pairs, name) for name in names} | dict(scores))


def _evaluated(images):
    splits = ("val", "test", "rated")
    return [images.image_ids[i] for split in splits for i in images.indices(split)]


def _fingerprint(profile, images):
    weights = checkpoint_record(checkpoint_folder(profile))["sha256"]
    pool = "\n".join(caption_pool(profile, images))
    content = f"{images.fingerprint} {weights} {profile.hash} {pool}"
    return hashlib.sha256(content.encode()).hexdigest()
