"""Eq. 4 at every N from one retrieval, and its alternatives.

The N best descriptions are the first N of any longer list, so cumulative sums of the unit
vectors hold Eq. 4 for all N at once. Every kernel here is a weighting: with weights w of unit
sum, an image becomes the vector Σᵢ wᵢ ûᵢ, and two images score its dot product (Eq. 4 has
wᵢ = 1/N) or its cosine.
"""

import numpy as np

BLOCK = 128


def prefix_means(vectors, ids, counts):
    """The mean of the unit vectors of an image's first N descriptions, for several N.

    Parameters
    ----------
    vectors : array of float, shape (C, d)
        Vectors of the pool; any non-zero length.
    ids : array of int, shape (M, L)
        Positions in the pool of each image's descriptions, the most similar first.
    counts : sequence of int, length K
        Values of N, increasing, in 1…L.

    Returns
    -------
    array of float32, shape (K, M, d)

    Raises
    ------
    ValueError
        If `counts` is empty, not increasing or out of range, or a vector has zero length.
    """
    counts = np.asarray(counts, dtype=np.int64)
    if not len(counts) or counts[0] < 1 or (np.diff(counts) <= 0).any():
        raise ValueError(f"counts={counts.tolist()}: expected increasing values from 1")
    if counts[-1] > ids.shape[1]:
        raise ValueError(f"N={counts[-1]}: only {ids.shape[1]} descriptions were retrieved")
    starts = np.concatenate([[0], counts[:-1]])

    def prefix_mean(picked, rows):
        sums = np.add.reduceat(picked, starts, axis=1, dtype=np.float64).cumsum(axis=1)
        return sums / counts[:, None]

    return _means(vectors, ids[:, : counts[-1]], len(counts), prefix_mean)


def softmax_means(vectors, ids, sims, temperatures):
    """The mean of the unit vectors of an image's descriptions, weighted by their similarity.

    `vectors`, `ids` and return as `prefix_means`.

    Parameters
    ----------
    sims : array of float, shape (M, L)
        Similarity of image and description (Eq. 3).
    temperatures : sequence of float, length K
        Weights are softmax(sims / temperature): infinite gives equal weights, towards 0 the
        best description has all the weight.

    Raises
    ------
    ValueError
        If a temperature is not above 0, or a vector has zero length.
    """
    temperatures = np.asarray(temperatures, dtype=float)
    if not (temperatures > 0).all():
        raise ValueError(f"temperatures={temperatures.tolist()}: expected values above 0")

    def weighted_mean(picked, rows):
        weights = softmax_weights(sims[rows], temperatures)  # (K, B, L)
        return weights.transpose(1, 0, 2) @ picked

    return _means(vectors, ids, len(temperatures), weighted_mean)


def softmax_weights(sims, temperatures):
    """softmax(sims / temperature) along the descriptions: float32, shape (K, M, L)."""
    sims = np.asarray(sims, dtype=float)
    below_best = sims - sims.max(axis=1, keepdims=True)
    weights = np.exp(below_best / np.reshape(temperatures, (-1, 1, 1)))
    return (weights / weights.sum(axis=2, keepdims=True)).astype(np.float32)


def pair_scores(means, index_pairs):
    """Scores of pairs under every setting: Eq. 4 as a mean where `means` are prefix means.

    Parameters
    ----------
    means : array of float, shape (K, M, d)
    index_pairs : array of int, shape (P, 2)

    Returns
    -------
    array of float32, shape (K, P)
        Times N: the printed 1/N.
    """
    a, b = np.asarray(index_pairs, dtype=np.int64).reshape(-1, 2).T
    return np.stack([np.einsum("pd,pd->p", mean[a], mean[b]) for mean in means])


def self_scores(means):
    """Each image's score with itself, ‖mean û‖²: float32, shape (K, M), in [0, 1]."""
    return np.einsum("kmd,kmd->km", means, means)


def pair_cosines(means, index_pairs):
    """The cosine of the two images' (weighted) sums: float32, shape (K, P).

    Eq. 4 divided by the geometric mean of the two images' scores with themselves: an image is
    then 1 to itself. NaN-free: a sum of zero length has cosine 0 with anything.
    """
    a, b = np.asarray(index_pairs, dtype=np.int64).reshape(-1, 2).T
    lengths = np.sqrt(self_scores(means))
    product = lengths[:, a] * lengths[:, b]
    scores = pair_scores(means, index_pairs)
    return np.divide(scores, product, out=np.zeros_like(scores), where=product > 0)


def _means(vectors, ids, n_settings, mean):
    """What `mean` (B, K, d) makes of unit vectors (B, L, d), block by block of images."""
    unit = _unit(vectors)
    means = np.empty((n_settings, len(ids), unit.shape[1]), dtype=np.float32)
    for start in range(0, len(ids), BLOCK):
        rows = slice(start, start + BLOCK)
        means[:, rows] = mean(unit[ids[rows]], rows).transpose(1, 0, 2)
    return means


def _unit(vectors):
    vectors = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (lengths > 0).all():
        raise ValueError("vectors: a description's vector has zero length or is not a number")
    return vectors / lengths
