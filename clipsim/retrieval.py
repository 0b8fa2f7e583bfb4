"""Caption retrieval: "for any image find N descriptions with the highest sim" (sec. 3)."""

from dataclasses import dataclass, field

import numpy as np

from clipsim.approximate import ApproximateIndex
from clipsim.inner_products import largest_products
from clipsim.paths import relative
from clipsim.results import StaleError
from clipsim.vector_file import read_vectors, write_vectors


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


def retrieval_recall(image_vectors, text_vectors, owner, texts, ks=(1, 5, 10)):
    """Recall@k in both directions, as a fraction.

    Parameters
    ----------
    image_vectors : array of float32, shape (M, d)
    text_vectors : array of float32, shape (C, d)
        Unit vectors of the captions of all M images.
    owner : array of int, shape (C,)
        The image that each caption belongs to.
    texts : sequence of str, length C
        A caption equal to one of the image's own is as right as its own.
    ks : tuple of int

    Returns
    -------
    dict
        "image_to_text" and "text_to_image", each {"R@1": …}; "pool_size" (C), "n_images" (M).
        An image is found where at least one of its captions is among its k best (as
        Karpathy & Fei-Fei 2015), a caption where its image is.
    """
    owner = np.asarray(owner)
    _, text_id = np.unique(np.asarray(texts, dtype=str), return_inverse=True)
    n_images = len(image_vectors)
    own = np.zeros((n_images, text_id.max() + 1), dtype=bool)
    own[owner, text_id] = True
    own = own[:, text_id]  # (M, C): the caption's text is one of the image's
    similarity = image_vectors @ text_vectors.T
    best_own = np.where(own, similarity, -np.inf).max(axis=1)
    image_rank = (similarity > best_own[:, None]).sum(axis=1)
    matching = np.where(own, similarity, -np.inf).max(axis=0)
    text_rank = (similarity > matching[None, :]).sum(axis=0)
    return {
        "image_to_text": {f"R@{k}": float((image_rank < k).mean()) for k in ks},
        "text_to_image": {f"R@{k}": float((text_rank < k).mean()) for k in ks},
        "pool_size": len(owner),
        "n_images": n_images,
    }
