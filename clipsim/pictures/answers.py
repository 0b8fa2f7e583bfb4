"""What is found among described pictures: by a text, by a picture, as a graph, in groups.

And why: the pairs of descriptions that made a score.
"""

import numpy as np

from clipsim.data import DataError
from clipsim.model import encoded_texts
from clipsim.retrieval import largest_products, products_at_least

MOST_EDGES = 2_000_000  # of a graph with its clusters in 2 GiB of memory


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
    from clipsim.retrieval import joined, similarity_graph  # here: networkx takes a second

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
