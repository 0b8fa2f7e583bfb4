"""Images known to be alike, the graphs of every threshold, and how good their clusters are.

A pair of images is an edge of the graph if its score reaches τ. Clusters are what hangs together,
the connected components. As τ falls, components only ever join: single linkage of the scores
(J. C. Gower, G. J. S. Ross, *Minimum Spanning Trees and Single Linkage Cluster Analysis*, Applied
Statistics 18, 1969), so that one linkage serves every threshold.

Of scenes all pairs of images are known to be alike or not, of photographs those that were judged.
One measure serves both: Cohen's κ between "in one cluster" and "alike" over the known pairs. Over
*all* pairs it is the adjusted Rand index (M. J. Warrens, *On the Equivalence of Cohen's Kappa and
the Hubert-Arabie Adjusted Rand Index*, J. Classification 25, 2008): 1 for the known classes
themselves, 0 on average for clusters at random.

Two claims are tested: what the threshold prevents, and what search among the images finds.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import cophenet, fcluster, linkage
from scipy.spatial.distance import squareform
from scipy.stats import mode
from sklearn.metrics import cohen_kappa_score, ndcg_score
from sklearn.neighbors import NearestNeighbors

from clipsim import evaluation
from clipsim.data import AGREE, TOP, caption_pairs, load, load_pairs
from clipsim.metrics import METRIC_LABELS, ssim_matrix
from clipsim.record import read_results
from clipsim.retrieval import component_labels, score_matrix, similarity_graph

# Where a threshold is from: Table 1's was chosen for pairs, the last one for clusters.
PAIRS, PAPER, CLUSTERS = "Table 1, held-out", "the paper's", "best clusters of validation"
# Images to compare metrics on. SSIM of all pairs sets the price; of photographs few pairs are
# known, so that more images are needed.
N_SCENES, N_PHOTOGRAPHS = 200, 500
N_STEPS = 61  # thresholds of a sweep
NEAREST, RANKED = 5, 10  # neighbours that vote on a label; places that a ranking counts
FEWEST_RANKINGS = 10  # images that have several graded pairs


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
    groups : array, shape (M,)
        Labels of images that belong together: the content of scenes; of photographs those that
        known pairs link, which is for choosing pictures to show and no partition that anybody
        judged.
    """

    image_ids: tuple[str, ...]
    pairs: np.ndarray
    alike: np.ndarray
    weights: np.ndarray
    groups: np.ndarray

    def __len__(self):
        return len(self.image_ids)

    def subset(self, positions):
        """The images at `positions`, in that order, and what is known of them."""
        positions = np.asarray(positions)
        pairs = pd.Index(positions).get_indexer(self.pairs.ravel()).reshape(-1, 2)
        inside = (pairs >= 0).all(axis=1)
        of_pairs = pairs[inside], self.alike[inside], self.weights[inside]
        ids = tuple(self.image_ids[i] for i in positions)
        return KnownImages(ids, *of_pairs, self.groups[positions])


def studied(profile):
    """What the study of the graph starts from, of the first source of pairs (experts, of several).

    Returns
    -------
    images : CaptionedImages
    retrieval : Retrieval
        Of notebook 03.
    known : dict of str to KnownImages
        As `known_images`.
    thresholds : dict of str to dict of str to float or None
        By origin and metric key, for pairs: Table 1's held-out ones, and the paper's.

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
    paper = {metric.key: metric.paper_threshold for metric in evaluation.METRICS}
    thresholds = {PAIRS: evaluation.thresholds_by_key(table_1, source), PAPER: paper}
    return images, evaluation.load_retrieval(profile, images), known, thresholds


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
        "all test" images in the order of the pairs (of photographs these are shuffled), and "val"
        and "test", the first of them, equally many, since clusters depend on it.
    """
    validation = pairs if (pairs.split == "val").any() else caption_pairs(images, profile)
    parts = [
        validation.where(validation.split == "val"),
        pairs.where(np.isin(pairs.split, ("test", "cross"))),
    ]
    if images.scenes:
        val, test = (_known_scenes(images, part) for part in parts)
    else:
        val, test = (_known_photographs(part, profile.seed) for part in parts)
    n_images = min(N_SCENES if images.scenes else N_PHOTOGRAPHS, len(val), len(test))
    first = range(n_images)
    return {"val": val.subset(first), "test": test.subset(first), "all test": test}


def _known_scenes(images, pairs):
    """All pairs of scenes are known: alike where every concept occurs equally often."""
    image_ids = _image_ids(pairs)
    content = np.array([images.scenes[image_id].content_label for image_id in image_ids])
    every = np.stack(np.triu_indices(len(image_ids), k=1), axis=1)
    alike = content[every[:, 0]] == content[every[:, 1]]
    return KnownImages(image_ids, every, alike, np.ones(len(alike)), content)


