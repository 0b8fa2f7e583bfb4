"""Exact search against full sorts and full matrices."""

import numpy as np
import pytest

from clipsim.retrieval import largest_products, pair_products, products_at_least, search


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def whole(seed, *shape):
    """Small whole numbers: products are exact, and many are equal."""
    return np.random.default_rng(seed).integers(-2, 3, shape).astype(np.float32)


def best_by_sorting(queries, vectors, k):
    products = queries.astype(float) @ vectors.T.astype(float)
    ids = np.argsort(-products, axis=1, kind="stable")[:, :k]
    return ids, np.take_along_axis(products, ids, 1)


@pytest.fixture(params=[2**22, 5000], ids=["one block", "many blocks"])
def elements(request, monkeypatch):
    monkeypatch.setattr(search, "ELEMENTS", request.param)
    monkeypatch.setattr(search, "PANEL_ELEMENTS", request.param)


@pytest.mark.parametrize(
    ("n_queries", "n_vectors", "k"), [(1, 3000, 10), (37, 3000, 1), (37, 3000, 50), (5, 20, 20)]
)
@pytest.mark.usefixtures("elements")
def test_the_largest_equal_a_full_sort(n_queries, n_vectors, k):
    queries, vectors = normal(1, n_queries, 32), normal(2, n_vectors, 32)
    vectors.flags.writeable = False  # as mapped from a file
    ids, products = largest_products(queries, vectors, k)
    expected, values = best_by_sorting(queries, vectors, k)
    np.testing.assert_array_equal(ids, expected)
    np.testing.assert_allclose(products, values, atol=1e-5)
    assert (ids.dtype, products.dtype) == (np.int64, np.float32)


@pytest.mark.parametrize("k", [1, 7, 300])
@pytest.mark.usefixtures("elements")
def test_equal_products_come_by_position_also_at_the_last_rank(k):
    queries, vectors = whole(1, 30, 6), whole(2, 2000, 6)
    np.testing.assert_array_equal(
        largest_products(queries, vectors, k)[0], best_by_sorting(queries, vectors, k)[0]
    )


@pytest.mark.usefixtures("elements")
def test_a_result_does_not_depend_on_what_else_is_searched():
    queries, vectors = normal(1, 50, 24), normal(2, 1000, 24)
    ids, products = largest_products(queries, vectors, 5)
    for part in (slice(0, 1), slice(17, 20), slice(10, 40)):
        found = largest_products(queries[part], vectors, 5)
        np.testing.assert_array_equal(found[0], ids[part])
        np.testing.assert_array_equal(found[1], products[part])
    found = largest_products(queries, np.concatenate([vectors, np.zeros((5, 24))]), 5)
    np.testing.assert_array_equal(found[1], products)


def all_at_least(vectors, threshold):
    blocks = list(products_at_least(vectors, threshold))
    pairs = np.concatenate([np.empty((0, 2), int), *(pairs for pairs, _ in blocks)])
    return pairs, np.concatenate([np.empty(0, np.float32), *(found for _, found in blocks)])


@pytest.mark.parametrize("threshold", [-100, 0.0, 12.5, 1000])
@pytest.mark.usefixtures("elements")
def test_pairs_at_least_equal_the_full_matrix(threshold):
    vectors = normal(1, 300, 16)
    products = vectors.astype(float) @ vectors.T.astype(float)
    expected = np.argwhere(np.triu(products >= threshold, k=1))
    pairs, found = all_at_least(vectors, threshold)
    np.testing.assert_array_equal(pairs, expected)
    np.testing.assert_allclose(found, products[tuple(expected.T)], atol=1e-5)
    assert (pairs.dtype, found.dtype) == (np.int64, np.float32)


@pytest.mark.usefixtures("elements")
def test_a_pairs_own_product_as_threshold_finds_it():
    vectors = normal(1, 400, 40)
    for i, j in ((0, 1), (3, 399), (250, 251)):
        threshold = pair_products(vectors, vectors, [i], [j])[0]
        pairs, found = all_at_least(vectors, threshold)
        assert found[(pairs == (i, j)).all(axis=1)].tolist() == [threshold] == [found.min()]
        pairs, _ = all_at_least(vectors, np.nextafter(threshold, np.float32(np.inf)))
        assert not (pairs == (i, j)).all(axis=1).any()


def test_there_may_be_too_few_of_anything():
    assert largest_products(normal(1, 0, 4), normal(2, 9, 4), 3)[0].shape == (0, 3)
    assert largest_products(normal(1, 2, 4), normal(2, 1, 4), 1)[0].tolist() == [[0], [0]]
    assert [list(products_at_least(normal(1, n, 4), -9)) for n in (0, 1)] == [[], []]


def test_what_cannot_be_searched_is_named_at_once():
    vectors = normal(1, 5, 4)
    with pytest.raises(ValueError, match="k=6: expected 1 to 5"):
        largest_products(vectors, vectors, 6)
    with pytest.raises(ValueError, match=r"queries: expected \(Q, 4\), got \(2, 5\)"):
        largest_products(np.ones((2, 5)), vectors, 1)
    with pytest.raises(ValueError, match="threshold: expected a number, got NaN"):
        products_at_least(vectors, float("nan"))
    vectors[3, 1] = np.inf
    with pytest.raises(ValueError, match="row 3 is not finite"):
        products_at_least(vectors, 0.5)
