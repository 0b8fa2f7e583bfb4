"""Every chart shows, and keeps, the numbers that it was given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from clipsim.studies.beyond_the_training_data import beyond_plots as plots


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def row(**values):
    return {"auc": 0.8, "auc_ci95": [0.7, 0.9], "n_pairs": 40, "resampled": "pairs", **values}


def shown(axis):
    return {tuple(np.round([x, y], 3)) for line in axis.lines for x, y in line.get_xydata()}


def test_groups_and_their_intervals():
    rows = [row(group=g, metric=m) for g in ("old", "new") for m in ("clip_score", "ssim")]
    rows[0] |= {"auc": 0.95, "auc_ci95": [0.91, 0.97], "auc_of_seeds": [0.96, 0.94, 0.95]}
    figure, numbers = plots.group_chart(rows, {"auc": "AUC"})
    (axis,) = figure.axes
    assert 0.95 in {y for _, y in shown(axis)}
    assert [label.get_text() for label in axis.get_xticklabels()] == [
        "old\n40 pairs",
        "new\n40 pairs",
    ]
    segments = [line for lines in axis.collections for line in lines.get_segments()]
    drawn = [np.reshape(segment, (-1, 2))[:, 1].tolist() for segment in segments]
    assert [0.91, 0.97] in drawn
    assert [0.94, 0.96] in drawn
    assert numbers.loc[0, ["auc_ci95_low", "auc_ci95_high", "auc_seeds_low"]].tolist() == [
        0.91,
        0.97,
        0.94,
    ]


def test_pool_chart_marks_the_control_apart():
    rows = [row(removed=f"{s}%", auc=1 - s / 200) for s in (0, 50, 100)]
    rows.append(row(removed="as many others", auc=0.99))
    figure, numbers = plots.pool_chart(rows)
    assert {(0, 1), (50, 0.75), (100, 0.5), (plots.BESIDE, 0.99)} <= shown(figure.axes[0])
    assert len(numbers) == 4


def test_gain_chart():
    aucs = {
        f"auc_{key}{end}": value
        for key in ("clip_score", "ssim", "fsim")
        for end, value in (("", 0.7), ("_ci95", [0.6, 0.8]))
    }
    rows = [row(pairs=p, gain=g, gain_ci95=[g - 0.1, g + 0.1], **aucs) for p, g in (("a", 0.3),)]
    figure, numbers = plots.gain_chart(rows)
    assert (0, 0.3) in shown(figure.axes[1])
    assert numbers.gain.tolist() == [0.3]


@pytest.mark.parametrize("objects", [[], [row(group="1", metric="clip_score")]])
def test_training_data_with_and_without_objects(objects):
    common = {"recall": 0.4, "n_seeds": 1, "epochs": 3}
    noise = [row(share=s, n_train=80, **common) for s in (0.0, 1.0)]
    sizes = [row(share=s, n_train=int(80 * s), **common) for s in (0.5, 1.0)]
    figure, numbers = plots.training_data_chart(noise, sizes, objects)
    assert len(figure.axes) == 2 + bool(objects)
    assert {(0, 0.8), (100, 0.8), (0, 0.4)} <= shown(figure.axes[0])
    assert {(40, 0.8), (80, 0.4)} <= shown(figure.axes[1])
    assert len(numbers) == 4 + len(objects)
    caption = plots.training_caption(noise, sizes, objects)
    assert "3 epochs with all 80 images" in caption
    assert ("by the number of objects" in caption) == bool(objects)


def test_a_finding_in_words():
    outcome = {
        "experiment": "A less B", "estimate": 0.123, "ci95": [0.05, 0.2], "n_pairs": 1234,
        "n_seeds": 5, "interval": "pairs resampled", "verdict": "supported",
    }  # fmt: skip
    words = plots.sentence(outcome)
    assert words.startswith("A less B: +0.12 [+0.05, +0.20] (1,234 pairs, 5 trainings;")
    assert words.endswith("The claim is supported.")
    nothing = outcome | {"estimate": np.nan, "ci95": [np.nan, np.nan], "verdict": "undecided"}
    assert plots.sentence(nothing) == "A less B. The claim is undecided."


def test_who_leads():
    rows = [row(group="g", metric="ssim"), row(group="g", metric="fsim", auc=0.9)]
    assert plots.leader(rows, "g") == "Highest AUC on “g”: FSIM, 0.90."
