"""Recall on the validation images: what chooses the best epoch."""

import numpy as np
from accelerate.utils import gather_object

from clipsim.model.features import image_features, text_features
from clipsim.retrieval import retrieval_recall


class Validation:
    """The validation images and all their captions; frozen features are computed once.

    With trained backbones each process of `accelerator` encodes a part, and all get the whole.
    `features` are those of the images and of the captions, where the caller has them.
    """

    def __init__(self, model, images, accelerator=None, features=None):
        self.images, self.accelerator = images, accelerator
        self.captions = [caption for group in images.captions for caption in group]
        self.owner = np.repeat(np.arange(len(images)), [len(group) for group in images.captions])
        if model.is_frozen:
            features = features or (
                image_features(model, images),
                text_features(model, self.captions),
            )
            self.image_features, self.text_features = features

    def recall(self, model):
        """Recall of the images against all these captions (`retrieval_recall`)."""
        if model.is_frozen:
            image_vectors = model.project(self.image_features, "image")
            text_vectors = model.project(self.text_features, "text")
        else:
            own = self._part(len(self.images))
            image_vectors = self._joined(model.encode_images(self.images.subset(own)))
            texts = [self.captions[i] for i in self._part(len(self.captions))]
            text_vectors = self._joined(model.encode_texts(texts))
        return retrieval_recall(image_vectors, text_vectors, self.owner, self.captions)

    def _part(self, n):
        if self.accelerator is None:
            return np.arange(n)
        parts = np.array_split(np.arange(n), self.accelerator.num_processes)
        return parts[self.accelerator.process_index]

    def _joined(self, vectors):
        return vectors if self.accelerator is None else np.concatenate(gather_object([vectors]))


def matched_vectors(model, images):
    """Joint-space vectors of images and of the first caption of each: two arrays (M, d)."""
    captions = [group[0] for group in images.captions]
    return model.encode_images(images), model.encode_texts(captions)
