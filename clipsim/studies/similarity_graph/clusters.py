"""How good clusters are at the thresholds that count: rows with intervals and controls.

Three thresholds of each metric: the one that Table 1 chose for *pairs*, on pairs that are not
reported; the paper's; and the one that makes the best clusters of *validation* images.

Images of which it is known what is alike: of scenes all pairs, of photographs judged ones.

The hierarchy that a falling threshold builds: single linkage of the scores.

As τ falls, clusters of the similarity graph only ever join. All that happens is in M - 1 edges, a
maximum spanning forest: its edges of at least τ have the components that all edges of at
least τ have, whatever τ is (J. C. Gower, G. J. S. Ross, *Minimum Spanning Trees and Single Linkage
Cluster Analysis*, Applied Statistics 18, 1969). So one pass over the edges serves every threshold.

Do the clusters that a threshold makes gather what is alike? Chosen on validation, told on test.

Of scenes all pairs of images are known to be alike or not, of photographs those that were judged.
One measure serves both: Cohen's κ between "in one cluster" and "alike" over the known pairs. Over
*all* pairs it is the adjusted Rand index (M. J. Warrens, *On the Equivalence of Cohen's Kappa and
the Hubert-Arabie Adjusted Rand Index*, J. Classification 25, 2008): 1 for the known classes
themselves, 0 on average for clusters at random.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import cophenet
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from clipsim.data import AGREE, TOP, caption_pairs, concept_table
from clipsim.evaluation import interval
from clipsim.metrics import ssim_matrix
from clipsim.retrieval import (
    checked_edges,
    cluster_quality,
    community_labels,
    component_labels,
    score_matrix,
    similarity_graph,
)


@dataclass(frozen=True, eq=False)
class KnownImages:
    """Images of one split, and which pairs of them are known to be alike or not.

    Attributes
    ----------
    image_ids : tuple of str, length M
    pairs : array of int64, shape (P, 2)
        Positions of the known pairs.
    alike : array of bool, shape (P,)
    weights : array of float, shape (P,)
        How many pairs of the images each stands for, up to a factor.
    classes : dict of str to array of str, shape (M,)
        Partitions of all images that are known: "content" and "kinds of things"; empty for
        photographs.
    """

    image_ids: tuple[str, ...]
    pairs: np.ndarray
    alike: np.ndarray
    weights: np.ndarray
    classes: dict[str, np.ndarray]

    def __len__(self):
        return len(self.image_ids)

    def subset(self, positions):
        """The images at `positions`, in that order, and what is known of them."""
        positions = np.asarray(positions, dtype=np.int64)
        new = np.full(len(self), -1)
        new[positions] = np.arange(len(positions))
        pairs = new[self.pairs]
        inside = (pairs >= 0).all(axis=1)
        return KnownImages(
            tuple(self.image_ids[i] for i in positions),
            np.sort(pairs[inside], axis=1),
            self.alike[inside],
            self.weights[inside],
            {name: labels[positions] for name, labels in self.classes.items()},
        )

    def first(self, n_images):
        """The first so many images, and what is known of them."""
        return self.subset(np.arange(n_images))

    @property
    def alike_pairs(self):
        """The known pairs that are alike: set of (int, int), i < j."""
        return set(map(tuple, np.sort(self.pairs[self.alike], axis=1).tolist()))

    @property
    def groups(self):
        """Images that belong together, as labels: int64, shape (M,).

        Those of the same content; of photographs those that known pairs link, which is for
        choosing pictures to show and no partition that anybody judged.
        """
        if self.classes:
            return np.unique(self.classes["content"], return_inverse=True)[1]
        alike = self.pairs[self.alike]
        return component_labels(similarity_graph(self.image_ids, alike, np.ones(len(alike))))


def known_images(images, pairs, profile):
    """What is known of validation and of test images.

    Of pairs whose captions agree most or least, half each, those that agree weigh as much as the
    share of all pairs that they were drawn from, and the others as the rest.

    Parameters
    ----------
    images : CaptionedImages
    pairs : LabelledPairs
        Those labelled similar or not, of one source. Where they have no validation part (people
        judged test photographs), the validation images are those of pairs whose captions agree
        most and least.
    profile : Profile

    Returns
    -------
    dict of str to KnownImages
        "val" and "test", the images in the order of the pairs; of photographs these are shuffled.
    """
    parts = {split: pairs.where(pairs.split == split) for split in ("val", "test", "cross")}
    if len(parts["cross"]):
        by_captions = caption_pairs(images, profile)
        parts = {"val": by_captions.where(by_captions.split == "val"), "test": parts["cross"]}
    if images.scenes:
        return {split: _scenes(images, parts[split]) for split in ("val", "test")}
    return {split: _photographs(parts[split], profile.seed) for split in ("val", "test")}


def pictured(known, seed, n_groups=6, n_each=4, n_others=12):
    """Positions of images for a picture: some of each of several groups, and any others.

    No score has a say.

    Parameters
    ----------
    known : KnownImages
    seed : int
        Draws groups among those that are large enough, their members, and the others.
    n_groups, n_each, n_others : int
        Where groups are too small, there are more of them, for as many images.

    Returns
    -------
    array of int64, shape (at most n_groups * n_each + n_others,)
    """
    rng = np.random.default_rng(seed)
    groups = known.groups
    members = [np.flatnonzero(groups == label) for label in range(groups.max() + 1)]
    drawn = rng.permutation(len(members)).tolist()
    drawn.sort(key=lambda label: -min(len(members[label]), n_each))  # stable: ties stay random
    chosen = [rng.permutation(members[label])[:n_each] for label in drawn]
    chosen = np.concatenate(chosen)[: n_groups * n_each]
    others = np.setdiff1d(np.arange(len(known)), chosen)
    return np.sort(np.concatenate([chosen, rng.permutation(others)[:n_others]]))


def every_pair(n_images):
    """All pairs i < j of so many images: int64, shape (M (M - 1) / 2, 2)."""
    return np.stack(np.triu_indices(n_images, k=1), axis=1)


def _scenes(images, pairs):
    """All pairs of scenes are known: alike where every concept occurs equally often."""
    image_ids = _image_ids(pairs)
    group = {name: concept.group for name, concept in concept_table().items()}
    contents = [sorted(images.scenes[image_id].content.elements()) for image_id in image_ids]
    content = np.array([" + ".join(concepts) for concepts in contents])
    kinds = np.array([" + ".join(sorted({group[c] for c in concepts})) for concepts in contents])
    every = every_pair(len(image_ids))
    alike = content[every[:, 0]] == content[every[:, 1]]
    classes = {"content": content, "kinds of things": kinds}
    return KnownImages(image_ids, every, alike, np.ones(len(alike)), classes)


def _photographs(pairs, seed):
    pairs = pairs.where(np.random.default_rng(seed).permutation(len(pairs)))
    image_ids, alike = _image_ids(pairs), pairs.similar == 1
    weights = np.ones(len(pairs))
    if (pairs.kind == AGREE).any():
        weights = np.where(alike, TOP / alike.sum(), (1 - TOP) / (~alike).sum())
    return KnownImages(image_ids, pairs.positions(image_ids), alike, weights, {})


def _image_ids(pairs):
    """Every image of some pair, once, in the order of the pairs."""
    both = np.stack([pairs.id_a, pairs.id_b], axis=1).ravel()
    return tuple(dict.fromkeys(both.tolist()))


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
            Pairs, each once, and their scores, as `score.score_edges` yields them.

        Raises
        ------
        ValueError
            As `clipsim.retrieval.graph.checked_edges`; also if a pair occurs twice.
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
            Numbered by their first images; `graph.component_labels` has the same groups.
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


PAIRS, PAPER, CLUSTERS = "Table 1, held-out", "the paper's", "best clusters of validation"
N_SHUFFLES = 200
SMALLEST = 50  # images to start with, where their number grows


def chosen_thresholds(held_out, paper, best):
    """Which thresholds to report: a list of dict with metric, origin, method, threshold.

    Parameters
    ----------
    held_out, paper : dict of str to float
        By metric key, for pairs: Table 1's; the paper's, or None where it has none.
    best : dict of str to dict of str to float
        By metric key, `best_thresholds` of validation images.
    """
    return [
        {"metric": key, "origin": origin, "method": method, "threshold": threshold}
        for key, of_method in best.items()
        for origin in (PAIRS, PAPER, CLUSTERS)
        for method, best_of_method in of_method.items()
        for threshold in [{PAIRS: held_out[key], PAPER: paper[key]}.get(origin, best_of_method)]
        if threshold is not None
    ]


def quality_rows(graphs, chosen, profile):
    """How good the clusters of test images are at the chosen thresholds.

    Parameters
    ----------
    graphs : dict of str to MetricGraphs
        By metric key, of the same test images.
    chosen : list of dict
        Of `chosen_thresholds`.
    profile : Profile
        `n_bootstrap` and `seed`.

    Returns
    -------
    rows : list of dict
        Each of `chosen` with the shape of its graph, `kappa`, `kappa_ci95` (images resampled,
        their clusters held fixed), `kappa_shuffled` (mean over clusters dealt out anew among the
        images) with its middle 95 %, and `cluster_quality` for every known partition.
    differences : list of dict
        κ of Eq. 4 less that of each other metric, at the thresholds chosen on validation.
    """
    known = next(iter(graphs.values())).known
    labels = [
        graphs[c["metric"]].labels(c["threshold"], c["method"], profile.seed) for c in chosen
    ]
    labels = np.stack(labels, axis=1)
    kappas = pair_agreement(together(known, labels), known.alike, known.weights)
    resampled = _resampled(known, labels, profile)
    shuffled = _shuffled(known, labels, profile.seed)
    rows = [
        {
            **choice,
            **graphs[choice["metric"]].shape(choice["threshold"]),
            "n_clusters": int((np.bincount(labels[:, k]) > 1).sum()),
            "kappa": float(kappas[k]),
            "kappa_ci95": interval(resampled[:, k]),
            "kappa_shuffled": float(np.nanmean(shuffled[:, k])),
            "kappa_shuffled_95": interval(shuffled[:, k]),
            "classes": {
                name: cluster_quality(labels[:, k], truth) for name, truth in known.classes.items()
            },
        }
        for k, choice in enumerate(chosen)
    ]
    return rows, _differences(chosen, kappas, resampled)


def growth_rows(profile, retrieval, known, thresholds):
    """What becomes of the graphs of Eq. 4 with more and more of the images.

    Parameters
    ----------
    profile : Profile
    retrieval : Retrieval
    known : dict of str to KnownImages
        "val" and "test"; of both the first 50, 100, 200 … images.
    thresholds : dict of str to float
        By origin; they stay. A further one, the best for components, is chosen on equally many
        validation images each time.

    Returns
    -------
    list of dict
    """
    largest = min(len(of_split) for of_split in known.values())
    doubled = (SMALLEST * 2**k for k in range(largest.bit_length()))
    rows = []
    for n_images in [*(size for size in doubled if size < largest), largest]:
        val, test = (
            clip_graphs(profile, retrieval, known[split].first(n_images))
            for split in ("val", "test")
        )
        chosen = {CLUSTERS: best_threshold_for_components(val)}
        for origin, threshold in {**thresholds, **chosen}.items():
            kappa = float(test.agreement(test.hierarchy.labels(threshold)))
            row = {"n_images": n_images, "origin": origin, "kappa": kappa}
            rows.append(row | test.shape(threshold))
    return rows


def _resampled(known, labels, profile):
    """κ of K clusterings over resampled images: shape (B, K).

    A pair counts as often as the product of how often its two images were drawn; an image drawn
    twice is no pair with itself.
    """
    rng, in_cluster = np.random.default_rng(profile.seed), together(known, labels).astype(float)
    samples = []
    for _ in range(profile.n_bootstrap):
        drawn = np.bincount(rng.integers(len(known), size=len(known)), minlength=len(known))
        weights = known.weights * drawn[known.pairs].prod(axis=1)
        samples.append(pair_agreement(in_cluster, known.alike, weights))
    return np.stack(samples)


def _shuffled(known, labels, seed):
    """κ of K clusterings whose images were exchanged at random: shape (S, K)."""
    rng = np.random.default_rng(seed)
    orders = (rng.permutation(len(known)) for _ in range(N_SHUFFLES))
    return np.stack(
        [pair_agreement(together(known, labels[o]), known.alike, known.weights) for o in orders]
    )


def _differences(chosen, kappas, resampled):
    column = {
        (c["metric"], c["method"]): k for k, c in enumerate(chosen) if c["origin"] == CLUSTERS
    }
    return [
        {
            "baseline": metric,
            "method": method,
            "difference": float(kappas[column["clip_score", method]] - kappas[k]),
            "difference_ci95": interval(
                resampled[:, column["clip_score", method]] - resampled[:, k]
            ),
        }
        for (metric, method), k in column.items()
        if metric != "clip_score"
    ]
