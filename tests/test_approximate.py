"""Approximate search: what it finds, that its recall is the share it finds, what it refuses."""

import subprocess
import sys

import numpy as np
import pytest

from clipsim.retrieval import search as approximate
from clipsim.retrieval.search import ApproximateIndex, largest_products

BOTH = """
import torch
layer = torch.nn.Linear(256, 256)
x = torch.randn(512, 256)
layer(x).sum().backward()
import numpy as np
from clipsim.retrieval.search import ApproximateIndex
vectors = layer(x).detach().numpy()
index = ApproximateIndex.build(vectors, "IVF8,Flat", "nprobe=8")
for _ in range(20):
    layer(x).sum().backward()
    assert (index.search(vectors, 3)[0] < 512).all()
print("both")
"""


@pytest.fixture(scope="module")
def vectors():
    """Unit vectors in 40 clusters, float32 (2000, 32)."""
    rng = np.random.default_rng(0)
    around = rng.normal(size=(40, 32))[rng.integers(0, 40, 2000)]
    made = (around + 0.5 * rng.normal(size=(2000, 32))).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def queries(vectors):
    return vectors[:150] + 0.05 * np.random.default_rng(1).normal(size=(150, 32))


@pytest.mark.parametrize(
    ("factory", "parameters"),
    [("Flat", ""), ("IVF16,Flat", "nprobe=16"), ("HNSW32", "efSearch=2000")],
)
def test_a_search_that_leaves_nothing_out_is_the_exact_one(vectors, queries, factory, parameters):
    index = ApproximateIndex.build(vectors, factory, parameters)
    ids, products = index.search(queries, 10)
    expected_ids, expected = largest_products(queries, vectors, 10)
    np.testing.assert_array_equal(ids, expected_ids)
    np.testing.assert_allclose(products, expected, atol=1e-6)
    assert index.recall(queries, 10) == 1


@pytest.mark.parametrize("factory", ["IVF16,Flat", "PCA8,IVF16,Flat", "PQ4x4", "HNSW4"])
def test_products_are_exact_and_recall_is_the_share_found(vectors, queries, factory, monkeypatch):
    monkeypatch.setattr(approximate, "SAMPLE", 1000)
    index = ApproximateIndex.build(vectors, factory, "" if factory != "IVF16,Flat" else "nprobe=1")
    ids, products = index.search(queries, 10)
    np.testing.assert_allclose(products, np.einsum("qd,qkd->qk", queries, vectors[ids]), atol=1e-5)
    assert (np.diff(products, axis=1) <= 0).all()
    exact = np.argsort(-queries @ vectors.T, axis=1)[:, :10]
    shares = [np.isin(row, best).mean() for row, best in zip(ids, exact, strict=True)]
    assert index.recall(queries, 10) == pytest.approx(np.mean(shares))
    assert 0.1 < np.mean(shares) < 1


def test_a_wider_search_finds_more(vectors, queries):
    recalls = [
        ApproximateIndex.build(vectors, "IVF16,Flat", parameters).recall(queries, 10)
        for parameters in ("nprobe=1", "", "nprobe=16")
    ]
    assert recalls[0] < recalls[1] <= recalls[2] == 1


def test_lists_are_the_same_every_time(vectors, queries):
    first, second = (
        ApproximateIndex.build(vectors, "IVF16,Flat", "nprobe=2").search(queries, 5)[0]
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_the_report_says_what_was_found(vectors, queries, capsys):
    index = ApproximateIndex.build(vectors, "IVF16,Flat", "nprobe=1")
    ids, _ = index.search_and_report(queries, 10)
    np.testing.assert_array_equal(ids, index.search(queries, 10)[0])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        f"IVF16,Flat: finds {index.recall(queries, 10):.1%} of the 10 best "
        "(exact search of 150 of 150 queries)\n"
    )


@pytest.mark.parametrize(
    ("factory", "parameters", "what"),
    [
        ("nonsense", "", "could not parse index string nonsense"),
        ("", "", "could not parse index string"),
        ("IVF4096,Flat", "", "2,000 vectors: Number of training points .2000. should be at least"),
        ("HNSW0", "", "a size is 0"),
        ("PCA64,Flat", "", "cannot output 64 dimensions from 32"),
        ("IVF16,Flat", "efSearch=3", "could not set parameter efSearch"),
    ],
)
def test_what_faiss_cannot_do_is_one_line(vectors, factory, parameters, what):
    with pytest.raises(ValueError, match=what) as raised:
        ApproximateIndex.build(vectors, factory, parameters)
    message = str(raised.value)
    assert message.startswith(f"index {factory!r}")
    assert "\n" not in message


def test_finding_too_few_is_an_error(vectors, queries):
    index = ApproximateIndex.build(vectors, "IVF16,Flat", "nprobe=1")
    with pytest.raises(ValueError, match=r"finds fewer than 500 vectors for 150 of 150 queries"):
        index.search(queries, 500)
    with pytest.raises(ValueError, match="k=2001: expected 1 to 2000"):
        index.search(queries, 2001)


def test_faiss_and_torch_work_in_one_process():
    done = subprocess.run(
        [sys.executable, "-c", BOTH], capture_output=True, text=True, timeout=100
    )
    assert (done.returncode, done.stdout) == (0, "both\n"), done.stderr
