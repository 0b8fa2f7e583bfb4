"""The benchmarks' table is that of their committed results, and says rightly what was met."""

import importlib
import json
import sys

import numpy as np
import pytest
from reference import eq_4

from clipsim.profile import REPOSITORY

FOLDER = REPOSITORY / "benchmarks"
PATHS = sorted(FOLDER.glob("*.json"))


@pytest.fixture
def script(monkeypatch):
    """Import a script of the folder, as when it is run there."""
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    return importlib.import_module


def test_the_table_is_that_of_the_committed_results(script):
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == script("run").table()


def test_every_benchmark_has_been_run(script):
    assert {path.stem for path in PATHS} == set(script("run").NAMES)
    assert all(path.with_suffix(".py").is_file() for path in PATHS)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_ratios_and_verdicts_are_those_of_the_medians(script, path):
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    assert rows
    for row in rows:
        ratio = row["ours_median"] / row["peer_median"]
        if row["ratio_of"] == "peer / ours":
            ratio = 1 / ratio
        assert row["ratio"] == pytest.approx(ratio, rel=0.01), row
        if row["target"] is not None:
            sign, bound = row["target"].split()
            below = row["ratio"] <= float(bound)
            assert row["met"] == (below if sign == "≤" else row["ratio"] >= float(bound)), row


def test_a_row_knows_its_ratio_and_its_target(script):
    rows = script("rows")
    fast = rows.row("search", "a", "b", "s", (2.0, 6.0), "peer / ours", "≥ 3")
    assert (fast["ratio"], fast["met"]) == (3.0, True)
    large = rows.row("memory", "a", "the bound", "GiB", (5.0, 4.0), "ours / peer", "≤ 1")
    assert (large["ratio"], large["met"]) == (1.25, False)
    assert rows.row("x", "a", "b", "s", (1.0, 1.0), "ours / peer")["met"] is None


def test_the_double_loop_of_the_benchmark_is_eq_4(script):
    a, b = np.random.default_rng(0).normal(size=(2, 4, 8))
    assert script("scoring").double_loop(a, b) == pytest.approx(eq_4(a, b, "mean"))


def test_limits_of_a_search_are_the_machines(script):
    pool_size, pool = script("pool_size"), np.ones((400, 16), dtype=np.float32)
    seconds = {name: np.array([2.0, 1.0]) for name in pool_size.contestants(pool)}
    limits = pool_size.machine_limits(pool, seconds)
    assert limits == {"flop_per_s": 2 * pool_size.SIDE**3, "read_bytes_per_s": 2 * 400 * 16 * 4}
    one, many = ({"search": "exact", "queries": k} for k in (1, 40))
    assert pool_size.limit(one, pool, limits) == {"limit_s": 0.5}  # the pool is copied in a second
    arithmetic = 2 * 400 * 16 / limits["flop_per_s"]
    assert pool_size.limit(many, pool, limits)["limit_s"] == pytest.approx(arithmetic)


@pytest.fixture
def clustered():
    """Unit vectors in 20 groups in 3 of 32 dimensions."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((20, 3)).repeat(15, axis=0)
    vectors = np.zeros((300, 32), dtype=np.float32)
    vectors[:, :3] = centres + 0.05 * rng.standard_normal((300, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_a_smaller_pool_is_a_part_and_a_larger_one_has_all(script, clustered):
    rows, pool_of = {tuple(row) for row in clustered.tolist()}, script("sampled_pool").pool_of
    part = pool_of(clustered, 100, seed=0)
    assert part.shape == (100, 32)
    assert {tuple(row) for row in part.tolist()} < rows
    more = pool_of(clustered, 700, seed=0)
    np.testing.assert_array_equal(more[:300], clustered)
    assert not {tuple(row) for row in more[300:].tolist()} & rows
    np.testing.assert_array_equal(more, pool_of(clustered, 700, seed=0))


def test_sampled_vectors_are_as_near_as_real_neighbours(script, clustered):
    sampled = script("sampled_pool").sampled_around(clustered, 1000, seed=0)
    assert sampled.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(sampled, axis=1), 1, rtol=1e-5)
    to_real = np.sort(sampled @ clustered.T, axis=1)[:, -10:]
    among_real = np.sort(clustered @ clustered.T, axis=1)[:, -11:-1]
    apart = [np.median(np.sqrt(2 - 2 * np.minimum(c, 1))) for c in (to_real, among_real)]
    assert 0.5 < apart[0] / apart[1] < 2
    np.testing.assert_allclose(sampled[:, 3:], 0, atol=1e-6)  # no noise where real ones have none
