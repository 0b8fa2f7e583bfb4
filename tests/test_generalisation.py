"""Groups by what training shows, and findings that follow planted data."""

import numpy as np
import pytest
from planted import PlantedModel, scenes
from sklearn.metrics import roc_auc_score

from clipsim.data.pool import caption_pool
from clipsim.studies.beyond_the_training_data.generalisation import (
    cross_domain,
    domain_rows,
    familiarity_finding,
    group_rows,
    novelty_groups,
    object_groups,
    primary,
)


@pytest.fixture(scope="module")
def study():
    return scenes(n_train_scenes=600)


def test_groups_are_those_of_the_scenes(study):
    _, images, pairs = study
    groups = novelty_groups(images, pairs)
    assert (groups[pairs.split == "val"] == "").all()
    for a, b, split, group in zip(pairs.id_a, pairs.id_b, pairs.split, groups, strict=True):
        if split == "test":
            scenes = [images.scenes[a], images.scenes[b]]
            concept = any(scene.has_unseen_concept for scene in scenes)
            artwork = any(scene.has_unseen_variant for scene in scenes)
            expected = "unseen concept" if concept else "unseen artwork" if artwork else "familiar"
            assert group == expected
    assert set(groups) == {"", "familiar", "unseen artwork", "unseen concept"}


def test_objects_are_counted(study):
    _, images, pairs = study
    groups = object_groups(images, pairs)
    for a, split, group in zip(pairs.id_a, pairs.split, groups, strict=True):
        assert group == ("" if split == "val" else str(len(images.scenes[a].objects)))


def test_rows_hold_each_groups_own_auc(study):
    profile, images, pairs = study
    scores = np.random.default_rng(0).random(len(pairs)) + 0.3 * pairs.similar
    groups = novelty_groups(images, pairs)
    rows = group_rows(pairs, {"ssim": scores}, groups, profile)
    assert sum(row["n_pairs"] for row in rows) == (pairs.split == "test").sum()
    for row in rows:
        inside = groups == row["group"]
        assert row["n_pairs"] == inside.sum()
        assert row["auc"] == pytest.approx(roc_auc_score(pairs.similar[inside], scores[inside]))
        assert row["auc_ci95"][0] <= row["auc"] <= row["auc_ci95"][1]


@pytest.mark.parametrize(
    ("good_on", "expected"),
    [("familiar", "supported"), ("unseen", "not supported"), ("nothing", "undecided")],
)
def test_less_reliable_where_it_is(study, good_on, expected):
    profile, images, pairs = study
    groups = novelty_groups(images, pairs)
    familiar = groups == "familiar"
    good = {"familiar": familiar, "unseen": ~familiar, "nothing": np.zeros(len(pairs), bool)}
    noise = np.random.default_rng(1).standard_normal((2, len(pairs)))
    scores = noise + 10 * good[good_on] * pairs.similar
    assert familiarity_finding(pairs, scores, groups, profile)["verdict"] == expected


def test_in_between_pairs_and_other_sources_do_not_count(study):
    _, _, pairs = study
    source = np.where(np.arange(len(pairs)) % 2, "expert", "crowd")
    similar = np.where(np.arange(len(pairs)) % 3, pairs.similar, -1)
    mixed = type(pairs)(**{**vars(pairs), "source": source, "similar": similar})
    kept = mixed.where(primary(mixed))
    assert set(kept.source) == {"expert"}
    assert (kept.similar >= 0).all()
    assert len(kept) == ((source == "expert") & (similar >= 0)).sum()


@pytest.mark.parametrize("other_is_blind", [True, False])
def test_another_domains_model_is_worse_only_if_it_is(study, other_is_blind):
    profile, images, pairs = study
    pool = caption_pool(profile, images)
    own = (PlantedModel(images), pool)
    other = (PlantedModel(images, blind=other_is_blind), pool)
    rows, findings = domain_rows(own, other, images, pairs, profile, "scenes")
    auc = {(row["model"], row["pool"]): row["auc"] for row in rows}
    assert len(rows) == 4
    assert auc["own", "own"] == auc["own", "other"] > 0.9  # the pools are equal
    found = {outcome["claim"]: outcome for outcome in findings}
    less = found["less_reliable_on_unlike"]
    assert less["estimate"] == pytest.approx(auc["own", "own"] - auc["other", "own"], abs=1e-6)
    assert less["verdict"] == "supported" if other_is_blind else less["estimate"] == 0
    assert found["pool_must_fit"]["estimate"] == 0


def test_scenes_alone_are_no_other_domain(study):
    profile, images, pairs = study
    assert cross_domain(profile, images, pairs, own=None) == ([], [])
