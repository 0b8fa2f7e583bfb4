"""The model before and after training; every recipe and seed once, kept, summed up over seeds."""

from dataclasses import replace

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from clipsim.record import start_run
from clipsim.studies import clip_training


@pytest.fixture
def run(smoke, tmp_path, monkeypatch):
    monkeypatch.setattr("clipsim.profile.RUNS", tmp_path)
    quick = {name: clip_training.OURS[name] for name in ("ours", "ours, batch 5")}
    monkeypatch.setattr(clip_training, "OURS", quick)
    monkeypatch.setattr(clip_training, "N_TRAIN", 16)
    return start_run("02_clip_training", "smoke", {"seed": 11, "epochs": 1, "study": "recipes"})


def test_the_model_is_trained_once(run, coloured):
    models = clip_training.before_and_after(run.profile, coloured)
    again = clip_training.before_and_after(run.profile, coloured)
    texts = ["a red picture"]
    assert (models["after"].encode_texts(texts) == again["after"].encode_texts(texts)).all()
    assert (models["before"].encode_texts(texts) != models["after"].encode_texts(texts)).any()


def test_a_row_per_recipe_data_and_seed_kept_for_later(run, coloured):
    rows = clip_training.recipe_rows(run, coloured)
    counts = rows.groupby(["n_train", "recipe"]).seed.apply(list).to_dict()
    assert counts == {
        (16, "ours"): [11, 12],
        (16, "ours, batch 5"): [11, 12],
        (16, "the paper's"): [11, 12],
        (16, "the paper's, batch statistics trained"): [11, 12],
        (24, "ours"): [11, 12],
    }
    assert set(rows[rows.recipe == "the paper's"].steps) == {15}  # 5 epochs of 3 batches of 5
    assert rows.mean_recall.between(0, 1).all()
    _, numbers, _ = clip_training.recipe_chart(rows)
    means = rows.groupby(["n_train", "recipe"]).mean_recall.mean()
    assert numbers.set_index(["n_train", "recipe"])["mean"].to_dict() == means.to_dict()
    plt.close("all")
    later = replace(run.profile, study=None)
    kept = clip_training.recipe_rows(replace(run, profile=later), coloured)
    pd.testing.assert_frame_equal(kept, rows, rtol=1e-5)
    other = replace(run, profile=replace(later, seed=12))
    assert clip_training.recipe_rows(other, coloured).empty
