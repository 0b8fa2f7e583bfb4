"""Charts of known intervals show, and keep, the numbers that they were given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from clipsim.figures import auc_chart, finding_sentence

FINDING = {
    "claim": "fine_grained", "experiment": "A less B", "estimate": 0.123, "ci95": [0.05, 0.2],
    "n_pairs": 1234, "n_seeds": 5, "interval": "pairs resampled", "verdict": "supported",
}  # fmt: skip


@pytest.fixture
def rows():
    yield [
        {
            "group": group, "metric": metric, "auc": auc, "auc_ci95": [auc - 0.07, auc + 0.03],
            "auc_of_seeds": [auc - 0.01, auc + 0.02], "n_pairs": 40, "resampled": "pairs",
        }
        for group, auc in (("old", 0.8), ("new", 0.7))
        for metric in ("clip_score", "ssim")
    ]  # fmt: skip
    plt.close("all")


def test_chart_shows_values_intervals_and_seeds(rows):
    figure, numbers, caption = auc_chart(rows, [FINDING], "scenes")
    (axis,) = figure.axes
    lines = {round(x, 6) for line in axis.lines for x in np.ravel(line.get_xdata())}
    ticks = {round(x, 6) for dots in axis.collections for x in dots.get_offsets()[:, 0]}
    for row in rows:
        assert {row["auc"], *np.round(row["auc_ci95"], 6)} <= lines
        assert {*np.round(row["auc_of_seeds"], 6)} <= ticks
    labels = [label.get_text() for label in axis.get_yticklabels()]
    assert labels == ["old\n40 pairs", "new\n40 pairs"]
    assert numbers.loc[0, ["auc_ci95_low", "auc_seeds_high"]].tolist() == pytest.approx(
        [0.73, 0.82]
    )
    assert figure.get_suptitle().endswith(": supported")
    assert caption.startswith(finding_sentence(FINDING))


def test_without_rows_there_is_no_figure():
    nothing = FINDING | {"estimate": np.nan, "ci95": [np.nan, np.nan], "verdict": "undecided"}
    figure, numbers, caption = auc_chart([], [nothing], "scenes")
    assert (figure, len(numbers), caption) == (None, 0, "A less B.")
