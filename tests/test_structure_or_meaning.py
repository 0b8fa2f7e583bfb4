"""Sentences differ in structure, in meaning, in both; a planted encoder is found out."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
from sklearn.metrics.pairwise import cosine_similarity

from clipsim.studies.encoders_and_language import structure_or_meaning as room

MAIN = "all slots, same words"
# Words that the structures bring, beside the usual function words.
FRAME_WORDS = {"beside", "close", "look", "near", "nearby", "next", "picture", "shows", "view"}


@pytest.fixture(scope="module")
def quadruples():
    return room.sentence_quadruples()


def words(sentence):
    return sentence.lower().strip(".").replace(",", "").split()


def overlap(quadruples, name):
    """Mean Jaccard overlap of the anchor's content words with another sentence's."""
    shared = []
    for texts in quadruples[["anchor", name]].to_numpy():
        a, b = (set(words(text)) - ENGLISH_STOP_WORDS - FRAME_WORDS for text in texts)
        shared.append(len(a & b) / len(a | b) if a | b else 1)
    return np.mean(shared)


def test_at_least_200_and_no_sentence_twice(quadruples):
    sentences = quadruples.drop(columns="concept").to_numpy().ravel().tolist()
    assert len(quadruples) >= 200
    assert len(set(sentences)) == len(sentences)
    assert all(text[0].isupper() and text.endswith(".") for text in sentences)


def test_the_paraphrase_keeps_every_content_word_and_the_others_none(quadruples):
    content = {name: overlap(quadruples, name) for name in quadruples.columns[2:]}
    assert content["paraphrase"] == 1
    assert max(content["exchanged_4"], content["control"]) < 0.01
    graded = [content[f"exchanged_{k}"] for k in range(1, 5)]
    assert graded == sorted(graded, reverse=True)
    assert content["reworded"] < 0.5


def planted(quadruples, structure_weight, meaning_weight):
    """An encoder that knows every sentence's structure and content."""
    rng = np.random.default_rng(0)
    vectors = {}
    for texts in quadruples.drop(columns="concept").to_dict("records"):
        said, other = rng.normal(size=(2, 40))
        here, there = rng.normal(size=(2, 40))
        contents = {"anchor": said, "paraphrase": said, "reworded": said, "control": other}
        for name, text in texts.items():
            content = contents.get(name, other)
            same = name == "anchor" or name.startswith("exchanged")
            vectors[text] = np.concatenate(
                [structure_weight * (here if same else there), meaning_weight * content]
            )
    return lambda sentences: np.stack([vectors[text] for text in sentences])


@pytest.mark.parametrize(
    ("weights", "verdict"),
    [((3, 1), "supported"), ((1, 3), "not supported"), ((1, 1), "undecided")],
)
def test_the_finding_follows_what_is_planted(quadruples, smoke, weights, verdict):
    bert = replace(smoke, text_encoder="some/folder/bert-base-uncased")
    table = room.cosines(quadruples, planted(quadruples, *weights))
    rows = room.probe_rows(
        {"words": [table], room.OWN: [table], room.TRAINED: [table] * 2}, quadruples, smoke
    )
    (other,) = room.structure_findings(rows, replace(smoke, text_encoder="minilm"))
    assert other["verdict"] == "not testable here"
    found = room.structure_findings(rows, bert)
    assert len(found) == 2 * len(room.CONDITIONS)
    assert (found[0]["verdict"], found[0]["n_pairs"]) == (verdict, len(quadruples))
    assert "before contrastive training" in found[0]["experiment"]
    assert MAIN in found[0]["experiment"]


def test_cosines_as_scikit_learn_has_them(quadruples):
    few = quadruples[:3]
    encode = room.word_counts()["TF-IDF"]
    table = room.cosines(few, encode)
    full = cosine_similarity(encode(few.drop(columns="concept").to_numpy().ravel()))
    for i in range(3):
        np.testing.assert_allclose(table.loc[i], full[8 * i, 8 * i + 1 : 8 * i + 8])


def test_shares_by_a_slow_loop(quadruples, smoke):
    rng = np.random.default_rng(1)
    names = quadruples.columns[2:]
    tables = [pd.DataFrame(rng.normal(size=(len(quadruples), 7)), columns=names) for _ in range(3)]
    for row in room.probe_rows({"any": tables}, quadruples, smoke):
        structure, meaning = room.CONDITIONS[row["condition"]]
        of_seeds = [
            sum(t[structure][i] > t[meaning][i] for i in range(len(quadruples))) / len(quadruples)
            for t in tables
        ]
        assert row["share_of_seeds"] == pytest.approx(of_seeds)
        assert row["share"] == pytest.approx(np.mean(of_seeds))
        assert row["share_ci95"][0] <= row["share"] <= row["share_ci95"][1]


def test_concepts_are_drawn_together(quadruples, smoke):
    """Where all quadruples of a concept agree, the interval is as wide as the concepts make it."""
    rng = np.random.default_rng(2)
    of_concept = {concept: rng.normal() for concept in sorted(set(quadruples.concept))}
    values = quadruples.concept.map(of_concept).to_numpy()
    _, (low, high) = room.clustered_share(values, quadruples, smoke)
    _, (narrow_low, narrow_high) = room.clustered_share(rng.permutation(values), quadruples, smoke)
    assert high - low > 1.5 * (narrow_high - narrow_low)


def test_words_alone_find_the_meaning_of_a_paraphrase_in_the_same_words(quadruples, smoke):
    encoders = room.word_counts().items()
    spaces = {name: [room.cosines(quadruples, encode)] for name, encode in encoders}
    rows = room.probe_rows(spaces, quadruples, smoke)
    assert {row["share"] for row in rows if row["condition"] == MAIN} == {0}
