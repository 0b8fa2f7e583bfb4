"""Sentences that differ in structure, in meaning, in both: and in nothing else."""

from collections import Counter

import pytest

from clipsim.studies.encoders_and_language.sentence_quadruples import (
    SLOTS,
    sentence_quadruples,
    structures,
    word_overlap,
)


@pytest.fixture(scope="module")
def quadruples():
    return sentence_quadruples(0)


def words(sentence):
    return sentence.lower().strip(".").replace(",", "").split()


def test_at_least_200_and_no_sentence_twice(quadruples):
    sentences = [text for q in quadruples for text in (q.anchor, *q.compared.values())]
    assert len(quadruples) >= 200
    assert len(set(sentences)) == len(sentences)
    assert all(text[0].isupper() and text.endswith(".") for text in sentences)


def test_the_seed_decides_and_more_extend_the_list(quadruples):
    assert sentence_quadruples(0, 20) == quadruples[:20]
    assert sentence_quadruples(1, 20) != quadruples[:20]


def test_balanced_over_concepts_structures_and_slots(quadruples):
    counts = [
        Counter(q.concept for q in quadruples),
        Counter((q.structure, q.other_structure) for q in quadruples),
        Counter(q.order[0] for q in quadruples),
    ]
    for count, most in zip(counts, (1, 0, 2), strict=True):
        assert max(count.values()) - min(count.values()) <= most
    assert len(counts[1]) == len(structures()) * (len(structures()) - 1)
    assert set(counts[2]) == set(SLOTS)


def test_the_paraphrase_keeps_every_content_word_and_the_others_none(quadruples):
    overlap = word_overlap(quadruples)
    assert overlap["paraphrase"]["content words"] == 1
    for name in ("exchanged_4", "control"):
        assert overlap[name]["content words"] < 0.01
    graded = [overlap[f"exchanged_{k}"]["content words"] for k in range(1, 5)]
    assert graded == sorted(graded, reverse=True)
    assert overlap["reworded"]["content words"] < 0.5


def test_the_same_structure_shares_more_function_words_than_the_paraphrase(quadruples):
    overlap = word_overlap(quadruples)
    assert overlap["exchanged_4"]["function words"] > overlap["paraphrase"]["function words"]
    assert overlap["exchanged_4"]["content words"] < overlap["paraphrase"]["content words"]


def test_each_grade_exchanges_one_more_slot(quadruples):
    for q in quadruples:
        previous = q.anchor
        for sentence in q.exchanged:
            first, second = words(previous), words(sentence)
            while first and second and first[0] == second[0]:
                del first[0], second[0]
            while first and second and first[-1] == second[-1]:
                del first[-1], second[-1]
            # What is left is one filler and perhaps its article: no slot has more words.
            assert second
            assert max(len(first), len(second)) <= 8
            previous = sentence
