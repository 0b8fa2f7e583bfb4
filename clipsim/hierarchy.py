"""The hierarchy that a falling threshold builds: single linkage of the scores.

As τ falls, clusters of the similarity graph only ever join. All that happens is in M - 1 edges, a
maximum spanning forest: its edges of at least τ have the components that all edges of at
least τ have, whatever τ is (J. C. Gower, G. J. S. Ross, *Minimum Spanning Trees and Single Linkage
Cluster Analysis*, Applied Statistics 18, 1969). So one pass over the edges serves every threshold.
"""

from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import cophenet
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from clipsim.graph import checked_edges


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """Which images join at which score.

    Attributes
    ----------
    n_images : int
    pairs : array of int64, shape (K, 2)
        The edges of a maximum spanning forest, K < M, the highest score first.
    scores : array of float, shape (K,)
        Where the clusters of the two images join.
    """

    n_images: int
    pairs: np.ndarray
    scores: np.ndarray

    @classmethod
    def of(cls, n_images, blocks):
        """The hierarchy of streamed edges, one block in memory at a time.

        Parameters
        ----------
        n_images : int
        blocks : iterable of (array of int, shape (E, 2); array of float, shape (E,))
            Pairs, each once, and their scores, as `clipsim.scoring.score_edges` yields them.

        Raises
        ------
        ValueError
            As `clipsim.graph.checked_edges`; also if a pair occurs twice.
        """
        pairs, scores = np.empty((0, 2), dtype=np.int64), np.empty(0, dtype=np.float32)
        for more_pairs, more_scores in blocks:
            more_pairs, more_scores = checked_edges(n_images, more_pairs, more_scores)
            pairs = np.concatenate([pairs, np.sort(more_pairs, axis=1)])
            scores = np.concatenate([scores, more_scores])
            kept = _forest(n_images, pairs, scores)
            pairs, scores = pairs[kept], scores[kept]
        return cls(n_images, pairs, scores)

    def labels(self, threshold):
        """The component of each image among the pairs of at least a threshold.

        Returns
        -------
        array of int32, shape (M,)
            Numbered by their first images; `clipsim.graph.component_labels` has the same groups.
        """
        return _components(self.n_images, self.pairs[self.scores >= threshold])

    def join_scores(self, pairs):
        """The highest threshold at which the two images of each pair are in one component.

        That of the weakest edge on the best way from one to the other.

        Parameters
        ----------
        pairs : array of int, shape (P, 2)

        Returns
        -------
        array of float64, shape (P,)

        Raises
        ------
        ValueError
            As `linkage`.
        """
        fallen = cophenet(self.linkage()) if self.n_images > 1 else np.empty(0)
        return float(self.scores[:1].sum()) - fallen[condensed_index(self.n_images, pairs)]

    def linkage(self):
        """The joins in the form of `scipy.cluster.hierarchy`: float64, shape (M - 1, 4).

        In the place of a distance stands how far the score has fallen below the highest one,
        `scores[0] - score`, so that heights rise as SciPy asks.

        Raises
        ------
        ValueError
            If the edges leave the images in more than one piece.
        """
        if len(self.pairs) != self.n_images - 1:
            pieces = self.n_images - len(self.pairs)
            raise ValueError(f"the edges leave {pieces} pieces: give those of lower scores, too")
        parent = np.arange(2 * self.n_images - 1)
        sizes = np.ones(2 * self.n_images - 1)
        joins = np.empty((self.n_images - 1, 4))
        scores = self.scores.astype(np.float64)
        for row, (pair, score) in enumerate(zip(self.pairs.tolist(), scores, strict=True)):
            left, right = sorted(_root(parent, image) for image in pair)
            new = self.n_images + row
            parent[[left, right]] = new
            sizes[new] = sizes[left] + sizes[right]
            joins[row] = left, right, scores[0] - score, sizes[new]
        return joins


def condensed_index(n_images, pairs):
    """Where pairs are among all pairs i < j in their order: int64, shape (P,)."""
    low, high = np.sort(np.asarray(pairs, dtype=np.int64).reshape(-1, 2), axis=1).T
    before = low * n_images - low * (low + 1) // 2  # pairs whose first image is an earlier one
    return before + high - low - 1


def _forest(n_images, pairs, scores):
    """Positions of the edges of a maximum spanning forest, the highest score first."""
    order = np.argsort(-scores, kind="stable")
    # Ranks instead of scores: exact, and never 0, which a sparse matrix takes for no edge.
    ranks = np.arange(1.0, len(order) + 1)
    table = coo_array((ranks, tuple(pairs[order].T)), shape=(n_images, n_images)).tocsr()
    if table.nnz < len(order):
        raise ValueError("pairs: a pair occurs twice")
    return order[np.sort(minimum_spanning_tree(table).data).astype(np.int64) - 1]


def _components(n_images, pairs):
    edges = coo_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(n_images, n_images))
    return connected_components(edges, directed=False)[1]


def _root(parent, node):
    while parent[node] != node:
        parent[node] = node = parent[parent[node]]  # halves the path as it goes
    return int(node)
