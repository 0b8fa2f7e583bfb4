"""Tables of notebook 08: intervals, correlation, normalisation, an image with itself."""

import numpy as np
import pytest
from planted_descriptions import COUNTS, FLAT, N_PAIRS, PROFILE, labelled_pairs, made, models
from sklearn.metrics import roc_auc_score

from clipsim.studies.number_of_descriptions.description_tables import (
    normalisation_gap,
    self_score_table,
    settings_table,
    statistics_row,
)


def test_settings_table_has_intervals_for_the_first_seed_alone():
    scored, pairs = models(FLAT, 2)
    table = settings_table(scored, pairs, ["eq4 joint"], PROFILE)
    assert len(table) == 2 * len(COUNTS)
    first, second = (part for _, part in table.groupby("seed"))
    for name in ("auc", "spearman", "accuracy"):
        assert (first[f"{name}_low"] <= first[name]).all()
        assert (first[name] <= first[f"{name}_high"]).all()
        assert second[f"{name}_low"].isna().all()
    expected = roc_auc_score(
        pairs.test.similar, scored[0].kernels["eq4 joint"].judged[2][pairs.evaluated]
    )
    assert first.auc.iloc[2] == pytest.approx(expected)


def test_pairs_in_between_count_for_the_correlation_alone():
    pairs = labelled_pairs()
    scores = np.random.default_rng(0).normal(size=N_PAIRS)
    rows = []
    for label in (pairs.similar, np.where(np.arange(N_PAIRS) % 5 == 0, -1, pairs.similar)):
        judged = pairs.where(np.arange(N_PAIRS) >= 0)
        judged.similar[:] = label
        rows.append(statistics_row(made(judged), scores, PROFILE))
    assert rows[0]["spearman"] == rows[1]["spearman"]
    assert rows[0]["auc"] != rows[1]["auc"]


def test_normalisation_changes_nothing_at_a_held_out_threshold():
    scored, pairs = models(FLAT, 1)
    assert normalisation_gap(scored[0], pairs, PROFILE) < 1e-9


def test_self_scores_fall_with_n():
    scored, pairs = models(FLAT, 1)
    table = self_score_table(scored[0], pairs)
    joint = table[table.space == "joint"]["median"].to_numpy()
    assert joint[0] == pytest.approx(1, abs=1e-5)
    assert (np.diff(joint) < 0).all()
