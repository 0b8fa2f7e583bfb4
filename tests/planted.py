"""A world with a known answer: scenes whose vectors are what their encoder is made to see."""

import zlib

import numpy as np

from clipsim import load_profile
from clipsim.data import caption_pool, load, load_pairs
from clipsim.data.scenes.scenes import concept_table
from clipsim.retrieval import Describer
from clipsim.studies.beyond_the_training_data import experiments


class PlantedModel:
    """Encodes images by the concepts of their scenes, and texts by the scenes they are of.

    `blind`: vectors say nothing of the content.
    """

    def __init__(self, images, blind=False):
        self.column = {name: i for i, name in enumerate(sorted(concept_table()))}
        self.images, self.blind = images, blind
        self.scenes_of = {}
        for image_id, captions in zip(images.image_ids, images.captions, strict=True):
            for caption in captions:
                self.scenes_of.setdefault(caption, []).append(images.scenes[image_id])

    def encode_images(self, images):
        return self._vectors([(i, [images.scenes[i]]) for i in images.image_ids])

    def encode_texts(self, texts, space="joint"):
        return self._vectors([(text, self.scenes_of[text]) for text in texts])

    def _vectors(self, named):
        vectors = np.stack([self._vector(name, scenes) for name, scenes in named])
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    def _vector(self, name, scenes):
        noise = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(len(self.column))
        if self.blind:
            return noise
        vector = 1e-3 * noise
        for scene in scenes:
            for concept in scene.content:
                vector[self.column[concept]] += 1
        return vector


def seeing_and_blind():
    """A profile, its scenes, evaluated pairs, and by name the describer of either model."""
    profile = load_profile("smoke", n_train_scenes=600, n_pairs=80, n_bootstrap=100)
    images = load(profile)
    pairs, pool = load_pairs(profile, images), caption_pool(profile, images)
    describers = {
        name: Describer.of(profile, PlantedModel(images, name == "blind"), pool)
        for name in ("seeing", "blind")
    }
    return profile, images, pairs.where(experiments.evaluated(pairs)), describers
