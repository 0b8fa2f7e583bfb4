import numpy as np
import piq
import pytest
import torch
from reference import photograph_pairs, random_image, slow_fsim, slow_package_fsim

from clipsim.metrics import FSIMDefinition, fsim, ladder
from clipsim.metrics.definitions import PACKAGE
from clipsim.metrics.fsim import image_maps

SIZES = [(33, 47), (224, 224), (640, 512)]
SHADES = {"black": 0.0, "dark": 0.2, "white": 1.0}
PIQ_CHROMA = FSIMDefinition(chroma_power="absolute")


def random_pair(height, width):
    return random_image(height, width, seed=3), random_image(height, width, seed=4)


def constant(shade, dtype=torch.float32):
    return torch.full((3, 24, 20), SHADES[shade], dtype=dtype)


def piq_fsim(a, b, chromatic):
    a, b = (torch.from_numpy(x)[None] for x in (a, b))
    return piq.fsim(a, b, chromatic=chromatic).item()


# --- agreement -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_canonical_equals_piq_and_the_slow_reading(size):
    a, b = random_pair(*size)
    score = fsim(a, b)
    assert score == pytest.approx(piq_fsim(a, b, chromatic=False), abs=1e-4)
    assert score == pytest.approx(slow_fsim(a, b), abs=1e-8)
    assert fsim(a.astype("float32"), b.astype("float32")) == pytest.approx(score, abs=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_chromatic_follows_the_paper_and_on_request_piq(size):
    a, b = random_pair(*size)
    assert fsim(a, b, chromatic=True) == pytest.approx(slow_fsim(a, b, chromatic=True), abs=1e-8)
    like_piq = fsim(a, b, PIQ_CHROMA, chromatic=True)
    assert like_piq == pytest.approx(piq_fsim(a, b, chromatic=True), abs=1e-4)


def test_canonical_equals_the_reference_values():
    for k, (a, b, values) in enumerate(photograph_pairs()):
        score = fsim(a, b, dtype="float64")
        assert score == pytest.approx(values["fsim_piq_luma_float64"], abs=1e-4)
        assert score == pytest.approx(values["fsim_paper_direct"], abs=1e-7)
        score = fsim(a, b, chromatic=True, dtype="float64")
        assert score == pytest.approx(values["fsimc_paper_direct"], abs=1e-7)
        if k % 4 == 0:  # these take longest
            score = fsim(a, b, PIQ_CHROMA, chromatic=True, dtype="float64")
            assert score == pytest.approx(values["fsimc_piq_float64"], abs=1e-4)


def test_package_equals_the_reference_values():
    for a, b, values in photograph_pairs():
        expected = values["fsim_ism_default_rgb_uint8"]
        assert fsim(a, b, "package", dtype="float64") == pytest.approx(expected, abs=1e-6)
    noisy = a / 255 + np.where(a < 255, 0.4 / 255, 0)  # rounds to the same 8 bits
    assert fsim(noisy, b / 255, "package") == pytest.approx(expected, abs=1e-6)
    assert fsim(a, b, "package") == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("size", [(33, 47), (64, 50)])
def test_package_equals_the_slow_reading(size):
    a, b = (np.round(255 * x).astype("uint8") for x in random_pair(*size))
    score = fsim(a, b, "package", dtype="float64")
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


@pytest.mark.parametrize(
    ("variant", "chromatic"), [("canonical", 0), ("canonical", 1), ("package", 0)]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_identity_symmetry_and_range(variant, chromatic, dtype):
    a, b = (torch.from_numpy(x).to(dtype) for x in random_pair(24, 20))
    half = a.clone()
    half[:, :, 8:] = 0.3
    images = [a, b, half, 1 - a, *(constant(shade, dtype) for shade in SHADES)]
    for x in images:
        assert fsim(x, x, variant, chromatic=chromatic) == 1
        for y in images:
            score = fsim(x, y, variant, chromatic=chromatic)
            assert score == fsim(y, x, variant, chromatic=chromatic)
            assert 0 <= score <= 1


@pytest.mark.parametrize("variant", ["canonical", "package"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_unequal_constant_images_have_no_features_to_differ_in(variant, dtype):
    for shade in SHADES:
        for size in ((24, 20), (33, 47), (112, 96)):
            a = torch.full((3, *size), SHADES[shade], dtype=dtype)
            b = torch.full((3, *size), 0.7, dtype=dtype)
            assert fsim(a, b, variant) == 1


def test_fsim_of_constant_images_is_the_limit_of_faint_texture():
    texture = 1e-3 * np.random.default_rng(0).random((1, 40, 40)) * np.ones((3, 1, 1))
    assert fsim(0.2 + texture[:, 2:-2, 2:-2], 0.4 + texture[:, 2:-2, 2:-2]) > 0.95


def test_chromatic_of_constant_images_compares_their_chroma():
    red, blue = torch.zeros(2, 3, 24, 20, dtype=torch.float64)
    red[0], blue[2] = 1, 1
    i, q = np.array([[0.596, -0.322], [0.211, 0.312]]) * 255  # of red and of blue
    product = (2 * i.prod() + 200) / ((i**2).sum() + 200)
    product *= (2 * q.prod() + 200) / ((q**2).sum() + 200)
    expected = np.real(complex(product) ** 0.03)
    assert product < 0
    assert fsim(red, blue, chromatic=True) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("chromatic", [False, True])
@pytest.mark.parametrize("shade", [None, *SHADES])
def test_gradients_are_finite(shade, chromatic):
    for dtype in (torch.float32, torch.float64):
        a, b = (torch.from_numpy(x).to(dtype) for x in random_pair(24, 20))
        if shade:
            a = constant(shade, dtype)
        for x, y in ((a, b), (b, a), (a, a)):
            x = x.clone().requires_grad_()
            fsim(x, y, chromatic=chromatic).backward()
            assert x.grad.isfinite().all()


def test_gradients_after_a_call_in_inference_mode():
    a, b = (torch.from_numpy(x) for x in random_pair(25, 21))
    with torch.inference_mode():
        expected = fsim(a, b)
    a.requires_grad_()
    score = fsim(a, b)
    score.backward()
    assert score.item() == expected


def test_package_derivatives_clip_and_wrap():
    image = np.zeros((1, 3, 8, 8))
    image[..., 4:] = 1  # a step up: derivative 16 · 255 = 4080, squared 65536 · 254 + 256
    step_up = image_maps(torch.from_numpy(image), PACKAGE["fsim"], chromatic=False)[1]
    step_down = image_maps(torch.from_numpy(1 - image), PACKAGE["fsim"], chromatic=False)[1]
    assert step_up[0, 0, 4].tolist() == [0, 0, 0, 16, 16, 0, 0, 0]
    assert step_down.abs().max() == 0


# --- input and output ------------------------------------------------------------------------


def test_uint8_batches_and_types():
    a, b = (np.stack([random_image(20, 30, seed=s + k) for k in range(18)]) for s in (0, 50))
    scores = fsim(a, b)
    assert isinstance(scores, torch.Tensor)
    assert scores.shape == (18,)
    assert scores.dtype == torch.float64
    singles = [fsim(x, y) for x, y in zip(a, b, strict=True)]
    assert all(isinstance(score, float) for score in singles)
    np.testing.assert_allclose(scores, singles, atol=1e-12)
    bytes_a, bytes_b = (torch.from_numpy(np.round(255 * x).astype("uint8")) for x in (a, b))
    np.testing.assert_allclose(fsim(bytes_a, bytes_b, dtype="float64"), scores, atol=1e-12)
    assert fsim(bytes_a, bytes_b).dtype == torch.float32


IMAGE = np.full((3, 20, 20), 0.5)
WRONG = {
    "integers": (IMAGE.astype(int), IMAGE, {}, "a: expected dtype uint8, float32 or float64"),
    "unlike shapes": (IMAGE, IMAGE[:, 1:], {}, "b: expected the shape of a"),
    "too small": (
        IMAGE[..., :5],
        IMAGE[..., :5],
        {},
        "a: expected height and width of at least 6",
    ),
    "out of range": (IMAGE, 2 * IMAGE + 0.1, {}, r"b: expected values in \[0, 1\]"),
    "variant": (IMAGE, IMAGE, {"variant": "piq"}, "variant: expected 'canonical', 'package'"),
    "no chroma": (
        IMAGE,
        IMAGE,
        {"variant": "package", "chromatic": True},
        "chromatic: expected False",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_says_which_argument_and_what_was_expected(case):
    a, b, options, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        fsim(a, b, **options)
