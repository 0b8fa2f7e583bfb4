"""Rank statistics counted per level, against scikit-learn and SciPy on the sample itself."""

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr
from sklearn.metrics import average_precision_score, roc_auc_score

from clipsim.ranking import RANKING, ranking_statistics


def data(seed, n=200, decimals=1):
    rng = np.random.default_rng(seed)
    similar = rng.choice([-1, 0, 1], p=[0.2, 0.6, 0.2], size=n).astype(np.int8)
    graded = np.round(rng.random(n), 1)
    scores = np.round(rng.normal(size=n) + (similar == 1), decimals).astype(np.float32)
    return similar, graded, scores, rng


@pytest.mark.parametrize("decimals", [0, 1, 6])  # many ties, some, none
@pytest.mark.parametrize("seed", range(3))
def test_equal_to_the_libraries_on_every_resample(seed, decimals):
    similar, graded, scores, rng = data(seed, decimals=decimals)
    statistics = ranking_statistics(similar, graded, scores)
    for index in (np.arange(200), rng.integers(200, size=200), rng.integers(200, size=350)):
        kept = index[similar[index] >= 0]
        assert dict(zip(RANKING, statistics(index), strict=True)) == pytest.approx(
            {
                "auc": roc_auc_score(similar[kept], scores[kept]),
                "average_precision": average_precision_score(similar[kept], scores[kept]),
                "spearman": spearmanr(scores[index], graded[index]).statistic,
                "kendall": kendalltau(scores[index], graded[index]).statistic,
            },
            abs=1e-12,
        )


def test_kendall_is_tau_b_of_all_pairs_of_pairs():
    similar, graded, scores, _ = data(5, n=40)
    signs = [np.sign(np.subtract.outer(x, x)) for x in (scores.astype(float), graded)]
    expected = (signs[0] * signs[1]).sum() / np.sqrt((signs[0] ** 2).sum() * (signs[1] ** 2).sum())
    kendall = ranking_statistics(similar, graded, scores)(np.arange(40))[RANKING.index("kendall")]
    assert kendall == pytest.approx(expected)


@pytest.mark.parametrize("transform", [np.exp, np.cbrt, lambda x: 5 * x - 3])
def test_only_the_order_of_the_scores_counts(transform):
    similar, graded, scores, _ = data(6)
    index = np.arange(200)
    changed = ranking_statistics(similar, graded, transform(scores.astype(float)))(index)
    assert changed == pytest.approx(ranking_statistics(similar, graded, scores)(index))


def test_a_reversed_score_has_the_opposite_correlations():
    similar, graded, scores, _ = data(7)
    index = np.arange(200)
    forward = ranking_statistics(similar, graded, scores)(index)
    auc, _, spearman, kendall = ranking_statistics(similar, graded, -scores)(index)
    assert (1 - auc, -spearman, -kendall) == pytest.approx((forward[0], *forward[2:]))


def test_without_both_classes_there_is_nothing_to_rank():
    similar, graded, scores, _ = data(8)
    statistics = ranking_statistics(similar, graded, scores)
    auc, precision, spearman, _ = statistics(np.flatnonzero(similar == 1))
    assert np.isnan([auc, precision]).all()
    assert np.isfinite(spearman)


def test_a_constant_score_says_nothing():
    similar, graded, scores, _ = data(9)
    constant = ranking_statistics(similar, graded, np.zeros_like(scores))(np.arange(200))
    share = (similar == 1).sum() / (similar >= 0).sum()
    assert constant[:2] == pytest.approx((0.5, share))
    assert np.isnan(constant[2:]).all()
