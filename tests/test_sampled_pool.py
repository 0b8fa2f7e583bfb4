"""Pools around a real one keep to its vectors, and to the directions in which they differ."""

import numpy as np
import pytest

from clipsim.studies.cost_and_scale.sampled_pool import pool_of, pool_sizes, sampled_around


@pytest.fixture
def clustered():
    """Unit vectors in 20 groups in 3 of 32 dimensions."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((20, 3)).repeat(15, axis=0)
    vectors = np.zeros((300, 32), dtype=np.float32)
    vectors[:, :3] = centres + 0.05 * rng.standard_normal((300, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("n_own", "expected"),
    [
        (21_375, [1_000, 10_000, 21_375, 100_000]),
        (160, [10, 100, 160, 800]),
        (150_000, [10_000, 100_000, 150_000]),
    ],
)
def test_sizes_are_powers_of_ten_around_the_own_size(n_own, expected):
    assert pool_sizes(n_own) == expected


def test_a_smaller_pool_is_a_part_and_a_larger_one_has_all(clustered):
    rows = {tuple(row) for row in clustered.tolist()}
    part = pool_of(clustered, 100, seed=0)
    assert part.shape == (100, 32)
    assert {tuple(row) for row in part.tolist()} < rows
    more = pool_of(clustered, 700, seed=0)
    assert more.shape == (700, 32)
    np.testing.assert_array_equal(more[:300], clustered)
    assert not {tuple(row) for row in more[300:].tolist()} & rows


def test_sampled_vectors_are_as_near_as_real_neighbours(clustered):
    sampled = sampled_around(clustered, 1000, seed=0)
    assert sampled.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(sampled, axis=1), 1, rtol=1e-5)
    to_real = np.sort(sampled @ clustered.T, axis=1)[:, -10:]
    among_real = np.sort(clustered @ clustered.T, axis=1)[:, -11:-1]
    distances = [np.median(np.sqrt(2 - 2 * np.minimum(c, 1))) for c in (to_real, among_real)]
    assert 0.5 < distances[0] / distances[1] < 2
    np.testing.assert_allclose(sampled[:, 3:], 0, atol=1e-6)  # no noise where real ones have none


def test_the_seed_decides(clustered):
    first, again, other = (sampled_around(clustered, 50, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
