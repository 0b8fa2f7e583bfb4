"""What training did, as pictures. Every function returns the figure and its numbers as a table.

The charts of the study. Every function returns the figure and its numbers as a table.

The charts of differences between metrics, and of the spread over training seeds.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.metrics import precision_recall_curve, roc_curve

from clipsim.evaluation import METRICS, NOT_SUPPORTED, SUPPORTED, UNDECIDED, sweep
from clipsim.figures.style import COLUMN_IN, IDENTITY, OTHER, PAGE_IN, SIMILAR, marker_style
from clipsim.figures.tables import p_text


def caption_lengths(images):
    """Number of captions by their number of words."""
    words = [len(caption.split()) for group in images.captions for caption in group]
    table = pd.Series(words).value_counts().sort_index().rename_axis("words")
    table = table.rename("captions").reset_index()
    figure, axis = plt.subplots(figsize=(COLUMN_IN, 2.2))
    axis.bar(table.words, table.captions, color="#888888", width=0.8)
    axis.set(xlabel="words per caption", ylabel="captions")
    return figure, table


def similarity_by_rank(sims):
    """Cosine of image and description against its rank: median and middle 80 % of images.

    Parameters
    ----------
    sims : array of float, shape (M, N)
    """
    low, median, high = np.quantile(sims, [0.1, 0.5, 0.9], axis=0)
    ranks = np.arange(1, sims.shape[1] + 1)
    figure, axis = plt.subplots(figsize=(COLUMN_IN, 2.4))
    axis.fill_between(ranks, low, high, color=IDENTITY["clip_score"]["color"], alpha=0.2)
    axis.plot(ranks, median, **marker_style("clip_score"))
    axis.set(xlabel="rank of the description", ylabel="sim(image, description)")
    return figure, pd.DataFrame({"rank": ranks, "low": low, "median": median, "high": high})


def score_distributions(scores, similar):
    """Histogram of each metric's scores, similar pairs against others; each on its own axis.

    Heights are shares of the similar and of the other pairs, which may differ in number.

    Parameters
    ----------
    scores : mapping of str to array of float, shape (P,)
    similar : array of {0, 1}, shape (P,)
    """
    keys = [metric for metric in METRICS if metric.key in scores]
    columns = min(len(keys), 3) if len(keys) != 4 else 4
    rows = -(-len(keys) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(PAGE_IN, 1.9 * rows), squeeze=False)
    for unused in axes.flat[len(keys) :]:
        unused.remove()
    counts = []
    for axis, metric in zip(axes.flat, keys, strict=False):
        values = np.asarray(scores[metric.key])
        edges = np.linspace(values.min(), values.max(), 31)
        for name, flag, colour in (("similar", 1, SIMILAR), ("other", 0, OTHER)):
            height = np.histogram(values[similar == flag], edges)[0] / (similar == flag).sum()
            axis.stairs(height, edges, fill=True, color=colour, alpha=0.55, label=name)
            axis.stairs(height, edges, color=colour, linewidth=1)
            low, high = edges[:-1], edges[1:]
            counts.append(
                pd.DataFrame(
                    {
                        "metric": metric.key,
                        "pairs": name,
                        "low": low,
                        "high": high,
                        "share": height,
                    }
                )
            )
        axis.set_title(metric.label)
        axis.set(xlabel="score", ylabel="share of pairs" if axis in axes[:, 0] else "")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure, pd.concat(counts, ignore_index=True)


def threshold_sweeps(scores, similar, chosen, criterion):
    """Accuracy against the threshold, one panel per metric, with chosen and paper's thresholds.

    Parameters
    ----------
    scores : mapping of str to array of float, shape (P,)
    similar : array of {0, 1}, shape (P,)
    chosen : mapping of str to float
        The held-out threshold of each metric.
    criterion : {"accuracy", "balanced_accuracy"}
    """
    keys = [metric for metric in METRICS if metric.key in scores]
    columns = min(len(keys), 3) if len(keys) != 4 else 4
    rows = -(-len(keys) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(PAGE_IN, 2.0 * rows), sharey=True, squeeze=False
    )
    for unused in axes.flat[len(keys) :]:
        unused.remove()
    tables = []
    for axis, metric in zip(axes.flat, keys, strict=False):
        values = np.asarray(scores[metric.key])
        marks = [mark for mark in (metric.paper_threshold, chosen[metric.key]) if mark is not None]
        low, high = min([values.min(), *marks]), max([values.max(), *marks])
        table = sweep(values, similar, np.linspace(low, high, 201))
        identity = IDENTITY[metric.key]
        line = {name: identity[name] for name in ("color", "linestyle")}
        axis.plot(table.threshold, table[criterion], **line)
        axis.axvline(chosen[metric.key], color=identity["color"], linewidth=0.8)
        if metric.paper_threshold is not None:
            axis.axvline(metric.paper_threshold, color="#888888", linestyle=":", linewidth=1)
            axis.plot(metric.paper_threshold, metric.paper_accuracy, "x", color="#888888")
        axis.set_title(metric.label)
        axis.set(xlabel="threshold", ylim=(0.35, 1.0))
        tables.append(table.assign(metric=metric.key))
    for axis in axes[:, 0]:
        axis.set_ylabel(criterion.replace("_", " "))
    return figure, pd.concat(tables, ignore_index=True)


def roc_curves(scores, similar):
    """ROC curves of all metrics on one (unit-free) pair of axes."""
    figure, axis = plt.subplots(figsize=(COLUMN_IN, COLUMN_IN))
    axis.plot([0, 1], [0, 1], color="#cccccc", linewidth=0.8)
    tables = []
    for metric in METRICS:
        if metric.key not in scores:
            continue
        false_rate, true_rate, _ = roc_curve(similar, scores[metric.key])
        identity = IDENTITY[metric.key]
        axis.plot(
            false_rate,
            true_rate,
            linestyle=identity["linestyle"],
            markevery=0.15,
            label=metric.label,
            **marker_style(metric.key),
        )
        tables.append(
            pd.DataFrame({"metric": metric.key, "false_rate": false_rate, "true_rate": true_rate})
        )
    axis.set(xlabel="others called similar", ylabel="similar called similar", aspect="equal")
    axis.legend(loc="lower right")
    return figure, pd.concat(tables, ignore_index=True)


def precision_recall_curves(scores, similar):
    """Precision against recall of all metrics; the grey line is the share of similar pairs."""
    figure, axis = plt.subplots(figsize=(COLUMN_IN, COLUMN_IN))
    axis.axhline(np.mean(similar), color="#cccccc", linewidth=0.8)
    tables = []
    for metric in (metric for metric in METRICS if metric.key in scores):
        precision, recall, _ = precision_recall_curve(similar, scores[metric.key])
        # The last point, no pair called similar, has a precision by convention only.
        precision, recall = precision[:-1], recall[:-1]
        axis.plot(
            recall,
            precision,
            linestyle=IDENTITY[metric.key]["linestyle"],
            markevery=0.15,
            label=metric.label,
            **marker_style(metric.key),
        )
        tables.append(
            pd.DataFrame({"metric": metric.key, "recall": recall, "precision": precision})
        )
    axis.set(
        xlabel="recall: similar called similar", ylabel="precision: called similar that are",
        xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal",
    )  # fmt: skip
    figure.legend(loc="outside lower center", ncols=2)
    return figure, pd.concat(tables, ignore_index=True)


def accuracy_chart(rows, criterion):
    """Accuracy with its interval, and the paper's, per metric: Table 1 as a picture.

    Parameters
    ----------
    rows : list of dict
        Table 1's rows of one source with `threshold_from` "validation".
    criterion : {"accuracy", "balanced_accuracy"}
    """
    figure, axis = plt.subplots(figsize=(PAGE_IN, 0.6 + 0.32 * len(rows)))
    by_name = {(metric.name, metric.variant): metric for metric in METRICS}
    for height, row in enumerate(reversed(rows)):
        metric = by_name[row["metric"], row["variant"]]
        low, high = row[f"{criterion}_ci95"]
        axis.plot([low, high], [height, height], color=IDENTITY[metric.key]["color"])
        axis.plot(row[criterion], height, markersize=6, **marker_style(metric.key))
        axis.text(1.015, height, f"{row[criterion]:.2f}", va="center", ha="right")
        if metric.paper_accuracy is not None:
            axis.plot(metric.paper_accuracy, height, "x", color="#888888", markersize=6)
    labels = [by_name[row["metric"], row["variant"]].label for row in reversed(rows)]
    axis.set_yticks(range(len(rows)), labels)
    axis.axvline(0.5, color="#cccccc", linewidth=0.8)
    name = criterion.replace("_", " ")
    axis.set(xlabel=f"{name} (fraction)   × accuracy in the paper", xlim=(0.35, 1.02))
    axis.set_ylim(-0.6, len(rows) - 0.4)
    return figure, pd.DataFrame(rows).drop(columns="threshold_range")


def accuracy_by_kind_chart(by_kind):
    """Accuracy of each metric in each kind of pair: the cells of the 2×2."""
    kinds = list(by_kind)
    figure, axis = plt.subplots(figsize=(PAGE_IN, 2.4))
    shown = [metric for metric in METRICS if metric.key in by_kind[kinds[0]]]
    for offset, metric in zip(np.linspace(-0.3, 0.3, len(shown)), shown, strict=True):
        values = [by_kind[kind][metric.key] for kind in kinds]
        places = np.arange(len(kinds)) + offset
        axis.vlines(places, 0, values, color=IDENTITY[metric.key]["color"], linewidth=1)
        axis.plot(
            places, values, linestyle="", markersize=6, label=metric.label,
            **marker_style(metric.key),
        )  # fmt: skip
    axis.set_xticks(range(len(kinds)), [kind.replace(", ", ",\n") for kind in kinds])
    axis.set(ylabel="accuracy (fraction)", ylim=(0, 1.05))
    axis.axhline(0.5, color="#bbbbbb", linewidth=0.8)
    figure.legend(loc="outside lower center", ncols=len(shown))
    return figure, pd.DataFrame(by_kind).T.rename_axis("kind").reset_index()


def differences_chart(rows, criterion):
    """The CLIP score's lead over every other metric, with intervals: a forest of differences.

    Parameters
    ----------
    rows : list of dict
        Of one source, from `clipsim.evaluation.differences.metric_differences`.
    criterion : {"accuracy", "balanced_accuracy"}
    """
    by_name = {(metric.name, metric.variant): metric for metric in METRICS}
    shown = [by_name[row["baseline"], row["baseline_variant"]] for row in rows]
    figure, axes = plt.subplots(
        1, 2, figsize=(PAGE_IN, 0.75 + 0.3 * len(rows)), sharey=True, sharex=True
    )
    for axis, name in zip(axes, (criterion, "auc"), strict=True):
        axis.axvline(0, color="#777777", linewidth=0.8)
        for height, (row, metric) in enumerate(zip(reversed(rows), reversed(shown), strict=True)):
            interval = row[f"difference_{name}_ci95"]
            axis.plot(interval, [height, height], color=IDENTITY[metric.key]["color"])
            axis.plot(row[f"difference_{name}"], height, markersize=6, **marker_style(metric.key))
        words = "AUC" if name == "auc" else name.replace("_", " ")
        axis.set_title(f"Difference in {words}")
        axis.set_xlabel("CLIP score less the other (fraction)")
    axes[0].set_yticks(range(len(rows)), [f"over {metric.label}" for metric in reversed(shown)])
    axes[0].set_ylim(-0.6, len(rows) - 0.4)
    _p_values(axes[0], rows)
    return figure, pd.DataFrame(rows)


def seed_spread_chart(rows, statistics):
    """Each seed's value, and beside it the bootstrap's spread of the profile's own model.

    Parameters
    ----------
    rows : list of dict
        Of one source, from `clipsim.evaluation.table_1.seed_spread`.
    statistics : sequence of str
        Those to show, a panel each.
    """
    labels = {metric.key: metric.label for metric in METRICS}
    keys = list(dict.fromkeys(row["metric"] for row in rows))
    figure, axes = plt.subplots(1, len(statistics), figsize=(PAGE_IN, 1.7), sharey=True)
    for axis, statistic in zip(np.atleast_1d(axes), statistics, strict=True):
        of_metric = {row["metric"]: row for row in rows if row["statistic"] == statistic}
        for height, key in enumerate(reversed(keys)):
            row = of_metric[key]
            own, reach = row["values"][0], 1.96 * row["bootstrap_sd"]
            colour = IDENTITY[key]["color"]
            axis.plot([own - reach, own + reach], [height - 0.22] * 2, color=colour)
            axis.plot(own, height - 0.22, "|", color=colour, markersize=7)
            places = np.full(len(row["values"]), height + 0.12)
            axis.plot(
                row["values"], places, linestyle="", markersize=5, alpha=0.7, **marker_style(key)
            )
        axis.set_title("AUC" if statistic == "auc" else statistic.replace("_", " ").capitalize())
        axis.set_xlabel("fraction")
    axis.set_yticks(range(len(keys)), [labels[key] for key in reversed(keys)])
    axis.set_ylim(-0.6, len(keys) - 0.4)
    return figure, pd.DataFrame(rows).explode(["seeds", "values"], ignore_index=True)


def _p_values(axis, rows):
    """Holm's p-values at the right edge of a panel."""
    for height, row in enumerate(reversed(rows)):
        text = p_text(row["p_holm"])
        axis.annotate(
            f"Holm p {text}" if text.startswith("<") else f"Holm p = {text}", (1, height),
            xycoords=("axes fraction", "data"), xytext=(-2, 6), textcoords="offset points",
            ha="right", va="center", fontsize=6.5, color="#444444",
        )  # fmt: skip


