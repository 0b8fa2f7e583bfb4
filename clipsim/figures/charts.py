"""The charts of notebooks 02–04, and those of known intervals, which the studies share.

Every function returns the figure, its numbers as a table, and its caption, as `show` takes them.
"""

from textwrap import wrap

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from sklearn.metrics import roc_auc_score

from clipsim.evaluation import CLAIMS
from clipsim.figures.style import COLUMN_IN, IDENTITY, INK, OTHER, PAGE_IN, SIMILAR
from clipsim.metrics import METRIC_LABELS, METRICS
from clipsim.model import matched_vectors

RECALL_SHADES = {"R@1": "#9ecae1", "R@5": "#4292c6", "R@10": "#08519c"}
PAIR_COLOURS = {"similar": SIMILAR, "matching": SIMILAR, "other": OTHER}
TITLE_WIDTH = 92  # characters in 7 inches
NO_METRIC = {"color": INK, "marker": "o"}


def training_curves(history):
    """Loss and validation recall per epoch.

    Parameters
    ----------
    history : list of dict
        Of a checkpoint's record; its first entry is from before training.

    Returns
    -------
    figure : matplotlib Figure
    numbers : pandas.DataFrame
        A row per epoch, with its gradient norm, learning rate and temperature, too.
    caption : str
    """
    numbers = pd.json_normalize(history).drop(columns="images_per_s", errors="ignore")
    recall = numbers.melt("epoch", numbers.filter(like="R@").columns, value_name="recall")
    recall[["direction", "recall at"]] = recall.variable.str.split(".", expand=True)[[1, 2]]
    before, best = numbers.iloc[0], numbers.iloc[1:].nlargest(1, "mean_recall").iloc[0]
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE_IN, 2.4), width_ratios=[2, 3])
    sns.lineplot(numbers, x="epoch", y="loss", color=INK, ax=left)
    left.set(title="Contrastive loss", ylabel="mean loss (nats)")
    lines = {"hue": "recall at", "palette": RECALL_SHADES, "style": "direction"}
    sns.lineplot(recall.replace("_", " ", regex=True), x="epoch", y="recall", ax=right, **lines)
    rose = f"from {before.mean_recall:.2f} to {best.mean_recall:.2f}"
    right.set(title=f"Mean validation recall: {rose}", ylabel="recall (fraction)", ylim=(0, 1))
    sns.move_legend(right, "center left", bbox_to_anchor=(1, 0.5))
    for axis in (left, right):
        axis.axvline(best.epoch, color="#bbbbbb", linewidth=1, zorder=0)
    caption = (
        f"Mean validation recall rose from {before.mean_recall:.3f} before training to "
        f"{best.mean_recall:.3f} in epoch {best.epoch:.0f} (grey line), which is kept. Chance at "
        f"R@10 is about {10 / best['recall.n_images']:.3f} either way."
    )
    return figure, numbers, caption


def alignment(models, images):
    """Cosines of matching and of other pairs of a validation image and a caption.

    Parameters
    ----------
    models : dict of str to DualEncoder
        "before" and "after" training.
    images : CaptionedImages

    Returns
    -------
    figure : matplotlib Figure
    numbers : pandas.DataFrame
        Per training, kind of pairs and bin: the share of the pairs; and the `gap`, the mean
        cosine of the matching pairs less that of the others.
    caption : str
    """
    validation = images.subset(images.indices("val"))
    figure, axes = plt.subplots(1, 2, figsize=(PAGE_IN, 2.3), sharey=True)
    tables, gaps = [], {}
    for axis, (name, model) in zip(axes, models.items(), strict=True):
        image_vectors, text_vectors = matched_vectors(model, validation)
        cosines = image_vectors @ text_vectors.T
        own, n_others = cosines.diagonal(), cosines.size - len(cosines)
        gaps[name] = float(own.mean() - (cosines.sum() - cosines.trace()) / n_others)
        groups = {"matching": own, "other": cosines[~np.eye(len(cosines), dtype=bool)]}
        edges = np.linspace(min(cosines.min(), -0.2), cosines.max(), 51)
        table = _histogram(axis, groups, edges, legend=axis is axes[-1])
        axis.set(xlabel="cosine of image and caption", ylabel="share of pairs")
        axis.set_title(f"{name.capitalize()} training: {gaps[name]:.2f} apart")
        tables.append(table.assign(training=name, gap=gaps[name]))
    sns.move_legend(axes[-1], "upper left", bbox_to_anchor=(1, 1), title="")
    gap = " to ".join(f"{value:+.3f}" for value in gaps.values())
    caption = (
        f"{len(validation):,} validation images and a caption of each. Mean cosine of matching "
        f"minus that of other pairs: from {gap}."
    )
    return figure, pd.concat(tables, ignore_index=True), caption


