"""Caption retrieval against a full sort, and recall against a loop over the definition."""

import numpy as np
import pytest

from clipsim.model.validation import retrieval_recall
from clipsim.record import StaleError
from clipsim.retrieval.caption_index import CaptionIndex


def unit(rng, *shape):
    vectors = rng.normal(size=shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.fixture
def index():
    rng = np.random.default_rng(0)
    return CaptionIndex.build(unit(rng, 50, 8), [f"caption {i}" for i in range(50)])


@pytest.mark.parametrize("n", [1, 7, 50])
def test_search_equals_a_full_sort(index, n):
    queries = unit(np.random.default_rng(1), 1500, 8)  # more than one block
    ids, sims = index.search(queries, n)
    similarity = queries.astype(float) @ index.vectors.T.astype(float)
    expected = np.argsort(-similarity, axis=1)[:, :n]
    np.testing.assert_array_equal(ids, expected)
    np.testing.assert_allclose(sims, np.take_along_axis(similarity, expected, 1), atol=1e-6)


def test_equal_similarities_come_in_the_order_of_the_pool():
    same = np.tile(unit(np.random.default_rng(0), 1, 4), (5, 1))
    ids, _ = CaptionIndex.build(same, list("abcde")).search(same[:1], 5)
    assert ids.tolist() == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize("n", [0, 51])
def test_an_n_that_the_pool_cannot_give_is_named(index, n):
    with pytest.raises(ValueError, match=f"n_descriptions={n}: the pool has 50"):
        index.search(index.vectors[:1], n)


def test_bad_vectors_are_named(index):
    with pytest.raises(ValueError, match="image_vectors"):
        index.search(np.ones((2, 9)), 1)
    with pytest.raises(ValueError, match="one row per caption"):
        CaptionIndex.build(np.ones((2, 3)), ["a"])
    with pytest.raises(ValueError, match="at least one"):
        CaptionIndex.build(np.ones((0, 3)), [])


def test_an_approximate_search_says_what_it_found(index, capsys):
    queries = unit(np.random.default_rng(1), 20, 8)
    ids, sims = index.search(queries, 5, factory="IVF4,Flat")
    assert capsys.readouterr().err.startswith("IVF4,Flat: finds ")
    np.testing.assert_allclose(
        sims, np.einsum("qd,qkd->qk", queries, index.vectors[ids]), atol=1e-6
    )
    everything = index.search(queries, 5, factory="Flat")
    np.testing.assert_array_equal(everything[0], index.search(queries, 5)[0])
    assert "100.0%" in capsys.readouterr().err


def test_what_is_saved_comes_back_mapped(index, tmp_path):
    path = tmp_path / "pool.safetensors"
    index.save(path, "a" * 64, "minilm")
    loaded = CaptionIndex.load(path, "a" * 64, "minilm", index.captions)
    assert loaded.captions == index.captions
    np.testing.assert_array_equal(loaded.vectors, index.vectors)
    queries = unit(np.random.default_rng(1), 30, 8)
    for found, expected in zip(loaded.search(queries, 9), index.search(queries, 9), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_another_models_index_is_never_used(index, tmp_path):
    path = tmp_path / "pool.safetensors"
    index.save(path, "a" * 64, "minilm")
    with pytest.raises(StaleError, match="another checkpoint"):
        CaptionIndex.load(path, "b" * 64, "minilm")
    with pytest.raises(StaleError, match="another encoder"):
        CaptionIndex.load(path, "a" * 64, "bert-base")
    with pytest.raises(StaleError, match="other captions"):
        CaptionIndex.load(path, "a" * 64, "minilm", index.captions[::-1])
    with pytest.raises(StaleError, match="missing"):
        CaptionIndex.load(tmp_path / "gone.safetensors", "a" * 64, "minilm")


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
