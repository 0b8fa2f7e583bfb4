"""Scenes: what stands where, drawn from a seed; pairs of scenes; how alike two scenes are.

A scene's *content* is the multiset of its concepts (two dogs are not one dog); its *layout* is
the setting, the seed of the background, and the places and sizes of the objects. Every scene
has a random stream of its own, `SeedSequence(seed, spawn_key=(split, number))`: more training
scenes extend the list without changing it, and never touch validation or test.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
import yaml

from clipsim.data.captioned_images import SPLITS


@lru_cache(maxsize=1)
def vocabulary():
    """What concepts.yaml holds: things, skin tones, groups, words for the settings."""
    text = files("clipsim.data.scenes").joinpath("concepts.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


BANDS = vocabulary()["bands"]  # of the settings: how high things stand, by what is there
KINDS = (
    "same content, same layout",
    "same content, other layout",
    "other content, same layout",
    "other content, other layout",
)
CANVAS = 256  # pixels; the centre 224×224 is what the preprocessing keeps
MARGIN = 16

PLACE_WEIGHTS = {"ground": 0.45, "water": 0.4, "air": 0.12}
PERSON_WEIGHT = 2  # an action is drawn this many times as often as any other thing
SIZES = {"small": 92, "medium": 104, "large": 120}  # pixels of the whole glyph
CROWDING = {1: 1.1, 2: 1.0, 3: 0.92}
PATTERNS = {  # which objects share a concept, and how often
    (0,): 0.36,
    (0, 1): 0.3,
    (0, 0): 0.1,
    (0, 1, 2): 0.16,
    (0, 0, 1): 0.06,
    (0, 0, 0): 0.02,
}
# What is unseen in the j-th test pair of each kind: 2 of 20 a concept, 5 of 20 a variant.
TEST_ROLES = (
    *("", "variant", "", "", "concept", "", "variant", "", "", "variant"),
    *("", "", "variant", "", "concept", "", "", "variant", "", ""),
)
JITTER = 3  # pixels by which two pictures of one layout differ
LAYOUT_TRIES = 12


@dataclass(frozen=True, eq=False, kw_only=True)
class Concept:
    """One row of concepts.yaml. `variants` maps a code point to its own noun, or to ""."""

    name: str
    group: str
    variants: Mapping[str, str]
    nouns: tuple[str, ...] = ()
    doing: tuple[str, ...] = ()
    place: str = "ground"
    size: str = "medium"
    outdoors: bool = False
    unseen: bool = False
    unseen_variants: frozenset[str] = frozenset()

    def fits(self, setting):
        """Whether the concept may occur in a setting."""
        return self.place in BANDS[setting] and not (self.outdoors and setting == "room")

    def artwork(self, unseen=False):
        """Code points that training may use, or those held out from it."""
        if self.unseen:
            return tuple(self.variants)
        return tuple(v for v in self.variants if (v in self.unseen_variants) == unseen)


@dataclass(frozen=True)
class PlacedObject:
    """A concept's artwork at a place: x of its middle, y of its lowest point, glyph size."""

    concept: str
    variant: str
    x: int
    y: int
    size: int
    mirrored: bool


@dataclass(frozen=True)
class Scene:
    """What a picture shows; enough to draw it and to say how it compares with another."""

    id: str
    setting: str
    background_seed: int
    objects: tuple[PlacedObject, ...]

    @property
    def content(self):
        """Counter of concept names."""
        return Counter(placed.concept for placed in self.objects)

    @property
    def content_label(self):
        """The concepts in a fixed order, as text: equal where the content is."""
        return " + ".join(sorted(self.content.elements()))

    @property
    def has_unseen_concept(self):
        """Whether some object is of a concept that training never shows."""
        return any(concept_table()[placed.concept].unseen for placed in self.objects)

    @property
    def has_unseen_variant(self):
        """Whether some object is a held-out variant of a concept that training does show."""
        table = concept_table()
        return any(o.variant in table[o.concept].unseen_variants for o in self.objects)


@lru_cache(maxsize=1)
def concept_table():
    """The concepts of concepts.yaml by name."""
    words = vocabulary()
    return {name: _concept(name, row, words) for name, row in words["concepts"].items()}


def _concept(name, row, words):
    unseen = row.get("unseen", [])  # some of the variants, or true: the whole concept
    own = {
        "name": name,
        "nouns": tuple(row.get("nouns", ())),
        "doing": tuple(row.get("doing", words["groups"][row["group"]])),
        "variants": {
            code.replace("*", tone): noun or ""
            for code, noun in row["variants"].items()
            for tone in (words["skin_tones"] if "*" in code else [""])
        },
        "unseen": unseen is True,
        "unseen_variants": frozenset() if unseen is True else frozenset(unseen),
    }
    return Concept(**row | own)


def graded_similarity(a, b):
    """How alike two scenes are by what they show.

    0.85 · s / (n_a + n_b − s) + 0.15 · [same setting], where n counts objects and
    s = exact + ¼ · related: `exact` is the size of the multiset intersection of the concepts,
    `related` that of the groups of the concepts left over. A soft multiset Jaccard index:
    equal content gives at least 0.85, nothing in common but the setting gives 0.15.

    Returns a number in [0, 1], symmetric, 1 for a scene with itself; higher is more alike.
    """
    table = concept_table()
    exact = (a.content & b.content).total()
    left_a, left_b = (
        Counter(table[concept].group for concept in left.elements())
        for left in (a.content - b.content, b.content - a.content)
    )
    shared = exact + 0.25 * (left_a & left_b).total()
    jaccard = shared / (len(a.objects) + len(b.objects) - shared)
    return 0.85 * jaccard + 0.15 * (a.setting == b.setting)


