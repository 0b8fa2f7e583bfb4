"""FSIM against piq, a slow reading of the paper and the values of other packages."""

import numpy as np
import piq
import pytest
import torch
from reference import photograph_pairs, random_image, slow_fsim, slow_package_fsim

from clipsim.metrics import fsim, ladder

SIZES = [(33, 47), (224, 224), (640, 512)]
SHADES = (0.0, 0.2, 1.0)


def random_pair(height, width):
    return random_image(height, width, seed=3), random_image(height, width, seed=4)


# --- agreement -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_canonical_equals_piq_and_the_slow_reading(size):
    a, b = random_pair(*size)
    score = fsim(a, b)
    batches = (torch.from_numpy(x)[None] for x in (a, b))
    assert score == pytest.approx(piq.fsim(*batches, chromatic=False).item(), abs=1e-4)
    assert score == pytest.approx(slow_fsim(a, b), abs=1e-8)
    assert fsim(a.astype("float32"), b.astype("float32")) == pytest.approx(score, abs=1e-5)


def test_canonical_and_package_equal_the_reference_values():
    for a, b, values in photograph_pairs():
        floats = a / 255, b / 255
        score = fsim(*floats)
        assert score == pytest.approx(values["fsim_piq_luma_float64"], abs=1e-4)
        assert score == pytest.approx(values["fsim_paper_direct"], abs=1e-7)
        expected = values["fsim_ism_default_rgb_uint8"]
        assert fsim(*floats, "package") == pytest.approx(expected, abs=1e-6)
    assert fsim(a, b, "package") == pytest.approx(expected, abs=1e-5)
    noisy = a / 255 + np.where(a < 255, 0.4 / 255, 0)  # rounds to the same 8 bits
    assert fsim(noisy, b / 255, "package") == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("size", [(33, 47), (64, 50)])
def test_package_equals_the_slow_reading(size):
    a, b = (np.round(255 * x).astype("uint8") for x in random_pair(*size))
    score = fsim(a / 255, b / 255, "package")
    assert score == pytest.approx(slow_package_fsim(a, b), abs=1e-8)


def test_the_ladder_leads_from_canonical_to_package():
    a, b = random_pair(48, 40)
    rungs = ladder("fsim")
    scores = [fsim(a, b, rung) for _, rung in rungs]
    assert scores[0] == fsim(a, b)
    assert scores[-1] == fsim(a, b, "package")
    assert np.isfinite(scores).all()
    same = {"canonical", "pixels rounded to 8 bits", "no down-sampling"}  # 8-bit, small images
    for (label, _), before, after in zip(rungs[1:], scores, scores[1:], strict=False):
        assert (after == pytest.approx(before, abs=1e-12)) == (label in same), label


# --- properties ------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["canonical", "package"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_identity_symmetry_and_range(variant, dtype):
    a, b = (x.astype(dtype) for x in random_pair(24, 20))
    half = a.copy()
    half[:, :, 8:] = 0.3
    images = [a, b, half, 1 - a, *(np.full_like(a, shade) for shade in SHADES)]
    for x in images:
        assert fsim(x, x, variant) == 1
        for y in images:
            score = fsim(x, y, variant)
            assert score == fsim(y, x, variant)
            assert 0 <= score <= 1


@pytest.mark.parametrize("variant", ["canonical", "package"])
def test_unequal_constant_images_have_no_features_to_differ_in(variant):
    for shade in SHADES:
        for size in ((24, 20), (33, 47), (112, 96)):
            for dtype in ("float32", "float64"):
                a = np.full((3, *size), shade, dtype=dtype)
                assert fsim(a, np.full_like(a, 0.7), variant) == 1


def test_fsim_of_constant_images_is_the_limit_of_faint_texture():
    texture = 1e-3 * np.random.default_rng(0).random((1, 40, 40)) * np.ones((3, 1, 1))
    assert fsim(0.2 + texture[:, 2:-2, 2:-2], 0.4 + texture[:, 2:-2, 2:-2]) > 0.95
