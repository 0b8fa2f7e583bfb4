"""The charts of notebook 08. Every function returns the figure and its numbers as a table."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from clipsim.evaluation import COMPARISONS, METRICS
from clipsim.figures import IDENTITY, OTHER, PAGE_IN, SIMILAR
from clipsim.studies.number_of_descriptions.description_fit import PAPER_THRESHOLD

SPACE_STYLE = {
    "joint": IDENTITY["clip_score"],
    "text": {"color": "#8a3b8f", "linestyle": "--", "marker": "v"},
}
COSINE_STYLE = {"color": "#029e73", "linestyle": "--", "marker": "P"}
NAMES = {
    "auc": "AUC",
    "spearman": "Spearman's ρ",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
}


def n_sweep(table, criterion, cosine):
    """AUC, ρ and accuracy against N, in both vector spaces, beside the image cosine.

    Parameters
    ----------
    table : pandas.DataFrame
        From `settings_table`, kernels "eq4 joint" and "eq4 text"; the first seed has intervals.
    criterion : {"accuracy", "balanced_accuracy"}
    cosine : dict
        `statistics_row` of the image cosine of the first seed's model.
    """
    figure, axes = plt.subplots(1, 3, figsize=(PAGE_IN, 2.7))
    for axis, statistic in zip(axes, ("auc", "spearman", criterion), strict=True):
        for space, style in SPACE_STYLE.items():
            part = table[table.kernel == f"eq4 {space}"]
            _with_band(axis, part, statistic, style, f"Eq. 4, {space} vectors")
        axis.axhline(cosine[statistic], label="image cosine", **_line("image_cosine"))
        axis.set(xscale="log", xlabel="N", title=NAMES[statistic])
        _plain_log(axis, table.setting)
    _legend_below(figure, axes[0], 3)
    row = {"kernel": "image cosine", "seed": table.seed.iloc[0]} | cosine
    return figure, pd.concat([table, pd.DataFrame([row])], ignore_index=True)


def normalisation_at_fixed_threshold(table, criterion, space):
    """Both normalisations at the paper's threshold, and their typical scores beside the paper's.

    Parameters
    ----------
    table : pandas.DataFrame
        From `clipsim.studies.number_of_descriptions.description_fit.fixed_threshold_table`.
    criterion : {"accuracy", "balanced_accuracy"}
    space : {"joint", "text"}
        Of the typical scores.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE_IN, 2.9))
    lines = {"mean": "-", "paper": ":"}
    labels = {"mean": "mean, 1/N²", "paper": "as printed, 1/N"}
    for (of_space, name), part in table.groupby(["space", "normalisation"], sort=False):
        style = SPACE_STYLE[of_space] | {"linestyle": lines[name], "markevery": 3}
        if of_space == space:
            band = [part[f"{criterion}_{end}"] for end in ("low", "high")]
            left.fill_between(part.n, *band, color=style["color"], alpha=0.15, linewidth=0)
            for pairs, colour in (("alike", SIMILAR), ("different", OTHER)):
                label = f"{pairs}, {labels[name]}"
                right.plot(part.n, part[pairs], color=colour, linestyle=lines[name], label=label)
        left.plot(part.n, part[criterion], label=f"{of_space}, {labels[name]}", **style)
    if criterion == "accuracy":  # the paper prints no balanced accuracy
        paper = next(m.paper_accuracy for m in METRICS if m.key == "clip_score")
        left.axhline(paper, color="#888888", linewidth=0.8, label="accuracy in the paper")
    for number, comparison in enumerate(COMPARISONS):
        colour = SIMILAR if comparison.similar else OTHER
        label = None if number else "the paper's figures"
        # Across all N, as nobody knows the paper's.
        right.axhline(comparison.paper["clip_score"], color=colour, linewidth=0.7, label=label)
    line = {"color": "#222222", "linestyle": "--", "linewidth": 0.7}
    right.axhline(PAPER_THRESHOLD, label="the paper's threshold", **line)
    right.set(ylim=(-0.05, 2 * PAPER_THRESHOLD + 0.5), title=f"Typical scores ({space})")
    right.set(ylabel="median score", xlabel="N", xscale="log")
    left.set(title=f"At threshold {PAPER_THRESHOLD}", xlabel="N", xscale="log")
    left.set(ylabel=NAMES[criterion])
    for axis in (left, right):
        _plain_log(axis, table.n)
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=2, fontsize=7)
    return figure, table


