"""Pools larger than a real one: more vectors, sampled around its own."""

import numpy as np

from clipsim.retrieval import largest_products

NEIGHBOURS = 10
CENTRES = 20_000


def pool_of(vectors, size, seed):
    """A pool of any size: a part of the real vectors, or all of them and some sampled around.

    Parameters
    ----------
    vectors : array of float32, shape (C, d)
        Unit vectors.
    size, seed : int

    Returns
    -------
    array of float32, shape (size, d)
    """
    if size > len(vectors):
        return np.concatenate([vectors, sampled_around(vectors, size - len(vectors), seed)])
    chosen = np.random.default_rng(seed).permutation(len(vectors))[:size]
    return vectors[np.sort(chosen)]


def sampled_around(vectors, n, seed):
    """Unit vectors sampled around real ones.

    To a real vector, drawn at random, Gaussian noise is added that has the covariance of its ten
    nearest vectors, itself among them: noise as wide as the neighbours are apart, in the
    directions in which they differ. Noise alike in all d directions would lie in none of the real
    ones, and approximate search would have a harder task than real captions set it.

    Parameters
    ----------
    vectors : array of float32, shape (C, d)
        Unit vectors; of more than `CENTRES`, so many are drawn to sample around.
    n, seed : int

    Returns
    -------
    array of float32, shape (n, d)
    """
    rng = np.random.default_rng(seed)
    centres = vectors[rng.permutation(len(vectors))[:CENTRES]]
    near, _ = largest_products(centres, vectors, min(NEIGHBOURS, len(vectors)))
    chosen = rng.integers(len(centres), size=n)
    gains = rng.standard_normal((n, near.shape[1]), dtype=np.float32) / np.sqrt(near.shape[1])
    sampled = centres[chosen]
    for start in range(0, n, CENTRES):
        part = slice(start, start + CENTRES)
        around = vectors[near[chosen[part]]]
        sampled[part] += np.einsum("nk,nkd->nd", gains[part], around - around.mean(1)[:, None])
    return sampled / np.linalg.norm(sampled, axis=1, keepdims=True)
