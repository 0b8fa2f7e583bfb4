"""SSIM against scikit-image, piq and the values of other packages."""

import numpy as np
import piq
import pytest
import torch
from reference import photograph_pairs, random_image
from skimage.metrics import structural_similarity

from clipsim.metrics import PACKAGE, ladder, luma, ssim, ssim_matrix

SIZES = [(33, 47), (224, 224), (640, 512)]
SHADES = (0.0, 0.2, 1.0)


def grey(image):
    return luma(torch.as_tensor(image, dtype=torch.float64)).numpy()


def scikit_image_ssim(a, b):
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return structural_similarity(grey(a), grey(b), data_range=1.0, **options)


def all_pairs_ssim(a, b, variant="canonical"):
    return ssim_matrix(np.stack([a, b]), variant)[0, 1]


def random_pair(height, width):
    return random_image(height, width, seed=1), random_image(height, width, seed=2)


def constant(shade, dtype="float32"):
    return np.full((3, 24, 20), shade, dtype=dtype)


# --- agreement -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_all_pairs_and_a_pair_equal_scikit_image_and_piq_on_the_same_grey(size):
    a, b = random_pair(*size)
    expected = scikit_image_ssim(a, b)
    grey_a, grey_b = (torch.from_numpy(grey(x))[None, None] for x in (a, b))
    assert piq.ssim(grey_a, grey_b, downsample=False).item() == pytest.approx(expected, abs=1e-6)
    assert ssim(a, b) == pytest.approx(expected, abs=1e-12)
    assert all_pairs_ssim(a, b) == pytest.approx(expected, abs=1e-6)
    single = all_pairs_ssim(a.astype("float32"), b.astype("float32"))
    assert single == pytest.approx(expected, abs=1e-4)


def test_photographs_and_pictures_that_are_nearly_white():
    for a, b, _ in photograph_pairs():
        expected = scikit_image_ssim(a / 255, b / 255)
        assert all_pairs_ssim(a / 255, b / 255) == pytest.approx(expected, abs=1e-6)
        assert all_pairs_ssim(a, b) == pytest.approx(expected, abs=1e-4)
    a, b = (1 - 0.02 * np.random.default_rng(0).random((2, 3, 60, 60))).astype("float32")
    assert all_pairs_ssim(a, b) == pytest.approx(scikit_image_ssim(a, b), abs=1e-4)


def test_the_package_is_scikit_images_ssim_of_channels_at_another_range():
    a, b = random_pair(19, 16)
    options = {"win_size": 7, "data_range": 4095 / 255, "channel_axis": 0}
    expected = structural_similarity(a, b, **options)
    assert ssim(a, b, "package") == pytest.approx(expected, abs=1e-12)


def test_the_rungs_of_the_ladder_equal_the_reference_values():
    rungs = dict(ladder("ssim"))
    assert list(rungs.values())[-1] == PACKAGE["ssim"]
    pins = {
        "mean over R, G, B instead of luma": "ssim_wang2004_rgb",
        "sample instead of population covariance": "ssim_ism_maxp255",
        "range R = 4095 instead of 255": "ssim_ism_default_maxp4095",
    }
    for a, b, values in photograph_pairs():
        for label, key in pins.items():
            score = ssim(a / 255, b / 255, rungs[label])
            assert score == pytest.approx(values[key], abs=1e-6)
        noisy = a / 255 + np.where(a < 255, 0.4 / 255, 0)  # rounds to the same 8 bits
        assert ssim(noisy, b / 255, "package") == pytest.approx(score, abs=1e-12)


# --- properties ------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["canonical", "package"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_identity_symmetry_and_range(variant, dtype):
    a, b = (x.astype(dtype) for x in random_pair(24, 20))
    images = [a, b, 1 - a, *(constant(shade, dtype) for shade in SHADES)]
    for x in images:
        assert ssim(x, x, variant) == 1
        for y in images:
            assert ssim(x, y, variant) == ssim(y, x, variant)
            assert -1 <= ssim(x, y, variant) <= 1


def test_constant_images_are_compared_by_brightness_alone():
    c1 = 0.01**2
    expected = (2 * 0.2 * 1.0 + c1) / (0.2**2 + 1.0**2 + c1)
    a, b = constant(0.2, "float64"), constant(1.0, "float64")
    assert ssim(a, b) == pytest.approx(expected, abs=1e-9)
    assert all_pairs_ssim(a, b) == pytest.approx(expected, abs=1e-9)


def test_uint8_float_numpy_and_torch_agree():
    a, b = random_pair(30, 40)
    bytes_a, bytes_b = (np.round(255 * x).astype("uint8") for x in (a, b))
    expected = ssim(a, b)
    assert isinstance(expected, float)
    assert ssim(bytes_a, bytes_b) == pytest.approx(expected, abs=1e-7)
    assert ssim(torch.from_numpy(bytes_a), torch.from_numpy(bytes_b)) == ssim(bytes_a, bytes_b)
    assert ssim(a, torch.from_numpy(b).requires_grad_()) == expected
    assert ssim(bytes_a[:, ::-1], bytes_b[:, ::-1]) == pytest.approx(expected, abs=1e-5)


# --- bad input -------------------------------------------------------------------------------

IMAGE = np.full((3, 20, 20), 0.5)
WRONG = {
    "a list": ([[1.0]], IMAGE, "a: expected a torch tensor or numpy array"),
    "unlike dtypes": (IMAGE, IMAGE.astype("float32"), "b: expected the dtype of a, float64"),
    "grey": (IMAGE[0], IMAGE[0], r"a: expected shape \(3, H, W\), got \(20, 20\)"),
    "unlike shapes": (IMAGE, IMAGE[:, 1:], "b: expected the shape of a"),
    "0 to 255": (255 * IMAGE, IMAGE, "divide 0–255 by 255"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_says_which_argument_and_what_was_expected(case):
    a, b, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        ssim(a, b)
