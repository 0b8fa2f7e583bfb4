"""Pictures that no profile knows: described by a trained model, compared, searched, grouped.

A score depends on the two pictures, the model and its descriptions alone, never on the other
pictures. Vectors are kept in the cache folder, never among the user's files.
"""

import hashlib
import json
import os
from pathlib import Path

import numpy as np

from clipsim.data import CaptionedImages, DataError, PictureFile, Pictures, load, picture_folder
from clipsim.model import encoded_texts
from clipsim.profile import CACHE
from clipsim.retrieval import (
    Encoded,
    encode,
    joined,
    largest_products,
    products_at_least,
    similarity_graph,
)

EXAMPLES = 120  # images
MOST_EDGES = 2_000_000  # of a graph with its clusters in 2 GiB of memory


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
    """
    folder = whole_path(folder)
    return encode(model, picture_folder(folder), store or _store(model, [folder]))


def encoded_files(model, paths):
    """Picture files as joint-space vectors, named by their whole paths; see `encoded_folder`.

    A file that is named twice is there once.
    """
    files = {path: PictureFile(Path(path)) for path in dict.fromkeys(map(whole_path, paths))}
    images = CaptionedImages(
        name="pictures",
        image_ids=tuple(files),
        captions=((),) * len(files),
        split=np.full(len(files), ""),
        read_image=Pictures(files),
    )
    return encode(model, images, _store(model, sorted(files)))


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
    if folder is not None:
        encoded = encoded_folder(describer.model, folder)
        if len(encoded.names) < 2:
            raise DataError(
                f"{folder}: {len(encoded.names)} of its pictures can be read, "
                f"{len(encoded.broken)} are broken; to compare takes two"
            )
        return picture_folder(whole_path(folder)), encoded
    images = load(profile)
    images = images.subset(images.indices("test")[:EXAMPLES])
    vectors = describer.image_vectors(images, images.image_ids)
    return images, Encoded(images.image_ids, vectors, {})


def whole_path(path):
    """`path` from the root: the name of a picture file wherever the caller stands."""
    return os.path.abspath(Path(path).expanduser())


def described(describer, encoded, n=None):
    """The N descriptions of encoded pictures, as a `Retrieval`; n, where N is another."""
    return describer.described(encoded.names, encoded.vectors, n)


def descriptions(retrieval, position):
    """The N descriptions of one picture: list of {"text", "similarity"}, the best first."""
    ids, sims = retrieval.ids[position], retrieval.sims[position]
    return [
        {"text": str(retrieval.pool[i]), "similarity": float(s)}
        for i, s in zip(ids, sims, strict=True)
    ]


def best_for_text(describer, retrieval, text, k):
    """The pictures that a text describes best (Eq. 3).

    Returns
    -------
    positions : array of int64, shape (k,)
        Of the pictures, the best first; fewer than k where there are fewer pictures.
    similarities : array of float32, shape (k,)
        Cosines of the vectors of text and picture in the joint space.
    """
    query = describer.model.project(encoded_texts(describer.model, [text], progress=False), "text")
    return _best(query, retrieval.image_vectors, k)


def most_alike(retrieval, picture, normalisation, k):
    """The pictures most alike another one (Eq. 4).

    Parameters
    ----------
    retrieval : Retrieval
        Of the pictures to choose from.
    picture : Retrieval
        Of the one picture, which need not be among them.
    normalisation : {"mean", "paper"}
    k : int

    Returns
    -------
    positions : array of int64, shape (k,)
    scores : array of float32, shape (k,)
    """
    return _best(picture.sums(normalisation), retrieval.sums(normalisation), k)


def deciding_pairs(retrieval_a, retrieval_b, a, b, n):
    """Which pairs of descriptions made the score of two pictures, and which spoke against it.

    Eq. 4 is the mean of all N² cosines of a description of the one with one of the other.

    Parameters
    ----------
    retrieval_a, retrieval_b : Retrieval
        By the same describer; may be the same.
    a, b : int
        Positions of the two pictures.
    n : int
        How many pairs at most.

    Returns
    -------
    dict of str to list of dict
        "most" and "least", each with rows {"a", "b", "cosine"}: the largest cosines first, and
        the smallest first.
    """
    ids_a, ids_b = retrieval_a.ids[a], retrieval_b.ids[b]
    cosines = _unit(retrieval_a.pool_vectors[ids_a]) @ _unit(retrieval_b.pool_vectors[ids_b]).T
    order = np.argsort(-cosines, axis=None, kind="stable")
    return {
        name: [
            {
                "a": str(retrieval_a.pool[ids_a[i]]),
                "b": str(retrieval_b.pool[ids_b[j]]),
                "cosine": float(cosines[i, j]),
            }
            for i, j in zip(*np.unravel_index(chosen, cosines.shape), strict=True)
        ]
        for name, chosen in (("most", order[:n]), ("least", order[::-1][:n]))
    }


def picture_graph(retrieval, normalisation, threshold):
    """The graph of the pictures, an edge where Eq. 4 is at or above a threshold.

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
    labels = np.asarray(labels)
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return [
        {"names": retrieval.image_ids[rows].tolist(), "typical": typical(retrieval, rows)}
        for rows in sorted(members, key=lambda rows: (-len(rows), rows[0]))
    ]


def typical(retrieval, positions):
    """Of all descriptions of some pictures the one closest to their mean (by cosine)."""
    ids, counts = np.unique(retrieval.ids[positions], return_counts=True)
    vectors = _unit(retrieval.pool_vectors[ids])
    return str(retrieval.pool[ids[np.argmax(vectors @ (counts @ vectors))]])


def _bounded(blocks, threshold):
    n_edges = 0
    for pairs, scores in blocks:
        n_edges += len(pairs)
        if n_edges > MOST_EDGES:
            raise DataError(
                f"threshold {threshold:g}: over {MOST_EDGES:,} pairs score as much; raise it"
            )
        yield pairs, scores


def _best(query, vectors, k):
    if len(vectors) == 0:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
    positions, products = largest_products(query, vectors, min(k, len(vectors)))
    return positions[0], products[0]


def _unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _store(model, what):
    content = json.dumps([model.fingerprint, *what])
    return CACHE / "pictures" / hashlib.sha256(content.encode()).hexdigest()[:24]
