"""Pairs of training scenes are balanced in all but the content, and of training scenes only."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest

from clipsim import load_profile
from clipsim.data import load
from clipsim.data.scenes.scenes import concept_table
from clipsim.studies.beyond_the_training_data.training_like import (
    layout_distance,
    photograph_pairs,
    training_scene_pairs,
)


@pytest.fixture(scope="module")
def drawn():
    images = load(load_profile("smoke", n_train_scenes=1200))
    return images, training_scene_pairs(images, 40, seed=0)


def test_content_is_what_the_label_says(drawn):
    images, pairs = drawn
    assert Counter(pairs.similar.tolist()) == {1: 40, 0: 40}
    for a, b, similar in zip(pairs.id_a, pairs.id_b, pairs.similar, strict=True):
        a, b = images.scenes[a], images.scenes[b]
        assert a.content == b.content if similar else not a.content & b.content


def test_of_training_images_and_none_twice(drawn):
    images, pairs = drawn
    training = {images.image_ids[i] for i in images.indices("train")}
    assert {*pairs.id_a, *pairs.id_b} <= training
    assert len({*pairs.id_a, *pairs.id_b}) == 2 * len(pairs)


def test_each_pair_has_a_counterpart_of_its_build(drawn):
    images, pairs = drawn
    table, half = concept_table(), len(pairs) // 2
    for row in range(half):
        builds, settings = [], []
        for i in (row, half + row):
            scenes = [images.scenes[ids[i]] for ids in (pairs.id_a, pairs.id_b)]
            builds += [
                sorted((table[o.concept].place, table[o.concept].size) for o in scene.objects)
                for scene in scenes
            ]
            settings.append(scenes[0].setting == scenes[1].setting)
        assert all(build == builds[0] for build in builds)
        assert settings[0] == settings[1]
    same, other = pairs.details["same content"], pairs.details["other content"]
    assert same["objects"] == other["objects"]
    assert same["same_setting"] == other["same_setting"]
    assert other["layout_distance"] == pytest.approx(same["layout_distance"], rel=0.1)


def test_layout_distance_is_the_smallest_over_matchings(drawn):
    images, pairs = drawn
    row = next(i for i in range(40) if len(images.scenes[pairs.id_a[i]].objects) == 3)
    a, b = images.scenes[pairs.id_a[row]], images.scenes[pairs.id_b[row]]
    expected = min(
        sum(
            abs(one.x - two.x) + abs(one.y - two.y) + abs(one.size - two.size)
            for one, two in zip(a.objects, order, strict=True)
        )
        for order in permutations(b.objects)
    )
    assert layout_distance(a, b) == expected == layout_distance(b, a)
    assert layout_distance(a, a) == 0


def test_too_few_scenes_give_no_pairs():
    assert training_scene_pairs(load(load_profile("smoke", n_train_scenes=12)), 40, seed=0) is None


@pytest.mark.parametrize("split", ["train", "test"])
def test_photographs_of_the_split_asked_for(split):
    images = load(load_profile("smoke", n_train_scenes=80, n_pairs=20))
    photographs = type(images)(
        "photographs", images.image_ids, images.captions, images.split, None
    )
    profile = load_profile("flickr8k", n_pairs=10)
    pairs = photograph_pairs(photographs, profile, 10, split)
    of_split = {images.image_ids[i] for i in images.indices(split)}
    assert {*pairs.id_a, *pairs.id_b} <= of_split
    assert (pairs.similar == 1).sum() == (pairs.similar == 0).sum() == 5
    np.testing.assert_array_equal(pairs.split, "cross")
    assert pairs.details[split]["pairs"] == 10
    assert {"train", "val", "test"} & pairs.details.keys() == {split}
