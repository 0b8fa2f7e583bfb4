"""Pairs of scenes in which people do the same thing, or something else, and all else is alike."""

import hashlib
from collections import Counter
from dataclasses import replace
from itertools import combinations, count, product

import numpy as np

from clipsim.data import (
    KINDS,
    CaptionedImages,
    LabelledPairs,
    concept_table,
    draw_scene,
    graded_similarity,
    scene_captions,
    scene_pair,
)

GAITS = ("running", "walking", "standing")
OTHER_SEED = 1000  # added to the seed, so that no layout is that of a validation pair


def other_actions():
    """Names of the actions on the ground that training shows, without `GAITS`."""
    return tuple(
        concept.name
        for concept in concept_table().values()
        if concept.group == "person" and concept.place == "ground" and not concept.unseen
        if concept.name not in GAITS
    )


def action_pairs(seed, n_each, actions=GAITS):
    """Pairs of scenes with the same action, and pairs that differ in nothing else.

    The scenes are those of "same content, same layout" pairs with one person on the ground,
    whose action is exchanged. In both classes the two pictures have the same background,
    places that differ by a few pixels, the same other things, and a person of another skin
    tone or sex; all artwork occurs in training. Every action, and every pair of two actions,
    occurs equally often, up to one.

    Parameters
    ----------
    seed : int
    n_each : int
        Pairs per class.
    actions : tuple of str
        Concepts of the group "person" on the ground, at least two.

    Returns
    -------
    images : CaptionedImages
        All in the split "test"; training has none of them.
    pairs : LabelledPairs
        similar = same action; `kind` names the two actions; split "cross".
    """
    rng = np.random.default_rng([seed, OTHER_SEED])
    bases = _bases(seed + OTHER_SEED)
    same = [(action, action) for action in actions]
    different = list(combinations(actions, 2))
    couples = [options[i % len(options)] for options in (same, different) for i in range(n_each)]
    scenes = []
    for number, couple in enumerate(couples):
        first, second = rng.permutation(couple).tolist()
        a, b, place = next(base for base in bases if _fitting(base[0], couple))
        artwork = _two_people(rng, first, second)
        scenes.append(
            tuple(
                _with_action(scene, f"action-{number:04d}-{side}", place, action, variant)
                for scene, side, action, variant in zip(
                    (a, b), "ab", (first, second), artwork, strict=True
                )
            )
        )
    return _images(scenes, seed), _labelled(scenes, couples)


def _bases(seed):
    """Pairs of scenes alike in content and layout, and the place of their only person."""
    table = concept_table()
    for number in count(0, len(KINDS)):
        _, a, b = scene_pair(seed, "val", number)
        people = [i for i, o in enumerate(a.objects) if table[o.concept].group == "person"]
        if len(people) == 1 and table[a.objects[people[0]].concept].place == "ground":
            yield a, b, people[0]


def _fitting(scene, couple):
    return all(concept_table()[action].fits(scene.setting) for action in couple)


def _two_people(rng, first, second):
    """Artwork of two actions with different people: all actions list them in the same order."""
    table = concept_table()
    options = [
        [i for i, v in enumerate(table[name].variants) if v in table[name].artwork()]
        for name in (first, second)
    ]
    chosen = [(i, j) for i, j in product(*options) if i != j]
    i, j = chosen[rng.integers(len(chosen))]
    return list(table[first].variants)[i], list(table[second].variants)[j]


def _with_action(scene, name, place, action, variant):
    objects = list(scene.objects)
    objects[place] = replace(objects[place], concept=action, variant=variant)
    return replace(scene, id=name, objects=tuple(objects))


def _images(pairs_of_scenes, seed):
    scenes = {scene.id: scene for pair in pairs_of_scenes for scene in pair}
    return CaptionedImages(
        name="action scenes",
        image_ids=tuple(scenes),
        captions=tuple(scene_captions(scene, seed) for scene in scenes.values()),
        split=np.full(len(scenes), "test"),
        read_image=lambda image_id: draw_scene(scenes[image_id]),
        scenes=scenes,
        pixels_key=hashlib.sha256(repr(list(scenes.values())).encode()).hexdigest(),
    )


def _labelled(scenes, couples):
    first, second = zip(*scenes, strict=True)
    return LabelledPairs(
        id_a=np.array([scene.id for scene in first]),
        id_b=np.array([scene.id for scene in second]),
        similar=np.array([a == b for a, b in couples], dtype=np.int8),
        graded=np.array(list(map(graded_similarity, first, second)), dtype=np.float32),
        kind=np.array([" / ".join(dict.fromkeys(couple)) for couple in couples]),
        split=np.full(len(couples), "cross"),
        source=np.full(len(couples), ""),
        details={"pairs": dict(Counter(" / ".join(dict.fromkeys(c)) for c in couples))},
    )
