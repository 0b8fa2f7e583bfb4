"""Labelled pairs of made-up images, and evaluations of scores with planted quality."""

from dataclasses import replace

import numpy as np

from clipsim import load_profile
from clipsim.data import LabelledPairs
from clipsim.evaluation.table_1 import METRICS, evaluations
from clipsim.retrieval import Retrieval

# Eight pairs, of which six are tested at the threshold 0.5.
SIMILAR = np.array([0, 0, 0, 1, 1, 1, 0, -1], dtype=np.int8)
SCORES = np.array([0.9, 0.6, 0.2, 0.1, 0.4, 0.8, 0.95, 0.99])
TESTED = np.array([True] * 6 + [False, False])
COLUMNS = ("id_a", "id_b", "similar", "graded", "kind", "split", "source")


def labelled_pairs(n, split, seed=0, n_images=None, similar=None):
    """Pairs of fresh images, or drawn among `n_images`."""
    rng = np.random.default_rng(seed)
    if n_images is None:
        ids = np.arange(2 * n).reshape(n, 2)
    else:
        ids = np.array([rng.choice(n_images, 2, replace=False) for _ in range(n)])
    similar = rng.integers(2, size=n) if similar is None else similar
    return LabelledPairs(
        id_a=np.array([f"{split} {i}" for i in ids[:, 0]]),
        id_b=np.array([f"{split} {i}" for i in ids[:, 1]]),
        similar=np.asarray(similar, dtype=np.int8),
        graded=np.asarray(similar, dtype=np.float32).clip(0),
        kind=np.array(["even", "odd"])[np.arange(n) % 2],
        split=np.array([split] * n),
        source=np.array([""] * n),
    )


def joined(*parts):
    return LabelledPairs(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS}
    )


def study(quality, n=300, split="test", source=("",), seeds=None, **options):
    """Pairs, scores, profile, evaluations: a score is its quality times the truth, and noise.

    `seeds` gives the scores of other seeds, of pairs and scores.
    """
    parts = []
    for s, name in enumerate(source):
        if split == "test":
            part = joined(labelled_pairs(n, "val", 2 * s), labelled_pairs(n, "test", 2 * s + 1))
        else:
            part = labelled_pairs(n, split, s, n_images=60)
        parts.append(replace(part, source=np.full(len(part), name)))
    pairs = joined(*parts)
    rng = np.random.default_rng(4)
    scores = {
        metric.key: quality.get(metric.key, 0.0) * pairs.similar + rng.normal(size=len(pairs))
        for metric in METRICS
    }
    profile = load_profile("smoke", n_bootstrap=300, **options)
    of_seeds = seeds and seeds(pairs, scores)
    return pairs, scores, profile, evaluations(pairs, scores, profile, of_seeds)


def of_three_seeds(pairs, scores, quality, scales=(1.0, 1.0)):
    """Scores by seed, as `scores_of_seeds` has them: those of the study, then two more models'."""
    rng = np.random.default_rng(9)
    keys = ("clip_score", "image_cosine")
    return {0: {key: scores[key] for key in keys}} | {
        seed: {
            key: scale * (quality * pairs.similar + rng.normal(size=len(pairs))) for key in keys
        }
        for seed, scale in enumerate(scales, start=1)
    }


def described_pairs():
    """Those eight pairs, and four of six descriptions for each of their sixteen images."""
    pairs, rng = labelled_pairs(8, "test", similar=SIMILAR), np.random.default_rng(2)
    ids = np.array(pairs.image_ids)
    chosen = np.array([rng.choice(6, 4, replace=False) for _ in ids])
    pool = np.array([f"description {i}" for i in range(6)])
    sims, vectors = rng.random((16, 4)), rng.normal(size=(6, 3))
    return pairs, Retrieval(ids, rng.normal(size=(16, 3)), chosen, sims, pool, vectors)
