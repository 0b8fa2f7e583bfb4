"""What others measured on all 1,000 test photographs lies in the committed intervals.

Our results are of half of these photographs. The values: an independent measurement with frozen
encoders, text space and N = 100, and the published values that it cites.
"""

import json

import pytest

from clipsim.profile import REPOSITORY

FOLDER = REPOSITORY / "results" / "flickr8k"


def results(stem):
    return json.loads((FOLDER / f"{stem}.json").read_text(encoding="utf-8"))["results"]


def inside(value, interval, slack=0.005):
    return interval[0] - slack <= value <= interval[1] + slack


@pytest.mark.parametrize(
    ("source", "metric", "statistic", "value"),
    [
        ("expert", "clip_score", "auc", 0.954),
        ("expert", "clip_score", "balanced_accuracy", 0.894),
        ("expert", "clip_score", "spearman", 0.648),
        ("crowd", "clip_score", "auc", 0.846),
        ("vsts", "clip_score", "spearman", 0.833),
        ("expert", "image_cosine", "auc", 0.894),
        ("expert", "image_cosine", "balanced_accuracy", 0.821),
        ("expert", "image_cosine", "spearman", 0.525),
        ("crowd", "image_cosine", "auc", 0.800),
        ("vsts", "image_cosine", "spearman", 0.621),
    ],
)
def test_table_1(source, metric, statistic, value):
    (row,) = (
        row
        for row in results("05_threshold_sweeps")["table1"]
        if (row["source"], row["metric"]) == (source, metric) and row["threshold_from"] != "paper"
    )
    assert inside(value, row[f"{statistic}_ci95"])


@pytest.mark.parametrize(("source", "accuracy"), [("expert", 0.898), ("crowd", 0.964)])
def test_one_answer_for_all_is_mostly_right(source, accuracy):
    (row,) = (
        row
        for row in results("05_threshold_sweeps")["table1"]
        if (row["source"], row["metric"]) == (source, "constant_answer")
    )
    assert row["accuracy"] == pytest.approx(accuracy, abs=0.02)
    assert row["balanced_accuracy"] == 0.5


@pytest.mark.parametrize(
    ("judge", "statistic", "value"),
    [
        ("one expert", "auc", 0.9775),
        ("one expert", "balanced_accuracy", 0.925),
        ("one expert", "tau_c", 0.554),
    ],
)
def test_how_good_a_person_is(judge, statistic, value):
    (row,) = (
        row
        for row in results("05_threshold_sweeps")["people"]
        if (row["judge"], row["statistic"]) == (judge, statistic)
    )
    assert inside(value, row["ci95"])


@pytest.mark.parametrize(
    ("statistic", "value"), [("auc", 0.942), ("balanced_accuracy", 0.867), ("spearman", 0.632)]
)
def test_the_joint_space_with_a_hundred_descriptions(statistic, value):
    (row,) = (
        row
        for row in results("08_number_of_descriptions")["by_n"]
        if (row["space"], row["n"]) == ("joint", 100)
    )
    assert inside(value, row[f"{statistic}_ci95"])


def test_the_untrained_backbone():
    (row,) = (
        row
        for row in results("09_encoders_and_language")["text_and_image"]
        if (row["encoder"], row["source"]) == ("minilm", "vsts") and "backbone" in row["group"]
    )
    assert inside(0.653, row["spearman_ci95"])


@pytest.mark.parametrize(
    ("source", "group", "value"),
    [
        ("expert", "Eq. 4", 0.936),
        ("expert", "image cosine", 0.898),
        ("crowd", "Eq. 4", 0.840),
        ("crowd", "image cosine", 0.807),
        ("vsts", "Eq. 4", 0.743),
        ("vsts", "image cosine", 0.640),
    ],
)
def test_the_control_that_saw_the_training_captions_only(source, group, value):
    (row,) = (
        row
        for row in results("09_encoders_and_language")["text_and_image"]
        if (row["encoder"], row["source"], row["group"]) == ("lsa", source, group)
    )
    assert inside(value, row[f"{row['statistic']}_ci95"])


def test_the_profile_s_settings_are_what_the_choosing_pairs_chose():
    for profile in ("demo", "flickr8k"):
        path = REPOSITORY / "results" / profile / "08_number_of_descriptions.json"
        chosen = json.loads(path.read_text(encoding="utf-8"))["results"]["chosen"]
        settings = (REPOSITORY / "profiles" / f"{profile}.yaml").read_text(encoding="utf-8")
        for key, value in chosen.items():
            assert f"{key}: {value}\n" in settings
