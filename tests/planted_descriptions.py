"""Pairs, retrievals and models for notebook 08's experiments, where the answer is known."""

from types import SimpleNamespace

import numpy as np

from clipsim.data import LabelledPairs
from clipsim.evaluation.resampling import ResampledPairs
from clipsim.evaluation.steps import Retrieval
from clipsim.studies.number_of_descriptions.description_study import StudyPairs, model_scores

N_PAIRS = 200
COUNTS = (1, 2, 5, 10, 40)
LONGEST = max(COUNTS)
PROFILE = SimpleNamespace(
    vector_space="joint", threshold_criterion="accuracy", seed=0, n_bootstrap=200
)


FLAT = np.full(LONGEST, 3.0)
FIRST_GOOD = np.concatenate([[0.3], np.full(LONGEST - 1, 12.0)])
MIDDLE_GOOD = np.concatenate([[5.0], np.full(9, 1.5), np.full(LONGEST - 10, 25.0)])


def labelled_pairs(n_pairs=N_PAIRS):
    """Validation and test pairs that share no image; every second one is similar."""
    number = np.arange(n_pairs)
    similar = number % 2
    return LabelledPairs(
        id_a=np.array([f"{i:03d}a" for i in number]),
        id_b=np.array([f"{i:03d}b" for i in number]),
        similar=similar.astype(np.int8),
        graded=similar + 0.1 * (number % 3),
        kind=np.array([f"x, {('same', 'other')[i // 2 % 2]} layout" for i in number]),
        split=np.where(number < n_pairs // 2, "val", "test"),
        source=np.full(n_pairs, ""),
    )


def made(pairs=None):
    """`StudyPairs` of validation and test pairs, 200 bootstrap samples."""
    pairs = labelled_pairs() if pairs is None else pairs
    test = pairs.where(pairs.split == "test")
    choosing = pairs.where(pairs.split == "val")
    sample = ResampledPairs.of(test, PROFILE)
    return StudyPairs(pairs, choosing, "validation pairs", sample)


def retrieval(content, noise, seed=0):
    """A retrieval where an image's i-th description is its content plus noise[i] of noise.

    Parameters
    ----------
    content : array of float, shape (M, d)
    noise : array of float, shape (L,)
    """
    rng = np.random.default_rng(seed)
    n_images, d = content.shape
    scatter = rng.normal(size=(n_images, len(noise), d)) * np.reshape(noise, (1, -1, 1))
    vectors = (content[:, None] + scatter).reshape(-1, d).astype(np.float32)
    ids = np.arange(len(vectors)).reshape(n_images, len(noise))
    sims = np.tile(np.linspace(0.9, 0.1, len(noise), dtype=np.float32), (n_images, 1))
    names = np.array([f"{i // 2:03d}{'ab'[i % 2]}" for i in range(n_images)])
    pool = np.array([f"description {i}" for i in range(len(vectors))])
    return Retrieval(names, content, ids, sims, pool, vectors)


def contents(similar, d=8, seed=1):
    """Contents of the images of pairs: equal in similar pairs, independent in others."""
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(2, len(similar), d))
    second = np.where(np.reshape(similar, (-1, 1)) == 1, first, second)
    return np.stack([first, second], axis=1).reshape(-1, d).astype(np.float32)


def models(noise, n_models=3):
    """`ModelScores` of several seeds, and their pairs; only the noise differs between seeds."""
    pairs = made()
    scored = []
    for seed in range(n_models):
        found = retrieval(contents(pairs.judged.similar), noise, seed)
        vectors = {"joint": found.pool_vectors, "text": found.pool_vectors + 0.3}
        scored.append(model_scores(seed, found, vectors, pairs, COUNTS, "joint"))
    return scored, pairs