INK = "#222222"
IMAGES, TEXTS = "#0173b2", "#de8f05"


def training_curves(history):
    """Loss, gradient, rate, temperature and validation recall per epoch.

    Parameters
    ----------
    history : list of dict
        Of a checkpoint's record.
    """
    plain = ("epoch", "loss", "gradient_norm", "learning_rate", "temperature")
    table = pd.DataFrame(
        {
            **{name: record[name] for name in plain},
            **{f"image_to_text {k}": v for k, v in record["recall"]["image_to_text"].items()},
            **{f"text_to_image {k}": v for k, v in record["recall"]["text_to_image"].items()},
            "mean_recall": record["mean_recall"],
        }
        for record in history
    )
    best = table.epoch[table.mean_recall.where(table.epoch > 0).idxmax()]
    panels = [
        ("loss", "mean loss (nats)", "Contrastive loss"),
        ("gradient_norm", "mean norm", "Gradient"),
        ("learning_rate", "rate at the epoch's end", "Learning rate"),
        ("temperature", "temperature", "Temperature"),
    ]
    figure, axes = plt.subplots(2, 3, figsize=(PAGE_IN, 4.0))
    for axis, (name, label, title) in zip(axes.flat, panels, strict=False):
        axis.plot(table.epoch, table[name], color=INK)
        axis.set(ylabel=label, title=title)
    recall, legend = axes.flat[-2:]
    for direction, line in (("image_to_text", "-"), ("text_to_image", "--")):
        for k, shade in ((1, "#9ecae1"), (5, "#4292c6"), (10, "#08519c")):
            label = f"{'I→T' if direction == 'image_to_text' else 'T→I'} R@{k}"
            recall.plot(table.epoch, table[f"{direction} R@{k}"], line, color=shade, label=label)
    recall.set(ylabel="recall (fraction)", title="Validation recall", ylim=(0, 1))
    for axis in axes.flat[:-1]:
        axis.axvline(best, color="#bbbbbb", linewidth=1, zorder=0)
    for axis in (*axes[1, :2], axes[0, 2]):
        axis.set_xlabel("epoch")
    legend.set_axis_off()
    legend.legend(*recall.get_legend_handles_labels(), loc="center", title="Validation recall")
    return figure, table


