"""Which N the paper's fixed threshold and its four scores speak for, where it was planted."""

import numpy as np
import pytest
from planted_descriptions import COUNTS, N_PAIRS, made
from sklearn.metrics import accuracy_score

from clipsim.studies.number_of_descriptions.description_fit import (
    PAPER_THRESHOLD,
    fitted_counts,
    fixed_threshold_table,
    misfit,
    paper_clip_scores,
)
from clipsim.studies.number_of_descriptions.description_study import KernelScores, ModelScores


def scores_at(alike, different):
    """A model whose mean scores at each of `COUNTS` are given, one value per class."""
    pairs = made()
    rng = np.random.default_rng(0)
    jitter = rng.normal(0, 0.01, size=(len(COUNTS), N_PAIRS))
    judged = np.where(pairs.judged.similar == 1, np.c_[alike], np.c_[different]) + jitter
    kernel = KernelScores(COUNTS, judged, judged[:, pairs.judged.split == "val"])
    means = {"joint": np.zeros((len(COUNTS), 0, 1), dtype=np.float32)}
    empty = np.array([])
    return ModelScores(0, empty, means, {"eq4 joint": kernel}, empty), pairs


def test_the_papers_four_scores_are_those_of_its_figures():
    paper = paper_clip_scores()
    assert sorted(paper["alike"]) == [0.65, 0.67]
    assert sorted(paper["different"]) == [0.21, 0.28]
    own = {"alike": np.array([0.66, 0.9]), "different": np.array([0.245, 0.245])}
    squares = (0.01**2 + 0.01**2 + 0.035**2 + 0.035**2) / 4
    assert misfit(own)[0] == pytest.approx(np.sqrt(squares))
    assert misfit(own)[1] > misfit(own)[0]


def test_each_normalisation_finds_the_n_that_was_planted():
    # As a mean the paper's scores appear at N = 10; as printed, N times the mean, at N = 5.
    alike = [0.2, 0.25, 0.66 / 5, 0.66, 0.3]
    different = [0.1, 0.1, 0.245 / 5, 0.245, 0.1]
    model, pairs = scores_at(alike, different)
    table = fixed_threshold_table(model, pairs)
    fitted = fitted_counts(model, pairs, table, "accuracy").set_index("normalisation")
    assert fitted.n_by_scores.to_dict() == {"mean": 10, "paper": 5}
    assert fitted.n_by_scores_95.to_dict() == {"mean": "10–10", "paper": "5–5"}
    assert fitted.loc["mean", "n_by_threshold"] == 10
    assert fitted.loc["mean", "accuracy"] == 1


def test_accuracy_at_the_fixed_threshold_is_scikit_learns():
    model, pairs = scores_at([0.52, 0.49, 0.5, 0.6, 0.3], [0.5, 0.48, 0.1, 0.5, 0.1])
    table = fixed_threshold_table(model, pairs)
    for row in table.itertuples():
        scores = model.kernels["eq4 joint"].judged[COUNTS.index(row.n)][pairs.evaluated]
        called = scores * (row.n if row.normalisation == "paper" else 1) >= PAPER_THRESHOLD
        assert row.accuracy == pytest.approx(accuracy_score(pairs.test.similar, called))
        assert row.accuracy_low <= row.accuracy <= row.accuracy_high
