"""Caption retrieval: "for any image find N descriptions with the highest sim" (sec. 3)."""

from dataclasses import dataclass

import numpy as np
import torch

BLOCK = 1024


@dataclass(frozen=True)
class CaptionIndex:
    """A pool of descriptions with their joint-space vectors.

    Attributes
    ----------
    vectors : array of float32, shape (C, d)
        Unit vectors.
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
                f"vectors: expected shape ({len(captions)}, d), one row per caption, "
                f"got {vectors.shape}"
            )
        return cls(vectors, tuple(captions))

    def search(self, image_vectors, n):
        """The n descriptions most similar to each image (Eq. 3), exactly.

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
        pool = torch.from_numpy(self.vectors)
        ids = np.empty((len(queries), n), dtype=np.int64)
        sims = np.empty((len(queries), n), dtype=np.float32)
        for start in range(0, len(queries), BLOCK):
            block = torch.from_numpy(queries[start : start + BLOCK]) @ pool.T
            top = block.topk(n, dim=1)
            order = np.lexsort((top.indices.numpy(), -top.values.numpy()), axis=1)
            rows = slice(start, start + len(block))
            ids[rows] = np.take_along_axis(top.indices.numpy(), order, axis=1)
            sims[rows] = np.take_along_axis(top.values.numpy(), order, axis=1)
        return ids, sims


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
