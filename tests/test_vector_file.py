"""Vectors with names: what is written comes back, and nothing else passes for it."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from clipsim.record import StaleError
from clipsim.retrieval.store import read_vectors, vector_record, write_vectors

MADE_BY = {"checkpoint": "a" * 64, "encoder": "minilm"}
NAMES = ["a dog", "двоє", "“quoted”, with\ttabs", os.fsdecode(b"caf\xe9.jpg")]


@pytest.fixture
def path(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    write_vectors(tmp_path / "v.safetensors", vectors, NAMES, MADE_BY)
    return tmp_path / "v.safetensors"


def test_comes_back_as_it_was(path):
    vectors, names = read_vectors(path, MADE_BY)
    expected = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    np.testing.assert_array_equal(vectors, expected)
    assert (names, vectors.dtype) == (tuple(NAMES), np.float32)
    assert vector_record(path) == MADE_BY


def test_no_vectors_are_vectors_too(tmp_path):
    write_vectors(tmp_path / "none.safetensors", np.empty((0, 3)), [], MADE_BY)
    vectors, names = read_vectors(tmp_path / "none.safetensors", MADE_BY)
    assert (vectors.shape, names) == ((0, 3), ())


def test_another_models_are_not_taken(path):
    with pytest.raises(StaleError, match=r"v\.safetensors was made by another checkpoint \(aaaa"):
        read_vectors(path, MADE_BY | {"checkpoint": "b" * 64})
    with pytest.raises(StaleError, match="another precision"):
        read_vectors(path, MADE_BY | {"precision": "bf16"})


def test_missing_damaged_and_foreign_files_are_named(path, tmp_path):
    with pytest.raises(StaleError, match=r"gone\.safetensors is missing"):
        read_vectors(tmp_path / "gone.safetensors", MADE_BY)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StaleError, match=r"v\.safetensors is damaged"):
        read_vectors(path, MADE_BY)
    save_file({"weights": torch.zeros(2)}, path, MADE_BY)
    with pytest.raises(StaleError, match="holds no named vectors"):
        read_vectors(path, MADE_BY)


def test_one_name_for_each(tmp_path):
    with pytest.raises(ValueError, match="expected 2, one per vector, got 1"):
        write_vectors(tmp_path / "v.safetensors", np.zeros((2, 3)), ["a"], MADE_BY)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="memory is read from /proc")
def test_is_mapped_and_not_read(tmp_path):
    path = tmp_path / "large.safetensors"
    write_vectors(path, np.ones((200_000, 256)), [""] * 200_000, {})
    before = resident_pages()
    vectors, _ = read_vectors(path, {})
    mapped = resident_pages()
    assert vectors.sum() == vectors.size
    size = path.stat().st_size / os.sysconf("SC_PAGE_SIZE")
    assert mapped - before < 0.3 * size  # the names are read
    assert resident_pages() - mapped > 0.9 * size


def resident_pages():
    return int(Path("/proc/self/statm").read_text().split()[1])
