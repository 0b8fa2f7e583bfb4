"""Images known to be alike, the graphs of every threshold, and how good their clusters are.

A pair of images is an edge of the graph if its score reaches τ. Clusters are what hangs together,
the connected components, or communities. As τ falls, components only ever join: single linkage of
the scores (J. C. Gower, G. J. S. Ross, *Minimum Spanning Trees and Single Linkage Cluster
Analysis*, Applied Statistics 18, 1969), so that one linkage serves every threshold.

Of scenes all pairs of images are known to be alike or not, of photographs those that were judged.
One measure serves both: Cohen's κ between "in one cluster" and "alike" over the known pairs. Over
*all* pairs it is the adjusted Rand index (M. J. Warrens, *On the Equivalence of Cohen's Kappa and
the Hubert-Arabie Adjusted Rand Index*, J. Classification 25, 2008): 1 for the known classes
themselves, 0 on average for clusters at random.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import cophenet, fcluster, linkage
from scipy.spatial.distance import squareform

from clipsim.data import AGREE, TOP, caption_pairs, load, load_pairs
from clipsim.evaluation import METRICS, interval, load_retrieval, thresholds_by_key
from clipsim.metrics import ssim_matrix
from clipsim.profile import Profile
from clipsim.record import read_results
from clipsim.retrieval import community_labels, component_labels, score_matrix, similarity_graph

# Where a threshold is from: Table 1's was chosen for pairs, the last one for clusters.
PAIRS, PAPER, CLUSTERS = "Table 1, held-out", "the paper's", "best clusters of validation"
METHODS = ("components", "communities")
# Images to compare metrics on. SSIM of all pairs sets the price; of photographs few pairs are
# known, so that more images are needed.
N_SCENES, N_PHOTOGRAPHS = 200, 500
N_STEPS = 61  # thresholds of a sweep; communities cost more: every third
MOST_NEIGHBOURS = 25  # per image; beyond it communities cost more than they tell


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
        Labels of all images that are known: "content"; empty for photographs.
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
        image_ids = tuple(self.image_ids[i] for i in positions)
        classes = {name: labels[positions] for name, labels in self.classes.items()}
        of_pairs = pairs[inside], self.alike[inside], self.weights[inside]
        return KnownImages(image_ids, *of_pairs, classes)

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
    parts = {split: pairs.where(pairs.split == split) for split in ("val", "test")}
    judged = pairs.where(pairs.split == "cross")
    if len(judged):
        by_captions = caption_pairs(images, profile)
        parts = {"val": by_captions.where(by_captions.split == "val"), "test": judged}
    if images.scenes:
        return {split: _known_scenes(images, part) for split, part in parts.items()}
    return {split: _known_photographs(part, profile.seed) for split, part in parts.items()}


def _known_scenes(images, pairs):
    """All pairs of scenes are known: alike where every concept occurs equally often."""
    image_ids = _image_ids(pairs)
    content = np.array([images.scenes[image_id].content_label for image_id in image_ids])
    every = every_pair(len(image_ids))
    alike = content[every[:, 0]] == content[every[:, 1]]
    return KnownImages(image_ids, every, alike, np.ones(len(alike)), {"content": content})


def every_pair(n_images):
    """All pairs i < j of so many images: int64, shape (M (M - 1) / 2, 2)."""
    return np.stack(np.triu_indices(n_images, k=1), axis=1)


def _known_photographs(pairs, seed):
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
class StudiedImages:
    """What the study of the graph starts from.

    Attributes
    ----------
    profile : Profile
    images : CaptionedImages
    retrieval : Retrieval
        Of notebook 03.
    known : dict of str to KnownImages
        "val" and "test".
    thresholds : dict of str to dict of str to float or None
        By origin and metric key, for pairs: Table 1's held-out ones, and the paper's.
    """

    profile: Profile
    images: Any
    retrieval: Any
    known: dict[str, KnownImages]
    thresholds: dict[str, dict]

    @classmethod
    def of(cls, profile):
        """Of the labelled pairs of the first source (experts, where several judged).

        Raises
        ------
        StaleError
            If notebooks 03 and 05 did not leave their results for this very profile.
        """
        images = load(profile)
        pairs = load_pairs(profile, images)
        source, of_source = next(iter(pairs.by_source.items()))
        known = known_images(images, pairs.where(of_source & (pairs.similar >= 0)), profile)
        table_1 = read_results(profile, "05_threshold_sweeps")["table1"]
        paper = {metric.key: metric.paper_threshold for metric in METRICS}
        thresholds = {PAIRS: thresholds_by_key(table_1, source), PAPER: paper}
        return cls(profile, images, load_retrieval(profile, images), known, thresholds)

    @property
    def compared(self):
        """The first images of both splits, equally many, since clusters depend on it."""
        limit = N_SCENES if self.images.scenes else N_PHOTOGRAPHS
        n_images = min(limit, *map(len, self.known.values()))
        return {split: part.subset(range(n_images)) for split, part in self.known.items()}


@dataclass(frozen=True, eq=False)
class MetricGraphs:
    """The graphs that all thresholds of one metric make of the same images.

    Attributes
    ----------
    known : KnownImages
    matrix : array of float, shape (M, M)
        The scores of all pairs, M at least 2.
    """

    known: KnownImages
    matrix: np.ndarray

    @cached_property
    def scores(self):
        """Scores of all pairs i < j, as SciPy orders them: float64, shape (M (M - 1) / 2,)."""
        return self.matrix[np.triu_indices(len(self.known), k=1)].astype(float)

    @cached_property
    def joins(self):
        """The components of a falling threshold, in SciPy's form: float64, shape (M - 1, 4).

        Heights rise, as SciPy asks: how far the score has fallen below the highest one.
        """
        return linkage(self.scores.max() - self.scores, "single")

    def labels(self, threshold, method="components", seed=0):
        """The cluster of each image, by one of `METHODS`: array of int, shape (M,)."""
        if method == "components":
            return fcluster(self.joins, self.scores.max() - threshold, "distance")
        edges, pairs = self.scores >= threshold, every_pair(len(self.known))
        graph = similarity_graph(self.known.image_ids, pairs[edges], self.scores[edges])
        return community_labels(graph, seed)

    def agreement(self, labels):
        """κ between clusters and what is known."""
        known = self.known
        return pair_agreement(together(known, labels), known.alike, known.weights)

    def shape(self, threshold):
        """What the graph of a threshold is like: dict of numbers.

        Neighbours per image; the share of images in the largest component; of the known pairs
        the share of edges that are alike.
        """
        edge = squareform(self.scores)[tuple(self.known.pairs.T)] >= threshold
        both = self.known.weights @ (edge & self.known.alike)
        return {
            "threshold": float(threshold),
            "neighbours": 2 * int((self.scores >= threshold).sum()) / len(self.known),
            "share_in_largest": float(np.bincount(self.labels(threshold)).max() / len(self.known)),
            "edges_alike": both / (self.known.weights @ edge) if edge.any() else np.nan,
        }


def metric_graphs(studied, known):
    """`MetricGraphs` of Eq. 4, SSIM and the image cosine over some images, by metric key.

    FSIM of all pairs takes minutes; it is left out.
    """
    vectors = studied.retrieval.image_vectors[studied.retrieval.rows(known.image_ids)]
    pixels = studied.images.pixel_batch(known.image_ids)
    return {
        "clip_score": clip_graphs(studied, known),
        "ssim": MetricGraphs(known, ssim_matrix(pixels)),
        "image_cosine": MetricGraphs(known, vectors @ vectors.T),
    }


def clip_graphs(studied, known):
    """`MetricGraphs` of Eq. 4 over some images."""
    vectors = studied.retrieval.description_vectors[studied.retrieval.rows(known.image_ids)]
    return MetricGraphs(known, score_matrix(vectors, studied.profile.normalisation))


def pair_agreement(in_cluster, alike, weights):
    """Cohen's κ between "in one cluster" and "alike" over known pairs.

    Parameters
    ----------
    in_cluster : array of bool, shape (P,) or (P, K)
        K clusterings at once, a thousand resamples of them in seconds: scikit-learn's
        `cohen_kappa_score` takes one at a time.
    alike : array of bool, shape (P,)
    weights : array of float, shape (P,)
        How often each pair counts.

    Returns
    -------
    float64, shape () or (K,)
        NaN where both sides are constant and equal, or no pair counts.
    """
    total, n_alike = weights.sum(), weights[alike].sum()
    # Not `@`: for so little, waking the threads of a matrix product can take longer than it.
    n_together = np.einsum("p,p...->...", weights, in_cluster)
    both = np.einsum("p,p...->...", weights[alike], in_cluster[alike])
    with np.errstate(invalid="ignore"):
        observed = (total - n_alike - n_together + 2 * both) / total
        chance = (n_alike * n_together + (total - n_alike) * (total - n_together)) / total**2
        return np.where(chance < 1, (observed - chance) / (1 - chance), np.nan)[()]


def together(known, labels):
    """Whether known pairs are in one cluster: bool, shape (P,) or (P, K)."""
    return labels[known.pairs[:, 0]] == labels[known.pairs[:, 1]]


def sweep(graphs, seed):
    """Shape and quality of the graphs over thresholds, from few edges to all.

    Parameters
    ----------
    graphs : MetricGraphs
    seed : int
        Of the communities.

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
        row["components"] = graphs.agreement(graphs.labels(threshold))
        if step % 3 == 0 and row["neighbours"] <= MOST_NEIGHBOURS:
            row["communities"] = graphs.agreement(graphs.labels(threshold, "communities", seed))
        rows.append(row)
    return pd.DataFrame(rows)


