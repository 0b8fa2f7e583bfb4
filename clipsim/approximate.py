"""Approximate search for large inner products, by FAISS, that reports what it misses."""

import re
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from clipsim.inner_products import (
    check_search,
    float_matrix,
    largest_products,
    pair_products,
    ranked,
)

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
