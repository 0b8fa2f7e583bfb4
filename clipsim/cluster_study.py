"""Do the clusters that a threshold makes gather what is alike? Chosen on validation, told on test.

Of scenes all pairs of images are known to be alike or not, of photographs those that were judged.
One measure serves both: Cohen's κ between "in one cluster" and "alike" over the known pairs. Over
*all* pairs it is the adjusted Rand index (M. J. Warrens, *On the Equivalence of Cohen's Kappa and
the Hubert-Arabie Adjusted Rand Index*, J. Classification 25, 2008): 1 for the known classes
themselves, 0 on average for clusters at random.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clipsim.graph import community_labels, similarity_graph
from clipsim.hierarchy import Hierarchy, condensed_index
from clipsim.known_images import KnownImages, every_pair
from clipsim.metrics import ssim_matrix
from clipsim.scoring import score_matrix

# Images to compare metrics on. SSIM of all pairs sets the price; of photographs few pairs are
# known, so that more images are needed.
N_SCENES, N_PHOTOGRAPHS = 200, 500
N_STEPS = 61  # thresholds of a sweep; communities cost more: every third
MOST_NEIGHBOURS = 25  # per image; beyond it they cost more than they tell
METHODS = ("components", "communities")


@dataclass(frozen=True, eq=False)
class MetricGraphs:
    """The graphs that all thresholds of one metric make of the same images.

    Attributes
    ----------
    known : KnownImages
    pairs : array of int64, shape (M (M - 1) / 2, 2)
        All pairs, i < j.
    scores : array of float, shape (M (M - 1) / 2,)
    hierarchy : Hierarchy
    """

    known: KnownImages
    pairs: np.ndarray
    scores: np.ndarray
    hierarchy: Hierarchy

    @classmethod
    def of(cls, known, matrix):
        """From the scores of all pairs, shape (M, M)."""
        pairs = every_pair(len(known))
        scores = matrix[tuple(pairs.T)]
        return cls(known, pairs, scores, Hierarchy.of(len(known), [(pairs, scores)]))

    def graph(self, threshold, **attributes):
        """The graph of the pairs of at least a threshold."""
        edges = self.scores >= threshold
        names = self.known.image_ids
        return similarity_graph(names, self.pairs[edges], self.scores[edges], **attributes)

    def labels(self, threshold, method, seed):
        """The cluster of each image, by one of `METHODS`: array of int, shape (M,)."""
        if method == "components":
            return self.hierarchy.labels(threshold)
        return community_labels(self.graph(threshold), seed)

    def agreement(self, labels):
        """κ between clusters and what is known."""
        known = self.known
        return pair_agreement(together(known, labels), known.alike, known.weights)

    def shape(self, threshold):
        """What the graph of a threshold is like: dict of numbers.

        Counts of edges and of components of two images or more; neighbours per image; the shares
        of images in the largest component and alone; of the known pairs the share of edges that
        are alike, and of alike ones that are edges.
        """
        n_edges = int((self.scores >= threshold).sum())
        sizes = np.bincount(self.hierarchy.labels(threshold))
        edge, alike = self.known_scores >= threshold, self.known.alike
        both = self.known.weights @ (edge & alike)
        return {
            "threshold": float(threshold),
            "n_edges": n_edges,
            "neighbours": 2 * n_edges / len(self.known),
            "n_components": int((sizes > 1).sum()),
            "share_in_largest": float(sizes.max() / len(self.known)),
            "share_alone": float((sizes == 1).sum() / len(self.known)),
            "edges_alike": both / (self.known.weights @ edge) if edge.any() else np.nan,
            "alike_joined": both / (self.known.weights @ alike) if alike.any() else np.nan,
        }

    @property
    def known_scores(self):
        """Scores of the known pairs: array of float, shape (P,)."""
        return self.scores[condensed_index(len(self.known), self.known.pairs)]


def graphs_by_metric(profile, images, retrieval, known):
    """`MetricGraphs` of Eq. 4, SSIM and the image cosine over the same images, by metric key."""
    vectors = retrieval.image_vectors[retrieval.rows(known.image_ids)]
    pixels = images.pixel_batch(known.image_ids)
    return {
        "clip_score": clip_graphs(profile, retrieval, known),
        "ssim": MetricGraphs.of(known, ssim_matrix(pixels, progress=False)),
        "image_cosine": MetricGraphs.of(known, vectors @ vectors.T),
    }


def clip_graphs(profile, retrieval, known):
    """`MetricGraphs` of Eq. 4."""
    vectors = retrieval.description_vectors[retrieval.rows(known.image_ids)]
    return MetricGraphs.of(known, score_matrix(vectors, profile.normalisation))


def n_compared(images, known):
    """How many images of each split to compare: equally many, since clusters depend on it."""
    limit = N_SCENES if images.scenes else N_PHOTOGRAPHS
    return min(limit, *(len(of_split) for of_split in known.values()))


def pair_agreement(in_cluster, alike, weights=None):
    """Cohen's κ between "in one cluster" and "alike" over known pairs.

    Parameters
    ----------
    in_cluster : array of bool, shape (P,) or (P, K)
        K clusterings at once.
    alike : array of bool, shape (P,)
    weights : array of float, shape (P,), optional
        How often each pair counts.

    Returns
    -------
    float64, shape () or (K,)
        NaN where both sides are constant and equal, or no pair counts.
    """
    weights = np.ones(len(alike)) if weights is None else weights.astype(float)
    total, n_alike = weights.sum(), weights[alike].sum()
    # Not `@`: for so little, waking the threads of a matrix product can take longer than it.
    n_together = np.einsum("p,p...->...", weights, in_cluster)
    both = np.einsum("p,p...->...", weights[alike], in_cluster[alike])
    if total == 0:
        return np.full(np.shape(n_together), np.nan)[()]
    return _kappa(total, n_alike, n_together, both)[()]


def component_agreement(graphs):
    """κ of the components at every threshold where known pairs join.

    Two images are in one component from their join score downwards, so that one sort of the
    known pairs by it serves all thresholds.

    Returns
    -------
    thresholds : array of float64, shape (L,)
        Falling.
    kappas : array of float64, shape (L,)
    """
    known, joins = graphs.known, graphs.hierarchy.join_scores(graphs.known.pairs)
    order = np.argsort(-joins, kind="stable")
    weights, alike, joins = known.weights[order], known.alike[order], joins[order]
    ends = np.flatnonzero(np.diff(joins, append=-np.inf))
    n_together, both = np.cumsum(weights)[ends], np.cumsum(weights * alike)[ends]
    return joins[ends], _kappa(weights.sum(), weights @ alike, n_together, both)


def together(known, labels):
    """Whether known pairs are in one cluster: bool, shape (P,) or (P, K)."""
    return labels[known.pairs[:, 0]] == labels[known.pairs[:, 1]]


def sweep(graphs, seed):
    """Shape and quality of the graphs over thresholds, from few edges to all.

    Returns
    -------
    pandas.DataFrame
        The columns of `MetricGraphs.shape`, then κ of "components" and of "communities", these
        at every third threshold and up to 25 neighbours per image, else NaN.
    """
    n_pairs = len(graphs.scores)
    counts = np.geomspace(min(len(graphs.known) / 10, n_pairs), n_pairs, N_STEPS).astype(int)
    falling = np.sort(graphs.scores)[::-1]
    rows = []
    for step, threshold in enumerate(np.unique(falling[np.maximum(counts, 1) - 1])[::-1]):
        row = graphs.shape(threshold)
        for method in METHODS:
            row[method] = np.nan
            if method == "components" or (step % 3 == 0 and row["neighbours"] <= MOST_NEIGHBOURS):
                row[method] = graphs.agreement(graphs.labels(threshold, method, seed))
        rows.append(row)
    return pd.DataFrame(rows)


def best_threshold_for_components(graphs):
    """Of all thresholds that which makes the best components; midway to the next join."""
    thresholds, kappas = component_agreement(graphs)
    best = int(np.nanargmax(kappas))
    return float(thresholds[best : best + 2].mean())


def best_thresholds(graphs, table):
    """The thresholds that make the best clusters of these images, by method.

    Parameters
    ----------
    graphs : MetricGraphs
        Of validation images.
    table : pandas.DataFrame
        Their `sweep`, of which the best threshold for communities is one.

    Returns
    -------
    dict of str to float
    """
    return {
        "components": best_threshold_for_components(graphs),
        "communities": float(table.threshold[table.communities.idxmax()]),
    }


def _kappa(total, n_alike, n_together, both):
    """Cohen's κ of two ways to sort `total` pairs, from how many are what."""
    observed = (total - n_alike - n_together + 2 * both) / total
    chance = (n_alike * n_together + (total - n_alike) * (total - n_together)) / total**2
    undefined = np.full(np.shape(chance), np.nan)
    return np.divide(observed - chance, 1 - chance, out=undefined, where=chance < 1)
