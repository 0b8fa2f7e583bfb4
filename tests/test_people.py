"""How good a person is, with raters whose agreement is known; what was judged, pair by pair."""

import numpy as np
import photograph_folders as folders
import pytest
from sklearn.metrics import roc_auc_score
from test_judgments import CROWDS, EXPERTS, A, B, crowd, expert, judged, write

from clipsim.data import load_pairs
from clipsim.data.photographs.folders import photographs
from clipsim.evaluation import agreement_with_people, judged_caption_scores, people
from clipsim.evaluation.people import _of_one_expert


class Model:
    """Its similarity of image and caption is what a table says of the two."""

    def encode_images(self, images):
        return np.eye(len(images.image_ids), dtype=np.float32)


@pytest.fixture
def rated(tmp_path, monkeypatch):
    folders.kaggle(tmp_path)
    write(
        tmp_path,
        [*EXPERTS, expert(A, B, 4, 4, 4), expert(B, A, 1, 1, 1)],
        [*CROWDS, crowd(A, B, 1, 2)],
    )
    profile = judged(tmp_path)
    similar = {(A, B): 0.9, (B, A): 0.5}
    monkeypatch.setattr(
        people,
        "caption_similarities",
        lambda model, images, ratings: np.array(
            [similar.get(two, 0.1) for two in zip(ratings.image_ids, ratings.others, strict=True)]
        ),
    )
    return profile, photographs(profile)


def test_a_pair_has_the_mean_over_the_captions_that_were_judged_for_it(rated):
    profile, images = rated
    pairs = load_pairs(profile, images)
    scores = judged_caption_scores(profile, Model(), images, pairs)
    a, b = sorted((A, B))
    of_pair = (pairs.id_a == a) & (pairs.id_b == b)
    assert scores[of_pair & (pairs.source == "expert")].tolist() == pytest.approx([0.7])
    assert scores[of_pair & (pairs.source == "crowd")].tolist() == pytest.approx([0.9])
    assert not np.isnan(scores).any()


def test_experts_who_always_agree_are_as_good_as_can_be(rated):
    profile, images = rated
    rows = {
        (row["judge"], row["statistic"]): row
        for row in agreement_with_people(profile, Model(), images)
    }
    assert rows["one expert", "auc"]["value"] == 1
    assert rows["one expert", "balanced_accuracy"]["value"] == 1
    assert rows["one expert", "tau_c"]["value"] == pytest.approx(
        rows["best possible", "tau_c"]["value"]
    )
    assert rows["CLIPScore, published", "tau_b"]["ci95"] is None


def test_which_of_three_sorted_scores_is_the_one_expert_s_is_drawn():
    """A column of sorted scores would be the strictest, or the mildest, and no person."""
    rng = np.random.default_rng(0)
    truth = rng.integers(1, 5, size=4000)
    scores = np.sort(np.clip(truth[:, None] + rng.integers(-1, 2, size=(4000, 3)), 1, 4), axis=1)
    found = _of_one_expert(scores)(np.arange(4000), rng)
    drawn = rng.permuted(scores, axis=1)
    others = drawn[:, 1:].mean(axis=1)
    kept = (others >= 3) | (others < 2)
    expected = roc_auc_score(others[kept] >= 3, drawn[kept, 0])
    assert found["auc"] == pytest.approx(expected, abs=0.02)