def best_component_threshold(graphs):
    """Of all thresholds that which makes the best components; midway to the next join."""
    joins = graphs.scores.max() - squareform(cophenet(graphs.joins))
    # Where known pairs join, the highest score first: between these, κ does not change.
    thresholds = np.unique(joins[tuple(graphs.known.pairs.T)])[::-1]
    kappas = [graphs.agreement(graphs.labels(t)) for t in thresholds]
    best = int(np.nanargmax(kappas))
    return float(thresholds[best : best + 2].mean())


def best_thresholds(graphs, seed):
    """The thresholds that make the best clusters of some images.

    Parameters
    ----------
    graphs : dict of str to MetricGraphs
        By metric key, of validation images.
    seed : int
        Of the communities; their best threshold is one of the `sweep`.

    Returns
    -------
    dict of str to dict of str to float
        By metric key and method.
    """
    best = {}
    for key, of_metric in graphs.items():
        table = sweep(of_metric, seed)
        best[key] = {
            "components": best_component_threshold(of_metric),
            "communities": float(table.threshold[table.communities.idxmax()]),
        }
    return best


def quality_rows(graphs, thresholds, best, profile):
    """How good the clusters of test images are at the thresholds that count.

    Parameters
    ----------
    graphs : dict of str to MetricGraphs
        By metric key, of the same test images.
    thresholds : dict of str to dict of str to float or None
        For pairs, by origin and metric key.
    best : dict of str to dict of str to float
        From `best_thresholds` of validation images.
    profile : Profile
        `n_bootstrap` and `seed`.

    Returns
    -------
    list of dict
        By metric, `origin` of the threshold and method: the shape of its graph, `kappa`,
        `kappa_ci95` (images resampled, their clusters held fixed) and `n_clusters` of two images
        or more.
    """
    chosen = [
        {"metric": key, "origin": origin, "method": method, "threshold": threshold}
        for key in graphs
        for origin in (*thresholds, CLUSTERS)
        for method in METHODS
        for threshold in [best[key][method] if origin == CLUSTERS else thresholds[origin][key]]
        if threshold is not None
    ]
    known = next(iter(graphs.values())).known
    labels = np.stack(
        [graphs[c["metric"]].labels(c["threshold"], c["method"], profile.seed) for c in chosen], 1
    )
    kappas = pair_agreement(together(known, labels), known.alike, known.weights)
    rows, resampled = [], _resampled(known, labels, profile)
    for k, row in enumerate(chosen):
        row |= graphs[row["metric"]].shape(row["threshold"])
        row["n_clusters"] = int((np.bincount(labels[:, k]) > 1).sum())
        rows.append(row | {"kappa": float(kappas[k]), "kappa_ci95": interval(resampled[:, k])})
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