def _known_photographs(pairs, seed):
    pairs = pairs.where(np.random.default_rng(seed).permutation(len(pairs)))
    image_ids, alike = _image_ids(pairs), pairs.similar == 1
    weights = np.ones(len(pairs))
    if (pairs.kind == AGREE).any():
        weights = np.where(alike, TOP / alike.sum(), (1 - TOP) / (~alike).sum())
    rows = pairs.positions(image_ids)
    linked = component_labels(similarity_graph(image_ids, rows[alike], np.ones(alike.sum())))
    return KnownImages(image_ids, rows, alike, weights, linked)


def _image_ids(pairs):
    """Every image of some pair, once, in the order of the pairs."""
    return tuple(dict.fromkeys(np.stack([pairs.id_a, pairs.id_b], axis=1).ravel().tolist()))


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

    def labels(self, threshold):
        """The component of each image: array of int, shape (M,)."""
        return fcluster(self.joins, self.scores.max() - threshold, "distance")

    def agreement(self, labels):
        """κ between clusters and what is known; NaN where both are one and the same answer."""
        together = np.equal(*labels[self.known.pairs.T])
        return float(
            cohen_kappa_score(together, self.known.alike, sample_weight=self.known.weights)
        )

    def shape(self, threshold):
        """What the graph of a threshold is like.

        Returns
        -------
        dict of str to float
            `threshold`, `neighbours` per image, `share_in_largest`: of the images in the largest
            component, and `kappa`.
        """
        labels, n_edges = self.labels(threshold), (self.scores >= threshold).sum()
        return {
            "threshold": float(threshold),
            "neighbours": 2 * int(n_edges) / len(self.known),
            "share_in_largest": float(np.bincount(labels).max() / len(self.known)),
            "kappa": self.agreement(labels),
        }


def metric_graphs(profile, images, retrieval, known):
    """`MetricGraphs` of Eq. 4, SSIM and the image cosine over some images, by metric key.

    FSIM of all pairs takes minutes; it is left out.
    """
    found = retrieval.at(retrieval.rows(known.image_ids))
    matrices = {
        "clip_score": score_matrix(found.description_vectors, profile.normalisation),
        "ssim": ssim_matrix(images.pixel_batch(known.image_ids)),
        "image_cosine": found.image_vectors @ found.image_vectors.T,
    }
    return {key: MetricGraphs(known, matrix) for key, matrix in matrices.items()}


def sweep(graphs):
    """`MetricGraphs.shape` over thresholds, from few edges to all, as a table."""
    n_pairs = len(graphs.scores)
    counts = np.geomspace(min(len(graphs.known) / 10, n_pairs), n_pairs, N_STEPS).astype(int)
    thresholds = np.unique(-np.sort(-graphs.scores)[np.maximum(counts, 1) - 1])[::-1]
    return pd.DataFrame(map(graphs.shape, thresholds))


def best_threshold(graphs):
    """Of all thresholds that which makes the best components; midway to the next join."""
    joins = graphs.scores.max() - squareform(cophenet(graphs.joins))
    # Where known pairs join, the highest score first: between these, κ does not change.
    thresholds = np.unique(joins[tuple(graphs.known.pairs.T)])[::-1]
    kappas = [graphs.agreement(graphs.labels(t)) for t in thresholds]
    best = int(np.nanargmax(kappas))
    return float(thresholds[best : best + 2].mean())


def quality_table(graphs, thresholds):
    """How good the clusters of test images are at the thresholds that count.

    Parameters
    ----------
    graphs : dict of str to MetricGraphs
        By metric key, of the same test images.
    thresholds : dict of str to dict of str to float or None
        By origin and metric key.

    Returns
    -------
    pandas.DataFrame
        By metric and `origin` of the threshold the columns of `MetricGraphs.shape`.
    """
    rows = [
        {"metric": key, "origin": origin} | graphs[key].shape(of_origin[key])
        for key in graphs
        for origin, of_origin in thresholds.items()
        if of_origin[key] is not None
    ]
    return pd.DataFrame(rows)


