"""Recall against a loop over its definition."""

import numpy as np
import pytest

from clipsim.model import retrieval_recall


def unit(rng, *shape):
    vectors = rng.normal(size=shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def recall_by_definition(images, texts, owner, captions, k):
    found_images = 0
    for i, image in enumerate(images):
        order = np.argsort(-(texts @ image), kind="stable")[:k]
        own = {captions[j] for j in np.flatnonzero(owner == i)}
        found_images += any(captions[j] in own for j in order)
    found_texts = sum(
        owner[j] in np.argsort(-(images @ text), kind="stable")[:k] for j, text in enumerate(texts)
    )
    return found_images / len(images), found_texts / len(texts)


def test_recall_equals_its_definition():
    rng = np.random.default_rng(3)
    images = unit(rng, 30, 6)
    owner = np.repeat(np.arange(30), 5)
    texts = images[owner] + 0.6 * unit(rng, 150, 6)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    captions = [f"caption {i}" for i in range(150)]
    recall = retrieval_recall(images, texts, owner, captions)
    for k in (1, 5, 10):
        expected = recall_by_definition(images, texts, owner, captions, k)
        got = (recall["image_to_text"][f"R@{k}"], recall["text_to_image"][f"R@{k}"])
        assert got == pytest.approx(expected)
    assert (recall["pool_size"], recall["n_images"]) == (150, 30)


def test_a_caption_equal_to_an_own_one_counts_as_found():
    images = np.eye(2, dtype=np.float32)
    texts = np.array([[1, 0], [1, 0]], dtype=np.float32)  # both point at image 0
    recall = retrieval_recall(images, texts, [0, 1], ["a dog", "a dog"], ks=(1,))
    assert recall["text_to_image"]["R@1"] == 1.0
    recall = retrieval_recall(images, texts, [0, 1], ["a dog", "a cat"], ks=(1,))
    assert recall["text_to_image"]["R@1"] == 0.5
