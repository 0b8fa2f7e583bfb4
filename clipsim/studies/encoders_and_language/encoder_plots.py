"""The charts of notebook 09: structure against meaning, and what an encoder is worth."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from clipsim.figures import IDENTITY, PAGE_IN, SIMILAR, marker_style
from clipsim.studies.encoders_and_language.sentence_quadruples import SLOTS

DARK, SEED = "#222222", "#999999"
SPACES_PER_ROW = 4


def probe_chart(rows):
    """Share of quadruples where structure wins: spaces down, conditions across.

    Parameters
    ----------
    rows : list of dict
        From `clipsim.studies.encoders_and_language.language_probe.probe_rows`, of several spaces.
    """
    table = pd.DataFrame(rows)
    spaces, conditions = table.space.unique(), table.condition.unique()
    figure, axes = plt.subplots(
        1, len(conditions), figsize=(PAGE_IN, 0.9 + 0.24 * len(spaces)), sharey=True
    )
    for axis, condition in zip(axes, conditions, strict=True):
        of_condition = table[table.condition == condition].set_index("space").loc[spaces]
        for height, row in enumerate(of_condition.itertuples()):
            seeds = row.share_of_seeds if row.n_seeds > 1 else []
            axis.plot(seeds, np.full(len(seeds), height + 0.3), "|", color=SEED, markersize=5)
            axis.plot(row.share_ci95, [height, height], color=DARK, linewidth=1.2)
            axis.plot(row.share, height, "o", color=DARK, markersize=4)
        axis.axvline(0.5, color="#bbbbbb", linewidth=0.8, zorder=0)
        axis.set(xlim=(-0.04, 1.04), xticks=[0, 0.5, 1], title=condition.replace(", ", ",\n"))
    axes[0].set_yticks(range(len(spaces)), spaces)
    axes[0].invert_yaxis()
    figure.supxlabel("share of quadruples where structure wins", fontsize=9)
    return figure, table


def grades_chart(runs_by_space):
    """Cosine with the anchor as more slots are exchanged, beside that of the paraphrases.

    Every space has an axis of its own, as their cosines have scales of their own.

    Parameters
    ----------
    runs_by_space : mapping of str to list of pandas.DataFrame
        From `language_probe.cosines`; averaged over quadruples and seeds.
    """
    columns = min(SPACES_PER_ROW, len(runs_by_space))
    n_rows = -(-len(runs_by_space) // columns)
    figure, axes = plt.subplots(n_rows, columns, figsize=(PAGE_IN, 1.9 * n_rows), squeeze=False)
    lines = (("paraphrase", "--", "same words"), ("reworded", ":", "synonyms"))
    exchanged, tables = [f"exchanged_{k}" for k in range(1, len(SLOTS) + 1)], []
    for axis, (space, runs) in zip(axes.flat, runs_by_space.items(), strict=False):
        mean = pd.concat(runs).mean()
        axis.plot(
            range(len(exchanged) + 1), [1, *mean[exchanged]], "o-", color=DARK, markersize=3.5,
            label="same structure, slots exchanged",
        )  # fmt: skip
        for name, style, label in lines:
            axis.axhline(
                mean[name], linestyle=style, color=SIMILAR,
                label=f"other structure, {label}",
            )  # fmt: skip
        axis.plot(
            len(exchanged),
            mean["control"],
            "x",
            color=SEED,
            label="other structure, all exchanged",
        )
        axis.set(title=space.replace(", ", ",\n"), xticks=range(len(exchanged) + 1))
        tables.append(mean.rename("cosine").rename_axis("compared").reset_index())
        tables[-1].insert(0, "space", space)
    for axis in axes.flat[len(runs_by_space) :]:
        axis.set_axis_off()
    for axis in axes[:, 0]:
        axis.set_ylabel("cosine with the anchor")
    figure.supxlabel("slots exchanged", fontsize=9)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2)
    return figure, pd.concat(tables, ignore_index=True)


def encoder_chart(rows):
    """AUC of Eq. 4 and of the image cosine for each pair of encoders.

    Parameters
    ----------
    rows : list of dict
        `encoders`, `score` ("clip_score" or "image_cosine") and a `SampledScore.row` each.
    """
    table = pd.DataFrame(rows)
    encoders = table.encoders.unique()
    figure, axis = plt.subplots(figsize=(PAGE_IN, 0.9 + 0.38 * len(encoders)))
    labels = {"clip_score": "Eq. 4", "image_cosine": "image cosine"}
    for shift, (key, label) in zip((-0.14, 0.14), labels.items(), strict=True):
        of_score = table[table.score == key].set_index("encoders").loc[encoders]
        for height, row in enumerate(of_score.itertuples()):
            seeds = row.auc_of_seeds
            places = np.full(len(seeds), height + shift)
            axis.plot(row.auc_ci95, places[:1].repeat(2), color=IDENTITY[key]["color"])
            axis.plot(seeds, places, "|", color=DARK, markersize=7)
            axis.plot(
                row.auc, height + shift, linestyle="", markersize=5,
                label=None if height else label, **marker_style(key),
            )  # fmt: skip
    axis.axvline(0.5, color="#bbbbbb", linewidth=0.8, zorder=0)
    axis.set_yticks(range(len(encoders)), encoders)
    axis.set(xlabel="AUC   | one training seed", ylim=(len(encoders) - 0.5, -0.5))
    figure.legend(loc="outside lower center", ncols=2)
    return figure, table
