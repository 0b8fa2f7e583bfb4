"""Pools that are kept, and pairs scored image by image."""

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


def test_an_n_that_the_pool_cannot_give_is_named():
    index = CaptionIndex.build(np.eye(3), POOL)
    for n in (0, 4):
        with pytest.raises(ValueError, match=f"k={n}: expected 1 to 3"):
            index.search(index.vectors[:1], n)


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