def training_speed(history):
    """Images per second in each epoch. For the reader alone: no run repeats it."""
    table = pd.DataFrame(history)[["epoch", "images_per_s"]].dropna()
    figure, axis = plt.subplots(figsize=(COLUMN_IN, 1.8))
    axis.plot(table.epoch, table.images_per_s, color=INK)
    axis.set(xlabel="epoch", ylabel="images / s", ylim=(0, None))
    return figure, table


def alignment(before, after):
    """Cosines of matching and of other pairs of image and caption, before and after training.

    Parameters
    ----------
    before, after : pair of array of float32, shape (M, d)
        Vectors of images and of one caption of each, in the same order.
    """
    figure, axes = plt.subplots(1, 2, figsize=(PAGE_IN, 2.3), sharey=True)
    rows = []
    for axis, (name, vectors) in zip(
        axes, {"before": before, "after": after}.items(), strict=True
    ):
        cosines = vectors[0] @ vectors[1].T
        matching = np.diag(cosines)
        other = cosines[~np.eye(len(cosines), dtype=bool)]
        edges = np.linspace(min(cosines.min(), -0.2), cosines.max(), 51)
        for values, label, colour in ((matching, "matching", SIMILAR), (other, "other", OTHER)):
            share = np.histogram(values, edges)[0] / len(values)
            axis.stairs(share, edges, fill=True, color=colour, alpha=0.55, label=label)
            axis.stairs(share, edges, color=colour, linewidth=1)
            bins = {"low": edges[:-1], "high": edges[1:], "share": share}
            rows.append(pd.DataFrame({"training": name, "pairs": label, **bins}))
        axis.set(title=f"{name.capitalize()} training", xlabel="cosine of image and caption")
    axes[0].set_ylabel("share of pairs")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure, pd.concat(rows, ignore_index=True)


