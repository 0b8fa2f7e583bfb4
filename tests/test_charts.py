"""The charts' numbers: against slow counts, libraries, and the rows that they were given."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from made_pairs import of_three_seeds, study

from clipsim import DualEncoder, figures
from clipsim.evaluation import score_table
from clipsim.evaluation.table_1 import seed_spread, table_1_rows
from clipsim.figures.tables import p_text


def drawn(figure):
    """Positions along x of all lines and dots of a figure."""
    lines = [line.get_xdata() for axis in figure.axes for line in axis.lines]
    dots = [dots.get_offsets()[:, 0] for axis in figure.axes for dots in axis.collections]
    return {round(float(x), 6) for values in lines + dots for x in np.ravel(values)}


def test_training_curves_say_what_training_gained():
    recall = {f"R@{k}": 0.5 for k in (1, 5, 10)}
    both = {"image_to_text": recall, "text_to_image": recall, "n_images": 50}
    history = [
        {"epoch": i, "loss": 5.0 - i, "gradient_norm": 1.0, "learning_rate": 1e-3,
         "temperature": 0.07, "mean_recall": value, "images_per_s": 9, "recall": both}
        for i, value in enumerate((0.9, 0.2, 0.5, 0.4))
    ]  # fmt: skip
    figure, numbers, _ = figures.training_curves(history)
    assert "from 0.90 before training to 0.50 in epoch 2" in figure.get_suptitle()
    assert numbers.loss.tolist() == [5.0, 4.0, 3.0, 2.0]
    assert "images_per_s" not in numbers  # no two runs are equally fast


def test_alignment_is_the_mean_cosine_of_matching_less_that_of_other_pairs(smoke, coloured):
    model = DualEncoder(smoke)
    validation = coloured.subset(coloured.indices("val"))
    texts = model.encode_texts([captions[0] for captions in validation.captions])
    cosines = model.encode_images(validation) @ texts.T
    own = np.eye(len(texts), dtype=bool)
    gap = cosines[own].mean() - cosines[~own].mean()
    _, numbers, _ = figures.alignment({"before": model, "after": model}, coloured)
    assert numbers.gap.tolist() == pytest.approx([gap] * 4, abs=1e-6)
    assert numbers["count"].tolist() == [8, 56] * 2


def test_similarity_by_rank_holds_the_middle_of_the_images():
    sims = -np.sort(-np.random.default_rng(0).random((101, 5)), axis=1)
    figure, numbers, _ = figures.similarity_by_rank(sims)
    for rank, row in enumerate(numbers.itertuples()):
        ordered = sorted(sims[:, rank])
        assert [row.low, row.median, row.high] == pytest.approx([ordered[i] for i in (10, 50, 90)])
    assert figure.axes[0].lines[0].get_ydata() == pytest.approx(numbers["median"])


def test_score_distributions_are_of_each_source_s_reported_pairs_with_a_label():
    pairs, scores, *_ = study({"clip_score": 2.0}, n=40, source=("expert", "vsts"))
    pairs = replace(pairs, similar=np.where(np.arange(len(pairs)) % 40 == 9, -1, pairs.similar))
    _, numbers, _ = figures.score_distributions(score_table(pairs, scores))
    assert len(numbers) == 2 * 2 * len(scores)
    for row in numbers.itertuples():
        inside = (pairs.source == row.source) & (pairs.split == "test")
        own = scores[row.metric][inside & (pairs.similar == (row.pairs == "similar"))]
        assert (row.count, row.mean) == (len(own), pytest.approx(own.mean()))


def test_accuracy_and_sweeps_are_table_1s_source_by_source():
    options = {"source": ("expert", "crowd"), "seeds": partial(of_three_seeds, quality=2.0)}
    *_, evaluated = study({"clip_score": 2.0}, split="cross", **options)
    every, spread = table_1_rows(evaluated), seed_spread(evaluated)
    rows = [row for row in every if row["threshold_from"] != "paper"]
    figure, numbers, _ = figures.accuracy_chart(every, spread, "accuracy")
    assert numbers.accuracy.tolist() == [row["accuracy"] for row in rows]
    for row in rows:
        assert {round(x, 6) for x in (row["accuracy"], *row["accuracy_ci95"])} <= drawn(figure)
    _, numbers, _ = figures.threshold_sweeps(evaluated, "accuracy")
    held_out = [np.nanmedian(one.thresholds) for one in evaluated]
    assert numbers.drop_duplicates(["metric", "source"]).threshold.tolist() == held_out


def test_a_studys_chart_shows_values_intervals_and_seeds():
    finding = {
        "claim": "fine_grained", "experiment": "A less B", "estimate": 0.1, "ci95": [0.05, 0.2],
        "n_pairs": 9, "n_seeds": 5, "interval": "pairs resampled", "verdict": "supported",
    }  # fmt: skip
    rows = [
        {"group": group, "metric": metric, "auc": auc, "auc_ci95": [auc - 0.07, auc + 0.03],
         "auc_of_seeds": [auc - 0.01, auc + 0.02], "n_pairs": 40, "resampled": "pairs"}
        for group, auc in (("old", 0.8), ("new", 0.7)) for metric in ("clip_score", "ssim")
    ]  # fmt: skip
    figure, numbers, _ = figures.auc_chart(rows, [finding], "scenes")
    for row in rows:
        values = (row["auc"], *row["auc_ci95"], *row["auc_of_seeds"])
        assert {round(x, 6) for x in values} <= drawn(figure)
    found = numbers.loc[0, ["auc_ci95_low", "auc_seeds_high"]].tolist()
    assert found == pytest.approx([0.73, 0.82])
    nothing = finding | {"estimate": np.nan, "ci95": [np.nan, np.nan], "verdict": "undecided"}
    assert figures.auc_chart([], [nothing], "scenes")[0] is None


def test_a_p_value_at_the_bootstrap_s_floor_is_a_bound():
    assert p_text(0.002, is_bound=True) == "< .002"
