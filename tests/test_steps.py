"""What one notebook hands to the next: right for the same data and weights, else refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scored_scenes import scored_scenes

from clipsim.evaluation import steps
from clipsim.record import StaleError


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    yield from scored_scenes(tmp_path_factory.mktemp("runs"), n_pairs=8)


def test_what_was_kept_is_read_back(study):
    profile, images, pairs, model, retrieval, scores = study
    assert steps.train_or_load(profile, images).fingerprint == model.fingerprint
    np.testing.assert_array_equal(steps.load_retrieval(profile, images).ids, retrieval.ids)
    again = steps.load_scores(profile, images, pairs)
    assert again.keys() == scores.keys()
    np.testing.assert_array_equal(again["fsim"], scores["fsim"])


def test_other_data_are_refused_and_the_notebook_to_run_is_named(study):
    profile, images, pairs, *_ = study
    fewer = images.subset(range(len(images) - 1))
    with pytest.raises(StaleError, match="other data: run notebook 02_clip_training first"):
        steps.trained_model(profile, fewer)
    with pytest.raises(StaleError, match="run notebook 03_caption_retrieval again"):
        steps.load_retrieval(profile, fewer)
    with pytest.raises(StaleError, match="run notebook 04_similarity_scoring again"):
        steps.load_scores(profile, images, pairs.where(pairs.similar == 1))
    with pytest.raises(StaleError, match="run notebook 02_clip_training first"):
        steps.trained_model(replace(profile, seed=5), images)


def test_an_unfinished_checkpoint_or_one_of_other_settings_is_no_model(study, tmp_path):
    profile, images, *_ = study
    folder = steps.checkpoint_folder(profile)
    assert steps.checkpoint_fault(profile, images, folder) == ""
    other = replace(profile, learning_rate=0.5)
    assert "other settings" in steps.checkpoint_fault(other, images, folder)
    record = json.loads((folder / "checkpoint.json").read_text(encoding="utf-8"))
    record["history"].pop()  # as an interruption leaves it
    (tmp_path / "checkpoint.json").write_text(json.dumps(record), encoding="utf-8")
    assert "interrupted" in steps.checkpoint_fault(profile, images, tmp_path)


def test_models_of_seeds_differ_and_share_the_data(study):
    profile, images, *_ = study
    models = list(steps.models_of_seeds(profile, images))
    assert len(models) == profile.n_seeds == len({model.fingerprint for model in models})
    assert {model.record["data"] for model in models} == {images.fingerprint}
    again = [model.fingerprint for model in steps.models_of_seeds(profile, images)]
    assert again == [model.fingerprint for model in models]