def both_modalities(before, after):
    """Images and captions in the plane of the two largest principal components of both together.

    Parameters
    ----------
    before, after : pair of array of float32, shape (M, d)
        As `alignment`. Each panel has its own plane; lines join an image and its caption.
    """
    figure, axes = plt.subplots(1, 2, figsize=(PAGE_IN, 3.3))
    rows = []
    for axis, (name, vectors) in zip(
        axes, {"before": before, "after": after}.items(), strict=True
    ):
        fitted = PCA(2, random_state=0).fit(np.concatenate(vectors))
        images, texts = (fitted.transform(part) for part in vectors)
        axis.plot(*np.stack([images, texts]).transpose(2, 0, 1), color="#dddddd", linewidth=0.4)
        for points, label, colour, marker in (
            (images, "images", IMAGES, "o"),
            (texts, "captions", TEXTS, "^"),
        ):
            axis.plot(*points.T, marker, color=colour, markersize=2.5, label=label)
            columns = {"x": points[:, 0], "y": points[:, 1]}
            rows.append(pd.DataFrame({"training": name, "modality": label, **columns}))
        share = fitted.explained_variance_ratio_.sum()
        axis.set(title=f"{name.capitalize()} training ({share:.0%} of the variance)")
        axis.set(xlabel="first component", ylabel="second component")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure, pd.concat(rows, ignore_index=True)


