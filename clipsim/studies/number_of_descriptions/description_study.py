"""How N and the weighting of the descriptions change the score: notebook 08's experiments.

Validation pairs choose N and temperature, test pairs report. Every model of `n_seeds` trainings
retrieves once, with the largest N.
"""

from dataclasses import dataclass, replace

import numpy as np

from clipsim.data import DataError, LabelledPairs, caption_pairs
from clipsim.evaluation import ResampledPairs, auc, models_of_seeds, retrieval_of
from clipsim.studies.number_of_descriptions.description_kernels import (
    pair_cosines,
    pair_scores,
    prefix_means,
    softmax_means,
)

COUNTS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200)
TEMPERATURES = (0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.2, 0.5, np.inf)


@dataclass(frozen=True)
class StudyPairs:
    """The pairs that choose, and the pairs that report.

    Attributes
    ----------
    judged : LabelledPairs
        Of the first source (experts before crowd); thresholds are held out among them.
    choosing : LabelledPairs
        Labelled pairs of validation images: they choose N and temperature.
    chosen_on : str
        What `choosing` are, in words.
    sample : ResampledPairs
        The judged pairs that report, with their bootstrap samples.
    """

    judged: LabelledPairs
    choosing: LabelledPairs
    chosen_on: str
    sample: ResampledPairs

    @property
    def evaluated(self):
        """Which of the judged pairs report: bool, shape (P,)."""
        return self.judged.split != "val"

    @property
    def test(self):
        """The pairs that report."""
        return self.sample.pairs

    @property
    def unit(self):
        """What is resampled, "pairs" or "images"."""
        return self.sample.unit


@dataclass(frozen=True)
class KernelScores:
    """Scores of a kernel under each of its settings (N, or a temperature), from one model.

    Attributes
    ----------
    settings : tuple of float, length K
    judged, choosing : array of float32, shapes (K, P) and (K, Q)
        Scores of `StudyPairs.judged` and of `StudyPairs.choosing`.
    """

    settings: tuple
    judged: np.ndarray
    choosing: np.ndarray

    def chosen(self, pairs, allowed=None):
        """Position of the setting with the best AUC on the choosing pairs; of equals the first.

        `allowed` limits the positions.
        """
        similar = pairs.choosing.similar == 1
        allowed = range(len(self.settings)) if allowed is None else allowed
        return max(allowed, key=lambda k: auc(similar, self.choosing[k]))


@dataclass(frozen=True)
class ModelScores:
    """What one trained model says of the study's pairs.

    Attributes
    ----------
    seed : int
    image_ids : array of str, shape (M,)
    means : dict of str to array of float32, shape (K, M, d)
        By vector space: `prefix_means`.
    kernels : dict of str to KernelScores
        "eq4 joint", "eq4 text", "cosine joint", "cosine text" by N; "softmax" and "softmax
        cosine" by temperature, in the profile's vector space.
    image_cosine : array of float32, shape (P,)
        Of the judged pairs.
    """

    seed: int
    image_ids: np.ndarray
    means: dict
    kernels: dict
    image_cosine: np.ndarray


def description_counts(pool_size, n_descriptions):
    """The values of N to compare: those of `COUNTS` that the pool allows, and the profile's.

    Parameters
    ----------
    pool_size : int
    n_descriptions : int
        The profile's N; at most `pool_size`.

    Returns
    -------
    tuple of int
        Increasing.

    Raises
    ------
    DataError
        If the pool has a single description.
    """
    if pool_size < 2:
        raise DataError("N cannot vary: the pool has one description; use a larger pool")
    return tuple(sorted({n for n in COUNTS if n <= pool_size} | {n_descriptions}))


def study_pairs(profile, images, pairs):
    """The pairs of the study, with their bootstrap samples.

    Where no pair is of validation images (people judged test images alone), pairs of development
    images whose captions agree most and least choose, as for the profile's own N.

    Parameters
    ----------
    profile : Profile
    images : CaptionedImages
    pairs : LabelledPairs

    Returns
    -------
    StudyPairs
    """
    judged = pairs.where(next(iter(pairs.by_source.values())))
    choosing, chosen_on = judged, "validation pairs"
    if not (judged.split == "val").any():
        choosing, chosen_on = caption_pairs(images, profile), "caption-agreement pairs"
    choosing = choosing.where((choosing.split == "val") & (choosing.similar >= 0))
    test = judged.where(judged.split != "val")
    return StudyPairs(judged, choosing, chosen_on, ResampledPairs.of(test, profile))


def models_scores(profile, images, pairs, pool, counts):
    """Scores of the study's pairs by the models of all seeds; the profile's own first.

    Parameters
    ----------
    profile : Profile
    images : CaptionedImages
    pairs : StudyPairs
    pool : tuple of str
    counts : tuple of int

    Returns
    -------
    list of ModelScores
    """
    wide = replace(profile, n_descriptions=max(counts), vector_space="joint")
    scored = []
    for number, model in enumerate(models_of_seeds(profile, images)):
        found = retrieval_of(wide, model, images, pool)
        vectors = {"joint": found.pool_vectors, "text": model.encode_texts(pool, space="text")}
        seed = profile.seed + number
        scored.append(model_scores(seed, found, vectors, pairs, counts, profile.vector_space))
    return scored


def model_scores(seed, retrieval, vectors, pairs, counts, vector_space):
    """Scores of the study's pairs from one retrieval.

    Parameters
    ----------
    seed : int
    retrieval : Retrieval
        With at least the largest N.
    vectors : dict of str to array of float, shape (C, d)
        Vectors of the pool by vector space.
    pairs : StudyPairs
    counts : tuple of int
    vector_space : {"joint", "text"}
        Of the softmax weighting.

    Returns
    -------
    ModelScores
    """
    judged, choosing = (
        part.positions(retrieval.image_ids) for part in (pairs.judged, pairs.choosing)
    )
    means = {space: prefix_means(vectors[space], retrieval.ids, counts) for space in vectors}
    weighted = softmax_means(vectors[vector_space], retrieval.ids, retrieval.sims, TEMPERATURES)
    of_means = {f" {space}": (counts, means[space]) for space in means}
    kernels = {}
    for name, (settings, mean) in of_means.items():
        for kernel, scores in (("eq4", pair_scores), ("cosine", pair_cosines)):
            kernels[kernel + name] = KernelScores(
                settings, scores(mean, judged), scores(mean, choosing)
            )
    for kernel, scores in (("softmax", pair_scores), ("softmax cosine", pair_cosines)):
        kernels[kernel] = KernelScores(
            TEMPERATURES, scores(weighted, judged), scores(weighted, choosing)
        )
    a, b = (retrieval.image_vectors[rows] for rows in judged.T)
    return ModelScores(seed, retrieval.image_ids, means, kernels, (a * b).sum(axis=1))