def similarity_by_rank(sims):
    """Cosine of image and description against the description's rank.

    Parameters
    ----------
    sims : array of float, shape (M, N)

    Returns
    -------
    figure : matplotlib Figure
    numbers : pandas.DataFrame
        Of each rank the `median` and the middle 80 % of the images (`low`, `high`).
    caption : str
    """
    low, median, high = np.quantile(sims, [0.1, 0.5, 0.9], axis=0)
    ranks = range(1, sims.shape[1] + 1)
    numbers = pd.DataFrame({"rank": ranks, "low": low, "median": median, "high": high})
    long = pd.DataFrame(sims, columns=ranks).melt(var_name="rank", value_name="sim")
    figure, axis = plt.subplots(figsize=(COLUMN_IN, 2.4))
    sns.lineplot(
        long, x="rank", y="sim", estimator="median", errorbar=("pi", 80),
        color=IDENTITY["clip_score"]["color"], ax=axis,
    )  # fmt: skip
    axis.set(xlabel="rank of the description", ylabel="sim(image, description)")
    axis.set_title(f"Similarity falls from {median[0]:.2f} to {median[-1]:.2f}")
    caption = (
        f"Cosine of image and description by rank over {len(sims):,} images: median "
        f"{median[0]:.2f} at rank 1, {median[-1]:.2f} at rank {len(median)}; the band holds the "
        "middle 80 % of images."
    )
    return figure, numbers, caption


