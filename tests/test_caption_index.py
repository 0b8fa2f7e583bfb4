"""Caption retrieval against a full sort; pools that are kept; pairs scored image by image."""

from dataclasses import replace

import numpy as np
import pytest
from own_pictures import tiny_checkpoint

from clipsim import CaptionIndex, caption_score, load_profile
from clipsim.data import caption_pool, load, load_pairs
from clipsim.model import DualEncoder
from clipsim.record import StaleError
from clipsim.retrieval import Describer, description_scores, scores_of_models

POOL = ("a dog", "two cats on a mat", "a red boat")


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


@pytest.mark.parametrize("n", [0, 51])
def test_an_n_that_the_pool_cannot_give_is_named(index, n):
    with pytest.raises(ValueError, match=f"n_descriptions={n}: the pool has 50"):
        index.search(index.vectors[:1], n)


def test_bad_vectors_are_named(index):
    with pytest.raises(ValueError, match=r"expected \(Q, 8\), got \(2, 9\)"):
        index.search(np.ones((2, 9)), 1)
    with pytest.raises(ValueError, match="one row for each of 1 captions"):
        CaptionIndex.build(np.ones((2, 3)), ["a"])
    with pytest.raises(ValueError, match="at least one"):
        CaptionIndex.build(np.ones((0, 3)), [])


@pytest.mark.parametrize("space", ["joint", "text"])
def test_a_pool_comes_back_for_the_very_same_weights_only(tmp_path, coloured, space):
    model = tiny_checkpoint(tmp_path / "model", vector_space=space)
    kept = Describer.of(model.profile, model, POOL)
    kept.save(tmp_path)
    loaded = Describer.load(tmp_path, model.profile, model)
    assert loaded.index.captions == POOL
    np.testing.assert_array_equal(loaded.index.vectors, model.encode_texts(POOL))
    np.testing.assert_array_equal(loaded.compared, model.encode_texts(POOL, space=space))
    other = tiny_checkpoint(tmp_path / "other", vector_space=space, seed=1)
    with pytest.raises(StaleError, match="another checkpoint"):
        Describer.load(tmp_path, other.profile, other)
    with pytest.raises(StaleError, match="missing"):
        Describer.load(tmp_path / "elsewhere", model.profile, model)
    if space == "text":
        more = Describer.of(replace(model.profile, vector_space="joint"), model, (*POOL, "a cat"))
        more.save(tmp_path)  # of the two files, one
        with pytest.raises(StaleError, match="other captions"):
            Describer.load(tmp_path, model.profile, model)


@pytest.mark.parametrize("space", ["joint", "text"])
def test_scores_of_pairs_are_those_worked_out_image_by_image(coloured, space):
    profile = load_profile("smoke", n_pairs=8, vector_space=space)
    images, model = load(profile), DualEncoder(profile)
    pairs, pool = load_pairs(profile, images), caption_pool(profile, images)
    joint, compared = (model.encode_texts(pool, space=s) for s in ("joint", space))
    position, vectors, described = images.position(), {}, {}
    own = images.subset([position[image_id] for image_id in pairs.image_ids])
    for image_id, vector in zip(own.image_ids, model.encode_images(own), strict=True):
        best = np.argsort(-(joint @ vector), kind="stable")[: profile.n_descriptions]
        vectors[image_id], described[image_id] = vector, compared[best]
    couples = list(zip(pairs.id_a.tolist(), pairs.id_b.tolist(), strict=True))
    expected = {
        "clip_score": [caption_score(described[a], described[b]) for a, b in couples],
        "image_cosine": [vectors[a] @ vectors[b] for a, b in couples],
    }
    describer = Describer.of(profile, model, pool)
    found = scores_of_models([describer, describer], images, pairs)
    retrieval = describer.retrieval(images, images.image_ids)  # of more than the pairs' images
    retrieved = description_scores(profile, retrieval, pairs)
    for key, values in expected.items():
        np.testing.assert_allclose(found[key], [values, values], atol=1e-5)
        np.testing.assert_allclose(retrieved[key], values, atol=1e-5)
