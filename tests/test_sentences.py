"""Sentences that differ in structure, in meaning, in both: and in nothing else."""

from collections import Counter

import numpy as np
import pytest
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from clipsim.studies.encoders_and_language.structure_or_meaning import (
    FRAME_WORDS,
    SLOTS,
    sentence_quadruples,
    structures,
)


@pytest.fixture(scope="module")
def quadruples():
    return sentence_quadruples(0)


def words(sentence):
    return sentence.lower().strip(".").replace(",", "").split()


def overlap(quadruples, name, of_content):
    """Mean Jaccard overlap of the anchor's content, or function, words with another sentence's."""
    shared = []
    for q in quadruples:
        both = [set(words(text)) for text in (q.anchor, q.compared[name])]
        function = ENGLISH_STOP_WORDS | FRAME_WORDS
        a, b = (found - function if of_content else found & function for found in both)
        shared.append(len(a & b) / len(a | b) if a | b else 1)
    return np.mean(shared)


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
        Counter(q.structures for q in quadruples),
        Counter(q.order[0] for q in quadruples),
    ]
    for count, most in zip(counts, (1, 0, 2), strict=True):
        assert max(count.values()) - min(count.values()) <= most
    assert len(counts[1]) == len(structures()) * (len(structures()) - 1)
    assert set(counts[2]) == set(SLOTS)


def test_the_paraphrase_keeps_every_content_word_and_the_others_none(quadruples):
    content = {name: overlap(quadruples, name, True) for name in quadruples[0].compared}
    assert content["paraphrase"] == 1
    assert max(content["exchanged_4"], content["control"]) < 0.01
    graded = [content[f"exchanged_{k}"] for k in range(1, 5)]
    assert graded == sorted(graded, reverse=True)
    assert content["reworded"] < 0.5


def test_the_same_structure_shares_more_function_words_than_the_paraphrase(quadruples):
    same, other = (overlap(quadruples, name, False) for name in ("exchanged_4", "paraphrase"))
    assert same > other


def test_each_grade_exchanges_one_more_slot(quadruples):
    for q in quadruples:
        previous = q.anchor
        for sentence in [q.compared[f"exchanged_{k}"] for k in range(1, 5)]:
            first, second = words(previous), words(sentence)
            while first and second and first[0] == second[0]:
                del first[0], second[0]
            while first and second and first[-1] == second[-1]:
                del first[-1], second[-1]
            # What is left is one filler and perhaps its article: no slot has more words.
            assert second
            assert max(len(first), len(second)) <= 8
            previous = sentence
