"""Exact search for large inner products: the best of each query, and all above a threshold.

The one home of what retrieval (Eq. 3), `scoring` (Eq. 4) and the graph search for. Exact search
is blocked matrix products in NumPy, as fast as FAISS's on many queries and faster on few.
A matrix product's rounding depends on its shape, so it only finds candidates: those within
its rounding error of a decision are computed one by one (`pair_products`), and no result
depends on blocks, threads, or what else was searched for.
"""

import numpy as np

QUERIES = 1024  # rows of a block of queries
ELEMENTS = 2**22  # of a block of products: stays near the processor
PANEL_ELEMENTS = 2**24  # of a panel of the upper triangle
PAIRS = 2**14  # computed one by one at a time


def pair_products(a, b, rows_a, rows_b):
    """Inner products of listed pairs of rows, each by itself: float32, shape (E,).

    Parameters
    ----------
    a, b : array of float32, shape (…, d)
    rows_a, rows_b : array of int, shape (E,)
    """
    products = np.empty(len(rows_a), dtype=np.float32)
    for start in range(0, len(products), PAIRS):
        part = slice(start, start + PAIRS)
        products[part] = np.einsum("ed,ed->e", a[rows_a[part]], b[rows_b[part]])
    return products


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
    queries, vectors = float_matrix(queries, "queries"), float_matrix(vectors, "vectors")
    check_search(queries, vectors.shape, k)
    longest = np.linalg.norm(vectors[:: max(1, len(vectors) // 1024)], axis=1).max()
    margin = _rounding(vectors.shape[1]) * longest * np.linalg.norm(queries, axis=1)
    ids = np.empty((len(queries), k), dtype=np.int64)
    products = np.empty((len(queries), k), dtype=np.float32)
    rows_at_once = max(1, min(QUERIES, 2 * ELEMENTS // k))
    for start in range(0, len(queries), rows_at_once):
        part = slice(start, start + rows_at_once)
        ids[part], products[part] = _largest_of_block(queries[part], vectors, k, margin[part])
    return ids, products


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
    vectors = float_matrix(vectors, "vectors")
    if np.isnan(threshold):
        raise ValueError("threshold: expected a number, got NaN")
    squares = np.einsum("md,md->m", vectors, vectors)
    if not np.isfinite(squares).all():
        raise ValueError(f"vectors: row {np.argmin(np.isfinite(squares))} is not finite")
    margin = _rounding(vectors.shape[1]) * squares.max(initial=0)
    return _panels_at_least(vectors, np.float32(threshold), margin)


def _panels_at_least(vectors, threshold, margin):
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


def _largest_of_block(queries, vectors, k, margin):
    """`largest_products` of a block of queries."""
    size = max(ELEMENTS // len(queries), 2 * k)
    most = 4 * k * len(queries)
    found, n_found = [], 0
    for start in range(0, len(vectors), size):
        products = queries @ vectors[start : start + size].T
        if start == 0:
            lowest = _at_most_kth(products, k) - margin
        hits = np.flatnonzero(products >= lowest[:, None])
        rows, columns = np.divmod(hits, products.shape[1])
        found.append((rows, start + columns, products.ravel()[hits]))
        n_found += len(hits)
        if n_found > most:
            rows, ids, values = ranked(found)
            kth = values[np.searchsorted(rows, np.arange(len(queries))) + k - 1]
            lowest = kth - margin
            near = values >= lowest[rows]
            found = [(rows[near], ids[near], values[near])]
            n_found = np.count_nonzero(near)
            if n_found > most // 2:  # a crowd of equals
                found = [_best(found, queries, vectors, k)]
                n_found = k * len(queries)
    _, ids, values = _best(found, queries, vectors, k)
    return ids.reshape(-1, k), values.reshape(-1, k)


def _at_most_kth(products, k):
    """For each row a value at or below its k-th largest, and close: that of maxima of columns."""
    groups = 16 * k
    width = products.shape[1] // groups
    if width > 1:
        columns = products[:, : groups * width]
        products = columns.reshape(len(products), width, groups).max(axis=1)
    return np.partition(products, -k, axis=1)[:, -k]


def _best(found, queries, vectors, k):
    """The k best candidates of each row by products computed one by one, row by row."""
    rows, ids, _ = (np.concatenate(part) for part in zip(*found, strict=True))
    rows, ids, values = ranked([(rows, ids, pair_products(queries, vectors, rows, ids))])
    first = np.arange(len(rows)) - np.searchsorted(rows, rows) < k
    return rows[first], ids[first], values[first]


def ranked(found):
    """Candidates (rows, ids, values) by row, the largest value first, equal ones by id."""
    rows, ids, values = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((ids, -values, rows))
    return rows[order], ids[order], values[order]


def _rounding(d):
    """How far apart two float32 products of unit vectors may be by rounding, twice."""
    return np.float32(d * 2.0**-22)


def float_matrix(vectors, name):
    """Vectors as contiguous float32, shape (rows, d); `ValueError` if they have another."""
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if vectors.ndim != 2:
        raise ValueError(f"{name}: expected shape (rows, d), got {vectors.shape}")
    return vectors


def check_search(queries, shape, k):
    """`ValueError` unless finite queries fit vectors of this shape and k is in 1…C."""
    if queries.shape[1] != shape[1]:
        raise ValueError(f"queries: expected (Q, {shape[1]}), got {queries.shape}")
    if not 1 <= k <= shape[0]:
        raise ValueError(f"k={k}: expected 1 to {shape[0]}, the number of vectors")
    if not np.isfinite(queries).all():
        raise ValueError("queries: a value is not finite")
