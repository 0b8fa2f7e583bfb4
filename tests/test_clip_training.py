"""The steps from one recipe to another, kept for later."""

from dataclasses import replace

import pandas as pd
import pytest

from clipsim.data import load
from clipsim.profile import load_profile
from clipsim.record import start_run
from clipsim.studies import clip_training


@pytest.fixture
def run(smoke, tmp_path, monkeypatch):
    monkeypatch.setattr("clipsim.profile.RUNS", tmp_path)
    monkeypatch.setattr("clipsim.model.features.CACHE", tmp_path / "cache")
    return start_run("02_clip_training", "smoke", {"seed": 11, "epochs": 1, "study": "recipes"})


def test_the_last_step_is_our_own_profile():
    ours = load_profile("flickr8k", data_root="x")
    *_, (_, last, _) = clip_training.steps(ours, load_profile("flickr8k_paper_recipe"))
    conduct = {"name", "data_root", "n_seeds", "save_every", "keep", "workers", "study"}
    differing = {k for k, v in vars(last).items() if v != getattr(ours, k)}
    assert differing <= conduct


def test_a_row_per_step_and_seed_kept_for_later(run):
    images = load(run.profile)
    paper = replace(run.profile, name="paper", trainable="all", n_descriptions=3, batch_size=4)
    rows = clip_training.recipe_rows(run, images, paper)
    assert list(dict.fromkeys(rows.step)) == list(clip_training.STEPS)
    assert set(rows.groupby("step").seed.apply(tuple)) == {(11, 12)}
    # A step that changes no setting here changes no number.
    auc = rows.pivot(index="step", columns="seed", values="mean_recall")
    assert (auc.loc["head"] == auc.loc["optimiser and schedule"]).all()
    assert rows.auc.between(0, 1).all()
    _, numbers, _ = clip_training.recipe_chart(rows)
    means = rows.groupby("step").auc.mean()
    assert numbers.set_index("step").auc_mean.to_dict() == pytest.approx(means.to_dict())
    later = replace(run.profile, study=None)
    kept = clip_training.recipe_rows(replace(run, profile=later), images)
    pd.testing.assert_frame_equal(kept, rows, rtol=1e-5)
    other = replace(run, profile=replace(later, seed=12))
    assert clip_training.recipe_rows(other, images).empty
