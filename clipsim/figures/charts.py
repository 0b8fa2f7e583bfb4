"""What training did, as pictures. Every function returns the figure and its numbers as a table.

The charts of the study. Every function returns the figure and its numbers as a table.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from clipsim.evaluation import METRICS
from clipsim.figures.style import COLUMN_IN, IDENTITY, OTHER, PAGE_IN, SIMILAR, marker_style


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
