"""Pictures that no profile knows: which model describes them, compared, searched, grouped.

Which trained model is used: one named, the newest of photographs, else the demo's. The
descriptions belong to the model: notebook 03 leaves them encoded beside the checkpoint. Those of
another pool, a text file with one description per line, are encoded once.

A score depends on the two pictures, the model and its descriptions alone, never on the other
pictures. What is encoded is kept in the cache folder, never among the user's files.
"""

import hashlib
import json
import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from clipsim import data
from clipsim.data import DataError
from clipsim.evaluation import checkpoint_folder
from clipsim.model import CheckpointError, DualEncoder, checkpoint_record, encoded_texts, is_whole
from clipsim.profile import CACHE, RUNS, WORK, Profile, relative
from clipsim.record import StaleError, read_record
from clipsim.retrieval import (
    CaptionIndex,
    Describer,
    Encoded,
    encode,
    joined,
    largest_products,
    load_store,
    products_at_least,
    similarity_graph,
)

PHOTOGRAPHS, DRAWINGS = "flickr8k", "demo"
THRESHOLDS = "05_threshold_sweeps"
HOW_TO_TRAIN = (
    "./run_all.sh --profile flickr8k -p data_root=FOLDER --only 02,03 "
    "(-p pairs=captions without judgments)"
)
EXAMPLES = 120  # images
MOST_EDGES = 2_000_000  # of a graph with its clusters in 2 GiB of memory


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
    for path in RUNS.glob(f"*/{WORK}/*/checkpoint/checkpoint.json"):
        with suppress(CheckpointError, OSError, KeyError, TypeError):
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
    if found["data"].get("fingerprint") != describer.model.record["data"]:
        return None, f"notebook {THRESHOLDS} last ran on other data than the model's"
    try:
        row = next(
            row
            for row in found["results"]["table1"]
            if row["metric"] == "clip_score" and row["threshold_from"] != "paper"
        )
    except (KeyError, TypeError, StopIteration):
        return None, f"the results of notebook {THRESHOLDS} are damaged: run it again"
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
    pool = data.file_pool(profile.pool_file)
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


def encoded_folder(model, folder, store=None):
    """The pictures of a folder and of the folders in it, as joint-space vectors.

    Parameters
    ----------
    model : DualEncoder
    folder : str or Path
    store : str or Path, optional
        A folder that the command `encode` filled; by default one below the cache folder.

    Returns
    -------
    clipsim.retrieval.store.Encoded
        Names relative to the folder; the broken pictures with what is wrong with each. Only
        pictures that are new or have changed since the last call are encoded.

    Raises
    ------
    DataError
        If there is no such folder, or no picture in it.
    """
    folder = whole_path(folder)
    return encode(
        model, data.picture_folder(folder), store or cache_folder("pictures", model, folder)
    )


def encoded_files(model, paths):
    """Picture files as joint-space vectors, named by their whole paths; see `encoded_folder`.

    A file that is named twice is there once; `FileNotFoundError` if one is missing.
    """
    files = {path: data.PictureFile(Path(path)) for path in map(whole_path, paths)}
    for path in files:
        os.stat(path)
        if not os.path.isfile(path):
            what = "a folder; search and graph read those" if os.path.isdir(path) else "no file"
            raise data.BadImageError(f"{path}: {what}")
    images = data.CaptionedImages(
        name="pictures",
        image_ids=tuple(files),
        captions=((),) * len(files),
        split=np.full(len(files), ""),
        read_image=data.Pictures(files),
    )
    return encode(model, images, cache_folder("pictures", model, *sorted(files)))


def folder_or_example(folder, profile, describer):
    """A folder of pictures, or an example of one: the first test images of a profile.

    Parameters
    ----------
    folder : str, Path or None
    profile : Profile
        Its data are read only for the example.
    describer : Describer

    Returns
    -------
    images : CaptionedImages
        To show them.
    encoded : clipsim.retrieval.store.Encoded

    Raises
    ------
    DataError
        If fewer than two pictures of the folder can be read.
    """
    if folder is None:
        images = data.load(profile)
        images = images.subset(images.indices("test")[:EXAMPLES])
        vectors = describer.image_vectors(images, images.image_ids)
        return images, Encoded(images.image_ids, vectors)
    encoded = encoded_folder(describer.model, folder)
    if len(encoded.names) < 2:
        raise DataError(
            f"{folder}: {len(encoded.names)} of its pictures can be read, "
            f"{len(encoded.broken)} are broken; to compare takes two"
        )
    return data.picture_folder(whole_path(folder)), encoded


def own_outputs(folder):
    """Overrides of a profile that keep what is found in a user's folder out of its results."""
    return {} if folder is None else {"output_root": str(RUNS / "own")}


def whole_path(path):
    """`path` from the root: the name of a picture file wherever the caller stands."""
    return os.path.abspath(Path(path).expanduser())


