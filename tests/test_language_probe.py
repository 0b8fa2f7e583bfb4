"""A planted encoder that looks at structure, or at meaning, is found out."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from clipsim.model.clip import DualEncoder
from clipsim.studies.encoders_and_language.encoder_findings import (
    TESTED,
    example_table,
    structure_findings,
    structure_sentence,
)
from clipsim.studies.encoders_and_language.language_probe import (
    CONDITIONS,
    MAIN,
    ONE_SLOT,
    OWN,
    TRAINED,
    before_and_after,
    clustered_mean,
    clustered_share,
    cosines,
    lexical_encoders,
    probe_rows,
    trained_spaces,
    untrained_spaces,
)
from clipsim.studies.encoders_and_language.sentence_quadruples import sentence_quadruples


@pytest.fixture(scope="module")
def quadruples():
    return sentence_quadruples(0)


def planted(quadruples, structure_weight, meaning_weight):
    """An encoder that knows every sentence's structure and content."""
    rng = np.random.default_rng(0)
    vectors = {}
    for q in quadruples:
        said, other = rng.normal(size=(2, 40))
        here, there = rng.normal(size=(2, 40))
        contents = {"anchor": said, "paraphrase": said, "reworded": said, "control": other}
        texts = q.compared | {"anchor": q.anchor}
        for name, text in texts.items():
            content = contents.get(name, other)
            same = name == "anchor" or name.startswith("exchanged")
            vectors[text] = np.concatenate(
                [structure_weight * (here if same else there), meaning_weight * content]
            )
    return lambda sentences: np.stack([vectors[text] for text in sentences])


def rows_of(runs, quadruples, profile):
    return [row for space, r in runs.items() for row in probe_rows(space, r, quadruples, profile)]


@pytest.mark.parametrize(
    ("weights", "verdict", "answer"),
    [
        ((3, 1), "supported", "**Structure beats meaning**"),
        ((1, 3), "not supported", "**Structure does not beat meaning**"),
        ((1, 1), "undecided", "level"),
    ],
)
def test_the_finding_follows_what_is_planted(quadruples, smoke, weights, verdict, answer):
    run = cosines(quadruples, planted(quadruples, *weights))
    runs = {OWN: [run], TRAINED: [run, run]}
    found = structure_findings(rows_of(runs, quadruples, smoke), smoke)
    assert len(found) == len(TESTED)
    assert found[0]["verdict"] == verdict
    assert found[0]["n_pairs"] == len(quadruples)
    repair = before_and_after([run], [run], quadruples, smoke)
    assert answer in structure_sentence(found, repair)
    assert all(row["difference"] == 0 for row in repair)


def test_training_that_repairs_is_seen(quadruples, smoke):
    before = [cosines(quadruples, planted(quadruples, 3, 1))]
    after = [cosines(quadruples, planted(quadruples, 1, 3))] * 2
    row = before_and_after(before, after, quadruples, smoke)[0]
    assert row["condition"] == MAIN
    assert row["after"] < 0.1 < 0.9 < row["before"]
    assert row["difference_ci95"][1] < 0


def test_cosines_as_scikit_learn_has_them(quadruples):
    few = quadruples[:3]
    encode = lexical_encoders()["TF-IDF"]
    table = cosines(few, encode)
    texts = [text for q in few for text in (q.anchor, *q.compared.values())]
    full = cosine_similarity(encode(texts))
    for i, q in enumerate(few):
        start = i * (1 + len(q.compared))
        np.testing.assert_allclose(table.loc[i], full[start, start + 1 : start + 8])


def test_shares_and_margins_by_a_slow_loop(quadruples, smoke):
    rng = np.random.default_rng(1)
    names = list(quadruples[0].compared)
    runs = [pd.DataFrame(rng.normal(size=(len(quadruples), 7)), columns=names) for _ in range(3)]
    for row in probe_rows("any", runs, quadruples, smoke):
        structure, meaning = CONDITIONS[row["condition"]]
        margins = [
            [run[structure][i] - run[meaning][i] for i in range(len(quadruples))] for run in runs
        ]
        of_seeds = [sum(m > 0 for m in seed) / len(seed) for seed in margins]
        assert row["share_of_seeds"] == pytest.approx(of_seeds)
        assert row["share"] == pytest.approx(np.mean(of_seeds))
        assert row["margin"] == pytest.approx(np.mean(margins))
        assert row["share_ci95"][0] <= row["share"] <= row["share_ci95"][1]


def test_a_tie_counts_half(quadruples, smoke):
    names = list(quadruples[0].compared)
    constant = pd.DataFrame(np.ones((len(quadruples), len(names))), columns=names)
    assert {row["share"] for row in probe_rows("x", [constant], quadruples, smoke)} == {0.5}


def test_concepts_are_drawn_together(quadruples, smoke):
    """Where all quadruples of a concept agree, the interval is as wide as the concepts make it."""
    rng = np.random.default_rng(2)
    of_concept = {concept: rng.normal() for concept in sorted({q.concept for q in quadruples})}
    values = np.array([of_concept[q.concept] for q in quadruples])
    _, (low, high) = clustered_mean(values, quadruples, smoke)
    shuffled = rng.permutation(values)
    _, (narrow_low, narrow_high) = clustered_mean(shuffled, quadruples, smoke)
    assert high - low > 1.5 * (narrow_high - narrow_low)


def test_unanimity_is_no_certainty(quadruples, smoke):
    n_concepts = len({q.concept for q in quadruples})
    never = clustered_share(np.zeros(len(quadruples)), quadruples, smoke)
    always = clustered_share(np.ones(len(quadruples)), quadruples, smoke)
    bound = 1 - 0.025 ** (1 / n_concepts)
    assert never == (0, [0, pytest.approx(bound)])
    assert always == (1, [pytest.approx(1 - bound), 1])


def test_words_alone_find_the_meaning_of_a_paraphrase_in_the_same_words(quadruples, smoke):
    for encode in lexical_encoders().values():
        rows = probe_rows("words", [cosines(quadruples, encode)], quadruples, smoke)
        assert {row["condition"]: row["share"] for row in rows}[MAIN] == 0


def test_every_space_of_a_small_model(quadruples, smoke, tmp_path, monkeypatch):
    monkeypatch.setattr("clipsim.model.features.CACHE", tmp_path)
    few = quadruples[:12]
    runs = untrained_spaces(smoke, few)
    runs |= {space: [table] for space, table in trained_spaces(DualEncoder(smoke), few).items()}
    assert {OWN, TRAINED, "bag of words", "random weights", "text encoder, cls pooling"} <= set(
        runs
    )
    assert {len(table) for tables in runs.values() for table in tables} == {12}
    first, second = runs["random weights"]
    assert not first.equals(second)
    assert len(example_table(few, runs, ONE_SLOT)) == 12
