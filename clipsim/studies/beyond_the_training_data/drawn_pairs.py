"""Pairs of images drawn for one question each: the same action? like the training?

In each set the pairs of the two classes are alike in all but what is asked, so that nothing else
can tell them apart.
"""

import hashlib
import re
from collections import defaultdict
from dataclasses import replace
from itertools import chain, combinations, count, product, zip_longest

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from clipsim.data import (
    KINDS,
    CaptionedImages,
    LabelledPairs,
    concept_table,
    draw_scene,
    scene_captions,
    scene_pair,
)

GAITS = ("running", "walking", "standing")
OTHER_SEED = 1000  # added to the seed, so that no layout is that of a validation pair
FEWEST_EACH = 5  # pairs of scenes of a split per class
FEWEST_IMAGES = 10  # photographs of an action, to say anything
MOST_CAPTIONS = 3  # of five: so many name what a photograph counts for
MOST_EACH = 60  # pairs of photographs of an action, and of each two

ACTIONS = {
    "walk": re.compile(r"\bwalk(s|ing|ed)?\b"),
    "run": re.compile(r"\b(run(s|ning)?|ran)\b"),
    "stand": re.compile(r"\b(stand(s|ing)?|stood)\b"),
    "sit": re.compile(r"\b(sit(s|ting)?|sat|seated)\b"),
    "jump": re.compile(r"\b(jump|leap)(s|ing|ed)?\b"),
}
PEOPLE = re.compile(
    r"\b((wo)?m[ae]n|persons?|people|boys?|girls?|child(ren)?|kids?|guys?|lad(y|ies)|players?|"
    r"adults?|toddlers?|bab(y|ies))\b"
)
ANIMALS = re.compile(r"\b((dog|horse|cat|bird)s?|pupp(y|ies))\b")


def action_pairs(seed, n_each):
    """Pairs of scenes with the same action, and pairs that differ in nothing else.

    The scenes are those of "same content, same layout" pairs with one person on the ground,
    whose action is exchanged. In both classes the two pictures have the same background,
    places that differ by a few pixels, the same other things, and a person of another skin
    tone or sex; all artwork occurs in training. Each of `GAITS`, and each two of them, occur
    equally often, up to one.

    Parameters
    ----------
    seed : int
    n_each : int
        Pairs per class.

    Returns
    -------
    images : CaptionedImages
        All in the split "test"; training has none of them.
    pairs : LabelledPairs
        similar = same action; `kind` names the two actions; split "cross".
    """
    rng, table = np.random.default_rng([seed, OTHER_SEED]), concept_table()
    same, different = [(gait, gait) for gait in GAITS], list(combinations(GAITS, 2))
    couples = [options[i % len(options)] for options in (same, different) for i in range(n_each)]
    bases, scenes, ids = _scenes_with_one_person(seed + OTHER_SEED), {}, []
    for number, couple in enumerate(couples):
        names = rng.permutation(couple).tolist()
        a, b, place = next(
            base for base in bases if all(table[name].fits(base[0].setting) for name in couple)
        )
        artwork = _two_people(rng, *names)
        ids.append([f"action-{number:04d}-{side}" for side in "ab"])
        for image_id, scene, *person in zip(ids[-1], (a, b), names, artwork, strict=True):
            objects = list(scene.objects)
            concept, variant = person
            objects[place] = replace(objects[place], concept=concept, variant=variant)
            scenes[image_id] = replace(scene, id=image_id, objects=tuple(objects))
    images = CaptionedImages(
        name="action scenes",
        image_ids=tuple(scenes),
        captions=tuple(scene_captions(scene, seed) for scene in scenes.values()),
        split=np.full(len(scenes), "test"),
        read_image=lambda image_id: draw_scene(scenes[image_id]),
        scenes=scenes,
        pixels_key=hashlib.sha256(repr(list(scenes.values())).encode()).hexdigest(),
    )
    kinds = [" / ".join(dict.fromkeys(couple)) for couple in couples]
    return images, _labelled(ids, n_each, kinds)


def _scenes_with_one_person(seed):
    """Pairs of scenes alike in content and layout, and the place of their only person."""
    table = concept_table()
    for number in count(0, len(KINDS)):
        _, a, b = scene_pair(seed, "val", number)
        people = [i for i, o in enumerate(a.objects) if table[o.concept].group == "person"]
        if len(people) == 1 and table[a.objects[people[0]].concept].place == "ground":
            yield a, b, people[0]


def _two_people(rng, *names):
    """Artwork of two actions with different people: all actions list them in the same order."""
    people = [
        [(i, code) for i, code in enumerate(concept.variants) if code in concept.artwork()]
        for concept in map(concept_table().get, names)
    ]
    options = [(one, two) for (i, one), (j, two) in product(*people) if i != j]
    return options[rng.integers(len(options))]


def photographs_by_action(images):
    """Held-out photographs of people by what they do, in the words of their captions.

    At least three captions name a person and the action, and none names another action or an
    animal.

    Parameters
    ----------
    images : CaptionedImages

    Returns
    -------
    dict of str to list of str
        Image ids by action; actions of fewer than ten photographs are left out.
    """
    groups = {action: [] for action in ACTIONS}
    for i in np.flatnonzero(np.isin(images.split, ("val", "test", "rated"))):
        texts = [caption.lower() for caption in images.captions[i]]
        named = {
            action: sum(bool(word.search(text)) for text in texts)
            for action, word in (ACTIONS | {"people": PEOPLE, "animals": ANIMALS}).items()
        }
        doing = [action for action in ACTIONS if named[action]]
        clear = len(doing) == 1 and min(named[doing[0]], named["people"]) >= MOST_CAPTIONS
        if clear and not named["animals"]:
            groups[doing[0]].append(images.image_ids[i])
    return {action: ids for action, ids in groups.items() if len(ids) >= FEWEST_IMAGES}


