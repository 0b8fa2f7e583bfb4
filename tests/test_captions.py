"""Captions of scenes: their variety, and their grammar."""

import re

from clipsim.data.scenes.captions import plural, scene_captions
from clipsim.data.scenes.scenes import concept_table, training_scene

SCENES = [training_scene(0, number) for number in range(500)]
CAPTIONS = [scene_captions(scene, 0) for scene in SCENES]
EVERY_CAPTION = [caption for captions in CAPTIONS for caption in captions]


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
