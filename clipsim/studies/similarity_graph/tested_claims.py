"""What the graph says of two claims: what the threshold prevents, and what search finds."""

import numpy as np
import pandas as pd
from scipy.stats import mode
from sklearn.metrics import ndcg_score
from sklearn.neighbors import NearestNeighbors

from clipsim.data import load_pairs
from clipsim.evaluation import description_scores, finding, interval
from clipsim.metrics import METRIC_LABELS

NEAREST, RANKED = 5, 10  # neighbours that vote on a label; places that a ranking counts
FEWEST_RANKINGS = 10  # images that have several graded pairs


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
        found.append(finding("threshold_prevents", text, share, ends, n_pairs=n_pairs, **exact))
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
        found = finding("search_and_classes", words, *less, n_pairs=n_pairs, **basis)
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
        scores = description_scores(profile, retrieval, part)
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
    return float(values.mean()), interval(values[drawn].mean(axis=1))
