"""Anybody's pictures: described, compared, searched, grouped by the model that ships, or another.

The model that ships is the folder `pretrained`: a checkpoint like notebook 02's, whose record also
holds what a user needs and its data gave: when pictures are alike, how sure that is, and when no
description fits (`clipsim.pictures.shipped`). Descriptions are encoded once for each model.

A score depends on the two pictures, the model and its descriptions alone, never on the other
pictures. What is encoded is kept in the cache folder, never among the user's files.
"""

import hashlib
import json
import os
import sys
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image
from pydantic import ValidationError

from clipsim import data
from clipsim.data import DataError
from clipsim.model import (
    CheckpointError,
    DualEncoder,
    checkpoint_record,
    encoded_texts,
    is_whole,
    picture_vectors,
)
from clipsim.profile import CACHE, REPOSITORY, Profile, relative
from clipsim.record import StaleError, read_record
from clipsim.retrieval import (
    CaptionIndex,
    Describer,
    encode,
    joined,
    largest_products,
    load_store,
    products_at_least,
    score_pairs,
    similarity_graph,
)

SHIPPED = REPOSITORY / "clipsim" / "pretrained"
THRESHOLDS = "05_threshold_sweeps"
MOST_EDGES = 2_000_000  # of a graph with its clusters in 2 GiB of memory
SHARD = 32  # pictures in the network at once
CHANCE = 0.1  # of the folders without a fitting picture one is said to fit
SHOWN = 5  # pairs of descriptions that explain a score


def compare(a, b, describer=None):
    """How alike two pictures are (Eq. 4), and which descriptions say so.

    Parameters
    ----------
    a, b : str, Path, PIL.Image.Image, or array
        Paths, pictures, or arrays (H, W, 3) of uint8, or of float in [0, 1].
    describer : Describer, optional
        Of `own_describer`; by default the model that ships.

    Returns
    -------
    dict
        "score" (Eq. 4, from -1 to 1), "alike" (at or above "threshold"), "share_alike" (of
        caption-judged pairs with such a score, how many were similar), "image_cosine"; "most" and
        "least", the pairs of descriptions that raised and lowered the score (`deciding_pairs`);
        "pictures", what `described_pictures` says of each. None where the model does not know.

    Raises
    ------
    FileNotFoundError, clipsim.data.BadImageError
        If a picture is missing, or cannot be read.
    """
    describer = describer or shipped_describer()
    names, found, broken = described_pictures(describer, [a, b])
    if broken:
        raise data.BadImageError("; ".join(broken.values()))
    knowledge = known(describer)
    (pair,) = scored_pairs(names, found, describer.profile, knowledge, SHOWN)
    pair |= {"threshold": knowledge["threshold"]}
    return pair | {"pictures": pictures_record(names, found, knowledge)}


def describe(picture, n=5, describer=None):
    """The descriptions that fit a picture best (Eq. 3).

    Parameters
    ----------
    picture, describer
        As in `compare`.
    n : int
        How many.

    Returns
    -------
    list of dict
        "text" and "similarity" (the cosine in the joint space), the best first, and "fits":
        whether the similarity is one that a fitting description has; None where the model does
        not know.
    """
    describer = describer or shipped_describer()
    _, found, broken = described_pictures(describer, [picture], n)
    if broken:
        raise data.BadImageError(*broken.values())
    least = known(describer)["least_similarity"]
    return [row | {"fits": reaches(row["similarity"], least)} for row in descriptions(found)]


