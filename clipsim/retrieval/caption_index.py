"""Images described from a pool: "for any image find N descriptions with the highest sim" (sec. 3).

`CaptionIndex` is the pool with its vectors, `Describer` a model beside such a pool, `Retrieval`
the descriptions that it found.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from clipsim.profile import Profile, relative
from clipsim.record import StaleError
from clipsim.retrieval.score import description_sums, score_pairs
from clipsim.retrieval.search import largest_products
from clipsim.retrieval.store import read_vectors, write_vectors

CAPTIONS = "captions.safetensors"  # beside the checkpoint, in the joint space
CAPTIONS_TEXT = "captions_text.safetensors"  # with `vector_space: text`, in that space
BLOCK = 256  # images whose descriptions' vectors are in memory at once


@dataclass(frozen=True, eq=False)
class CaptionIndex:
    """A pool of descriptions with their joint-space vectors.

    Attributes
    ----------
    vectors : array of float32, shape (C, d)
        Unit vectors; of a loaded pool, read from the disk when they are used.
    captions : tuple of str, length C
    """

    vectors: np.ndarray
    captions: tuple[str, ...]

    @classmethod
    def build(cls, vectors, captions):
        """An index of the captions by their vectors.

        Raises
        ------
        ValueError
            If there are no captions, or not one vector for each.
        """
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        if len(captions) == 0:
            raise ValueError("captions: an index needs at least one description")
        if vectors.ndim != 2 or len(vectors) != len(captions):
            raise ValueError(
                f"vectors: expected one row for each of {len(captions)} captions: {vectors.shape}"
            )
        return cls(vectors, tuple(captions))

    def search(self, image_vectors, n):
        """The n descriptions most similar to each image (Eq. 3).

        Parameters
        ----------
        image_vectors : array of float, shape (M, d)
            Unit vectors.
        n : int
            N, the number of descriptions per image.

        Returns
        -------
        ids : array of int64, shape (M, n)
            Positions in the pool, the most similar first; equal similarities by position.
        sims : array of float32, shape (M, n)
            Cosines, in [-1, 1].

        Raises
        ------
        ValueError
            If n is not in 1…C, or the vectors' dimension is another.
        """
        return largest_products(image_vectors, self.vectors, n)


@dataclass(frozen=True)
class Retrieval:
    """The descriptions retrieved for some images.

    Attributes
    ----------
    image_ids : array of str, shape (M,)
    image_vectors : array of float32, shape (M, d)
        In the joint space.
    ids : array of int64, shape (M, N)
        Positions in the pool, the most similar first.
    sims : array of float32, shape (M, N)
    pool : array of str, shape (C,)
    pool_vectors : array of float32, shape (C, d')
        In the profile's `vector_space`; what Eq. 4 compares.
    """

    image_ids: np.ndarray
    image_vectors: np.ndarray
    ids: np.ndarray
    sims: np.ndarray
    pool: np.ndarray
    pool_vectors: np.ndarray

    @property
    def description_vectors(self):
        """Vectors of the descriptions of each image: float32, shape (M, N, d')."""
        return self.pool_vectors[self.ids]

    def first(self, n):
        """The same images with the first n of their descriptions."""
        return replace(self, ids=self.ids[:, :n], sims=self.sims[:, :n])

    def at(self, positions):
        """Some of the images."""
        own = ("image_ids", "image_vectors", "ids", "sims")
        return replace(self, **{name: getattr(self, name)[positions] for name in own})

    def sums(self, normalisation):
        """`clipsim.retrieval.score.description_sums` of the images: float32, shape (M, d').

        In bounded memory, whatever the number of images.
        """
        sums = np.empty((len(self.ids), self.pool_vectors.shape[1]), dtype=np.float32)
        for start in range(0, len(self.ids), BLOCK):
            rows = slice(start, start + BLOCK)
            sums[rows] = description_sums(self.pool_vectors[self.ids[rows]], normalisation)
        return sums

    def rows(self, image_ids):
        """Positions of images: int64, shape (P,)."""
        position = {image_id: i for i, image_id in enumerate(self.image_ids.tolist())}
        return np.array([position[image_id] for image_id in np.asarray(image_ids).tolist()])

    def descriptions(self, image_id):
        """The N descriptions of an image, the most similar first."""
        return self.pool[self.ids[self.rows([image_id])[0]]].tolist()


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
        compared = index.vectors
        if profile.vector_space == "text":
            compared = model.encode_texts(pool, space="text")
        return cls(profile, model, index, compared)

    def save(self, folder):
        """Keep the encoded pool in a folder, for `load` with the very same weights."""
        made_by, captions = _made_by(self.model), self.index.captions
        write_vectors(folder / CAPTIONS, self.index.vectors, captions, made_by)
        if self.profile.vector_space == "text":
            write_vectors(folder / CAPTIONS_TEXT, self.compared, captions, made_by)

    @classmethod
    def load(cls, folder, profile, model):
        """What `save` kept in a folder, mapped into memory.

        Raises
        ------
        StaleError
            If there is no pool, it is damaged, or another model's.
        """
        made_by = _made_by(model)
        vectors, captions, _ = read_vectors(folder / CAPTIONS, made_by)
        compared, same = vectors, captions
        if profile.vector_space == "text":
            compared, same, _ = read_vectors(folder / CAPTIONS_TEXT, made_by)
        if same != captions:
            raise StaleError(f"{relative(folder / CAPTIONS_TEXT)} holds other captions")
        return cls(profile, model, CaptionIndex(vectors, captions), compared)

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

    def retrieval(self, images, image_ids):
        """The N descriptions of some of the images, as a `Retrieval`."""
        return self.described(image_ids, self.image_vectors(images, image_ids))

    def described(self, image_ids, vectors, n=None):
        """The N descriptions of images by their joint-space vectors, as a `Retrieval`.

        N is the profile's, or `n`.
        """
        ids, sims = self.index.search(vectors, n or self.profile.n_descriptions)
        pool = np.array(self.index.captions)
        return Retrieval(np.array(image_ids), vectors, ids, sims, pool, self.compared)

    def scores(self, images, pairs):
        """Eq. 4 and the image cosine of pairs: dict of arrays of float32, shape (P,)."""
        retrieval = self.retrieval(images, pairs.image_ids)
        return description_scores(self.profile, retrieval, pairs)


def _made_by(model):
    """What a stored pool depends on."""
    return {"checkpoint": model.fingerprint, "encoder": model.profile.text_encoder}


def description_scores(profile, retrieval, pairs):
    """Eq. 4 and the image cosine of pairs, from one retrieval.

    Returns
    -------
    dict of str to array of float32, shape (P,)
        `clip_score` and `image_cosine`.
    """
    index_pairs = pairs.positions(retrieval.image_ids)
    a, b = (retrieval.image_vectors[rows] for rows in index_pairs.T)
    scores = score_pairs(retrieval.description_vectors, index_pairs, profile.normalisation)
    return {"clip_score": scores, "image_cosine": (a * b).sum(axis=1)}


def scores_of_models(describers, images, pairs):
    """Eq. 4 and the image cosine of pairs by each model.

    Returns
    -------
    dict of str to array of float32, shape (S, P)
        `clip_score` and `image_cosine`.
    """
    of_model = [describer.scores(images, pairs) for describer in describers]
    return {key: np.stack([scores[key] for scores in of_model]) for key in of_model[0]}
