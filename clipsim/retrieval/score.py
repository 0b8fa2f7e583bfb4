"""Eq. 4: the similarity of two images from their retrieved descriptions.

With unit vectors û, ŵ the double sum of cosines factorises,
Σᵢ Σₖ cos(uᵢ, wₖ) = (Σᵢ ûᵢ)·(Σₖ ŵₖ), so that one d-vector per image holds all that Eq. 4
needs, scoring all pairs is one matrix product, and the pairs above a threshold are a search for
large inner products. Exact, not an approximation.
"""

import numpy as np

from clipsim.retrieval.search import products_at_least

NORMALISATIONS = ("mean", "paper")


def caption_score(emb_a, emb_b, normalisation="mean"):
    r"""Similarity of two images from their retrieved descriptions (Eq. 4).

    Parameters
    ----------
    emb_a, emb_b : array of float, shape (N, d)
        Vectors of the N descriptions retrieved for each image; any non-zero length.
    normalisation : {"mean", "paper"}
        "paper" divides the double sum by N as printed, range [-N, N];
        "mean" divides by N², range [-1, 1].

    Returns
    -------
    float
        Higher is more alike.

    Raises
    ------
    ValueError
        If a set is empty, shapes differ, or a row has zero length.
    """
    emb_a, emb_b = np.asarray(emb_a), np.asarray(emb_b)
    if emb_a.shape != emb_b.shape:
        raise ValueError(f"emb_a and emb_b differ in shape: {emb_a.shape} and {emb_b.shape}")
    sums = description_sums(np.stack([emb_a, emb_b]), normalisation)
    return float(sums[0] @ sums[1])


def description_sums(vectors, normalisation="mean"):
    """One vector per image whose dot products are the scores of Eq. 4.

    Parameters
    ----------
    vectors : array of float, shape (M, N, d)
        Vectors of the N descriptions of each image; any non-zero length.
    normalisation : {"mean", "paper"}

    Returns
    -------
    array of float32, shape (M, d)
        Sum of the unit vectors over N, or over √N for "paper".

    Raises
    ------
    ValueError
        If the shape is not (M, N, d) with N ≥ 1, or a row has zero length.
    """
    vectors = np.asarray(vectors)
    if vectors.ndim != 3 or vectors.shape[1] == 0:
        raise ValueError(f"vectors: expected shape (M, N, d) with N ≥ 1, got {vectors.shape}")
    if normalisation not in NORMALISATIONS:
        raise ValueError(f"normalisation={normalisation!r}: expected one of {NORMALISATIONS}")
    n_descriptions = vectors.shape[1]
    divisor = n_descriptions if normalisation == "mean" else n_descriptions**0.5
    lengths = np.sqrt(np.einsum("mnd,mnd->mn", vectors, vectors))
    if not ((lengths > 0) & (lengths < np.inf)).all():
        raise ValueError("vectors: a description's vector has zero length or is not a number")
    # Weighted sums as products of matrices: no copy of the vectors is made.
    weights = 1 / (lengths * divisor)
    return (weights[:, None] @ vectors)[:, 0].astype(np.float32, copy=False)


def score_pairs(vectors, index_pairs, normalisation="mean"):
    """Scores (Eq. 4) of the listed pairs.

    Parameters
    ----------
    vectors : array of float, shape (M, N, d)
    index_pairs : array of int, shape (P, 2)
        Positions of the two images of each pair.
    normalisation : {"mean", "paper"}

    Returns
    -------
    array of float32, shape (P,)
    """
    sums = description_sums(vectors, normalisation)
    index_pairs = np.asarray(index_pairs, dtype=np.int64).reshape(-1, 2)
    return np.einsum("pd,pd->p", sums[index_pairs[:, 0]], sums[index_pairs[:, 1]])


def score_matrix(vectors, normalisation="mean"):
    """Scores (Eq. 4) of all pairs: float32, shape (M, M), symmetric.

    The diagonal is each image's score with itself, ‖mean û‖²: below 1 unless all its
    descriptions agree.
    """
    sums = description_sums(vectors, normalisation)
    return sums @ sums.T


def score_edges(vectors, threshold, normalisation="mean"):
    """Pairs of images that score (Eq. 4) at or above a threshold: the edges of the graph.

    Memory is bounded, whatever the number of edges: they come in blocks.

    Parameters
    ----------
    vectors : array of float, shape (M, N, d)
    threshold : float
    normalisation : {"mean", "paper"}

    Returns
    -------
    iterator of (pairs, scores)
        pairs : array of int64, shape (E, 2), positions i < j of the images, in the order of
        (i, j) from block to block; scores : array of float32, shape (E,).

    Raises
    ------
    ValueError
        As `description_sums`, and if the threshold is not a number.
    """
    return products_at_least(description_sums(vectors, normalisation), threshold)
