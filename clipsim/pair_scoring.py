"""Scores of pairs beyond the profile's own: of other images, models and pools."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from clipsim.config import Profile
from clipsim.metrics import fsim_matrix, ssim_matrix
from clipsim.pipeline import Retrieval, description_scores
from clipsim.retrieval import CaptionIndex


@dataclass(frozen=True, eq=False)
class Describer:
    """A model and a pool that it has encoded: describes and scores any images.

    Attributes
    ----------
    profile : Profile
        `n_descriptions`, `normalisation` and `vector_space`.
    model : DualEncoder
    index : CaptionIndex
        The pool in the joint space.
    compared : array of float32, shape (C, d')
        The pool in the profile's `vector_space`; what Eq. 4 compares.
    """

    profile: Profile
    model: Any
    index: CaptionIndex
    compared: np.ndarray

    @classmethod
    def of(cls, profile, model, pool):
        """Encode a pool of descriptions."""
        index = CaptionIndex.build(model.encode_texts(pool), pool)
        in_text_space = profile.vector_space == "text"
        compared = model.encode_texts(pool, space="text") if in_text_space else index.vectors
        return cls(profile, model, index, compared)

    def image_vectors(self, images, image_ids):
        """Joint-space vectors of some of the images: float32, shape (M, d).

        Encoded split by split, as the cache holds the features of whole splits.
        """
        position = images.position()
        rows = np.array([position[image_id] for image_id in image_ids])
        vectors = np.empty((len(rows), self.index.vectors.shape[1]), dtype=np.float32)
        for split in np.unique(images.split[rows]):
            inside = images.split[rows] == split
            vectors[inside] = self.model.encode_images(images.subset(rows[inside]))
        return vectors

    def scores(self, images, pairs):
        """Eq. 4 and the image cosine of pairs: dict of arrays of float32, shape (P,)."""
        image_ids = np.array(pairs.image_ids)
        vectors = self.image_vectors(images, image_ids)
        ids, sims = self.index.search(vectors, self.profile.n_descriptions)
        pool = np.array(self.index.captions)
        retrieval = Retrieval(image_ids, vectors, ids, sims, pool, self.compared)
        return description_scores(self.profile, retrieval, pairs)


def scores_of_models(describers, images, pairs):
    """Eq. 4 and the image cosine of pairs by each model.

    Returns
    -------
    dict of str to array of float32, shape (S, P)
        `clip_score` and `image_cosine`.
    """
    of_model = [describer.scores(images, pairs) for describer in describers]
    return {key: np.stack([scores[key] for scores in of_model]) for key in of_model[0]}


def pixel_scores(images, pairs):
    """SSIM and FSIM (canonical) of pairs: dict of arrays of float32, shape (P,)."""
    ids = pairs.image_ids
    row = {image_id: i for i, image_id in enumerate(ids)}
    index_pairs = np.array(
        [[row[a], row[b]] for a, b in zip(pairs.id_a.tolist(), pairs.id_b.tolist(), strict=True)]
    )
    pixels = images.pixel_batch(ids)
    return {
        key: np.asarray(matrix(pixels, pairs=index_pairs), dtype=np.float32)
        for key, matrix in (("ssim", ssim_matrix), ("fsim", fsim_matrix))
    }
