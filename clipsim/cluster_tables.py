"""How good clusters are at the thresholds that count: rows with intervals and controls.

Three thresholds of each metric: the one that Table 1 chose for *pairs*, on pairs that are not
reported; the paper's; and the one that makes the best clusters of *validation* images.
"""

import numpy as np

from clipsim.cluster_study import (
    best_threshold_for_components,
    clip_graphs,
    pair_agreement,
    together,
)
from clipsim.graph import cluster_quality
from clipsim.statistics import interval

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