class PictureIndex:
    """The pictures of a folder and of the folders in it, described once and kept in the cache.

    Parameters
    ----------
    folder : str, Path or CaptionedImages
    describer : Describer, optional
        Of `own_describer`; by default the model that ships.
    store : str or Path, optional
        A folder that the command `encode` filled, in place of the cache.

    Attributes
    ----------
    images : CaptionedImages
        The pictures themselves.
    names : list of str
        Paths relative to the folder of the pictures that can be read.
    broken : dict of str to str
        The others, with what is wrong with each.
    retrieval : Retrieval
        Their descriptions.

    Raises
    ------
    DataError
        If there is no such folder, or no picture in it.
    """

    def __init__(self, folder, describer=None, store=None):
        is_folder = isinstance(folder, str | os.PathLike)
        self.folder = whole_path(folder) if is_folder else folder.name
        self.images = data.picture_folder(self.folder) if is_folder else folder
        self.describer = describer or shipped_describer()
        self.known = known(self.describer)
        model = self.describer.model
        store = store or cache_folder("pictures", model, self.folder)
        encoded = encode(model, self.images, store)
        self.names, self.broken = list(encoded.names), encoded.broken
        self.retrieval = self.describer.described(encoded.names, encoded.vectors)

    def search(self, text, k=10):
        """The pictures that a text describes best (Eq. 3): `best_for_text`, each with "fits"."""
        least = least_text_similarity(self.known, len(self.names))
        rows = best_for_text(self.describer, self.retrieval, text, k)
        return [row | {"fits": reaches(row["similarity"], least)} for row in rows]

    def like(self, picture, k=10):
        """The pictures most alike another one (Eq. 4): `most_alike`, each with "alike".

        The picture itself is left out where it lies in the folder.
        """
        _, asked, broken = described_pictures(self.describer, [picture])
        if broken:
            raise data.BadImageError(*broken.values())
        rows = most_alike(self.retrieval, asked, self.describer.profile.normalisation, k + 1)
        if isinstance(picture, str | Path):
            itself = os.path.relpath(whole_path(picture), self.folder)
            rows = [row for row in rows if row["name"] != itself]
        return [row | judged(row["score"], self.known) for row in rows[:k]]

    def pairs(self, threshold=None):
        """The pairs with a score at or above a threshold, by default the model's own.

        Returns
        -------
        list of (str, str, float)
            Two names and their score (Eq. 4), in the order of the names.
        """
        graph = self.graph(self.known["threshold"] if threshold is None else threshold)
        edges = graph.edges(data="score")
        return [(self.names[a], self.names[b], float(score)) for a, b, score in edges]

    def scores(self, pairs):
        """Eq. 4 of pairs of pictures.

        Parameters
        ----------
        pairs : sequence of (str, str)
            File names relative to the folder.

        Returns
        -------
        array of float32, shape (P,)

        Raises
        ------
        DataError
            If a name is none of the folder's.
        """
        position = {name: i for i, name in enumerate(self.names)}
        unknown = [name for pair in pairs for name in pair if name not in position]
        if unknown:
            raise DataError(f"{unknown[0]}: no such picture in {self.folder}; see .names")
        rows = np.array([[position[a], position[b]] for a, b in pairs]).reshape(-1, 2)
        used, rows = np.unique(rows, return_inverse=True)
        vectors = self.retrieval.at(used).description_vectors
        return score_pairs(vectors, rows.reshape(-1, 2), self.describer.profile.normalisation)

    def graph(self, threshold):
        """`picture_graph` of the pictures."""
        return picture_graph(self.retrieval, self.describer.profile.normalisation, threshold)


@lru_cache(maxsize=1)
def shipped_describer():
    """The model that ships, with its composed descriptions."""
    return own_describer()


def chosen_checkpoint(folder=None):
    """The folder of the model to use: the one that the user names, else the one that ships.

    Raises `CheckpointError` if it cannot be read; says on stderr if its training was interrupted.
    """
    found = SHIPPED if folder is None else Path(folder).expanduser()
    _profile(found)
    if not is_whole(checkpoint_record(found)):
        print(
            f"warning: the training of {relative(found)} was interrupted: its best epoch is used",
            file=sys.stderr,
        )
    return found


