"""The charts of notebook 05 show the numbers of Table 1, source by source."""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pytest
from made_pairs import of_three_seeds, study
from sklearn.metrics import auc

from clipsim.evaluation.table_1 import METRICS, seed_spread, table_1_rows
from clipsim.figures import accuracy_charts as charts


@pytest.fixture(scope="module")
def judged():
    """Evaluations of pairs that two sources judged, and their seeds."""
    options = {"source": ("expert", "crowd"), "seeds": partial(of_three_seeds, quality=2.0)}
    *_, evaluated = study({"clip_score": 2.0}, split="cross", **options)
    yield evaluated, seed_spread(evaluated)
    plt.close("all")


def test_accuracy_and_its_intervals_by_source(judged):
    evaluated, spread = judged
    rows = [row for row in table_1_rows(evaluated) if row["threshold_from"] != "paper"]
    figure, numbers, caption = charts.accuracy_chart(table_1_rows(evaluated), spread, "accuracy")
    assert [axis.get_title() for axis in figure.axes] == ["Experts", "Crowd"]
    for axis, source in zip(figure.axes, ("expert", "crowd"), strict=True):
        lines = [np.asarray(line.get_xdata(), dtype=float) for line in axis.lines]
        for row in (row for row in rows if row["source"] == source):
            assert any(row["accuracy"] in line for line in lines)
            assert any(np.array_equal(row["accuracy_ci95"], line) for line in lines)
    assert numbers.accuracy.tolist() == [row["accuracy"] for row in rows]
    assert "CLIP score 0." in figure.get_suptitle()
    assert "Crowd: 300 pairs. CLIP score, mean of 3 seeds" in caption


def test_sweeps_mark_the_held_out_threshold_and_curves_have_table_1s_areas(judged):
    evaluated, _ = judged
    figure, numbers, _ = charts.threshold_sweeps(evaluated, "accuracy")
    first = numbers.drop_duplicates(["metric", "source"])
    held_out = [np.nanmedian(one.thresholds) for one in evaluated]
    assert first.threshold.tolist() == held_out
    assert [axis.get_title() for axis in figure.axes] == [m.label for m in METRICS]
    figure, numbers, _ = charts.roc_and_precision_recall(evaluated)
    for one in evaluated:
        own = numbers[(numbers.metric == one.metric.key) & (numbers.source == one.source)]
        roc = own.dropna(subset="true_rate")
        assert auc(roc.false_rate, roc.true_rate) == pytest.approx(one.statistics["auc"][0])
    area = evaluated[0].statistics["auc"][0]
    assert f"CLIP score {area:.2f} (experts)" in figure.get_suptitle()
