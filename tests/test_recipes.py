"""The comparison of recipes: every recipe and seed once, kept, and summed up over seeds."""

from dataclasses import replace

import pandas as pd
import pytest

from clipsim import load_profile
from clipsim.evaluation import steps as pipeline
from clipsim.figures import charts as training_plots
from clipsim.profile import Profile
from clipsim.studies import training_recipes as recipes


@pytest.fixture
def study(smoke, coloured, tmp_path, monkeypatch):
    monkeypatch.setattr("clipsim.profile.RUNS", tmp_path)
    quick = {name: recipes.PROJECTIONS[name] for name in ("ours", "ours, batch 5")}
    monkeypatch.setattr(recipes, "PROJECTIONS", quick)
    monkeypatch.setattr(recipes, "N_TRAIN", 16)
    return replace(smoke, seed=11, epochs=1), coloured


def test_a_row_per_recipe_data_and_seed(study):
    profile, images = study
    rows = recipes.recipe_study(profile, images)
    counts = rows.groupby(["n_train", "recipe"]).seed.apply(list).to_dict()
    assert counts == {
        (16, "ours"): [11, 12],
        (16, "ours, batch 5"): [11, 12],
        (16, "the paper's"): [11, 12],
        (16, "the paper's, batch statistics trained"): [11, 12],
        (24, "ours"): [11, 12],
    }
    steps = rows.set_index(["n_train", "recipe"]).steps
    assert set(steps[16, "ours, batch 5"]) == {3}
    assert set(steps[16, "the paper's"]) == {15}  # 5 epochs of 3 batches of 5
    assert rows.mean_recall.between(0, 1).all()


def test_an_interrupted_study_trains_only_what_is_missing(study, monkeypatch):
    profile, images = study
    train, trained = pipeline.train, []

    def counting(varied, data, folder, **more):
        if len(trained) == 4:
            raise KeyboardInterrupt
        trained.append(folder)
        return train(varied, data, folder, **more)

    monkeypatch.setattr(pipeline, "train", counting)
    with pytest.raises(KeyboardInterrupt):
        recipes.recipe_study(profile, images)
    first = set(trained)
    trained[:] = []
    with pytest.raises(KeyboardInterrupt):
        recipes.recipe_study(profile, images)
    assert len(first) == 4
    assert not first & set(trained)


def test_the_paper_s_recipe_is_the_paper_profile_s():
    paper = load_profile("paper")
    deviations = {name for name, value in recipes.PAPER.items() if getattr(paper, name) != value}
    assert deviations == {"mixed_precision"}
    known = set(Profile.__dataclass_fields__)
    assert all(known >= changes.keys() for changes in recipes.PROJECTIONS.values())


def test_summary_and_chart():
    rows = pd.DataFrame(
        [
            {"recipe": name, "n_train": 16, "n_val": 8, "seed": seed, "steps": 3, "best_epoch": 1,
             "mean_recall": recall, "untrained": 0.1}
            for name, recalls in {"a": (0.2, 0.4), "b": (0.5, 0.5)}.items()
            for seed, recall in enumerate(recalls)
        ]
    )  # fmt: skip
    summary = recipes.recipe_summary(rows)
    assert summary.recipe.tolist() == ["b", "a"]
    assert summary["mean"].tolist() == pytest.approx([0.5, 0.3])
    assert summary["std"].tolist() == pytest.approx([0, 0.02**0.5])
    assert summary.seeds.tolist() == [2, 2]
    figure, numbers = training_plots.recipe_chart(summary, rows)
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["a", "b"]
    assert len(numbers) == 2
