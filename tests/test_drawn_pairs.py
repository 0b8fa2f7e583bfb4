"""Pairs drawn for one question are alike in all but what is asked."""

from collections import Counter

import numpy as np
import pytest

from clipsim import load_profile
from clipsim.data import CaptionedImages, concept_table, load
from clipsim.data.scenes.scenes import JITTER
from clipsim.studies.beyond_the_training_data import drawn_pairs
from clipsim.studies.beyond_the_training_data.drawn_pairs import GAITS


@pytest.fixture(scope="module")
def actions():
    return drawn_pairs.action_pairs(0, 33)


@pytest.fixture(scope="module", params=["train", "test"])
def alike(request):
    images = load(load_profile("smoke", n_train_scenes=1200, n_pairs=400))
    return images, drawn_pairs.scene_pairs_of(images, request.param, 40, seed=0), request.param


def scenes_of(images, pairs):
    for a, b, similar in zip(pairs.id_a, pairs.id_b, pairs.similar, strict=True):
        yield images.scenes[a], images.scenes[b], similar


def test_only_the_action_differs(actions):
    for a, b, similar in scenes_of(*actions):
        assert (a.setting, a.background_seed) == (b.setting, b.background_seed)
        objects = list(zip(a.objects, b.objects, strict=True))
        differing = [
            {one.concept, two.concept} for one, two in objects if one.concept != two.concept
        ]
        assert len(differing) == (0 if similar else 1)
        assert all(both <= set(GAITS) for both in differing)
        for one, two in objects:
            assert max(abs(one.x - two.x), abs(one.y - two.y)) <= JITTER


def test_the_person_is_another_one_in_both_classes_and_known_from_training(actions):
    for a, b, _ in scenes_of(*actions):
        people = [
            list(concept_table()[o.concept].variants).index(o.variant)
            for scene in (a, b)
            for o in scene.objects
            if o.concept in GAITS
        ]
        assert len(people) == len(set(people)) == 2
        for scene in (a, b):
            assert not scene.has_unseen_concept
            assert not scene.has_unseen_variant
            assert all(concept_table()[o.concept].fits(scene.setting) for o in scene.objects)


def test_actions_are_balanced_and_no_scene_recurs(actions):
    _, pairs = actions
    assert Counter(pairs.similar.tolist()) == {1: 33, 0: 33}
    assert Counter(pairs.kind[pairs.similar == 1].tolist()) == dict.fromkeys(GAITS, 11)
    assert set(Counter(pairs.kind[pairs.similar == 0].tolist()).values()) == {11}
    assert len({*pairs.id_a, *pairs.id_b}) == 4 * 33


def test_pairs_of_a_split_have_the_content_that_the_label_says(alike):
    images, pairs, split = alike
    assert Counter(pairs.similar.tolist()) == {1: 40, 0: 40}
    for a, b, similar in scenes_of(images, pairs):
        assert a.content == b.content if similar else not a.content & b.content
        assert not any(s.has_unseen_concept or s.has_unseen_variant for s in (a, b))
    used = [*pairs.id_a, *pairs.id_b]
    assert len(set(used)) == len(used)
    assert set(used) <= {images.image_ids[i] for i in images.indices(split)}
    layouts = {(images.scenes[i].setting, images.scenes[i].background_seed) for i in used}
    assert len(layouts) == len(used)


def test_each_pair_has_a_counterpart_of_its_build(alike):
    table, scenes = concept_table(), list(scenes_of(*alike[:2]))
    distances = []
    for same, other in zip(scenes[:40], scenes[40:], strict=True):
        builds = [
            sorted((table[o.concept].place, table[o.concept].size) for o in scene.objects)
            for scene in (*same[:2], *other[:2])
        ]
        assert all(build == builds[0] for build in builds)
        assert (same[0].setting == same[1].setting) == (other[0].setting == other[1].setting)
        distances.append([drawn_pairs.layout_distance(*pair[:2]) for pair in (same, other)])
    of_same, of_other = np.mean(distances, axis=0)
    assert of_other == pytest.approx(of_same, rel=0.1)


def people(n_each):
    """Photographs of walking and of sitting people, and of what counts for no action."""
    texts = {
        "walk": ["A man walks.", "A man is walking.", "Walking man", "A person", "Outdoors"],
        "sit": ["Two women sit.", "Girls sitting", "A seated lady", "A bench", "Rest"],
        "both": ["A man walks.", "A man walks.", "A man walks.", "A boy sits.", "Outdoors"],
        "dog": ["A man walks.", "A man walks.", "A man walks.", "A dog", "Outdoors"],
        "nobody": ["It runs.", "It is running", "Running", "A machine", "Indoors"],
        "few": ["A man runs.", "A running man", "A man", "A man", "A man"],
    }
    named = [(f"{kind} {i}", tuple(said)) for kind, said in texts.items() for i in range(n_each)]
    ids, captions = zip(*named, strict=True)
    split = np.array(["val", "test", "rated", "train"])[np.arange(len(ids)) % 4]
    return CaptionedImages("photographs", ids, captions, split, None)


def test_photographs_count_for_the_one_action_that_their_captions_name():
    images = people(16)
    shown = drawn_pairs.photographs_by_action(images)
    assert {action: len(ids) for action, ids in shown.items()} == {"walk": 12, "sit": 12}
    assert all(i.startswith(action) for action, ids in shown.items() for i in ids)
    assert drawn_pairs.photographs_by_action(people(8)) == {}
    pairs = drawn_pairs.photographed_action_pairs(shown, seed=0)
    assert Counter(pairs.kind.tolist()) == {"walk": 60, "sit": 60, "walk / sit": 60}
    for a, b, similar in zip(pairs.id_a, pairs.id_b, pairs.similar, strict=True):
        assert (a.split()[0] == b.split()[0]) == similar
    assert len({frozenset(p) for p in zip(pairs.id_a, pairs.id_b, strict=True)}) == 180