def recipe_chart(summary, rows):
    """Validation recall of each recipe: every seed as a dot, their mean as a line.

    Parameters
    ----------
    summary, rows : pandas.DataFrame
        From `recipe_summary` and `recipe_study`.
    """
    sizes = sorted(summary.n_train.unique(), reverse=True)
    counts = [int((summary.n_train == size).sum()) for size in sizes]
    figure, axes = plt.subplots(
        len(sizes), 1, figsize=(PAGE_IN, 0.9 + 0.28 * sum(counts)), squeeze=False,
        gridspec_kw={"height_ratios": counts},
    )  # fmt: skip
    for axis, size in zip(axes[:, 0], sizes, strict=True):
        shown = summary[summary.n_train == size].iloc[::-1].reset_index(drop=True)
        for height, recipe in enumerate(shown.itertuples()):
            own = rows[(rows.n_train == size) & (rows.recipe == recipe.recipe)]
            axis.vlines(recipe.mean, height - 0.32, height + 0.32, color=INK, linewidth=1.2)
            axis.plot(own.mean_recall, np.full(len(own), height), "o", color=IMAGES, alpha=0.6)
            axis.plot(recipe.untrained, height, "|", color="#999999")
        axis.set_yticks(range(len(shown)), shown.recipe)
        axis.set(xlim=(0, None), ylim=(-0.6, len(shown) - 0.4))
        axis.set_title(f"{size:,} training images")
    axes[-1, 0].set_xlabel("mean validation recall (fraction); |: before training")
    return figure, summary