def score_distributions(scores, similar):
    """Each metric's scores, similar pairs against others; each metric on its own axis.

    Parameters
    ----------
    scores : mapping of str to array of float, shape (P,)
        By metric key.
    similar : array of {0, 1, -1}, shape (P,)
        Pairs that are neither are left out.

    Returns
    -------
    figure : matplotlib Figure
    numbers : pandas.DataFrame
        Per metric, kind of pairs and bin: the share of the similar, or of the other pairs.
    caption : str
    """
    shown = [metric for metric in METRICS if metric.key in scores]
    n_rows = -(-len(shown) // 3)
    figure, axes = plt.subplots(n_rows, 3, figsize=(PAGE_IN, 0.2 + 1.9 * n_rows), squeeze=False)
    for unused in axes.flat[len(shown) :]:
        unused.remove()
    tables, areas = [], {}
    for axis, metric in zip(axes.flat, shown, strict=False):
        values = np.asarray(scores[metric.key])
        labelled = values[similar >= 0]
        areas[metric.label] = roc_auc_score(similar[similar >= 0], labelled)
        groups = {"similar": values[similar == 1], "other": values[similar == 0]}
        edges = np.linspace(labelled.min(), labelled.max(), 31)
        table = _histogram(axis, groups, edges, legend=axis is axes.flat[len(shown) - 1])
        axis.set(title=metric.label, xlabel="score")
        axis.set_ylabel("share of pairs" if axis in axes[:, 0] else "")
        tables.append(table.assign(metric=metric.key))
    sns.move_legend(axis, "upper left", bbox_to_anchor=(1, 1), title="")
    best = max(areas, key=areas.get)
    figure.suptitle(
        f"{best[0].upper()}{best[1:]} sets similar pairs apart from others best", x=0.01, ha="left"
    )
    counts = f"{(similar >= 0).sum():,} labelled pairs, {(similar == 1).sum():,} similar"
    caption = f"Scores of {counts}; each metric has a scale of its own."
    return figure, pd.concat(tables, ignore_index=True), caption


def interval_points(axis, rows, value, by):
    """Draw values by group and metric: a point, its 95 % interval, a tick for each model.

    Parameters
    ----------
    axis : matplotlib Axes
        Gets the values along x, the groups down y; where these have several metrics, side by side
        with a legend.
    rows : sequence of dict
        `value`, `value`_ci95 (None where there is none) and, where several models gave it,
        `value`_of_seeds; `metric` is a key of `IDENTITY`. Rows without one are drawn in black.
    value, by : str
        Names in the rows: of the value, and of its group.
    """
    looks, points, seeds = {}, [], []
    beside = len({row[by] for row in rows}) < len(rows)  # metrics of one group
    for row in rows:
        key = row.get("metric")
        label = METRIC_LABELS.get(key, "")
        looks[label] = IDENTITY.get(key, NO_METRIC)
        named = {by: row[by], "metric": label}
        points += [named | {value: end} for end in (row[value], *(row[f"{value}_ci95"] or ()))]
        seeds += [named | {value: of_seed} for of_seed in row.get(f"{value}_of_seeds", ())]
    palette = {label: look["color"] for label, look in looks.items()}
    placed = {"x": value, "y": by, "hue": "metric", "hue_order": list(looks), "palette": palette}
    # Of the three numbers of a point the first is its value, and all span its interval.
    sns.pointplot(
        pd.DataFrame(points), ax=axis, **placed,
        estimator=lambda three: three.iloc[0], errorbar=("pi", 100), err_kws={"linewidth": 1},
        markers=[look["marker"] for look in looks.values()], markersize=4.5, linestyle="none",
        dodge=beside and 0.8 - 0.8 / len(looks), legend=beside and len(looks) > 1,
    )  # fmt: skip
    if seeds:
        sns.stripplot(
            pd.DataFrame(seeds), ax=axis, **placed, marker="|", size=6, linewidth=1, alpha=0.5,
            dodge=beside, jitter=False, legend=False,
        )  # fmt: skip
    axis.set_ylabel("")
    if axis.get_legend():
        sns.move_legend(axis, "upper left", bbox_to_anchor=(1, 1), title="")


def auc_chart(rows, findings, data):
    """The AUC of every metric in groups of pairs, and what it says of the claims.

    Parameters
    ----------
    rows : list of dict
        `group`, `metric`, `auc` as `measured` gives it, `n_pairs`, `resampled`; `source` where
        several judged the pairs.
    findings : list of dict
        Of the same experiment: the title, and the caption.
    data : str
        What the images are.

    Returns
    -------
    figure, numbers, caption
        Without rows, where the data cannot answer, no figure.
    """
    numbers, words = flat_table(rows), [finding_sentence(found) for found in findings]
    if not rows:
        return None, numbers, " ".join(words or ["These data cannot answer this."])
    labelled = []
    for row in rows:
        counted = f"{row['n_pairs']:,} {row.get('source', '')}".strip()
        labelled.append(row | {"at": f"{row['group']}\n{counted} pairs"})
    n_groups, n_metrics = len({row["at"] for row in labelled}), numbers.metric.nunique()
    figure, axis = plt.subplots(figsize=(PAGE_IN, 1 + n_groups * max(0.36, 0.14 * n_metrics)))
    interval_points(axis, labelled, "auc", "at")
    axis.axvline(0.5, color="#bbbbbb", linewidth=0.8, zorder=0)
    axis.set_xlabel(f"AUC, {data} (0.5: chance)")
    claim_title(figure, findings)
    words.append(f"Lines: 95 % intervals, {rows[0]['resampled']} resampled; ticks: single models.")
    return figure, numbers, " ".join(words)


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


def finding_sentence(found):
    """A finding in words: the experiment, its number with the interval, and what it rests on."""
    low, high = found.get("ci95", (np.nan, np.nan))  # none where a claim cannot be tested
    if not np.isfinite([low, high]).all():
        return f"{found['experiment']}."
    return (
        f"{found['experiment']}: {found['estimate']:+.2f} [{low:+.2f}, {high:+.2f}] "
        f"({found['n_pairs']:,} pairs, trainings: {found['n_seeds']}; {found['interval']})."
    )


def claim_title(figure, findings):
    """Give a figure the claims that it tests, with what the findings say of each, as its title."""
    verdicts = pd.DataFrame(findings).groupby("claim", sort=False).verdict.unique()
    lines = []
    for claim, of_claim in verdicts.items():
        words = CLAIMS[claim].text[:-1]
        lines += wrap(f"{words[0].upper()}{words[1:]}: {', '.join(of_claim)}", TITLE_WIDTH)
    figure.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=9, weight="bold")


def _histogram(axis, groups, edges, legend):
    """Draw the share of each group's values in each bin, and return the shares."""
    bins, parts = {"low": edges[:-1], "high": edges[1:]}, []
    for name, values in groups.items():
        share = np.histogram(values, edges)[0] / len(values)
        parts.append(pd.DataFrame({"pairs": name} | bins | {"share": share}))
    numbers = pd.concat(parts, ignore_index=True)
    sns.histplot(
        numbers, x="low", weights="share", hue="pairs", bins=edges.tolist(), element="step",
        palette=PAIR_COLOURS, legend=legend, ax=axis,
    )  # fmt: skip
    return numbers
