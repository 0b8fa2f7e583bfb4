"""Which model describes a user's pictures, with which descriptions and which threshold."""

import json
import shutil

import numpy as np
import pytest
import torch

from clipsim import load_profile
from clipsim import profile as config
from clipsim.data import DataError, load
from clipsim.data.pool import caption_pool
from clipsim.evaluation import steps
from clipsim.model.clip import CheckpointError, DualEncoder
from clipsim.pictures.chosen_model import known, own_describer
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
        model = steps.train_or_load(profile, images)
        steps.retrieve(profile, model, images)
        yield profile, images, model, steps.checkpoint_folder(profile)


@pytest.fixture
def copy(trained, tmp_path, monkeypatch):
    """A copy of the checkpoint that a test may change, and a cache of its own."""
    monkeypatch.setattr("clipsim.pictures.chosen_model.CACHE", tmp_path / "cache")
    return shutil.copytree(trained[3], tmp_path / "checkpoint")


def test_an_interrupted_training_is_said_and_unknown_settings_are_refused(copy, capsys):
    path = copy / "checkpoint.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"history": record["history"][:-1]}))
    own_describer(copy)
    assert "interrupted" in capsys.readouterr().err
    path.write_text(json.dumps(record | {"profile": {**record["profile"], "unheard_of": 1}}))
    with pytest.raises(CheckpointError, match=r"^.*unheard_of.*train anew$"):
        own_describer(copy)


@pytest.fixture
def no_encoding(monkeypatch):
    def fail(*_, **__):
        pytest.fail("the descriptions are encoded again")

    monkeypatch.setattr(DualEncoder, "encode_texts", fail)


def test_descriptions_are_those_that_notebook_03_left_and_used(trained, copy, no_encoding):
    profile, images, model, _ = trained
    describer = own_describer(copy)
    assert describer.index.captions == caption_pool(profile, images)
    assert describer.profile == profile
    assert describer.model.fingerprint == model.fingerprint
    kept = steps.load_retrieval(profile, images)
    found = describer.described(kept.image_ids, kept.image_vectors)
    np.testing.assert_array_equal(found.ids, kept.ids)
    np.testing.assert_array_equal(found.pool_vectors, kept.pool_vectors)
    few = own_describer(copy, n_descriptions=2).described(kept.image_ids, kept.image_vectors)
    np.testing.assert_array_equal(few.ids, kept.first(2).ids)


def test_missing_damaged_or_another_models_they_are_not_taken(trained, copy):
    other = DualEncoder.load(copy)
    with torch.no_grad():
        other.text_head.weight.copy_(other.text_head.weight.flip(0))
    other.save(copy, {key: trained[2].record[key] for key in ("data", "history")})
    for spoil in (lambda: None, lambda: (copy / CAPTIONS).write_bytes(b"damaged")):
        spoil()
        with pytest.raises(StaleError, match=r"^.*run notebook 03_caption_retrieval.*--pool FILE"):
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


def said(describer):
    found = known(describer)
    return found["threshold"], found["threshold_from"]


def test_threshold_of_this_very_model_pool_and_n(trained, copy, tmp_path):
    profile, images, _, _ = trained
    row = {"metric": "clip_score", "threshold_from": "validation"}
    rows = [
        row | {"threshold": 0.9, "metric": "ssim"},
        row | {"threshold": 0.5, "threshold_from": "paper"},
        row | {"threshold": 0.25, "source": "expert"},
        row | {"threshold": 0.75, "source": "crowd"},
    ]
    found = {"profile_hash": profile.hash, "data": {"fingerprint": images.fingerprint}}
    found["results"] = {"table1": rows}
    assert said(own_describer(copy))[0] is None
    path = profile.results_dir / "05_threshold_sweeps.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(found))
    try:
        threshold, origin = said(own_describer(copy))
        assert (threshold, "expert" in origin) == (0.25, True)
        threshold, origin = said(own_describer(copy, n_descriptions=2))
        assert (threshold, "run notebook 05_threshold_sweeps" in origin) == (None, True)
        file = tmp_path / "pool.txt"
        file.write_text("one\ntwo\nthree\nfour\nfive")
        assert "own descriptions only" in said(own_describer(copy, file))[1]
        path.write_text(json.dumps(found | {"data": {"fingerprint": "another"}}))
        assert "other data" in said(own_describer(copy))[1]
    finally:
        shutil.rmtree(path.parent)
