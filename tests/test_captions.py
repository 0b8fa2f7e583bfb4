"""Captions of scenes: their variety, and their grammar."""

import re

import numpy as np

from clipsim.data.scenes.captions import SETTINGS, plural, scene_captions
from clipsim.data.scenes.scenes import BANDS, PlacedObject, Scene, concept_table, training_scene

SCENES = [training_scene(0, number) for number in range(500)]
CAPTIONS = [scene_captions(scene, 0) for scene in SCENES]
EVERY_CAPTION = [caption for captions in CAPTIONS for caption in captions]
WHERE = {w for places in SETTINGS.values() for words in places.values() for w in words}


def words_for(concept):
    """Everything that a caption may call a concept: nouns in both numbers, and actions."""
    nouns = [*concept.nouns, *filter(None, concept.variants.values())]
    if concept.group == "person":
        nouns = [*concept.nouns, *concept.doing]
    return {form for noun in nouns for form in (noun.split(" / ")[0], plural(noun))}


def test_five_distinct_captions():
    for captions in CAPTIONS:
        assert len(set(captions)) == len(captions) == 5
        assert all(re.fullmatch(r"[A-Z].*[a-zV]\.", caption) for caption in captions)
    assert scene_captions(SCENES[3], 0) == CAPTIONS[3] != scene_captions(SCENES[3], 1)


def test_every_caption_names_something_that_is_there():
    table = concept_table()
    for scene, captions in zip(SCENES, CAPTIONS, strict=True):
        words = set().union(*(words_for(table[concept]) for concept in scene.content))
        for caption in captions:
            assert any(word.lower() in caption.lower() for word in words), caption


def test_nothing_held_out_is_named_in_training():
    unseen = [concept for concept in concept_table().values() if concept.unseen]
    words = "|".join(sorted(set().union(*(words_for(concept) for concept in unseen))))
    assert [c for c in EVERY_CAPTION if re.search(rf"\b({words})\b", c)] == []


def test_about_half_of_the_captions_say_where():
    share = np.mean([any(w in c[0].lower() + c[1:] for w in WHERE) for c in EVERY_CAPTION])
    assert 0.4 < share < 0.6


def test_many_captions_leave_something_out():
    scenes = [i for i, scene in enumerate(SCENES) if len(scene.content) == 2]
    table, partial = concept_table(), []
    for i in scenes:
        words = [words_for(table[concept]) for concept in SCENES[i].content]
        for caption in CAPTIONS[i]:
            named = [any(word in caption.lower() for word in several) for several in words]
            partial.append(not all(named))
    assert 0.2 < np.mean(partial) < 0.6


def test_every_setting_has_words_for_every_place_in_it():
    for setting, bands in BANDS.items():
        assert SETTINGS[setting].keys() == {*bands, "mixed"}


def test_articles_agree():
    for caption in EVERY_CAPTION:
        assert not re.search(r"\b[Aa] [aeiou]", caption), caption
        assert not re.search(r"\b[Aa]n [^aeiou]", caption), caption


def test_numbers_agree():
    plain = re.compile(r"\b(two|three|several|couple of)\b")
    for scene, captions in zip(SCENES, CAPTIONS, strict=True):
        alone = len(scene.content) == 1
        for caption in captions:
            assert "  " not in caption
            assert " ." not in caption
            assert " ," not in caption
            if alone and len(scene.objects) > 1:
                assert plain.search(caption.lower()), caption
                assert not re.search(r"\bis\b", caption), caption
            if len(scene.objects) == 1:
                assert not re.search(r"\bare\b", caption), caption


def test_plurals():
    assert [*map(plural, ("dog", "bus", "puppy", "monkey", "couch"))] == [
        "dogs", "buses", "puppies", "monkeys", "couches",
    ]  # fmt: skip
    assert plural("mouse / mice") == "mice"


def test_captions_say_who_and_how_many():
    woman, man = "1F3C3-1F3FB-200D-2640-FE0F", "1F3C3-1F3FB-200D-2642-FE0F"

    def captions(*variants):
        placed = tuple(PlacedObject("running", v, 100, 200, 90, False) for v in variants)
        scenes = [Scene(f"s{i}", "street", 0, placed) for i in range(20)]
        return " ".join(c for scene in scenes for c in scene_captions(scene, 0)).lower()

    assert re.search(r"\b(woman|lady)\b", captions(woman))
    assert not re.search(r"\b(man|guy)\b", captions(woman))
    assert re.search(r"\btwo (men|guys|people)\b", captions(man, man)) or "runners" in captions(
        man
    )
    assert re.search(r"\b(two|couple of) people\b", captions(man, woman))
    assert not re.search(r"\b(men|women|ladies|guys)\b", captions(man, woman))
