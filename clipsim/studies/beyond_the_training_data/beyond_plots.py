"""Charts of notebook 10: what the score does beyond the training data."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from clipsim.evaluation import METRICS
from clipsim.figures import COLUMN_IN, IDENTITY, OTHER, PAGE_IN, marker_style

LABEL = {metric.key: metric.label for metric in METRICS}
CHANCE = {"color": "#bbbbbb", "linewidth": 0.8, "zorder": 0}
SHADE = "#555555"
BESIDE = 104  # per cent: the control, beside the last step
WIDTH = 0.5  # of a group of markers, in units of the groups' distance


def group_chart(rows, statistics):
    """Statistics of each metric in each group of pairs, one panel per statistic.

    Parameters
    ----------
    rows : list of dict
        As `generalisation.group_rows`; groups in the order of the rows.
    statistics : mapping of str to str
        Name in the rows to the axis label; fractions with chance level 0.5.
    """
    groups = list(dict.fromkeys(row["group"] for row in rows))
    counts = {row["group"]: row["n_pairs"] for row in rows}
    labels = [f"{group}\n{counts[group]:,} pairs" for group in groups]
    figure, axes = plt.subplots(
        1, len(statistics), figsize=(PAGE_IN, 2.6), sharey=True, squeeze=False
    )
    for axis, (name, label) in zip(axes.flat, statistics.items(), strict=True):
        draw_groups(axis, rows, name, groups)
        axis.axhline(0.5, **CHANCE)
        axis.set_xticks(range(len(groups)), labels)
        axis.set(ylabel=label, xlim=(-0.5, len(groups) - 0.5))
        axis.tick_params(labelleft=True)
    handles, names = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), columnspacing=1)
    return figure, flat_table(rows)


def draw_groups(axis, rows, name, groups):
    """Markers with their intervals, metrics side by side in each group."""
    shown = [metric.key for metric in METRICS if any(row["metric"] == metric.key for row in rows)]
    offsets = np.linspace(-WIDTH / 2, WIDTH / 2, len(shown)) if len(shown) > 1 else [0]
    for key, offset in zip(shown, offsets, strict=True):
        of_metric = {row["group"]: row for row in rows if row["metric"] == key}
        inside = [row for row in (of_metric.get(group) for group in groups) if row]
        places = np.array([groups.index(row["group"]) for row in inside]) + offset
        draw_intervals(axis, places, inside, name, IDENTITY[key]["color"])
        axis.plot(
            places, [row[name] for row in inside],
            linestyle="", markersize=5, label=LABEL[key], **marker_style(key),
        )  # fmt: skip


def draw_intervals(axis, places, rows, name, color):
    """Vertical lines: the interval thin, the spread over training seeds thick."""
    axis.vlines(places, *np.transpose([r[f"{name}_ci95"] for r in rows]), color=color, lw=1)
    of_seeds = [r.get(f"{name}_of_seeds", [np.nan]) for r in rows]
    spread = [[min(values), max(values)] for values in of_seeds]
    axis.vlines(places, *np.transpose(spread), color=color, lw=4, alpha=0.35)


def pool_chart(rows):
    """AUC against the share of fitting descriptions removed; the control as a hollow marker.

    Parameters
    ----------
    rows : list of dict
        As `clipsim.studies.beyond_the_training_data.pool_study.pool_rows`.
    """
    steps = [row for row in rows if row["removed"].endswith("%")]
    control = next(row for row in rows if row not in steps)
    shares = [float(row["removed"].rstrip("%")) for row in steps]
    figure, axis = plt.subplots(figsize=(COLUMN_IN, 2.6))
    color = IDENTITY["clip_score"]["color"]
    draw_intervals(axis, shares, steps, "auc", color)
    axis.plot(
        shares,
        [row["auc"] for row in steps],
        label="fitting removed",
        **marker_style("clip_score"),
    )
    draw_intervals(axis, [BESIDE], [control], "auc", SHADE)
    axis.plot(
        BESIDE, control["auc"], linestyle="", marker="o", color=SHADE, markerfacecolor="white",
        label="as many others removed",
    )  # fmt: skip
    axis.axhline(0.5, **CHANCE)
    axis.set(xlabel="fitting descriptions removed (%)", ylabel="AUC of the CLIP score")
    axis.legend(loc="lower left")
    return figure, flat_table(rows)


def gain_chart(rows):
    """AUC of the three metrics, and the gain of the CLIP score, on each set of pairs.

    Parameters
    ----------
    rows : list of dict
        As the rows of `clipsim.studies.beyond_the_training_data.training_like.gain_row`.
    """
    groups = [row["pairs"] for row in rows]
    by_metric = [
        {
            "group": row["pairs"],
            "metric": key,
            **{f"auc{end}": row[f"auc_{key}{end}"] for end in ("", "_ci95")},
        }
        | ({"auc_of_seeds": row[f"auc_{key}_of_seeds"]} if f"auc_{key}_of_seeds" in row else {})
        for row in rows
        for key in ("clip_score", "ssim", "fsim")
    ]
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE_IN, 2.8))
    draw_groups(left, by_metric, "auc", groups)
    left.axhline(0.5, **CHANCE)
    left.set(ylabel="AUC")
    places = range(len(groups))
    draw_intervals(right, places, rows, "gain", SHADE)
    right.plot(places, [row["gain"] for row in rows], linestyle="", marker="o", color=SHADE)
    right.axhspan(-0.05, 0.05, color=OTHER, alpha=0.25, linewidth=0, zorder=0)
    right.set(ylabel="AUC(CLIP score) − max(SSIM, FSIM)")
    for axis in (left, right):
        axis.set_xticks(places, [wrapped(group) for group in groups])
        axis.set_xlim(-0.5, len(groups) - 0.5)
    handles, names = left.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3)
    return figure, flat_table(rows)


def training_data_chart(noise, sizes, objects):
    """AUC and recall against noise in the captions and the number of training images; objects.

    Parameters
    ----------
    noise, sizes : list of dict
        As `clipsim.studies.beyond_the_training_data.training_variants.noise_rows` and `size_rows`.
    objects : list of dict
        As `generalisation.group_rows`, groups "1", "2", "3"; empty without scenes.
    """
    panels = 3 if objects else 2
    figure, axes = plt.subplots(1, panels, figsize=(PAGE_IN, 2.7), squeeze=False)
    share = [100 * row["share"] for row in noise]
    number = [row["n_train"] for row in sizes]
    for axis, places, rows in ((axes[0, 0], share, noise), (axes[0, 1], number, sizes)):
        draw_intervals(axis, places, rows, "auc", IDENTITY["clip_score"]["color"])
        axis.plot(
            places, [row["auc"] for row in rows], label="AUC, CLIP score",
            **marker_style("clip_score"),
        )  # fmt: skip
        axis.plot(
            places, [row["recall"] for row in rows], linestyle="--", marker="x", color=SHADE,
            label="mean recall of captions",
        )  # fmt: skip
        axis.set(ylabel="fraction", ylim=(-0.03, 1.03))
        axis.axhline(0.5, **CHANCE)
    axes[0, 0].set(xlabel="images with wrong captions (%)", title="Noise")
    axes[0, 1].set(xlabel="training images", title="Size", xscale="log")
    axes[0, 1].set_xticks(number, [f"{n:,}" for n in number], rotation=40)
    axes[0, 1].minorticks_off()
    handles, names = axes[0, 0].get_legend_handles_labels()
    if objects:
        groups = list(dict.fromkeys(row["group"] for row in objects))
        draw_groups(axes[0, 2], objects, "auc", groups)
        axes[0, 2].set_xticks(range(len(groups)), groups)
        axes[0, 2].set(xlabel="objects per scene", ylabel="AUC", title="Objects")
        axes[0, 2].axhline(0.5, **CHANCE)
        more, labels = axes[0, 2].get_legend_handles_labels()
        handles, names = handles + more, names + labels
    figure.legend(handles, names, loc="outside lower center", ncols=4, columnspacing=1)
    tables = {"noise": noise, "size": sizes, "objects": objects}
    return figure, pd.concat(
        [flat_table(rows).assign(panel=name) for name, rows in tables.items() if rows],
        ignore_index=True,
    )


def flat_table(rows):
    """Rows as a table; of an interval, and of the values of seeds, the lowest and the highest."""
    flat = []
    for row in rows:
        flat.append({})
        for name, value in row.items():
            if isinstance(value, list):
                name = name.replace("_of_seeds", "_seeds")
                flat[-1] |= {f"{name}_low": min(value), f"{name}_high": max(value)}
            else:
                flat[-1][name] = value
    return pd.DataFrame(flat)


def wrapped(label):
    """A narrow tick label: every word on a line of its own."""
    return label.replace(" ", "\n")


def sentence(outcome):
    """A finding in words, for a caption: the experiment, its number, the verdict."""
    low, high = outcome["ci95"]
    numbers = ""
    if np.isfinite([outcome["estimate"], low, high]).all():
        trainings = f"{outcome['n_seeds']} training{'s' if outcome['n_seeds'] != 1 else ''}"
        numbers = (
            f": {outcome['estimate']:+.2f} [{low:+.2f}, {high:+.2f}] ({outcome['n_pairs']:,} "
            f"pairs, {trainings}; {outcome['interval']})"
        )
    return f"{outcome['experiment']}{numbers}. The claim is {outcome['verdict']}."


def leader(rows, group):
    """Which metric has the highest AUC in a group, in words."""
    of_group = [row for row in rows if row["group"] == group]
    best = max(of_group, key=lambda row: row["auc"])
    return f"Highest AUC on “{group}”: {LABEL[best['metric']]}, {best['auc']:.2f}."


def training_caption(noise, sizes, objects):
    """What the three panels of `training_data_chart` show, from their numbers."""
    clean, floor = noise[0], noise[-1]
    words = [
        f"{clean['n_pairs']:,} test pairs; thin lines resample {clean['resampled']}, thick bars "
        f"are the spread over trainings. {clean['epochs']} epochs with all "
        f"{clean['n_train']:,} images, more with fewer, so that all see as many examples.",
        f"AUC {clean['auc']:.2f} with right captions, {floor['auc']:.2f} with none right.",
    ]
    if len(sizes) > 1:
        fewest = sizes[0]
        words.append(
            f"AUC {fewest['auc']:.2f} with {fewest['n_train']:,} images ({fewest['n_seeds']} "
            f"trainings), recall {fewest['recall']:.2f} against {sizes[-1]['recall']:.2f}."
        )
    clip = [row for row in objects if row["metric"] == "clip_score"]
    if clip:
        aucs = ", ".join(f"{row['group']}: {row['auc']:.2f}" for row in clip)
        words.append(f"AUC of the CLIP score by the number of objects {aucs}.")
    return " ".join(words)
