"""The charts of notebooks 02–05.

Every function returns the figure, its numbers as a table, and its caption, as `show` takes them.
Where several sources judged the pairs, they stand side by side.
"""

from functools import partial
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from sklearn.metrics import roc_auc_score

from clipsim.evaluation import METRICS, sweep
from clipsim.figures import tables
from clipsim.figures.intervals import by_source, give_title, heat_map, interval_points, panels_of
from clipsim.figures.style import COLUMN_IN, IDENTITY, INK, OTHER, PAGE_IN, SIMILAR, marker_style
from clipsim.metrics import METRIC_LABELS
from clipsim.model import matched_vectors

RECALL_SHADES = {"R@1": "#9ecae1", "R@5": "#4292c6", "R@10": "#08519c"}
PAIR_COLOURS = {"similar": SIMILAR, "matching": SIMILAR, "other": OTHER}
PERCENTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
SHAPES = "Shapes: densities of equal height; lines in them: quartiles."


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
    recall[["direction", "found"]] = recall.variable.str.split(".", expand=True)[[1, 2]]
    before, best = numbers.iloc[0], numbers.iloc[1:].nlargest(1, "mean_recall").iloc[0]
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE_IN, 2.5), width_ratios=[2, 3])
    sns.lineplot(numbers, x="epoch", y="loss", color=INK, ax=left)
    left.set(title="Contrastive loss", ylabel="mean loss (nats)")
    lines = {"hue": "found", "palette": RECALL_SHADES, "style": "direction"}
    sns.lineplot(recall.replace("_", " ", regex=True), x="epoch", y="recall", ax=right, **lines)
    right.set(title="Validation recall", ylabel="recall (fraction)", ylim=(0, 1))
    sns.move_legend(right, "center left", bbox_to_anchor=(1, 0.5))
    for axis in (left, right):
        axis.axvline(best.epoch, color="silver", linewidth=1, zorder=0)
    rise = f"from {before.mean_recall:.2f} before training to {best.mean_recall:.2f}"
    give_title(figure, f"Mean recall: {rise} in epoch {best.epoch:.0f} (grey line), which is kept")
    caption = f"Chance at R@10 is about {10 / best['recall.n_images']:.3f} either way."
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
        Per training and kind of pairs: how many there are, mean and percentiles of their cosines;
        and the `gap`, the mean of the matching pairs less that of the others.
    caption : str
    """
    validation, parts, gaps = images.subset(images.indices("val")), [], {}
    for name, model in models.items():
        image_vectors, text_vectors = matched_vectors(model, validation)
        cosines = image_vectors @ text_vectors.T
        own, n_others = np.eye(len(cosines), dtype=bool), cosines.size - len(cosines)
        gaps[name] = float(cosines[own].mean() - (cosines.sum() - cosines.trace()) / n_others)
        columns = {"training": name, "pairs": np.where(own, "matching", "other").ravel()}
        parts.append(pd.DataFrame(columns | {"cosine": cosines.ravel()}))
    table = pd.concat(parts, ignore_index=True)
    figure, axis = plt.subplots(figsize=(PAGE_IN, 2.5))
    _violins(axis, table, "cosine", "training", legend=True)
    axis.set(xlabel="cosine of a validation image and a caption", ylabel="training")
    gap = ", ".join(f"{round(value, 2) + 0:.2f} {name}" for name, value in gaps.items())  # no -0
    give_title(figure, f"A matching caption's cosine is above another one's by: {gap} training")
    numbers = table.groupby(["training", "pairs"], sort=False).cosine.describe(PERCENTILES)
    caption = f"{len(validation):,} images and a caption of each. {SHAPES}"
    numbers = numbers.reset_index()
    return figure, numbers.assign(gap=numbers.training.map(gaps)), caption


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
    label = "sim(image, description):\nmedian, middle 80 % of the images"
    axis.set(xlabel="rank of the description", ylabel=label)
    axis.set_title(f"Similarity falls from {median[0]:.2f} to {median[-1]:.2f}")
    return figure, numbers, f"{len(sims):,} images, {len(median)} descriptions of each."


def score_distributions(table):
    """Each metric's scores, similar pairs against others; each metric on its own axis.

    Parameters
    ----------
    table : pandas.DataFrame
        From `clipsim.evaluation.score_table`. Shown are the labelled pairs that are reported.

    Returns
    -------
    figure : matplotlib Figure
    numbers : pandas.DataFrame
        Per metric, source and kind of pairs: how many there are, mean and percentiles of scores.
    caption : str
    """
    table, shown = table[(table.similar >= 0) & (table.split != "val")], list(METRIC_LABELS)
    long = table.melt(["source", "similar"], shown, var_name="metric", value_name="score")
    long["pairs"] = long.similar.map({1: "similar", 0: "other"})
    sources = [source for source in tables.JUDGED if (table.source == source).any()]
    areas = {
        source: {METRIC_LABELS[key]: roc_auc_score(own.similar, own[key]) for key in shown}
        for source in sources
        for own in [table[table.source == source]]
    }
    size = (PAGE_IN, 1.9 + 0.8 * len(sources))
    figure, axes = plt.subplots(2, -(-len(shown) // 2), figsize=size, sharey=True)
    for axis, key in zip(axes.flat, shown, strict=False):
        own = long[long.metric == key].replace({"source": tables.SOURCES})
        _violins(axis, own, "score", "source", legend=key == shown[-1])
        axis.set(title=METRIC_LABELS[key], xlabel="score", ylabel="")
    give_title(figure, f"Highest AUC: {_best(areas)}")
    caption = f"{len(table):,} pairs, {(table.similar == 1).sum():,} similar. {SHAPES}"
    numbers = long.groupby(["metric", "source", "pairs"], sort=False).score.describe(PERCENTILES)
    return figure, numbers.reset_index(), caption


def _violins(axis, table, x, y, legend):
    """Densities of the similar (matching) pairs above a line, those of the others below it."""
    hue_order = [name for name in PAIR_COLOURS if (table.pairs == name).any()]
    sns.violinplot(
        table, x=x, y=y, hue="pairs", hue_order=hue_order, palette=PAIR_COLOURS, split=True,
        inner="quart", density_norm="width", cut=0, linewidth=0.7, legend=legend, ax=axis,
    )  # fmt: skip
    if legend:
        sns.move_legend(axis, "upper left", bbox_to_anchor=(1, 1), title="")


def accuracy_chart(rows, spread, criterion):
    """Table 1 as a picture: accuracy with its interval, the other seeds', and the paper's.

    Parameters
    ----------
    rows : list of dict
        From `clipsim.evaluation.table_1_rows`; those at the paper's thresholds are not shown.
    spread : list of dict
        From `clipsim.evaluation.seed_spread`.
    criterion : {"accuracy", "balanced_accuracy"}

    Returns
    -------
    figure : matplotlib Figure
    numbers : pandas.DataFrame
    caption : str
    """
    rows, spread = [r for r in rows if r["threshold_from"] != "paper"], by_source(spread)
    figure, panels = panels_of(rows, [criterion], 0.85 + 0.3 * len(METRICS))
    # From the first source's best to its worst: trained metrics, whose seeds are joined, are near.
    first = sorted(panels[0][-1], key=lambda row: -row[criterion])
    order, values, said = [tables.compared_metric(row) for row in first], {}, []
    for axis, source, _, own in panels:
        shown = sorted(own, key=lambda row: order.index(tables.compared_metric(row)))
        _draw_intervals(axis, shown, criterion)
        of_seeds = [
            (row[f"{criterion}_of_seeds"], place)
            for place, row in enumerate(shown)
            if f"{criterion}_of_seeds" in row
        ]
        axis.plot(*zip(*of_seeds, strict=True), color="grey", linewidth=0.5, zorder=0)
        papers = [np.nan if m.paper_accuracy is None else m.paper_accuracy for m in order]
        axis.plot(papers, [metric.label for metric in order], "x", color="grey")
        _write_beside(axis, [f"{row[criterion]:.2f}" for row in shown])
        axis.axvline(0.5, color="silver", linewidth=0.8)
        label = f"{tables.in_words(criterion)}\n(×: the paper's accuracy)"
        axis.set(xlabel=label, xlim=(0.35, 1.0))
        values[source] = {tables.compared_metric(row).label: row[criterion] for row in shown}
        judges = f"{tables.JUDGED[source]}: " if source else ""
        counted = f"{shown[0]['n_pairs']:,} pairs"
        said.append(f"{judges}{counted}. {tables.seed_sentence(spread[source], criterion)}")
    give_title(figure, f"Highest {tables.in_words(criterion)}: {_best(values)}")
    lines = f"Lines: 95 % intervals, {rows[0]['resampled']} resampled; ticks: training seeds"
    judged = f" {tables.CAPTION_JUDGED.capitalize()}." if len(said) > 1 else ""
    caption = f"{lines}, the two metrics of one joined; ×: on pairs of its own. {' '.join(said)}"
    return figure, pd.DataFrame(rows).drop(columns="threshold_range"), caption + judged


def people_chart(agreement, rows):
    """How good a person is, and the model and its scores beside them.

    Parameters
    ----------
    agreement : list of dict
        From `clipsim.evaluation.agreement_with_people`.
    rows : list of dict
        From `clipsim.evaluation.table_1_rows`: Eq. 4 and the image cosine, on the experts' pairs.

    Returns
    -------
    figure, numbers, caption
        As `accuracy_chart`.
    """
    own = pd.DataFrame(rows).query("source == 'expert' and threshold_from != 'paper'")
    own = own[own.metric.isin(["clip_score", "image_cosine"])].assign(
        judge=own.metric.map(METRIC_LABELS), statistic="auc", value=own.auc, ci95=own.auc_ci95,
        n_rows=own.n_pairs,
    )  # fmt: skip
    shown = pd.DataFrame(agreement).query("statistic != 'balanced_accuracy'")
    table = pd.concat([shown, own[[*shown, "metric"]]]).replace({np.nan: None})
    panels = {"auc": "AUC, experts", "tau_c": "Kendall's τ_c, experts", "tau_b": "τ_b, crowd"}
    figure, axes = plt.subplots(1, len(panels), figsize=(PAGE_IN, 2.3))
    for axis, (statistic, label) in zip(axes, panels.items(), strict=True):
        own = table[table.statistic == statistic].sort_values("value", ascending=False)
        own = own.assign(judge=own.judge.map(partial(fill, width=16)), value_ci95=own.ci95)
        interval_points(axis, own.to_dict("records"), "value", "judge")
        for place, value in enumerate(own.value):
            axis.text(value, place - 0.18, f"{value:.3f}", ha="center", fontsize=7)
        axis.set_xlabel(label)
        axis.margins(x=0.25)
    best = table[table.statistic == "auc"].set_index("judge").value
    person, score = best["one expert"], best["CLIP score"]
    more = "more" if person > score else "no more"
    words = f"One expert agrees with the others {more} than the CLIP score does"
    give_title(figure, f"{words}: AUC {person:.3f} and {score:.3f}")
    balanced = [row["value"] for row in agreement if row["statistic"] == "balanced_accuracy"]
    caption = (
        "Lines: 95 %, images resampled. One expert against the mean of the other two (balanced "
        f"accuracy {balanced[0]:.3f}); best possible: their mean (below 1 for its ties); "
        "published values are on all of the data set's test images."
    )
    return figure, table, caption


def accuracy_by_kind_chart(by_kind):
    """Accuracy of each metric in each kind of pair: the cells of the 2×2.

    Parameters
    ----------
    by_kind : dict
        From `clipsim.evaluation.accuracy_by_kind`.

    Returns
    -------
    figure, numbers, caption
        As `accuracy_chart`.
    """
    table = pd.DataFrame(by_kind).T
    shown = table.drop(columns="n_pairs").rename(columns=METRIC_LABELS)
    figure, axis = plt.subplots(figsize=(PAGE_IN, 0.9 + 0.3 * len(shown)))
    heat_map(axis, shown.rename(columns=lambda label: label.replace(" (", "\n(")))
    kind, label = shown.stack().idxmin()
    least = shown.min().idxmax()
    words = f"Worst kind of pair: {shown.min()[least]:.2f} for {least}"
    give_title(figure, f"{words}, {shown[label][kind]:.2f} for {label} ({kind})")
    caption = f"At least {table.n_pairs.min():.0f} pairs of each kind, at held-out thresholds."
    return figure, table.rename_axis("kind").reset_index(), caption


def differences_chart(rows, criterion):
    """The CLIP score's lead over every other metric, with intervals: a forest of differences.

    Parameters
    ----------
    rows : list of dict
        From `clipsim.evaluation.metric_differences`.
    criterion : {"accuracy", "balanced_accuracy"}

    Returns
    -------
    figure, numbers, caption
        As `accuracy_chart`.
    """
    figure, panels = panels_of(rows, [criterion, "auc"], 0.4 + 0.27 * len(METRICS))
    least = {}
    for axis, source, name, shown in panels:
        _draw_intervals(axis, shown, f"difference_{name}")
        axis.axvline(0, color="grey", linewidth=0.8)
        axis.set_xlabel(f"{tables.in_words(name)},\nCLIP score minus the other")
        if name == criterion:
            p_values = [tables.p_text(row["p_holm"], row["p_is_bound"]) for row in shown]
            _write_beside(axis, [f"p {'' if p[0] == '<' else '= '}{p}" for p in p_values])
            lead = {tables.compared_metric(row).label: row[f"difference_{name}"] for row in shown}
            least[source] = lead
    give_title(figure, f"Smallest lead: over {_best(least, min, '+.2f')}")
    unit = f"95 % intervals resample {rows[0]['resampled']}, model and thresholds held fixed"
    tested = f"p: {rows[0]['p_of']}, Holm's adjustment; “<” where no sample lies beyond zero"
    return figure, pd.DataFrame(rows), f"{unit}. {tested}."


def threshold_sweeps(evaluated, criterion):
    """Accuracy against the threshold, a panel per metric, with held-out and paper's thresholds.

    Parameters
    ----------
    evaluated : list of Evaluation
        From `clipsim.evaluation.evaluations`.
    criterion : {"accuracy", "balanced_accuracy"}

    Returns
    -------
    figure, numbers, caption
        As `accuracy_chart`.
    """
    parts, lost = [], {}
    for one in evaluated:
        values, similar = one.scores[one.labelled], one.pairs.similar[one.labelled]
        chosen, paper = float(np.nanmedian(one.thresholds)), one.metric.paper_threshold
        ends = [*values, chosen, chosen if paper is None else paper]
        thresholds = [chosen, *np.linspace(min(ends), max(ends), 201)]
        names = {"metric": one.metric.key, "source": tables.SOURCES[one.source]}
        parts.append(sweep(values, similar, thresholds).assign(**names))
        if one.metric.key == "clip_score":
            of_threshold = parts[-1][criterion]
            lost[one.source] = {"": of_threshold.max() - of_threshold.iloc[0]}
    table = pd.concat(parts, ignore_index=True)
    figure, axes = plt.subplots(2, -(-len(METRICS) // 2), figsize=(PAGE_IN, 4.4), sharey=True)
    for metric, axis in zip(METRICS, axes.flat, strict=False):
        own, look = table[table.metric == metric.key], marker_style(metric.key)
        is_last = axis is axes.flat[len(METRICS) - 1]
        style = {"style": "source", "legend": is_last and len(lost) > 1}
        sns.lineplot(own, x="threshold", y=criterion, color=look["color"], ax=axis, **style)
        chosen = own.drop_duplicates("source")
        axis.plot(chosen.threshold, chosen[criterion], linestyle="", **look)
        if metric.paper_threshold is not None:
            axis.plot(metric.paper_threshold, metric.paper_accuracy, "x", color="grey")
        axis.set(title=metric.label, ylim=(0.35, 1.0), ylabel=tables.in_words(criterion))
    if axis.get_legend():
        sns.move_legend(axis, "upper left", bbox_to_anchor=(1, 1), title="")
    words = "What a held-out threshold costs the CLIP score"
    give_title(figure, f"{words}: {_best(lost).strip()}")
    return figure, table, "Markers: held-out thresholds (their median); ×: the paper's."


def _draw_intervals(axis, rows, name):
    """A statistic of each row's metric with its 95 % interval, from top to bottom."""
    metrics = map(tables.compared_metric, rows)
    named = [row | {"metric": m.key, "of": m.label} for row, m in zip(rows, metrics, strict=True)]
    interval_points(axis, named, name, "of")


def _write_beside(axis, texts):
    """A text at the right of each group, from top to bottom."""
    for place, text in enumerate(texts):
        where = {"transform": axis.get_yaxis_transform(), "va": "center", "fontsize": 7}
        axis.text(1.01, place, text, **where)


def _best(values, which=max, form=".2f"):
    """Of each source the best of some labelled values, in a line; a label is said once."""
    said = {}
    for source, of in values.items():
        label = which(of, key=of.get)
        judged = f" ({tables.SOURCES[source]})" if source else ""
        said.setdefault(label, []).append(f"{of[label]:{form}}{judged}")
    return "; ".join(f"{label} {', '.join(found)}" for label, found in said.items())
