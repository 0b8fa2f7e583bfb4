"""Fine-grained findings follow planted data; too few photographs decide nothing."""

import numpy as np
import pytest
from planted import PlantedModel

from clipsim import load_profile
from clipsim.data import CaptionedImages, load
from clipsim.data.pool import caption_pool
from clipsim.retrieval.caption_index import Describer
from clipsim.studies.beyond_the_training_data.fine_grained import (
    action_rows,
    dogs_by_posture,
    posture_pairs,
    posture_rows,
)

SITTING = ("A dog sits.", "The dog is sitting on a sofa.", "A dog indoors.", "A pet.", "A puppy.")
MOVING = ("A dog runs.", "A dog is jumping.", "Two dogs play.", "Grass.", "Dogs outside.")
NEITHER = ("A dog runs.", "A dog is jumping.", "A dog sits.", "A dog.", "A sitting dog.")


def photographs(n_sitting, n_moving):
    captions = [SITTING] * n_sitting + [MOVING] * n_moving + [NEITHER] * 5 + [SITTING] * 40
    split = ["val"] * (n_sitting + n_moving + 5) + ["train"] * 40
    ids = tuple(f"{i}.jpg" for i in range(len(captions)))
    return CaptionedImages("dogs", ids, tuple(captions), np.array(split), read_image=None)


def test_dogs_are_told_by_what_people_say():
    images = photographs(3, 4)
    groups = dogs_by_posture(images)
    assert groups["sitting"] == list(images.image_ids[:3])
    assert groups["moving"] == list(images.image_ids[3:7])


def test_pairs_of_postures():
    pairs, counts = posture_pairs(photographs(30, 50), seed=0)
    assert counts == {"sitting": 30, "moving": 50}
    assert (pairs.similar == 1).sum() == (pairs.similar == 0).sum() == 200
    sitting = {f"{i}.jpg" for i in range(30)}
    for a, b, similar in zip(pairs.id_a, pairs.id_b, pairs.similar, strict=True):
        assert ((a in sitting) == (b in sitting)) == bool(similar)
    assert len(set(zip(pairs.id_a, pairs.id_b, strict=True))) == len(pairs)


def test_too_few_photographs_decide_nothing():
    rows, outcome, counts = posture_rows(load_profile("smoke"), [], photographs(29, 50))
    assert (rows, outcome["verdict"], counts["sitting"]) == ([], "undecided", 29)
    assert "29 sitting" in outcome["experiment"]


@pytest.mark.parametrize("blind", [False, True])
def test_a_model_that_sees_actions_supports_the_claim(blind):
    profile = load_profile("smoke", n_train_scenes=300, n_pairs=24, n_bootstrap=100)
    images = load(profile)
    describer = Describer.of(profile, PlantedModel(images, blind), caption_pool(profile, images))
    rows, outcome = action_rows(profile, [describer])
    assert outcome["verdict"] == ("undecided" if blind else "supported")
    assert outcome["n_pairs"] == 48
    of_group = {row["group"]: row for row in rows if row["metric"] == "clip_score"}
    assert of_group["running / walking"]["n_pairs"] == 24
    assert outcome["estimate"] == pytest.approx(of_group["all three"]["auc"] - 0.5)
    assert {row["metric"] for row in rows if row["group"] == "other actions"} == {
        "clip_score",
        "image_cosine",
    }