LOOK = {SUPPORTED: (SIMILAR, "o"), NOT_SUPPORTED: ("#d55e00", "X"), UNDECIDED: (OTHER, "D")}


def verdict_chart(findings):
    """Every finding's estimate and interval, against the values for which its claim holds.

    The shaded stretch of a line is the claim's region; colour and marker give the verdict.

    Parameters
    ----------
    findings : pandas.DataFrame
        From `gathered_findings`.
    """
    tested = findings.dropna(subset="estimate").iloc[::-1].reset_index(drop=True)
    ends = np.array([*tested.ci95, *tested.estimate.map(lambda value: [value, value])])
    left, right = np.nanmin(ends) - 0.05, np.nanmax(ends) + 0.05
    figure, axis = plt.subplots(figsize=(PAGE_IN, 0.8 + 0.22 * len(tested)))
    for height, row in tested.iterrows():
        low, high = row.region
        low, high = left if low is None else low, right if high is None else high
        axis.barh(height, high - low, 0.8, left=low, color="#e0eae0", zorder=0)
        axis.vlines(row.region[0] or 0, height - 0.4, height + 0.4, color="#bbbbbb", linewidth=0.8)
        colour, marker = LOOK[row.verdict]
        axis.plot(row.ci95, [height, height], color=colour)
        axis.plot(row.estimate, height, marker, color=colour, markersize=5)
    for name, (colour, marker) in LOOK.items():
        axis.plot([], [], marker, color=colour, label=name)
    # From the bottom up: a claim's name stands beside the first of its findings.
    named = tested.claim.where(tested.claim != tested.claim.shift(-1), "")
    axis.set_yticks(range(len(tested)), named.str.replace("_", " "), fontsize=7)
    axis.set(xlim=(left, right), ylim=(-0.6, len(tested) - 0.4))
    axis.set_xlabel("estimate with its 95 % interval; shaded: where the claim holds")
    figure.legend(loc="outside lower center", ncols=3)
    columns = ["claim", "experiment", "estimate", "n_pairs", "n_seeds", "verdict", "notebook"]
    numbers = tested[columns].iloc[::-1].reset_index(drop=True)
    low, high = np.array(tested.ci95.tolist()).T
    return figure, numbers.assign(low=low[::-1], high=high[::-1])