def descriptions(picture):
    """The N descriptions of one picture: list of {"text", "similarity"}, the best first."""
    found = zip(picture.pool[picture.ids[0]], picture.sims[0], strict=True)
    return [{"text": str(text), "similarity": float(value)} for text, value in found]


def best_for_text(describer, retrieval, text, k):
    """The pictures that a text describes best (Eq. 3).

    Parameters
    ----------
    describer : Describer
    retrieval : Retrieval
        Of the pictures to choose from, by this describer.
    text : str
    k : int
        How many pictures at most.

    Returns
    -------
    list of dict
        The best first: "name" of the picture, "similarity" (the cosine of text and picture in the
        joint space) and "description", the first one of the picture.
    """
    query = describer.model.project(encoded_texts(describer.model, [text], progress=False), "text")
    return [
        {"name": str(retrieval.image_ids[i]), "similarity": float(similarity)}
        | {"description": str(retrieval.pool[retrieval.ids[i, 0]])}
        for i, similarity in _largest(query, retrieval.image_vectors, k)
    ]


def most_alike(retrieval, picture, normalisation, k):
    """The pictures most alike another one (Eq. 4).

    Parameters
    ----------
    retrieval : Retrieval
        Of the pictures to choose from.
    picture : Retrieval
        Of the one picture, by the same describer; where it is among the others, so it is here.
    normalisation : {"mean", "paper"}
    k : int
        How many pictures at most.

    Returns
    -------
    list of dict
        The most alike first: "name", "score", and one pair each of `deciding_pairs`.
    """
    return [
        {"name": str(retrieval.image_ids[i]), "score": score}
        | deciding_pairs(picture, retrieval.at([i]), 1)
        for i, score in _largest(picture.sums(normalisation), retrieval.sums(normalisation), k)
    ]


def deciding_pairs(picture_a, picture_b, n):
    """Which pairs of descriptions made the score of two pictures, and which spoke against it.

    Eq. 4 is the mean of all N² cosines of a description of the one with one of the other.

    Parameters
    ----------
    picture_a, picture_b : Retrieval
        Of one picture each (`Retrieval.at`), by the same describer.
    n : int
        How many pairs at most.

    Returns
    -------
    dict of str to list of dict
        "most" and "least", each with rows {"a", "b", "cosine"}: the largest cosines first, and
        the smallest first.
    """
    cosines = _unit(picture_a.description_vectors[0]) @ _unit(picture_b.description_vectors[0]).T
    texts_a, texts_b = (picture.pool[picture.ids[0]] for picture in (picture_a, picture_b))
    order = np.argsort(-cosines, axis=None, kind="stable")
    return {
        name: [
            {"a": str(texts_a[i]), "b": str(texts_b[j]), "cosine": float(cosines[i, j])}
            for i, j in zip(*np.unravel_index(chosen, cosines.shape), strict=True)
        ]
        for name, chosen in (("most", order[:n]), ("least", order[::-1][:n]))
    }


def picture_graph(retrieval, normalisation, threshold):
    """The graph of the pictures, an edge where Eq. 4 is at or above a threshold.

    Parameters
    ----------
    retrieval : Retrieval
    normalisation : {"mean", "paper"}
    threshold : float

    Returns
    -------
    networkx.Graph
        As `clipsim.retrieval.similarity_graph`.

    Raises
    ------
    DataError
        If there are more than `MOST_EDGES`.
    """
    blocks = products_at_least(retrieval.sums(normalisation), threshold)
    pairs, scores = joined(_bounded(blocks, threshold))
    return similarity_graph(retrieval.image_ids.tolist(), pairs, scores)


def clusters(retrieval, labels):
    """Groups of pictures, the largest first.

    Parameters
    ----------
    retrieval : Retrieval
    labels : array of int, shape (M,)
        Of the communities or components of the pictures' graph.

    Returns
    -------
    list of dict
        "names", in the order of the pictures, and "typical": of all descriptions of its pictures
        the one closest to their mean.
    """
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return [
        {"names": retrieval.image_ids[rows].tolist(), "typical": _typical(retrieval.at(rows))}
        for rows in sorted(members, key=lambda rows: (-len(rows), rows[0]))
    ]


def _typical(pictures):
    ids, counts = np.unique(pictures.ids, return_counts=True)
    vectors = _unit(pictures.pool_vectors[ids])
    return str(pictures.pool[ids[np.argmax(vectors @ (counts @ vectors))]])


def _bounded(blocks, threshold):
    n_edges = 0
    for pairs, scores in blocks:
        n_edges += len(pairs)
        if n_edges > MOST_EDGES:
            raise DataError(
                f"threshold {threshold:g}: over {MOST_EDGES:,} pairs score as much; raise it"
            )
        yield pairs, scores


def _largest(query, vectors, k):
    """Positions and products of the k vectors nearest to one, the nearest first."""
    if len(vectors) == 0:
        return []
    positions, products = largest_products(query, vectors, min(k, len(vectors)))
    return list(zip(positions[0].tolist(), products[0].tolist(), strict=True))


def _unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