def photographed_action_pairs(groups, seed):
    """Pairs of photographs of the same action, and of each two actions.

    Parameters
    ----------
    groups : dict of str to list of str
        From `photographs_by_action`.
    seed : int

    Returns
    -------
    LabelledPairs
        As many of each action as of each two, and no pair twice, but images recur; `kind` names
        the actions; split "cross".
    """
    rng, couples, kinds = np.random.default_rng(seed), [], []
    n_similar = 0
    for both in [*((action, action) for action in groups), *combinations(groups, 2)]:
        one, other = (groups[action] for action in both)
        options = [*(combinations(one, 2) if one is other else product(one, other))]
        drawn = rng.permutation(len(options))[:MOST_EACH]
        couples += [options[i] for i in drawn]
        kinds += [" / ".join(dict.fromkeys(both))] * len(drawn)
        n_similar += len(drawn) if one is other else 0
    return _labelled(couples, n_similar, kinds)


def scene_pairs_of(images, split, n_each, seed):
    """Pairs of scenes of a split with the same and with other content.

    Contents of one, two and three objects take turns while there are two scenes of the
    same content. Each such pair has a counterpart of other content: as many objects, of the
    same places and size classes, no common concept, in the same setting or not as the pair,
    and as far apart in layout as can be found. No scene is in two pairs, no two have the same
    layout (training has no such two: the "same layout" half of the 2×2 design has no counterpart
    here), and none shows what training does not.

    Parameters
    ----------
    images : CaptionedImages
        Composed scenes.
    split : {"train", "test"}
    n_each : int
        Pairs per class; fewer where the split has no more.
    seed : int

    Returns
    -------
    LabelledPairs or None
        Split "cross". None where there are fewer than five of a class.
    """
    scenes = [images.scenes[images.image_ids[i]] for i in images.indices(split)]
    seen = [s for s in scenes if not (s.has_unseen_concept or s.has_unseen_variant)]
    # A pair of one layout is of one background.
    scenes = [*{scene.background_seed: scene for scene in seen}.values()]
    rng = np.random.default_rng([seed, len(scenes)])
    scenes = [scenes[i] for i in rng.permutation(len(scenes))]
    unused, same_build = {scene.id for scene in scenes}, defaultdict(list)
    for scene in scenes:
        same_build[_build(scene)].append(scene)
    same, other = [], []
    for a, b in _same_content(scenes):
        if len(same) < n_each and {a.id, b.id} <= unused:
            free = unused - {a.id, b.id}
            counterpart = _counterpart(a, b, [s for s in same_build[_build(a)] if s.id in free])
            if counterpart is not None:
                same.append((a, b))
                other.append(counterpart)
                unused -= {scene.id for scene in (a, b, *counterpart)}
    couples = [(a.id, b.id) for a, b in same + other]
    return _labelled(couples, len(same)) if len(same) >= FEWEST_EACH else None


def _same_content(scenes):
    """Pairs of the same content; contents of one, two, three objects take turns."""
    by_content, by_number = defaultdict(list), defaultdict(list)
    for scene in scenes:
        by_content[tuple(sorted(scene.content.elements()))].append(scene)
    for content, alike in by_content.items():
        by_number[len(content)] += enumerate(zip(alike[::2], alike[1::2], strict=False))
    # First one pair of every content, then a second one of each.
    queues = [sorted(by_number[n], key=lambda found: found[0]) for n in sorted(by_number)]
    return [found[1] for found in chain.from_iterable(zip_longest(*queues)) if found]


def _counterpart(a, b, free):
    """The first free scene, and the one that is as far from it as `b` from `a`; or None."""
    same_setting, distance = a.setting == b.setting, layout_distance(a, b)
    options = [
        scene
        for scene in free[1:]
        if (scene.setting == free[0].setting) == same_setting
        if not scene.content & free[0].content
    ]
    gaps = [abs(layout_distance(free[0], scene) - distance) for scene in options]
    return (free[0], options[int(np.argmin(gaps))]) if options else None


def _build(scene):
    """Places and size classes of the objects, sorted."""
    table = concept_table()
    return tuple(sorted((table[o.concept].place, table[o.concept].size) for o in scene.objects))


def layout_distance(a, b):
    """How far apart the objects of two scenes are: pixels, summed over x, y and size.

    The objects are matched so that it is smallest; both scenes have equally many.
    """
    places = [[(o.x, o.y, o.size) for o in scene.objects] for scene in (a, b)]
    apart = cdist(*places, "cityblock")
    return int(apart[linear_sum_assignment(apart)].sum())


def _labelled(couples, n_similar, kinds=None):
    """Couples of image ids as pairs; the first ones are similar."""
    similar = np.arange(len(couples)) < n_similar
    return LabelledPairs(
        *np.array(couples).T,
        similar=similar.astype(np.int8),
        graded=similar.astype(np.float32),
        kind=np.array(kinds or [""] * len(couples)),
        split=np.full(len(couples), "cross"),
        source=np.full(len(couples), ""),
    )
