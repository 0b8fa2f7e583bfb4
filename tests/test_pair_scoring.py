"""Scores of any pairs are those that the pipeline gives for its own."""

import numpy as np
import pytest

from clipsim import config, load_profile
from clipsim.data import load, load_pairs
from clipsim.data.pool import caption_pool
from clipsim.metrics import fsim, ssim
from clipsim.model.clip import DualEncoder
from clipsim.pair_scoring import Describer, pixel_scores, scores_of_models
from clipsim.pipeline import description_scores, retrieval_of


@pytest.fixture(scope="module", params=["joint", "text"])
def study(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("runs")
        patch.setattr(config, "RUNS", folder)
        patch.setattr("clipsim.model.features.CACHE", folder / "cache")
        profile = load_profile("smoke", n_pairs=8, vector_space=request.param)
        images = load(profile)
        yield profile, images, load_pairs(profile, images), DualEncoder(profile)


def test_descriptions_and_cosines_are_the_pipelines(study):
    profile, images, pairs, model = study
    pool = caption_pool(profile, images)
    expected = description_scores(profile, retrieval_of(profile, model, images, pool), pairs)
    describer = Describer.of(profile, model, pool)
    found = scores_of_models([describer, describer], images, pairs)
    for key, values in expected.items():
        np.testing.assert_allclose(found[key], [values, values], atol=1e-6)


def test_pixels_are_compared_canonically(study):
    _, images, pairs, _ = study
    few = pairs.where(slice(0, 3))
    found = pixel_scores(images, few)
    for row, (a, b) in enumerate(zip(few.id_a, few.id_b, strict=True)):
        pixels = images.pixels(str(a)), images.pixels(str(b))
        assert found["ssim"][row] == pytest.approx(ssim(*pixels), abs=1e-5)
        assert found["fsim"][row] == pytest.approx(fsim(*pixels), abs=1e-5)
