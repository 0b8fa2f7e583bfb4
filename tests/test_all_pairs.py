"""All pairs of images by SSIM and FSIM: each entry is that of the pair by itself."""

import itertools

import numpy as np
import pytest
import torch
from reference import random_image

from clipsim.metrics import all_pairs, fsim, fsim_matrix, ssim, ssim_matrix

M = 20  # more than one cached tile
METRICS = {
    "ssim": (ssim, ssim_matrix, {}),
    "package ssim": (ssim, ssim_matrix, {"variant": "package"}),
    "fsim": (fsim, fsim_matrix, {}),
    "package fsim": (fsim, fsim_matrix, {"variant": "package"}),
}


@pytest.fixture(scope="module")
def images():
    stack = np.stack([random_image(22, 27, seed) for seed in range(M)])
    stack[3] = 0  # black
    stack[4] = 0.5
    return np.round(255 * stack).astype("uint8")


@pytest.fixture(params=METRICS)
def metric(request):
    return METRICS[request.param]


def test_every_entry_equals_the_pair_by_itself(images, metric):
    score, score_matrix, options = metric
    matrix = score_matrix(images, dtype="float64", **options)
    assert matrix.shape == (M, M)
    assert matrix.dtype == np.float64
    assert (matrix == matrix.T).all()
    assert (matrix.diagonal() == 1).all()
    for i, j in itertools.combinations(range(0, M, 3), 2):
        expected = score(images[i] / 255, images[j] / 255, **options)
        assert matrix[i, j] == pytest.approx(expected, abs=1e-12)


def test_spilling_to_a_file_changes_nothing(images, metric, monkeypatch):
    _, score_matrix, options = metric
    in_memory = score_matrix(images, **options)
    assert in_memory.dtype == np.float32
    pairs = np.random.default_rng(0).integers(0, M, (60, 2))
    for images_per_tile in (1, 3):
        monkeypatch.setattr(all_pairs, "MEMORY_BYTES", images_per_tile * 2 * 8 * 22 * 27 * 4)
        spilled = score_matrix(images, **options)
        np.testing.assert_allclose(spilled, in_memory, atol=1e-6)
        given = score_matrix(images, pairs=pairs, **options)
        np.testing.assert_allclose(given, in_memory[pairs[:, 0], pairs[:, 1]], atol=1e-6)


def test_given_pairs_keep_their_order(images, metric):
    _, score_matrix, options = metric
    matrix = score_matrix(images, **options)
    pairs = np.random.default_rng(0).integers(0, M, (60, 2))
    pairs[0], pairs[1] = (5, 5), pairs[2][::-1]
    for wanted in (pairs, torch.from_numpy(pairs), pairs.tolist()):
        scores = score_matrix(images, pairs=wanted, **options)
        np.testing.assert_allclose(scores, matrix[pairs[:, 0], pairs[:, 1]], atol=1e-6)
    assert score_matrix(images, pairs=[], **options).shape == (0,)


def test_tensors_floats_and_memory_maps_are_read_alike(images, tmp_path):
    expected = ssim_matrix(images)
    assert ssim_matrix(images[:1]).tolist() == [[1.0]]
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    floats = torch.from_numpy(images).float() / 255
    for same in (mapped, torch.from_numpy(images), floats, floats.clone().requires_grad_()):
        np.testing.assert_array_equal(ssim_matrix(same), expected)


def test_wrong_input_says_which_argument_and_what_was_expected(images):
    wrong = [
        (images[0], {}, r"images: expected shape \(M, 3, H, W\)"),
        (list(images), {}, "images: expected a torch tensor or numpy array"),
        (images[:0], {}, "images: expected at least one image"),
        (images[:, :, :9], {}, "images: expected height and width of at least 11"),
        (images.astype(int), {}, "images: expected dtype"),
        (images * 1.0, {}, r"images\[0:1\]: expected values in \[0, 1\]"),
        (images, {"dtype": "float16"}, "dtype: expected 'float32' or 'float64'"),
        (images, {"pairs": [[0, M]]}, f"pairs: expected integers .* from 0 to {M - 1}"),
        (images, {"pairs": [[-1, 0]]}, "pairs: expected integers"),
        (images, {"pairs": [[0.5, 1.0]]}, "pairs: expected integers"),
    ]
    for stack, options, message in wrong:
        with pytest.raises(ValueError, match=message):
            ssim_matrix(stack, **options)


def test_pairs_that_share_no_image_are_scored_part_by_part(images, metric, monkeypatch):
    _, score_matrix, options = metric
    pairs = np.random.default_rng(0).permutation(M).reshape(-1, 2)
    monkeypatch.setattr(all_pairs, "PAIRS_AT_ONCE", 3)
    given = score_matrix(images, pairs=pairs, **options)
    np.testing.assert_array_equal(given, score_matrix(images, **options)[tuple(pairs.T)])
