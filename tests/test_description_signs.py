"""Whether D > 0 for any pair: one exception refutes, none proves nothing."""

import numpy as np
import pytest
from planted_descriptions import (
    COUNTS,
    LONGEST,
    N_PAIRS,
    contents,
    labelled_pairs,
    made,
    retrieval,
)

from clipsim.evaluation.claims import NOT_SUPPORTED, UNDECIDED
from clipsim.studies.number_of_descriptions.description_signs import (
    seed_shares,
    sign_findings,
    sign_table,
)
from clipsim.studies.number_of_descriptions.description_study import model_scores


def signs(content):
    pairs = made()
    found = retrieval(content, np.full(LONGEST, 0.01))
    scored = model_scores(0, found, {"joint": found.pool_vectors}, pairs, COUNTS, "joint")
    return scored, sign_table(scored, pairs), pairs


def test_one_exception_among_test_pairs_refutes():
    content = np.abs(contents(labelled_pairs().similar)) + 1
    content[-1] *= -1
    scored, table, _ = signs(content)
    (one,) = sign_findings(table, 5)
    assert (one["verdict"], one["n_pairs"]) == (NOT_SUPPORTED, N_PAIRS // 2)
    assert one["estimate"] == 1 / (N_PAIRS // 2)
    assert seed_shares([scored], made(), "joint", 5) == [0.01]


def test_exceptions_that_no_test_pair_shows_are_found_among_all_pairs():
    content = np.abs(contents(labelled_pairs().similar)) + 1
    content[-2:] *= -1  # both images of the last pair
    _, table, _ = signs(content)
    (one,) = sign_findings(table, 5)
    n_images = N_PAIRS
    assert one["verdict"] == NOT_SUPPORTED
    assert one["n_pairs"] == n_images * (n_images - 1) // 2
    assert one["estimate"] * one["n_pairs"] == pytest.approx(2 * (n_images - 2))
    assert "taken as independent" in one["interval"]


def test_no_exception_leaves_it_undecided():
    content = np.abs(contents(labelled_pairs().similar)) + 1
    _, table, _ = signs(content)
    (one,) = sign_findings(table, 5)
    assert (one["verdict"], one["estimate"]) == (UNDECIDED, 0)
