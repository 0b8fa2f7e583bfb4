"""Search for large inner products: what retrieval (Eq. 3), scores (Eq. 4) and the graph ask for.

Exact, by blocked matrix products as fast as FAISS's flat index.

The rounding of a matrix product depends on its shape where that is small, and on the library. What
a block finds is therefore decided by products that are computed once more, all in one way: no
result depends on blocks, on threads, or on what else was searched for.
"""

import numpy as np
import torch
from torch.nn.functional import linear

from clipsim.model import OneDnnLinear

QUERIES = 1024  # rows of a block of queries
ELEMENTS = 2**22  # of a block of products: stays near the processor
PANEL_ELEMENTS = 2**24  # of a panel of the upper triangle
PAIRS = 2**14  # computed one by one at a time
ROUNDING = np.float32(2.0**-22)  # times d: twice what rounding changes a product of unit vectors
LEAST = 16  # rows and columns from which on a matrix product rounds alike whatever its shape


def largest_products(queries, vectors, k):
    """The k vectors with the largest inner product with each query, exactly.

    Memory beyond the arguments is bounded by k for each query, whatever the number of vectors,
    which may be mapped from a file.

    Parameters
    ----------
    queries : array of float32, shape (Q, d)
    vectors : array of float32, shape (C, d)
        Finite, and of lengths within a factor of 10 or so: what counts as a rounding error is
        estimated from some of them.
    k : int
        In 1…C.

    Returns
    -------
    ids : array of int64, shape (Q, k)
        Positions of the vectors, the largest product first; equal products by position.
    products : array of float32, shape (Q, k)

    Raises
    ------
    ValueError
        If the shapes do not fit, k is out of range, or a query is not finite.
    """
    queries, vectors = _float_matrix(queries, "queries"), _float_matrix(vectors, "vectors")
    if queries.shape[1] != vectors.shape[1]:
        raise ValueError(f"queries: expected (Q, {vectors.shape[1]}), got {queries.shape}")
    if not 1 <= k <= len(vectors):
        raise ValueError(f"k={k}: expected 1 to {len(vectors)}, the number of vectors")
    if not np.isfinite(queries).all():
        raise ValueError("queries: a value is not finite")
    ids = np.empty((len(queries), k), dtype=np.int64)
    products = np.empty((len(queries), k), dtype=np.float32)
    rows_at_once = max(1, min(QUERIES, 2 * ELEMENTS // k))
    for start in range(0, len(queries), rows_at_once):
        part = slice(start, start + rows_at_once)
        ids[part], products[part] = _largest_of_block(queries[part], vectors, k)
    return ids, products


def _largest_of_block(queries, vectors, k):
    """`largest_products` of a block of queries, from one block of the vectors after the other."""
    n = len(queries)
    longest = np.linalg.norm(vectors[:: max(1, len(vectors) // 1024)], axis=1).max()
    margin = ROUNDING * vectors.shape[1] * longest * np.linalg.norm(queries, axis=1)
    size = min(len(vectors), max(ELEMENTS // n, 2 * k))
    asked, candidates, n_candidates = torch.tensor(queries), [], 0
    for start in range(0, len(vectors), size):
        block = vectors[start : start + size]
        with torch.inference_mode(), OneDnnLinear():  # DLPack: vectors may be read-only
            products = linear(torch.from_dlpack(block), asked).numpy()
        if start == 0:  # what may be among the best once its product is computed anew
            lowest = _at_most_kth(products, k) - margin
        ids, rows = np.divmod(np.flatnonzero(products >= lowest), n)
        candidates.append((rows, start + ids))
        n_candidates += len(rows)
        if start + size >= len(vectors) or n_candidates > 4 * k * n:
            best, best_products = _best_candidates(candidates, queries, vectors, k)
            lowest = best_products[:, -1] - margin
            candidates, n_candidates = [(np.repeat(np.arange(n), k), best.ravel())], k * n
    return best, best_products


def _at_most_kth(products, k):
    """For each column a value at or below its k-th largest, and close: of maxima of groups."""
    n_groups = 16 * k
    size = len(products) // n_groups
    if size > 1:
        products = products[: n_groups * size].reshape(size, n_groups, -1).max(axis=0)
    return np.partition(products.T, -k, axis=1)[:, -k]


def _best_candidates(candidates, queries, vectors, k):
    """The k best of each query's candidates, (n, k) ids and products; equal ones by position.

    Their products are those that a large matrix product has for them, wherever they stand in it.
    """
    rows, ids = (np.concatenate(part) for part in zip(*candidates, strict=True))
    order = np.argsort(rows, kind="stable")
    rows, ids = rows[order], ids[order]
    products = np.empty(len(rows), dtype=np.float32)
    for first in range(0, len(queries), LEAST):
        some = np.resize(queries[first : first + LEAST], (LEAST, queries.shape[1]))
        part = slice(*np.searchsorted(rows, (first, first + LEAST)))
        distinct, place = np.unique(ids[part], return_inverse=True)
        listed = vectors[np.resize(distinct, max(LEAST, len(distinct)))]
        block = (torch.from_numpy(listed) @ torch.from_numpy(some).T).numpy()
        products[part] = block[place, rows[part] - first]
    order = np.lexsort((ids, -products, rows))
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    best = order[rank < k].reshape(len(queries), k)
    return ids[best], products[best]


def products_at_least(vectors, threshold):
    """Pairs of vectors whose inner product is at or above a threshold, exactly.

    Memory is bounded, whatever the number of pairs found: they come in blocks.

    Parameters
    ----------
    vectors : array of float32, shape (M, d)
    threshold : float

    Returns
    -------
    iterator of (pairs, products)
        pairs : array of int64, shape (E, 2), positions i < j, in the order of (i, j) from block
        to block; products : array of float32, shape (E,).

    Raises
    ------
    ValueError
        If a vector is not finite, or the threshold not a number.
    """
    vectors = _float_matrix(vectors, "vectors")
    if np.isnan(threshold):
        raise ValueError("threshold: expected a number, got NaN")
    squares = np.einsum("md,md->m", vectors, vectors)
    if not np.isfinite(squares).all():
        raise ValueError(f"vectors: row {np.argmin(np.isfinite(squares))} is not finite")
    margin = ROUNDING * vectors.shape[1] * squares.max(initial=0)
    return _panels_at_least(vectors, np.float32(threshold), margin)


def _panels_at_least(vectors, threshold, margin):
    """`products_at_least`, panel by panel of rows of the upper triangle."""
    start = 0
    while start < len(vectors) - 1:
        width = len(vectors) - start - 1
        stop = start + min(max(1, PANEL_ELEMENTS // width), width)
        products = vectors[start:stop] @ vectors[start + 1 :].T
        hits = np.flatnonzero(products >= threshold - margin)
        pairs = np.stack(np.divmod(hits, width), axis=1)
        upper = pairs[:, 0] <= pairs[:, 1]
        pairs, found = pairs[upper] + (start, start + 1), products.ravel()[hits[upper]]
        near = np.flatnonzero(np.abs(found - threshold) <= margin)
        found[near] = pair_products(vectors, vectors, *pairs[near].T)
        above = found >= threshold
        if above.any():
            yield pairs[above], found[above]
        start = stop


def pair_products(a, b, rows_a, rows_b):
    """Inner products of listed pairs of rows, each by itself.

    Parameters
    ----------
    a, b : array of float32, shape (…, d)
    rows_a, rows_b : array of int, shape (E,)

    Returns
    -------
    array of float32, shape (E,)
    """
    products = np.empty(len(rows_a), dtype=np.float32)
    for start in range(0, len(products), PAIRS):
        part = slice(start, start + PAIRS)
        products[part] = np.einsum("ed,ed->e", a[rows_a[part]], b[rows_b[part]])
    return products


def _float_matrix(vectors, name):
    """Vectors as contiguous float32, shape (rows, d); `ValueError` if they have another."""
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if vectors.ndim != 2:
        raise ValueError(f"{name}: expected shape (rows, d), got {vectors.shape}")
    return vectors
