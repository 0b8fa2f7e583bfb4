"""Action pairs differ in the action, and in nothing else that could tell."""

from collections import Counter

import numpy as np
import pytest

from clipsim.data.scenes.scenes import JITTER, concept_table
from clipsim.studies.beyond_the_training_data.action_pairs import (
    GAITS,
    action_pairs,
    other_actions,
)


@pytest.fixture(scope="module", params=[GAITS, None], ids=["gaits", "others"])
def drawn(request):
    return action_pairs(0, 33, request.param or other_actions()), request.param or other_actions()


def scenes_of(images, pairs):
    for a, b, similar in zip(pairs.id_a, pairs.id_b, pairs.similar, strict=True):
        yield images.scenes[a], images.scenes[b], similar


def test_only_the_action_differs(drawn):
    (images, pairs), actions = drawn
    for a, b, similar in scenes_of(images, pairs):
        assert (a.setting, a.background_seed) == (b.setting, b.background_seed)
        differing = [
            (one, two)
            for one, two in zip(a.objects, b.objects, strict=True)
            if one.concept != two.concept
        ]
        assert len(differing) == (0 if similar else 1)
        for one, two in zip(a.objects, b.objects, strict=True):
            assert max(abs(one.x - two.x), abs(one.y - two.y)) <= JITTER
        assert all({one.concept, two.concept} <= set(actions) for one, two in differing)
        assert len([o for o in a.objects if o.concept in actions]) == 1


def test_the_person_is_another_one_in_both_classes(drawn):
    (images, pairs), actions = drawn
    table = concept_table()
    for a, b, _ in scenes_of(images, pairs):
        people = [
            list(table[o.concept].variants).index(o.variant)
            for scene in (a, b)
            for o in scene.objects
            if o.concept in actions
        ]
        assert people[0] != people[1]


def test_everything_is_known_from_training(drawn):
    (images, _), _ = drawn
    for scene in images.scenes.values():
        assert not scene.has_unseen_concept
        assert not scene.has_unseen_variant
        assert all(concept_table()[o.concept].fits(scene.setting) for o in scene.objects)


def test_balanced_over_actions_and_classes(drawn):
    (_, pairs), actions = drawn
    assert Counter(pairs.similar.tolist()) == {1: 33, 0: 33}
    same = Counter(pairs.kind[pairs.similar == 1].tolist())
    assert set(same) == set(actions)
    assert max(same.values()) - min(same.values()) <= 1
    different = Counter(pairs.kind[pairs.similar == 0].tolist())
    assert max(different.values()) - min(different.values()) <= 1
    assert len({*pairs.id_a, *pairs.id_b}) == 4 * 33


def test_reproducible_and_of_the_seed():
    first, again, other = (action_pairs(seed, 4)[0] for seed in (0, 0, 1))
    assert first.scenes.keys() == other.scenes.keys()
    assert first.pixels_key == again.pixels_key != other.pixels_key
    picture = np.asarray(first.read_image(first.image_ids[0]))
    np.testing.assert_array_equal(picture, again.read_image(first.image_ids[0]))
