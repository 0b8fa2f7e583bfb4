"""Correlation and AUC within groups of pairs, where a layout was planted to lift one of them."""

import numpy as np
from planted_descriptions import N_PAIRS, labelled_pairs, made

from clipsim.studies.number_of_descriptions.description_agreement import (
    agreement_by_count,
    agreement_differences,
    contrasts_by_count,
    pair_groups,
)
from clipsim.studies.number_of_descriptions.description_study import KernelScores, ModelScores


def crossed(effect_of_layout):
    """A model whose image cosine follows content and layout, and Eq. 4 content alone."""
    judged = labelled_pairs()
    same_layout = np.char.endswith(judged.kind, "same layout")
    judged.graded[:] = 0.85 * judged.similar + 0.15 * same_layout
    pairs = made(judged)
    rng = np.random.default_rng(5)
    by_content = judged.similar + rng.normal(0, 0.3, N_PAIRS)
    cosine = judged.similar + effect_of_layout * same_layout + rng.normal(0, 0.3, N_PAIRS)
    kernel = KernelScores((1, 5), np.stack([by_content, by_content]), np.empty((2, 0)))
    return ModelScores(0, np.array([]), {}, {"eq4 joint": kernel}, cosine), pairs


def test_a_lift_by_layout_gains_correlation_and_loses_auc():
    model, pairs = crossed(1.0)
    rho = agreement_by_count(model, pairs, "eq4 joint").set_index("pairs")
    assert rho.loc["similar", "image cosine"] > rho.loc["similar", "N = 5"] + 0.3
    auc = contrasts_by_count(model, pairs, "eq4 joint").set_index("contrast")
    mixed = "similar in another : other in the same layout"
    assert auc.loc["similar : other", "image cosine"] < auc.loc["similar : other", "N = 5"]
    assert auc.loc[mixed, "image cosine"] < 0.7 < auc.loc[mixed, "N = 5"]
    difference = agreement_differences(model, pairs, model.kernels["eq4 joint"].judged[1])
    within = difference.set_index("pairs").loc["similar"]
    assert within.high < 0
    assert within.low < within.difference < within.high


def test_groups_in_which_every_grade_is_equal_are_left_out():
    pairs = made()
    assert set(pair_groups(pairs.test)) == {
        "all",
        "similar",
        "other",
        "same layout",
        "other layout",
    }
    pairs.test.graded[:] = pairs.test.similar
    assert "similar" not in pair_groups(pairs.test)


def test_pairs_without_kinds_have_one_contrast():
    model, pairs = crossed(1.0)
    pairs.test.kind[:] = ""
    assert contrasts_by_count(model, pairs, "eq4 joint").contrast.tolist() == ["similar : other"]
