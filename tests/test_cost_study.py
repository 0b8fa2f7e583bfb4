"""Costs against pool and images: times from a given clock, recall by its definition."""

import numpy as np
import pytest
from clocks import Ticking

from clipsim import load_profile
from clipsim.retrieval.caption_index import CaptionIndex, Describer
from clipsim.retrieval.score import caption_score
from clipsim.retrieval.search import ApproximateIndex
from clipsim.studies.cost_and_scale.cost_study import (
    ALL_PAIRS,
    EXACT,
    LISTS,
    PAIR_BY_PAIR,
    RECALL,
    SAMPLED_PAIRS,
    SEARCH,
    double_sum,
    factories,
    image_numbers,
    image_rows,
    least_effort,
    machine_limits,
    pool_rows,
)
from clipsim.studies.cost_and_scale.timing import SIDE

N_ROUNDS = 5


def unit(n, d, seed):
    vectors = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def profile():
    return load_profile("smoke", n_descriptions=4, n_bootstrap=50)


@pytest.fixture(scope="module")
def world():
    """A pool of 400 vectors and 40 images near some of them."""
    pool = unit(400, 16, seed=0)
    queries = pool[:40] + 0.5 * unit(40, 16, seed=1)
    return pool, queries / np.linalg.norm(queries, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def rows(profile, world):
    return pool_rows(profile, *world, sizes=(60, 400), n_rounds=N_ROUNDS, clock=Ticking())


def test_a_row_per_pool_search_and_number_of_queries(rows):
    found = [(row["pool"], row["search"], row["queries"]) for row in rows]
    assert len(set(found)) == len(found) == 2 * 3 * 2
    assert {row["queries"] for row in rows} == {1, 40}
    assert {row["dimensions"] for row in rows} == {16}


def test_times_are_of_one_query_and_ratios_of_one_round(rows):
    for row in rows:
        assert row["median_s"] == row["low_s"] == row["high_s"] == 1 / row["queries"]
        assert row["rounds"] == N_ROUNDS
        if row["search"] != EXACT:
            assert (row["ratio"], row["saved"], row["build_s"]) == (1, 0, 1)


def test_limits_are_the_machines(rows):
    one, several = (row for row in rows if (row["pool"], row["search"]) == (400, EXACT))
    assert one["limit_s"] == 0.5  # by this clock the pool is copied in a second
    assert several["limit_s"] == pytest.approx(2 * 400 * 16 / (2 * SIDE**3))
    limits = machine_limits(rows)
    assert limits["flop_per_s"] == pytest.approx(2 * SIDE**3)
    assert limits["read_bytes_per_s"] == pytest.approx(2 * 400 * 16 * 4)


def test_recall_is_the_share_of_the_best_that_is_found(rows, profile, world):
    pool, queries = world
    n = profile.n_descriptions
    row = next(row for row in rows if (row["pool"], row["search"]) == (400, LISTS))
    index = ApproximateIndex.build(pool, row["factory"], row["effort"])
    exact = np.argsort(-(queries @ pool.T), axis=1)[:, :n]
    found = index.search(queries, n)[0]
    both = [len({*a} & {*b}) for a, b in zip(exact.tolist(), found.tolist(), strict=True)]
    assert row["recall"] == pytest.approx(sum(both) / (n * len(queries)))


def test_every_approximate_search_reaches_the_recall_with_the_least_effort(rows, world):
    pool, queries = world
    for row in rows:
        if row["search"] != EXACT:
            assert row["recall"] >= RECALL
    factory, efforts = factories(400)[LISTS]
    index = ApproximateIndex.build(pool, factory)
    effort, recall = least_effort(index, queries, 4, efforts)
    assert index.recall(queries, 4) == recall >= RECALL
    for less in efforts[: efforts.index(effort)]:
        assert ApproximateIndex.build(pool, factory, less).recall(queries, 4) < RECALL


def test_an_index_that_finds_too_few_makes_more_effort():
    pool = unit(64, 8, seed=2)
    index = ApproximateIndex.build(pool, "IVF32,Flat")
    effort, recall = least_effort(index, pool[:10], 20, ["nprobe=1", "nprobe=32"])
    assert (effort, recall) == ("nprobe=32", 1.0)


def test_images_and_their_pairs(profile, world):
    pool, queries = world
    index = CaptionIndex.build(pool, [f"caption {i}" for i in range(len(pool))])
    describer = Describer(profile, None, index, pool)
    rows = image_rows(profile, describer, queries, n_rounds=N_ROUNDS, clock=Ticking())
    by_work = {(row["images"], row["work"]): row for row in rows}
    assert {images for images, _ in by_work} == {10, 40}
    assert by_work[40, SEARCH]["median_s"] == 1
    assert by_work[40, ALL_PAIRS]["median_s"] == 1
    assert by_work[40, PAIR_BY_PAIR]["median_s"] == 40 * 39 / 2 / SAMPLED_PAIRS
    limits = {key: row["limit_s"] for key, row in by_work.items() if "limit_s" in row}
    expected = 2 * 40**2 * 16 / (2 * SIDE**3)
    assert limits == {(10, ALL_PAIRS): pytest.approx(expected / 16), (40, ALL_PAIRS): expected}


def test_pair_by_pair_is_eq_4():
    a, b = unit(5, 8, seed=3), unit(5, 8, seed=4)
    assert double_sum(a, b) / 25 == pytest.approx(caption_score(a, b), abs=1e-6)


def test_numbers_of_images():
    assert image_numbers(64) == [10, 64]
    assert image_numbers(1000) == [10, 100, 1000]