def own_describer(checkpoint=None, pool_file=None, n_descriptions=None):
    """The model of a checkpoint with its encoded descriptions.

    Parameters
    ----------
    checkpoint : str or Path, optional
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
    checkpoint = chosen_checkpoint(checkpoint)
    model = DualEncoder.load(checkpoint)
    profile = model.profile
    if n_descriptions is not None:
        profile = replace(profile, n_descriptions=n_descriptions)
    if pool_file is not None:
        profile = replace(profile, pool="file", pool_file=str(pool_file))
        with_pool = _with_store if Path(pool_file).is_dir() else _with_file
        describer = with_pool(profile, model)
    elif profile.pool == "composed":
        key = data.composed_pool_key()
        describer = _encoded_once(profile, model, lambda: data.caption_pool(profile), key)
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
    return _encoded_once(profile, model, lambda: pool, pool)


def _encoded_once(profile, model, pool, key):
    folder = cache_folder("descriptions", model, profile.vector_space, key)
    try:
        return Describer.load(folder, profile, model)
    except StaleError:  # not encoded yet, or damaged
        describer = Describer.of(profile, model, pool())
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


def described_pictures(describer, pictures, n=None):
    """Some pictures, read and described one by one, whatever they are called.

    Parameters
    ----------
    describer : Describer
    pictures : sequence of (str, Path, PIL.Image.Image, or array)
    n : int, optional
        Descriptions of each, not the profile's N.

    Returns
    -------
    names : list of str
        Of those that can be read: paths as they were given; "picture 2" of what has none.
    found : Retrieval
    broken : dict of str to str
    """
    names = [
        str(p) if isinstance(p, str | Path) else f"picture {i}" for i, p in enumerate(pictures, 1)
    ]
    sources = [_source(picture) for picture in pictures]
    shards = [sources[i : i + SHARD] for i in range(0, len(sources), SHARD)]
    results = [one for shard in picture_vectors(describer.model, shards) for one in shard]
    broken = {n: r for n, r in zip(names, results, strict=True) if isinstance(r, str)}
    read = [i for i, result in enumerate(results) if not isinstance(result, str)]
    dim = describer.model.profile.embedding_dim
    vectors = np.array([results[i] for i in read], dtype=np.float32).reshape(-1, dim)
    names = [names[i] for i in read]
    return names, describer.described(names, vectors, n), broken


@dataclass(frozen=True)
class _InMemory:
    """A picture that is in no file."""

    image: Image.Image

    def read(self):
        return self.image


def _source(picture):
    if isinstance(picture, str | Path):
        path = whole_path(picture)
        os.stat(path)  # a missing file is no damaged picture
        if not os.path.isfile(path):
            what = "a folder; search and graph read those" if os.path.isdir(path) else "no file"
            raise data.BadImageError(f"{path}: {what}")
        return data.PictureFile(Path(path))
    if isinstance(picture, Image.Image):
        return _InMemory(picture)
    pixels = np.asarray(picture)
    if pixels.dtype.kind == "f":
        pixels = (255 * pixels.clip(0, 1)).round()
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype.kind not in "fu":
        raise DataError(
            f"a picture of shape {np.shape(picture)} and {np.asarray(picture).dtype}: expected "
            "(H, W, 3) of uint8, or of float in [0, 1]"
        )
    return _InMemory(Image.fromarray(pixels.astype(np.uint8)))


def scored_pairs(names, found, profile, knowledge, n_reasons):
    """Eq. 4 of all pairs of pictures, the most alike first.

    Parameters
    ----------
    names : sequence of str
    found : Retrieval
        Of these pictures.
    profile : Profile
        `normalisation`.
    knowledge : dict
        See `known`.
    n_reasons : int
        How many of `deciding_pairs` of each pair.

    Returns
    -------
    list of dict
    """
    order = np.array(list(combinations(range(len(names)), 2)))
    scores = score_pairs(found.description_vectors, order, profile.normalisation)
    cosines = (found.image_vectors[order[:, 0]] * found.image_vectors[order[:, 1]]).sum(axis=1)
    return [
        {"a": names[i], "b": names[j], "score": float(scores[row])}
        | judged(float(scores[row]), knowledge)
        | {"image_cosine": float(cosines[row])}
        | deciding_pairs(found.at([i]), found.at([j]), n_reasons)
        for row in np.argsort(-scores, kind="stable")
        for i, j in [order[row]]
    ]


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


def pictures_record(names, found, knowledge):
    """Each picture's "name", "descriptions", and whether the best of them "fits"."""
    return [
        {
            "name": name,
            "fits": reaches(found.sims[i, 0], knowledge["least_similarity"]),
            "descriptions": descriptions(found.at([i])),
        }
        for i, name in enumerate(names)
    ]


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