def group_findings(known, labels):
    """What the largest cluster says of "the threshold prevents groups of distant images".

    Parameters
    ----------
    known : KnownImages
    labels : array of int, shape (M,)
        The cluster of each image, at Table 1's threshold.

    Returns
    -------
    list of dict
        The share of the images in the largest cluster, and of the known pairs within it the share
        that is not alike: below one half the threshold prevents. Exact, nothing is resampled.
    """
    largest = labels == np.bincount(labels).argmax()
    inside, n_images, unlike = largest[known.pairs].all(axis=1), len(known), np.nan
    if inside.any():
        unlike = np.average(~known.alike[inside], weights=known.weights[inside])
    shares = {
        "test images in the largest component": (largest.mean(), n_images * (n_images - 1) // 2),
        "known pairs within that component that are not alike": (unlike, inside.sum()),
    }
    exact = {"n_seeds": 1, "interval": "exact, nothing resampled", "region": (-np.inf, 0.5)}
    found = []
    for words, (share, n_pairs) in shares.items():
        text, ends = f"at Table 1's threshold, the share of {words}", [share, share]
        found.append(
            evaluation.finding("threshold_prevents", text, share, ends, n_pairs=n_pairs, **exact)
        )
    return found


def search_and_classes(profile, images, retrieval, graphs):
    """Do neighbours by the score share their label, and are they ranked as people rank them?

    Parameters
    ----------
    profile : Profile
    images : CaptionedImages
    retrieval : Retrieval
        Of notebook 03.
    graphs : dict of str to MetricGraphs
        By metric key, of the same test images.

    Returns
    -------
    rows : list of dict
        By `task` and metric: the mean `value` over `n_images`, that of a `baseline` (the commonest
        label; a random order), and how far it is `above`, with `above_ci95` (images resampled).
    findings : list of dict
        Of scenes, Eq. 4 minus the baseline; of rankings, Eq. 4 minus the image cosine.
    """
    rows, findings = [], []
    tasks = [*_labels_of_nearest(images, graphs), *_rankings(profile, images, retrieval)]
    for task, values, baseline, against, n_pairs in tasks:
        for metric, of_metric in values.items():
            above, ci95 = _mean(of_metric - baseline, profile)
            means = {"value": float(of_metric.mean()), "baseline": float(baseline.mean())}
            above = {"above": above, "above_ci95": ci95, "n_images": len(baseline)}
            rows.append({"task": task, "metric": metric} | means | above)
        less = _mean(values["clip_score"] - values.get(against, baseline), profile)
        words = f"{task}: Eq. 4 minus {METRIC_LABELS.get(against, against)}"
        basis = {"n_seeds": 1, "interval": "images resampled, model held fixed"}
        found = evaluation.finding("search_and_classes", words, *less, n_pairs=n_pairs, **basis)
        findings.append(found)
    return rows, findings


def _labels_of_nearest(images, graphs):
    """Whether the nearest images of a scene tell what it is about: its first thing."""
    if images.scenes:
        known = graphs["clip_score"].known
        lead = [images.scenes[image_id].objects[0].concept for image_id in known.image_ids]
        _, labels, counts = np.unique(lead, return_inverse=True, return_counts=True)
        right = {}
        for key, of_metric in graphs.items():
            distances = of_metric.matrix.max() - of_metric.matrix
            neighbours = NearestNeighbors(n_neighbors=NEAREST, metric="precomputed").fit(distances)
            nearest = neighbours.kneighbors(return_distance=False)  # each without itself
            right[key] = (mode(labels[nearest], axis=1).mode == labels).astype(float)
        usual = (labels == counts.argmax()).astype(float)
        task = f"accuracy of the lead concept by vote of the {NEAREST} nearest"
        yield task, right, usual, "the commonest label's share", len(known.pairs)


def _rankings(profile, images, retrieval):
    """nDCG of ranking the images that one was paired with, by source; enough images must rank."""
    pairs = load_pairs(profile, images)
    for source in dict.fromkeys([next(iter(pairs.by_source)), "vsts"]):
        part = pairs.where((pairs.source == source) & (pairs.split != "val"))
        scores = evaluation.description_scores(profile, retrieval, part)
        table = pd.DataFrame(scores | {"graded": part.graded, "random": np.zeros(len(part))})
        both = pd.concat([table.assign(image=ids) for ids in (part.id_a, part.id_b)])
        of_image = [own for _, own in both.groupby("image") if own.graded.nunique() > 1]
        if len(of_image) >= FEWEST_RANKINGS:
            values = {
                key: np.array([ndcg_score([o.graded], [o[key]], k=RANKED) for o in of_image])
                for key in (*scores, "random")
            }
            baseline, n_pairs = values.pop("random"), pd.concat(of_image).index.nunique()
            task = f"nDCG@{RANKED} of {source or 'test'} pairs"
            yield task, values, baseline, "image_cosine", n_pairs


def _mean(values, profile):
    """The mean over images and its 95 % interval, images resampled."""
    rng = np.random.default_rng(profile.seed)
    drawn = rng.integers(len(values), size=(profile.n_bootstrap, len(values)))
    return float(values.mean()), evaluation.interval(values[drawn].mean(axis=1))
