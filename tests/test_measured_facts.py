"""What others measured on all 1,000 test photographs lies in the committed intervals.

Our results are of half of these photographs. The values: an independent measurement with frozen
encoders, text space and N = 100, and the published values that it cites.
"""

import json

import pytest

from clipsim.profile import REPOSITORY
from clipsim.studies.encoders_and_language.text_and_image import BACKBONE

SLACK = 0.005
FOLDER = REPOSITORY / "results" / "flickr8k"


def results(stem):
    return json.loads((FOLDER / f"{stem}.json").read_text(encoding="utf-8"))["results"]


TABLE_1, PEOPLE = ("05_threshold_sweeps", "table1"), ("05_threshold_sweeps", "people")
BY_N, TEXT = ("08_number_of_descriptions", "by_n"), ("09_encoders_and_language", "text_and_image")
EXPERT, JOINT_100 = {"judge": "one expert"}, {"space": "joint", "n": 100}
CONTROL = {"encoder": "lsa"}  # saw the training captions only
CLIP, IMAGE = {"metric": "clip_score"}, {"metric": "image_cosine"}


@pytest.mark.parametrize(
    ("table", "row", "statistic", "value"),
    [
        (TABLE_1, CLIP | {"source": "expert"}, "auc", 0.954),
        (TABLE_1, CLIP | {"source": "expert"}, "balanced_accuracy", 0.894),
        (TABLE_1, CLIP | {"source": "expert"}, "spearman", 0.648),
        (TABLE_1, CLIP | {"source": "crowd"}, "auc", 0.846),
        (TABLE_1, CLIP | {"source": "vsts"}, "spearman", 0.833),
        (TABLE_1, IMAGE | {"source": "expert"}, "auc", 0.894),
        (TABLE_1, IMAGE | {"source": "expert"}, "balanced_accuracy", 0.821),
        (TABLE_1, IMAGE | {"source": "expert"}, "spearman", 0.525),
        (TABLE_1, IMAGE | {"source": "crowd"}, "auc", 0.800),
        (TABLE_1, IMAGE | {"source": "vsts"}, "spearman", 0.621),
        (PEOPLE, EXPERT | {"statistic": "auc"}, "value", 0.9775),
        (PEOPLE, EXPERT | {"statistic": "balanced_accuracy"}, "value", 0.925),
        (PEOPLE, EXPERT | {"statistic": "tau_c"}, "value", 0.554),
        (BY_N, JOINT_100, "auc", 0.942),
        (BY_N, JOINT_100, "balanced_accuracy", 0.867),
        (BY_N, JOINT_100, "spearman", 0.632),
        (TEXT, {"encoder": "minilm", "source": "vsts", "group": BACKBONE}, "spearman", 0.653),
        (TEXT, CONTROL | {"source": "expert", "group": "Eq. 4"}, "auc", 0.936),
        (TEXT, CONTROL | {"source": "expert", "group": "image cosine"}, "auc", 0.898),
        (TEXT, CONTROL | {"source": "crowd", "group": "Eq. 4"}, "auc", 0.840),
        (TEXT, CONTROL | {"source": "crowd", "group": "image cosine"}, "auc", 0.807),
        (TEXT, CONTROL | {"source": "vsts", "group": "Eq. 4"}, "spearman", 0.743),
        (TEXT, CONTROL | {"source": "vsts", "group": "image cosine"}, "spearman", 0.640),
    ],
)
def test_what_others_measured_lies_in_our_interval(table, row, statistic, value):
    found = [
        one
        for one in results(table[0])[table[1]]
        if row.items() <= one.items() and one.get("threshold_from") != "paper"
    ]
    low, high = found[0]["ci95" if statistic == "value" else f"{statistic}_ci95"]
    assert len(found) == 1
    assert low - SLACK <= value <= high + SLACK


@pytest.mark.parametrize(("source", "accuracy"), [("expert", 0.898), ("crowd", 0.964)])
def test_one_answer_for_all_is_mostly_right(source, accuracy):
    (row,) = (
        row
        for row in results("05_threshold_sweeps")["table1"]
        if (row["source"], row["metric"]) == (source, "constant_answer")
    )
    assert row["accuracy"] == pytest.approx(accuracy, abs=0.02)
    assert row["balanced_accuracy"] == 0.5


def test_the_profile_s_settings_are_what_the_choosing_pairs_chose():
    for profile in ("demo", "flickr8k"):
        path = REPOSITORY / "results" / profile / "08_number_of_descriptions.json"
        chosen = json.loads(path.read_text(encoding="utf-8"))["results"]["chosen"]
        settings = (REPOSITORY / "profiles" / f"{profile}.yaml").read_text(encoding="utf-8")
        for key, value in chosen.items():
            assert f"{key}: {value}\n" in settings
