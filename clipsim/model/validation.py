"""Recall on the validation images: what chooses the best epoch."""

import numpy as np

from clipsim.model.features import image_features, text_features


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
    own = np.zeros((len(image_vectors), text_id.max() + 1), dtype=bool)
    own[owner, text_id] = True
    own = own[:, text_id]  # (M, C): the caption's text is one of the image's
    similarity = image_vectors @ text_vectors.T
    own_similarity = np.where(own, similarity, -np.inf)
    # The rank of the best that is right: how many are better than it.
    image_rank = (similarity > own_similarity.max(axis=1, keepdims=True)).sum(axis=1)
    text_rank = (similarity > own_similarity.max(axis=0, keepdims=True)).sum(axis=0)
    return {
        "image_to_text": {f"R@{k}": float((image_rank < k).mean()) for k in ks},
        "text_to_image": {f"R@{k}": float((text_rank < k).mean()) for k in ks},
        "pool_size": len(owner),
        "n_images": len(image_vectors),
    }


def mean_recall(recall):
    """Mean of the six numbers of `retrieval_recall`: what selects the best epoch."""
    directions = ("image_to_text", "text_to_image")
    return float(np.mean([value for name in directions for value in recall[name].values()]))


class Validation:
    """The validation images and all their captions; frozen features are computed once.

    Parameters
    ----------
    model : DualEncoder
    images : CaptionedImages
    """

    def __init__(self, model, images):
        self.images = images
        self.captions = [caption for group in images.captions for caption in group]
        self.owner = np.repeat(np.arange(len(images)), [len(group) for group in images.captions])
        if model.is_frozen:
            self.image_features = image_features(model, images)
            self.text_features = text_features(model, self.captions)

    def recall(self, model):
        """Recall of the images against all these captions (`retrieval_recall`)."""
        if model.is_frozen:
            image_vectors = model.project(self.image_features, "image")
            text_vectors = model.project(self.text_features, "text")
        else:
            image_vectors = model.encode_images(self.images)
            text_vectors = model.encode_texts(self.captions)
        return retrieval_recall(image_vectors, text_vectors, self.owner, self.captions)


def matched_vectors(model, images):
    """Joint-space vectors of images and of the first caption of each: two arrays (M, d)."""
    return model.encode_images(images), model.encode_texts([group[0] for group in images.captions])
