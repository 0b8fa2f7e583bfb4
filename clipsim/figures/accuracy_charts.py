"""The charts of notebook 05: Table 1, the CLIP score's lead, the seeds, thresholds and curves.

Every function returns the figure, its numbers as a table, and its caption. Where several sources
judged the pairs, they stand side by side.
"""

from functools import partial
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from sklearn.metrics import PrecisionRecallDisplay, RocCurveDisplay

from clipsim.evaluation import METRICS, sweep
from clipsim.figures.charts import interval_points
from clipsim.figures.style import IDENTITY, PAGE_IN, marker_style
from clipsim.figures.tables import (
    CAPTION_JUDGED,
    SOURCES,
    compared_metric,
    in_words,
    seed_sentence,
)
from clipsim.metrics import METRIC_LABELS

GREY, LIGHT = "#888888", "#cccccc"


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
    rows, spread = [r for r in rows if r["threshold_from"] != "paper"], _by_source(spread)
    figure, panels = _panels(rows, [criterion], 0.75 + 0.3 * len(METRICS))
    best, said = {}, []
    for axis, source, _, shown in panels:
        _draw_intervals(axis, shown, criterion)
        for place, row in enumerate(shown):
            beside = {"transform": axis.get_yaxis_transform(), "va": "center"}
            axis.text(1.01, place, f"{row[criterion]:.2f}", **beside)
        papers = [np.nan if m.paper_accuracy is None else m.paper_accuracy for m in METRICS]
        axis.plot(papers, [metric.label for metric in METRICS], "x", color=GREY, markersize=6)
        axis.axvline(0.5, color=LIGHT, linewidth=0.8)
        axis.set(xlabel=f"{in_words(criterion)} (fraction)", xlim=(0.35, 1.0))
        top = max(shown, key=lambda row: row[criterion])
        best[source] = f"{compared_metric(top).label} {top[criterion]:.2f}"
        judges = f"{SOURCES[source].capitalize()}: " if source else ""
        of_seeds = seed_sentence(spread[source], criterion)
        said.append(f"{judges}{top['n_pairs']:,} pairs. {of_seeds}")
    _title(figure, f"Highest {in_words(criterion)}: {_each(best)}")
    lines = f"Lines: 95 % intervals, {rows[0]['resampled']} resampled; ticks: training seeds"
    judged = f" {CAPTION_JUDGED[0].upper()}{CAPTION_JUDGED[1:]}." if len(said) > 1 else ""
    caption = " ".join([f"{lines}; ×: the paper's accuracy, on pairs of its own.", *said]) + judged
    return figure, pd.DataFrame(rows).drop(columns="threshold_range"), caption


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
    shown = [row for row in agreement if row["statistic"] != "balanced_accuracy"]
    for row in rows:
        held_out = row.get("source") == "expert" and row["threshold_from"] != "paper"
        if held_out and row["metric"] in ("clip_score", "image_cosine"):
            value = {"value": row["auc"], "ci95": row["auc_ci95"], "n_rows": row["n_pairs"]}
            judge = {"judge": METRIC_LABELS[row["metric"]], "metric": row["metric"]}
            shown.append(judge | {"source": "expert", "statistic": "auc"} | value)
    table = pd.DataFrame(shown)
    panels = [("auc", "AUC, experts"), ("tau_c", "τ_c, experts"), ("tau_b", "τ_b, crowd")]
    figure, axes = plt.subplots(1, len(panels), figsize=(PAGE_IN, 2.2))
    for axis, (statistic, label) in zip(axes, panels, strict=True):
        own = table[table.statistic == statistic].sort_values("value", ascending=False)
        own = own.assign(judge=own.judge.map(partial(fill, width=16)), value_ci95=own.ci95)
        interval_points(axis, own.to_dict("records"), "value", "judge")
        for place, value in enumerate(own.value):
            axis.text(value, place - 0.18, f"{value:.3f}", ha="center", fontsize=7)
        axis.set_xlabel(label)
        axis.margins(x=0.25)
    best = table[table.statistic == "auc"].set_index("judge").value
    person, score = best["one expert"], best["CLIP score"]
    _title(figure, f"One expert: AUC {person:.3f}; the CLIP score: {score:.3f}")
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
    figure, axis = plt.subplots(figsize=(PAGE_IN, 0.8 + 0.3 * len(shown)))
    colours = {"vmin": 0, "vmax": 1, "cmap": "vlag_r", "cbar": False}
    sns.heatmap(shown, annot=True, fmt=".2f", linewidths=1, ax=axis, **colours)
    kind, label = shown.stack().idxmin()
    _title(figure, f"Lowest accuracy: {label} on “{kind}”")
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
    figure, panels = _panels(rows, [criterion, "auc"], 0.4 + 0.27 * len(METRICS))
    least = {}
    for axis, source, name, shown in panels:
        _draw_intervals(axis, shown, f"difference_{name}")
        axis.axvline(0, color=GREY, linewidth=0.8)
        axis.set_xlabel(f"{in_words(name)},\nCLIP score minus the other")
        last = min(shown, key=lambda row: row[f"difference_{criterion}"])
        lead = f"{last[f'difference_{criterion}']:+.2f}"
        least[source] = f"{lead} over {compared_metric(last).label}"
    _title(figure, f"The CLIP score's smallest lead: {_each(least)}")
    unit = f"95 % intervals resample {rows[0]['resampled']}, model and thresholds held fixed"
    return figure, pd.DataFrame(rows), f"{in_words(criterion).capitalize()} and AUC; {unit}."


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
    tables = []
    for one in evaluated:
        values, similar = one.scores[one.labelled], one.pairs.similar[one.labelled]
        chosen, paper = float(np.nanmedian(one.thresholds)), one.metric.paper_threshold
        ends = [*values, chosen, chosen if paper is None else paper]
        thresholds = [chosen, *np.linspace(min(ends), max(ends), 201)]
        names = {"metric": one.metric.key, "source": SOURCES.get(one.source, "")}
        tables.append(sweep(values, similar, thresholds).assign(**names))
    table = pd.concat(tables, ignore_index=True)
    style = "source" if table.source.nunique() > 1 else None
    figure, axes = plt.subplots(2, -(-len(METRICS) // 2), figsize=(PAGE_IN, 4.2), sharey=True)
    for metric, axis in zip(METRICS, axes.flat, strict=False):
        own, look = table[table.metric == metric.key], marker_style(metric.key)
        lines = {"color": look["color"], "style": style, "legend": axis is axes[0, 0] and "auto"}
        sns.lineplot(own, x="threshold", y=criterion, ax=axis, **lines)
        chosen = own.drop_duplicates("source")
        axis.plot(chosen.threshold, chosen[criterion], linestyle="", **look)
        if metric.paper_threshold is not None:
            axis.plot(metric.paper_threshold, metric.paper_accuracy, "x", color=GREY)
        axis.set(title=metric.label, ylim=(0.35, 1.0), ylabel=in_words(criterion))
    top = table.loc[table[criterion].idxmax()]
    best = f"{METRIC_LABELS[top.metric]}, {top[criterion]:.2f} at τ = {top.threshold:.2f}"
    best += f" ({top.source})" if top.source else ""
    _title(figure, f"Highest {in_words(criterion)}, with hindsight: {best}")
    return figure, table, "Markers: held-out thresholds (their median); ×: the paper's."


def roc_and_precision_recall(evaluated):
    """ROC curves, and precision against recall, of all metrics: neither needs a threshold.

    Parameters
    ----------
    evaluated : list of Evaluation
        From `clipsim.evaluation.evaluations`.

    Returns
    -------
    figure, numbers, caption
        As `accuracy_chart`.
    """
    by_source = _by_source(evaluated)
    size = (PAGE_IN, 0.4 + 3.1 * len(by_source))
    figure, axes = plt.subplots(len(by_source), 2, figsize=size, squeeze=False)
    tables, best, precision = [], {}, {}
    for (left, right), (source, shown) in zip(axes, by_source.items(), strict=True):
        for one in shown:
            data = one.pairs.similar[one.labelled], one.scores[one.labelled]
            line = IDENTITY[one.metric.key] | marker_style(one.metric.key) | {"markevery": 0.15}
            look = {"name": one.metric.label, "curve_kwargs": line, "plot_chance_level": True}
            look["chance_level_kw"] = {"color": LIGHT, "label": None}
            roc = RocCurveDisplay.from_predictions(*data, ax=left, **look)
            look["drop_intermediate"] = True  # points that no line needs
            recall = PrecisionRecallDisplay.from_predictions(*data, ax=right, **look)
            names = {"source": source, "metric": one.metric.key}
            points = {"false_rate": roc.fpr, "true_rate": roc.tpr}
            tables.append(pd.DataFrame(names | points))
            points = {"recall": recall.recall, "precision": recall.precision}
            tables.append(pd.DataFrame(names | points))
        title = SOURCES.get(source, "").capitalize()
        left.set(title=title, xlabel="others called similar", ylabel="similar called similar")
        labels = {"xlabel": "similar called similar (recall)", "ylabel": "called similar that are"}
        right.set(title=title, **labels)
        left.legend(fontsize=6)
        right.get_legend().remove()
        top = max(shown, key=lambda one: one.statistics["auc"][0])
        best[source] = f"{top.metric.label} {top.statistics['auc'][0]:.2f}"
        precision[source] = ", ".join(
            f"{one.metric.label} {one.statistics['average_precision'][0]:.2f}" for one in shown
        )
    _title(figure, f"Largest area under the ROC curve: {_each(best)}")
    caption = f"Average precision: {_each(precision)}. Grey: a score that knows nothing."
    return figure, pd.concat(tables), caption


def _panels(found, statistics, height):
    """A figure with a row of panels for each statistic and a column for each source.

    Returns it with axis, source, statistic, and what was found for the source, panel by panel.
    """
    by_source = _by_source(found)
    size = (PAGE_IN, height * len(statistics))
    figure, axes = plt.subplots(
        len(statistics), len(by_source), figsize=size, sharex="row", sharey=True, squeeze=False
    )
    panels = []
    for line, statistic in zip(axes, statistics, strict=True):
        for axis, (source, own) in zip(line, by_source.items(), strict=True):
            axis.set_title(SOURCES.get(source, "").capitalize())
            panels.append((axis, source, statistic, own))
    return figure, panels


def _by_source(found):
    """Rows, or evaluations, by who judged the pairs."""
    by_source = {}
    for one in found:
        source = one.get("source", "") if isinstance(one, dict) else one.source
        by_source.setdefault(source, []).append(one)
    return by_source


def _draw_intervals(axis, rows, name):
    """A statistic of each row's metric with its 95 % interval, from top to bottom."""
    metrics = map(compared_metric, rows)
    named = [row | {"metric": m.key, "of": m.label} for row, m in zip(rows, metrics, strict=True)]
    interval_points(axis, named, name, "of")


def _each(said):
    """What is said of each source, in a line."""
    return "; ".join(f"{text} ({SOURCES[key]})" if key else text for key, text in said.items())


def _title(figure, point):
    figure.suptitle(fill(point, 90), x=0.01, ha="left", fontsize=9, fontweight="bold")
