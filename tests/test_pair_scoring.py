"""Scores of any pairs are those that the pipeline gives for its own."""

from dataclasses import replace

import numpy as np
import pytest

from clipsim import load_profile
from clipsim import profile as config
from clipsim.data import load, load_pairs
from clipsim.data.pool import caption_pool
from clipsim.evaluation.steps import description_scores, retrieval_of
from clipsim.metrics import fsim, ssim
from clipsim.model.clip import DualEncoder
from clipsim.retrieval.caption_index import Describer, pixel_scores, scores_of_models
from clipsim.retrieval.score import caption_score


@pytest.fixture(scope="module", params=["joint", "text"])
def study(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("runs")
        patch.setattr(config, "RUNS", folder)
        patch.setattr("clipsim.model.features.CACHE", folder / "cache")
        profile = load_profile("smoke", n_pairs=8, vector_space=request.param)
        images = load(profile)
        yield profile, images, load_pairs(profile, images), DualEncoder(profile)


def test_descriptions_and_cosines_are_those_worked_out_image_by_image(study):
    profile, images, pairs, model = study
    pool = caption_pool(profile, images)
    joint = model.encode_texts(pool)
    compared = model.encode_texts(pool, space=profile.vector_space)
    position, vectors, described = images.position(), {}, {}
    own = images.subset([position[image_id] for image_id in pairs.image_ids])
    for image_id, vector in zip(own.image_ids, model.encode_images(own), strict=True):
        best = np.argsort(-(joint @ vector), kind="stable")[: profile.n_descriptions]
        vectors[image_id], described[image_id] = vector, compared[best]
    couples = list(zip(pairs.id_a.tolist(), pairs.id_b.tolist(), strict=True))
    norm = profile.normalisation
    expected = {
        "clip_score": [caption_score(described[a], described[b], norm) for a, b in couples],
        "image_cosine": [vectors[a] @ vectors[b] for a, b in couples],
    }
    describer = Describer.of(profile, model, pool)
    found = scores_of_models([describer, describer], images, pairs)
    retrieved = description_scores(profile, retrieval_of(profile, model, images, pool), pairs)
    for key, values in expected.items():
        np.testing.assert_allclose(found[key], [values, values], atol=1e-5)
        np.testing.assert_allclose(retrieved[key], values, atol=1e-5)


@pytest.mark.parametrize("variant", ["canonical", "package"])
def test_pixels_are_compared_by_the_variants_asked_for(study, variant):
    _, images, pairs, _ = study
    few, suffix = pairs.where(slice(0, 3)), {"canonical": "", "package": "_package"}[variant]
    found = pixel_scores(images, few, (variant,))
    assert set(found) == {f"ssim{suffix}", f"fsim{suffix}"}
    for row, (a, b) in enumerate(zip(few.id_a, few.id_b, strict=True)):
        pixels = images.pixels(str(a)), images.pixels(str(b))
        for name, metric in (("ssim", ssim), ("fsim", fsim)):
            expected = metric(*pixels, variant=variant)
            assert found[name + suffix][row] == pytest.approx(expected, abs=1e-5)


def test_pairs_know_where_their_images_are(study):
    _, _, pairs, _ = study
    ids = pairs.image_ids[::-1]
    for (a, b), first, second in zip(pairs.positions(ids), pairs.id_a, pairs.id_b, strict=True):
        assert (ids[a], ids[b]) == (first, second)
    with pytest.raises(KeyError):
        pairs.positions(ids[1:])


def test_experts_come_before_the_crowd(study):
    _, _, pairs, _ = study
    judged = replace(pairs, source=np.where(np.arange(len(pairs)) % 3, "crowd", "expert"))
    assert list(judged.by_source) == ["expert", "crowd"]
    np.testing.assert_array_equal(judged.by_source["expert"], judged.source == "expert")
    assert list(pairs.by_source) == [""]
