"""Descriptions belong to a model: stored beside its checkpoint, and taken for no other."""

import json
import shutil

import numpy as np
import pytest
import torch

from clipsim import load_profile
from clipsim import profile as config
from clipsim.data import DataError, load
from clipsim.data.pool import caption_pool
from clipsim.evaluation import steps as pipeline
from clipsim.model.clip import DualEncoder
from clipsim.pictures.model import held_out_threshold, own_describer
from clipsim.record import StaleError
from clipsim.retrieval.caption_index import CAPTIONS


@pytest.fixture(scope="module", params=["joint", "text"])
def trained(request, tmp_path_factory):
    """The profile, data, model and checkpoint of a smoke run after notebook 03."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("runs")
        patch.setattr(config, "RUNS", folder)
        patch.setattr("clipsim.model.features.CACHE", folder / "cache")
        profile = load_profile("smoke", n_pairs=8, epochs=1, vector_space=request.param)
        images = load(profile)
        model = pipeline.train_or_load(profile, images)
        pipeline.retrieve(profile, model, images)
        yield profile, images, model, pipeline.checkpoint_folder(profile)


@pytest.fixture
def copy(trained, tmp_path, monkeypatch):
    """A copy of the checkpoint that a test may change, and a cache of its own."""
    monkeypatch.setattr("clipsim.pictures.model.CACHE", tmp_path / "cache")
    return shutil.copytree(trained[3], tmp_path / "checkpoint")


@pytest.fixture
def no_encoding(monkeypatch):
    def fail(*_, **__):
        pytest.fail("the descriptions are encoded again")

    monkeypatch.setattr(DualEncoder, "encode_texts", fail)


def rewritten(checkpoint, **changes):
    """Change the profile in a checkpoint's record."""
    path = checkpoint / "checkpoint.json"
    record = json.loads(path.read_text())
    record["profile"] |= changes
    path.write_text(json.dumps(record))


def test_notebook_03_leaves_them_beside_the_checkpoint(trained, copy, no_encoding):
    profile, images, model, _ = trained
    describer = own_describer(copy)
    assert describer.index.captions == caption_pool(profile, images)
    assert describer.profile == profile
    assert describer.model.fingerprint == model.fingerprint


def test_they_describe_as_notebook_03_did(trained, copy):
    profile, images, _, _ = trained
    kept = pipeline.load_retrieval(profile, images)
    found = own_describer(copy).described(kept.image_ids, kept.image_vectors)
    np.testing.assert_array_equal(found.ids, kept.ids)
    np.testing.assert_array_equal(found.pool_vectors, kept.pool_vectors)
    few = own_describer(copy, n_descriptions=2).described(kept.image_ids, kept.image_vectors)
    np.testing.assert_array_equal(few.ids, kept.first(2).ids)
    sums = found.sums("mean")
    vectors = found.description_vectors
    unit = vectors / np.linalg.norm(vectors, axis=2, keepdims=True)
    np.testing.assert_allclose(sums, unit.mean(axis=1), atol=1e-6)


def test_another_models_are_not_taken(trained, copy):
    record = trained[2].record
    other = DualEncoder.load(copy)
    with torch.no_grad():
        other.text_head.weight.copy_(other.text_head.weight.flip(0))
    other.save(copy, {key: record[key] for key in ("data", "history")})
    describer = own_describer(copy)
    expected = other.encode_texts(describer.index.captions)
    np.testing.assert_allclose(describer.index.vectors, expected, atol=1e-6)


def test_scenes_are_described_again_and_photographs_by_notebook_03(trained, copy):
    (copy / CAPTIONS).unlink()
    assert own_describer(copy).index.captions == caption_pool(*trained[:2])
    assert (copy / CAPTIONS).is_file()
    (copy / CAPTIONS).write_bytes(b"damaged")
    rewritten(copy, dataset="photographs", pairs="human")
    with pytest.raises(StaleError, match=r"run notebook 03_caption_retrieval.*--pool FILE") as e:
        own_describer(copy)
    assert len(str(e.value).splitlines()) == 1


def test_scenes_that_the_model_did_not_see_are_refused(copy):
    (copy / CAPTIONS).unlink()
    rewritten(copy, n_train_scenes=20)
    with pytest.raises(StaleError, match="trained on other scenes"):
        own_describer(copy)


def test_the_lines_of_a_file_are_encoded_once(copy, tmp_path, request):
    file = tmp_path / "own pool.txt"
    file.write_text("a dog\na cat\n\na dog\nтри кульки\na house\nfour\n", encoding="utf-8")
    first = own_describer(copy, file)
    assert first.index.captions == ("a dog", "a cat", "три кульки", "a house", "four")
    expected = first.model.encode_texts(first.index.captions, first.profile.vector_space)
    np.testing.assert_allclose(first.compared, expected, atol=1e-6)
    request.getfixturevalue("no_encoding")
    second = own_describer(copy, file)
    np.testing.assert_array_equal(second.compared, first.compared)
    with pytest.raises(DataError, match=r"N = 6: there are 5 descriptions"):
        own_describer(copy, file, n_descriptions=6)


def test_threshold_of_this_very_model_pool_and_n(trained, copy, tmp_path):
    profile, images, _, _ = trained
    rows = [
        {"metric": "ssim", "threshold_from": "validation", "threshold": 0.9},
        {"metric": "clip_score", "threshold_from": "paper", "threshold": 0.5},
        {"metric": "clip_score", "threshold_from": "validation", "threshold": 0.25}
        | {"source": "expert"},
        {"metric": "clip_score", "threshold_from": "validation", "threshold": 0.75}
        | {"source": "crowd"},
    ]
    found = {"profile_hash": profile.hash, "data": {"fingerprint": images.fingerprint}}
    found["results"] = {"table1": rows}
    assert held_out_threshold(own_describer(copy)).value is None
    path = profile.results_dir / "05_threshold_sweeps.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(found))
    try:
        threshold = held_out_threshold(own_describer(copy))
        assert threshold.value == 0.25
        assert "expert" in threshold.origin
        other_n = held_out_threshold(own_describer(copy, n_descriptions=2))
        assert other_n.value is None
        assert "run notebook 05_threshold_sweeps" in other_n.origin
        file = tmp_path / "pool.txt"
        file.write_text("one\ntwo\nthree\nfour\nfive")
        assert "own descriptions only" in held_out_threshold(own_describer(copy, file)).origin
        path.write_text(json.dumps(found | {"data": {"fingerprint": "another"}}))
        assert "other data" in held_out_threshold(own_describer(copy)).origin
    finally:
        shutil.rmtree(path.parent)