def self_score(selves, table, space, cosine):
    """Scores of images with themselves against N; and Eq. 4 divided by them, as a score.

    Parameters
    ----------
    selves : pandas.DataFrame
        From `clipsim.studies.number_of_descriptions.description_tables.self_score_table`.
    table : pandas.DataFrame
        From `settings_table`, kernels "eq4 …" and "cosine …" of the space; first seed.
    space : {"joint", "text"}
    cosine : dict
        `statistics_row` of the image cosine.
    """
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(PAGE_IN, 2.7))
    for name, part in selves.groupby("space", sort=False):
        style = SPACE_STYLE[name]
        left.fill_between(part.n, part.low, part.high, color=style["color"], alpha=0.15, lw=0)
        left.plot(part.n, part["median"], label=f"{name} vectors", **style)
    left.set(xscale="log", ylim=(0, 1.03), xlabel="N", title="Score with itself")
    left.legend(loc="lower left")
    for axis, statistic in ((middle, "auc"), (right, "spearman")):
        for kernel, style, label in (
            (f"eq4 {space}", SPACE_STYLE[space], f"Eq. 4 ({space})"),
            (f"cosine {space}", COSINE_STYLE, "cosine of the sums"),
        ):
            _with_band(axis, table[table.kernel == kernel], statistic, style, label)
        axis.axhline(cosine[statistic], label="image cosine", **_line("image_cosine"))
        axis.set(xscale="log", xlabel="N", title=NAMES[statistic])
    for axis in (left, middle, right):
        _plain_log(axis, selves.n)
    _legend_below(figure, middle, 3)
    return figure, pd.concat(
        [table, selves.assign(kernel="self").rename(columns={"n": "setting"})], ignore_index=True
    )


def weighting(table, chosen, space):
    """AUC of the softmax weighting against its temperature, beside the hard top N.

    Parameters
    ----------
    table : pandas.DataFrame
        From `settings_table`, kernels "softmax" and "eq4 …" of the space.
    chosen : dict of str to float
        The setting that validation chose for the first seed's model, by kernel.
    space : {"joint", "text"}
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE_IN, 2.7), sharey=True)
    finite = table[(table.kernel == "softmax") & np.isfinite(table.setting)].setting
    # Equal weights, the limit of a high temperature, stand at the right end.
    end = 3 * finite.max()
    panels = ((left, "softmax", "temperature"), (right, f"eq4 {space}", "N"))
    for axis, kernel, label in panels:
        part = table[table.kernel == kernel].replace({"setting": {np.inf: end}})
        _with_band(axis, part, "auc", SPACE_STYLE[space], None)
        place = end if np.isinf(chosen[kernel]) else chosen[kernel]
        best = part[(part.setting == place) & (part.seed == part.seed.iloc[0])]
        ring = {"markersize": 10, "markerfacecolor": "none", "markeredgecolor": "#222222"}
        axis.plot(best.setting, best.auc, "o", label="chosen on validation", **ring)
        axis.set(xscale="log", xlabel=label)
    left.set(title="Softmax weights, largest N", ylabel="AUC")
    right.set(title="Equal weights, top N")
    low, middle = finite.min(), np.exp(np.log(finite).mean())
    ticks = [low, finite.iloc[np.abs(np.log(finite / middle)).argmin()], finite.max(), end]
    left.set_xticks(ticks, [f"{t:g}" for t in ticks[:-1]] + ["equal\nweights"])
    left.minorticks_off()
    _plain_log(right, table[table.kernel == f"eq4 {space}"].setting)
    left.legend(loc="lower right")
    return figure, table.assign(
        chosen=[chosen[k] == s for k, s in zip(table.kernel, table.setting, strict=True)]
    )


def _with_band(axis, part, statistic, style, label):
    """The first seed's line with markers and band; the other seeds as thin lines."""
    for number, (_, of_seed) in enumerate(part.groupby("seed", sort=False)):
        if number:
            thin = {"color": style["color"], "linewidth": 0.5, "alpha": 0.6}
            axis.plot(of_seed.setting, of_seed[statistic], **thin)
            continue
        band = [of_seed[f"{statistic}_{end}"] for end in ("low", "high")]
        axis.fill_between(of_seed.setting, *band, color=style["color"], alpha=0.15, linewidth=0)
        axis.plot(of_seed.setting, of_seed[statistic], markersize=3, label=label, **style)


def _line(key):
    return {name: IDENTITY[key][name] for name in ("color", "linestyle")}


def _plain_log(axis, counts):
    ticks = [n for n in (1, 3, 10, 30, 100) if n <= max(counts)]
    axis.set_xticks(ticks, [str(n) for n in ticks])
    axis.minorticks_off()


def _legend_below(figure, axis, columns):
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)
