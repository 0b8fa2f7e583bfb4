"""Images described from a pool by a model, and pairs of them scored by every metric.

Caption retrieval: "for any image find N descriptions with the highest sim" (sec. 3).
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from clipsim.metrics import METRICS
from clipsim.profile import Profile, relative
from clipsim.record import StaleError
from clipsim.retrieval.score import description_sums, score_pairs
from clipsim.retrieval.search import ApproximateIndex, largest_products
from clipsim.retrieval.store import read_vectors, write_vectors


@dataclass(frozen=True, eq=False)
class CaptionIndex:
    """A pool of descriptions with their joint-space vectors.

    Attributes
    ----------
    vectors : array of float32, shape (C, d)
        Unit vectors; of a loaded index, read from the disk when they are used.
    captions : tuple of str, length C
    """

    vectors: np.ndarray
    captions: tuple[str, ...]
    _approximate: dict = field(default_factory=dict, repr=False)  # built when first asked for

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
                f"vectors: expected shape ({len(captions)}, d), one row per caption, "
                f"got {vectors.shape}"
            )
        return cls(vectors, tuple(captions))

    def save(self, path, checkpoint, encoder):
        """Write vectors and captions to one `.safetensors` file, whole or not at all.

        Parameters
        ----------
        path : str or Path
        checkpoint : str
            The hash of the trained weights that made the vectors (`DualEncoder.fingerprint`).
        encoder : str
            The name of the text encoder.
        """
        made_by = {"checkpoint": checkpoint, "encoder": encoder}
        write_vectors(path, self.vectors, self.captions, made_by)

    @classmethod
    def load(cls, path, checkpoint, encoder, captions=None):
        """What `save` wrote, mapped into memory.

        Parameters
        ----------
        path, checkpoint, encoder
            As in `save`.
        captions : sequence of str, optional
            The pool that is expected.

        Raises
        ------
        StaleError
            If the file is missing, damaged, or of other weights, another encoder or other
            captions; one line says which.
        """
        vectors, stored = read_vectors(path, {"checkpoint": checkpoint, "encoder": encoder})
        if captions is not None and stored != tuple(captions):
            raise StaleError(f"{relative(path)} holds other captions: encode again")
        return cls(vectors, stored)

    def search(self, image_vectors, n, factory=None):
        """The n descriptions most similar to each image (Eq. 3).

        Parameters
        ----------
        image_vectors : array of float, shape (M, d)
            Unit vectors.
        n : int
            N, the number of descriptions per image.
        factory : str, optional
            Search approximately, with this FAISS index-factory string ("HNSW32",
            "IVF1024,Flat"), and say on stderr which share of the n best it finds; without,
            exactly.

        Returns
        -------
        ids : array of int64, shape (M, n)
            Positions in the pool, the most similar first; equal similarities by position.
        sims : array of float32, shape (M, n)
            Cosines, in [-1, 1].

        Raises
        ------
        ValueError
            If n is not in 1…C, the vectors' dimension is another, or as `ApproximateIndex`.
        """
        if not 1 <= n <= len(self.captions):
            raise ValueError(
                f"n_descriptions={n}: the pool has {len(self.captions)} descriptions; "
                "choose fewer, or a larger pool"
            )
        queries = np.ascontiguousarray(image_vectors, dtype=np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.vectors.shape[1]:
            raise ValueError(
                f"image_vectors: expected (M, {self.vectors.shape[1]}), got {queries.shape}"
            )
        if factory is None:
            return largest_products(queries, self.vectors, n)
        if factory not in self._approximate:
            self._approximate[factory] = ApproximateIndex.build(self.vectors, factory)
        return self._approximate[factory].search_and_report(queries, n)


CAPTIONS = "captions.safetensors"  # beside the checkpoint, in the joint space
CAPTIONS_TEXT = "captions_text.safetensors"  # with `vector_space: text`, in that space
BLOCK = 256  # images whose descriptions' vectors are in memory at once


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
        in_text_space = profile.vector_space == "text"
        compared = model.encode_texts(pool, space="text") if in_text_space else index.vectors
        return cls(profile, model, index, compared)

    def save(self, folder):
        """Keep the encoded pool in a folder, for `load` with the very same weights."""
        made_by = _made_by(self.model)
        self.index.save(folder / CAPTIONS, *made_by)
        if self.profile.vector_space == "text":
            compared = CaptionIndex.build(self.compared, self.index.captions)
            compared.save(folder / CAPTIONS_TEXT, *made_by)

    @classmethod
    def load(cls, folder, profile, model):
        """What `save` kept in a folder, mapped into memory.

        Raises
        ------
        StaleError
            If there is no pool, it is damaged, or another model's.
        """
        made_by = _made_by(model)
        index = compared = CaptionIndex.load(folder / CAPTIONS, *made_by)
        if profile.vector_space == "text":
            compared = CaptionIndex.load(folder / CAPTIONS_TEXT, *made_by, index.captions)
        return cls(profile, model, index, compared.vectors)

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
    """What a stored pool depends on: the checkpoint's hash, the text encoder's name."""
    return model.fingerprint, model.profile.text_encoder


def description_scores(profile, retrieval, pairs):
    """Eq. 4 and the image cosine of pairs, from one retrieval.

    Returns
    -------
    dict of str to array of float32, shape (P,)
        `clip_score` and `image_cosine`.
    """
    index_pairs = pairs.positions(retrieval.image_ids)
    a, b = (retrieval.image_vectors[rows] for rows in index_pairs.T)
    return {
        "clip_score": score_pairs(
            retrieval.description_vectors, index_pairs, profile.normalisation
        ),
        "image_cosine": (a * b).sum(axis=1),
    }


def scores_of_models(describers, images, pairs):
    """Eq. 4 and the image cosine of pairs by each model.

    Returns
    -------
    dict of str to array of float32, shape (S, P)
        `clip_score` and `image_cosine`.
    """
    of_model = [describer.scores(images, pairs) for describer in describers]
    return {key: np.stack([scores[key] for scores in of_model]) for key in of_model[0]}


def pixel_scores(images, pairs, variants=("canonical",)):
    """The metrics of pixels, SSIM and FSIM, of pairs.

    Parameters
    ----------
    images : CaptionedImages
    pairs : LabelledPairs
    variants : sequence of {"canonical", "package"}

    Returns
    -------
    dict of str to array of float32, shape (P,)
        By `Metric.key`, those of `METRICS` that have a `matrix` and are of these variants.
    """
    ids = pairs.image_ids
    index_pairs, pixels = pairs.positions(ids), images.pixel_batch(ids)
    return {
        metric.key: np.asarray(
            metric.matrix(pixels, variant=metric.variant, pairs=index_pairs), dtype=np.float32
        )
        for metric in METRICS
        if metric.matrix is not None and metric.variant in variants
    }
