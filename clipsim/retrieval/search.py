"""Approximate search for large inner products, by FAISS, that reports what it misses.

Exact search for large inner products: the best of each query, and all above a threshold.

The one home of what retrieval (Eq. 3), scoring (Eq. 4) and the graph search for: blocked matrix
products, as fast as FAISS's flat index on many queries and on few. The rounding of a matrix
product depends on its shape where that is small, so what is found there is computed again, and
no decision depends on blocks, threads, or what else was searched for.
"""

import re
import sys
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch

QUERIES = 1024  # rows of a block of queries
ELEMENTS = 2**22  # of a block of products: stays near the processor
PANEL_ELEMENTS = 2**24  # of a panel of the upper triangle
PAIRS = 2**14  # computed one by one at a time
LEAST = 16  # rows and columns from which on a matrix product rounds alike whatever its shape


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
    ids = np.empty((len(queries), k), dtype=np.int64)
    products = np.empty((len(queries), k), dtype=np.float32)
    rows_at_once = max(1, min(QUERIES, 2 * ELEMENTS // k))
    for start in range(0, len(queries), rows_at_once):
        part = slice(start, start + rows_at_once)
        ids[part], products[part] = _largest_of_block(queries[part], vectors, k)
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


def _largest_of_block(queries, vectors, k):
    """`largest_products` of a block of queries."""
    n = len(queries)
    longest = np.linalg.norm(vectors[:: max(1, len(vectors) // 1024)], axis=1).max()
    margin = _rounding(vectors.shape[1]) * longest * np.linalg.norm(queries, axis=1)
    n_blocks = max(1, len(vectors) // max(ELEMENTS // n, 2 * k))
    bounds = np.linspace(0, len(vectors), n_blocks + 1).astype(int)
    memory = np.empty((np.diff(bounds).max(), n), dtype=np.float32)
    is_high = np.empty(memory.shape, dtype=bool)
    found, n_found = [], 0
    for start, stop in pairwise(bounds):
        products = np.matmul(vectors[start:stop], queries.T, out=memory[: stop - start])
        if start == 0:
            lowest = _at_most_kth(products, k) - margin
        hits = np.flatnonzero(np.greater_equal(products, lowest, out=is_high[: stop - start]))
        ids, rows = np.divmod(hits, n)
        found.append((rows, start + ids, products.ravel()[hits]))
        n_found += len(hits)
        if n_found > 4 * k * n:
            found, kth = _narrowed(found, k, margin)
            if len(found[0]) > 2 * k * n:  # a crowd of equals
                found, kth = _narrowed([_decided(found, queries, vectors)], k)
            n_found, lowest = len(found[0]), kth - margin
            found = [found]
    found, _ = _narrowed(found, k, margin)
    (_, ids, values), _ = _narrowed([_decided(found, queries, vectors)], k)
    return ids.reshape(n, k), values.reshape(n, k)


def _at_most_kth(products, k):
    """For each column a value at or below its k-th largest, and close: of maxima of groups."""
    groups = 16 * k
    size = len(products) // groups
    if size > 1:
        products = products[: groups * size].reshape(size, groups, -1).max(axis=0)
    return np.partition(products.T, -k, axis=1)[:, -k]


def _narrowed(found, k, margin=None):
    """The candidates of each row that may be among its k best, and its k-th best value.

    Without a margin, the k best.
    """
    rows, ids, values = ranked(found)
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    kth = values[starts + k - 1]
    if margin is None:
        near = np.arange(len(rows)) - starts[rows] < k
    else:
        near = values >= (kth - margin)[rows]
    return (rows[near], ids[near], values[near]), kth


def _decided(found, queries, vectors):
    """Candidates with the values that a large product has for them, wherever they stand in it."""
    rows, ids, values = found[0], found[1], np.empty(len(found[0]), dtype=np.float32)
    for first in range(0, len(queries), LEAST):
        some = np.resize(queries[first : first + LEAST], (LEAST, queries.shape[1]))
        part = slice(*np.searchsorted(rows, (first, first + LEAST)))
        distinct, place = np.unique(ids[part], return_inverse=True)
        listed = vectors[np.resize(distinct, max(LEAST, len(distinct)))]
        products = (torch.from_numpy(listed) @ torch.from_numpy(some).T).numpy()
        values[part] = products[place, rows[part] - first]
    return rows, ids, values


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


EF_SEARCH = 64  # candidates that an HNSW search keeps
SAMPLE = 200  # queries that a recall is measured on


@dataclass(frozen=True, eq=False)
class ApproximateIndex:
    """Search that may miss some of the best, and says how many.

    Attributes
    ----------
    vectors : array of float32, shape (C, d)
    factory : str
        FAISS's index-factory string.
    index : faiss.Index
    """

    vectors: np.ndarray
    factory: str
    index: Any

    @classmethod
    def build(cls, vectors, factory, parameters=""):
        """An index of the vectors, trained on them.

        Parameters
        ----------
        vectors : array of float32, shape (C, d)
        factory : str
            FAISS's index-factory string: "HNSW32", "IVF1024,Flat", "PCA64,IVF256,Flat", …
        parameters : str
            FAISS's search parameters, "nprobe=64" or "efSearch=200": a wider search finds more
            and takes longer. By default √L of an IVF's L lists, and HNSW's efSearch is 64.

        Raises
        ------
        ValueError
            If FAISS does not know the string or the parameters, or needs more vectors.
        """
        import faiss  # only here: on some systems its OpenMP and torch's do not get along

        vectors = float_matrix(vectors, "vectors")
        try:
            if re.search(r"[A-Za-z]0+(?!\d)", factory):
                raise RuntimeError("a size is 0")  # at which FAISS would end the process
            index = faiss.index_factory(vectors.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
            _widen_search(index)
            index.train(vectors)
            index.add(vectors)
            if parameters:
                faiss.ParameterSpace().set_index_parameters(index, parameters)
        except RuntimeError as error:
            reason = str(error).splitlines()[-1].rsplit(": ", 1)[-1].strip()
            asked = f"{factory!r} {parameters}".strip()
            raise ValueError(
                f"index {asked} of {len(vectors):,} vectors: {reason} (FAISS); "
                "known are HNSW32, IVF256,Flat and others"
            ) from None
        return cls(vectors, factory, index)

    def search(self, queries, k):
        """As `largest_products`, but some of the k best may be missing.

        The products are exact: those of the vectors themselves, even if FAISS stores less.

        Raises
        ------
        ValueError
            As `largest_products`, and if fewer than k are found for a query.
        """
        queries = float_matrix(queries, "queries")
        check_search(queries, self.vectors.shape, k)
        ids = self.index.search(queries, k)[1]
        short = (ids < 0).any(axis=1)
        if short.any():
            raise ValueError(
                f"index {self.factory!r} finds fewer than {k} vectors for {short.sum():,} of "
                f"{len(ids):,} queries: widen the search (nprobe, efSearch), or search exactly"
            )
        rows, ids = np.repeat(np.arange(len(queries)), k), ids.ravel()
        products = pair_products(queries, self.vectors, rows, ids)
        _, ids, products = ranked([(rows, ids, products)])
        return ids.reshape(-1, k), products.reshape(-1, k)

    def recall(self, queries, k):
        """The share of the k best that `search` finds, from 0 to 1.

        Measured against exact search on at most SAMPLE of the queries, evenly spaced. What is
        found counts if its product is at least the k-th best.
        """
        queries = float_matrix(queries, "queries")
        n = min(SAMPLE, len(queries))
        some = queries[np.linspace(0, len(queries) - 1, n).astype(int)]
        best, _ = largest_products(some, self.vectors, k)
        products = pair_products(some, self.vectors, np.repeat(np.arange(n), k), best.ravel())
        kth = products.reshape(n, k).min(axis=1, keepdims=True)
        return float((self.search(some, k)[1] >= kth).mean())

    def search_and_report(self, queries, k):
        """`search`, and one line to stderr with its recall on these queries."""
        found, recall = self.search(queries, k), self.recall(queries, k)
        print(
            f"{self.factory}: finds {recall:.1%} of the {k} best (exact search of "
            f"{min(SAMPLE, len(queries)):,} of {len(queries):,} queries)",
            file=sys.stderr,
        )
        return found


def _widen_search(index):
    """FAISS's defaults look into one list of an IVF, or at 16 candidates of HNSW."""
    import faiss

    index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexPreTransform):
        index = faiss.downcast_index(index.index)
    if isinstance(index, faiss.IndexIVF):
        index.nprobe = int(np.ceil(np.sqrt(index.nlist)))
        index.cp.min_points_per_centroid = 1  # no warning of few vectors: the recall tells
    elif isinstance(index, faiss.IndexHNSW):
        index.hnsw.efSearch = EF_SEARCH