def training_scene(seed, number):
    """The training scene of that number: training concepts and variants only."""
    rng = _stream(seed, "train", number)
    setting = pick(rng, list(BANDS))
    content = _content(rng, setting)
    layout = _layout(rng, setting, content)
    return _scene(rng, f"train-{number:05d}", setting, _background_seed(rng), content, layout)


def scene_pair(seed, split, number):
    """Kind and scenes a, b of the validation or test pair of that number; kinds take turns.

    In other-content pairs each concept of `a` is exchanged for another of the same place and
    size class, so that neither the number of objects nor their sizes tell same from other.
    Validation shows training concepts and variants only. In test, every tenth pair of a kind
    has an unseen concept in `a` (and in `b` where the content is the same), and every fourth
    an unseen variant in `a`.
    """
    rng = _stream(seed, split, number)
    kind = KINDS[number % len(KINDS)]
    same_content, same_layout = kind.startswith("same content"), kind.endswith("same layout")
    role = TEST_ROLES[number // len(KINDS) % len(TEST_ROLES)] if split == "test" else ""

    setting = pick(rng, list(BANDS))
    content = _content(rng, setting, role)
    layout, background = _layout(rng, setting, content), _background_seed(rng)
    name = f"{split}-{number:04d}"
    a = _scene(rng, f"{name}-a", setting, background, content, layout, unseen=role == "variant")

    if not same_layout:
        places = {concept.place for concept in content}
        others = [s for s in BANDS if s != setting and places <= BANDS[s].keys()]
        if same_content:
            others = [s for s in others if all(concept.fits(s) for concept in content)]
        setting, background = pick(rng, others), _background_seed(rng)
    if not same_content:
        content = _exchanged(rng, content, setting)
    if same_layout:
        layout = [tuple(v + int(rng.integers(-JITTER, JITTER + 1)) for v in p) for p in layout]
    else:
        tries = [_layout(rng, setting, content) for _ in range(LAYOUT_TRIES)]
        layout = max(tries, key=lambda places: np.abs(np.subtract(places, layout)).sum())
    avoid = {placed.variant for placed in a.objects}
    return kind, a, _scene(rng, f"{name}-b", setting, background, content, layout, avoid=avoid)


def _stream(seed, split, number):
    key = (SPLITS.index(split), number)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def pick(rng, options):
    """One of the options, by one number of the generator."""
    return options[rng.integers(len(options))]


def weighted(rng, options, weights):
    """One of the options, drawn by their weights."""
    weights = np.array([*weights])
    return options[rng.choice(len(options), p=weights / weights.sum())]


def _background_seed(rng):
    return int(rng.integers(2**31))


def _content(rng, setting, role=""):
    """Concepts of 1–3 objects; the first one is, or has artwork, held out as `role` says."""
    pattern = weighted(rng, list(PATTERNS), PATTERNS.values())
    fitting = [c for c in concept_table().values() if c.fits(setting)]
    seen = [c for c in fitting if not c.unseen]
    leads = {"": seen, "variant": [c for c in seen if c.unseen_variants]}
    leads["concept"] = [c for c in fitting if c.unseen]
    distinct = [_by_place(rng, leads[role])]
    while len(distinct) <= max(pattern):
        distinct.append(_by_place(rng, [c for c in seen if c not in distinct]))
    return [distinct[i] for i in pattern]


def _by_place(rng, concepts):
    """A concept, its place drawn first: the few that fly or swim would be rare otherwise."""
    places = sorted({concept.place for concept in concepts})
    place = weighted(rng, places, [PLACE_WEIGHTS[place] for place in places])
    concepts = [concept for concept in concepts if concept.place == place]
    return weighted(rng, concepts, [PERSON_WEIGHT if c.group == "person" else 1 for c in concepts])


def _exchanged(rng, content, setting):
    """Every concept replaced by another one of its place and size class."""
    taken, new = set(content), {}
    for concept in dict.fromkeys(content):
        alike = [
            other
            for other in concept_table().values()
            if other.fits(setting) and not other.unseen and other not in taken
            if (other.place, other.size) == (concept.place, concept.size)
        ]
        new[concept] = pick(rng, alike)
        taken.add(new[concept])
    return [new[concept] for concept in content]


def _layout(rng, setting, content):
    """Place (x, y, size) of each object: side by side, further up is further away."""
    n = len(content)
    columns, places = rng.permutation(n), []
    width = (CANVAS - 2 * MARGIN) / n
    for column, concept in zip(columns, content, strict=True):
        top, bottom = BANDS[setting][concept.place]
        depth = rng.uniform()
        size = round(SIZES[concept.size] * CROWDING[n] * (0.9 + 0.2 * depth))
        x = MARGIN + width * (column + 0.5 + rng.uniform(-0.3, 0.3))
        x = np.clip(x, MARGIN + 0.48 * size, CANVAS - MARGIN - 0.48 * size)
        places.append((round(x), round(top + depth * (bottom - top)), size))
    return places


def _scene(rng, name, setting, background, content, layout, unseen=False, avoid=frozenset()):
    """Choose artwork: the first concept's held out if `unseen`; none of `avoid` if possible."""
    objects = []
    for concept, (x, y, size) in zip(content, layout, strict=True):
        artwork = concept.artwork(unseen=unseen and concept == content[0])
        artwork = [v for v in artwork if v not in avoid] or artwork
        mirrored = bool(rng.integers(2))
        objects.append(PlacedObject(concept.name, pick(rng, artwork), x, y, size, mirrored))
    return Scene(name, setting, background, tuple(objects))
