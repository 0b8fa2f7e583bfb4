"""Pairs of images that the model was trained on, with the same and with other content."""

from collections import Counter, defaultdict
from dataclasses import replace
from itertools import cycle, permutations

import numpy as np

from clipsim.data import LabelledPairs, caption_pairs, concept_table, graded_similarity

FEWEST_EACH = 5


def training_scene_pairs(images, n_each, seed):
    """Pairs of training scenes with the same and with other content.

    Contents of one, two and three objects take turns while training has two scenes of the
    same content. Each such pair has a counterpart of other content: as many objects, of the
    same places and size classes, no common concept, in the same setting or not as the pair,
    and as far apart in layout as can be found. No scene is in two pairs. Training has no two
    scenes of one layout: the "same layout" half of the 2×2 design has no counterpart here.

    Parameters
    ----------
    images : CaptionedImages
        Composed scenes.
    n_each : int
        Pairs per class; fewer where training has no more.
    seed : int

    Returns
    -------
    LabelledPairs or None
        Split "cross"; `details` says what is balanced, and how well. None where there are
        fewer than five of a class.
    """
    scenes = [images.scenes[images.image_ids[i]] for i in images.indices("train")]
    rng = np.random.default_rng([seed, len(scenes)])
    scenes = [scenes[i] for i in rng.permutation(len(scenes))]
    unused, same_build = {scene.id for scene in scenes}, defaultdict(list)
    for scene in scenes:
        same_build[_build(scene)].append(scene)
    same, other = [], []
    for a, b in _same_content(scenes):
        if len(same) == n_each:
            break
        if {a.id, b.id} <= unused:
            free = unused - {a.id, b.id}
            counterpart = _counterpart(a, b, [s for s in same_build[_build(a)] if s.id in free])
            if counterpart is not None:
                same.append((a, b))
                other.append(counterpart)
                unused -= {scene.id for scene in (a, b, *counterpart)}
    return _labelled(same, other) if len(same) >= FEWEST_EACH else None


def _same_content(scenes):
    """Pairs of the same content; contents of one, two, three objects take turns."""
    by_content = defaultdict(list)
    for scene in scenes:
        by_content[tuple(sorted(scene.content.elements()))].append(scene)
    by_number = defaultdict(list)
    for content, alike in by_content.items():
        couples = zip(alike[::2], alike[1::2], strict=False)
        by_number[len(content)] += [(turn, couple) for turn, couple in enumerate(couples)]
    # First one pair of every content, then a second one of each.
    queues = {n: iter(sorted(found, key=lambda f: f[0])) for n, found in by_number.items()}
    for n in cycle(sorted(queues)):
        if not queues:
            return
        if n in queues:
            found = next(queues[n], None)
            if found is None:
                del queues[n]
            else:
                yield found[1]


def _counterpart(a, b, free):
    """The first free scene, and the one that is as far from it as `b` from `a`; or None."""
    same_setting, distance = a.setting == b.setting, layout_distance(a, b)
    options = [
        scene
        for scene in free[1:]
        if (scene.setting == free[0].setting) == same_setting
        if not scene.content & free[0].content
    ]
    if not options:
        return None
    gaps = [abs(layout_distance(free[0], scene) - distance) for scene in options]
    return free[0], options[int(np.argmin(gaps))]


def _build(scene):
    """Places and size classes of the objects, sorted."""
    table = concept_table()
    return tuple(sorted((table[o.concept].place, table[o.concept].size) for o in scene.objects))


def layout_distance(a, b):
    """How far apart the objects of two scenes are: pixels, summed over x, y and size.

    The objects are matched so that it is smallest; both scenes have equally many.
    """
    places_a, places_b = (
        np.array([(o.x, o.y, o.size) for o in scene.objects]) for scene in (a, b)
    )
    return min(
        int(np.abs(places_a - places_b[list(order)]).sum())
        for order in permutations(range(len(places_b)))
    )


def _labelled(same, other):
    pairs = [*same, *other]
    first, second = zip(*pairs, strict=True)
    similar = np.repeat([1, 0], [len(same), len(other)]).astype(np.int8)
    details = {
        name: {
            "pairs": len(of_class),
            "objects": dict(sorted(Counter(len(a.objects) for a, _ in of_class).items())),
            "same_setting": sum(a.setting == b.setting for a, b in of_class),
            "layout_distance": float(np.mean([layout_distance(a, b) for a, b in of_class])),
        }
        for name, of_class in (("same content", same), ("other content", other))
    }
    return LabelledPairs(
        id_a=np.array([scene.id for scene in first]),
        id_b=np.array([scene.id for scene in second]),
        similar=similar,
        graded=np.array(list(map(graded_similarity, first, second)), dtype=np.float32),
        kind=np.where(similar == 1, "same content, other layout", "other content, other layout"),
        split=np.full(len(pairs), "cross"),
        source=np.full(len(pairs), ""),
        details=details,
    )


def photograph_pairs(images, profile, n_pairs, split):
    """Caption-agreement pairs (`clipsim.data.pairs`) of the images of one split.

    The label is made of people's captions, which favours a score made of captions.

    Parameters
    ----------
    images : CaptionedImages
    profile : Profile
    n_pairs : int
    split : {"train", "test"}

    Returns
    -------
    LabelledPairs
        Split "cross".
    """
    kept = {"val": "val", split: "test"}
    relabelled = np.array([kept.get(name, "") for name in images.split.tolist()])
    found = caption_pairs(
        replace(images, split=relabelled), replace(profile, pairs="captions", n_pairs=n_pairs)
    )
    details = {key: found.details[key] for key in ("made_of", "favours")}
    details[split] = found.details["test"]
    found = found.where(found.split == "test")
    return replace(found, split=np.full(len(found), "cross"), details=details)
