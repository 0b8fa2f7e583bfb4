"""A contact sheet of a metric's most confident errors.

Contact sheets: pictures that a reader can look at, with what the study says of them.
"""

import textwrap

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from clipsim.evaluation import ERRORS, FALSE_ALARM, METRICS
from clipsim.figures.style import IDENTITY, PAGE_IN, marker_style

FRAME = "#777777"
LISTED = 10  # descriptions that a figure has room for


def image_sheet(images, positions, columns=4):
    """Pictures with one caption each: figure and table (image id, split, captions)."""
    rows = -(-len(positions) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(PAGE_IN, 2.3 * rows), squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, position in zip(axes.flat, positions, strict=False):
        show_picture(axis, images.pixels(images.image_ids[position]))
        text_below(axis, wrapped(images.captions[position][0], 30, 3), 7)
    table = pd.DataFrame(
        {
            "image_id": [images.image_ids[i] for i in positions],
            "split": images.split[positions],
            "captions": [" | ".join(images.captions[i]) for i in positions],
        }
    )
    return figure, table


def pair_sheet(images, pairs, positions, titles, columns=2):
    """Pairs of pictures, each with a title: figure and table of the pairs."""
    rows = -(-len(positions) // columns)
    figure = plt.figure(figsize=(PAGE_IN, 2.0 * rows))
    cells = figure.subfigures(rows, columns, squeeze=False, wspace=0.04)
    for cell, position, title in zip(cells.flat, positions, titles, strict=False):
        left, right = cell.subplots(1, 2)
        show_picture(left, images.pixels(str(pairs.id_a[position])))
        show_picture(right, images.pixels(str(pairs.id_b[position])))
        left.set_title(title, fontsize=8)
    names = ("id_a", "id_b", "similar", "graded", "kind", "source")
    table = pd.DataFrame({name: getattr(pairs, name)[positions] for name in names})
    return figure, table.assign(title=titles)


def retrieval_sheet(images, ids, retrieved, sims, own, columns=3, n_shown=5):
    """Pictures with the descriptions retrieved for them.

    Parameters
    ----------
    images : CaptionedImages
    ids : sequence of str, length K
    retrieved : list of list of str
        The descriptions of each image, the most similar first.
    sims : array of float, shape (K, N)
    own : sequence of str, length K
        One of the image's own captions, for comparison.
    """
    rows = -(-len(ids) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(PAGE_IN, 3.8 * rows), squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, image_id, texts, values, caption in zip(
        axes.flat, ids, retrieved, sims, own, strict=False
    ):
        show_picture(axis, images.pixels(image_id))
        lines = [
            f"{value:.2f}  " + "\n          ".join(wrapped(text, 33, 2).split("\n")[:2])
            for text, value in zip(texts[:n_shown], values[:n_shown], strict=True)
        ]
        text_below(axis, "\n".join(lines), 6.5)
        axis.set_title(wrapped(caption, 40, 2), fontsize=7, fontweight="normal", style="italic")
    table = pd.DataFrame(
        [
            {"image_id": image_id, "rank": rank + 1, "description": text, "similarity": value}
            for image_id, texts, values in zip(ids, retrieved, sims, strict=True)
            for rank, (text, value) in enumerate(zip(texts, values, strict=True))
        ]
    )
    return figure, table


def comparison_figure(comparison, pictures, descriptions, scores, thresholds, ranges):
    """A figure of the paper on this data: two images, their descriptions, the scores.

    Parameters
    ----------
    comparison : clipsim.evaluation.figures_1_to_4.Comparison
    pictures : pair of uint8 array, shape (3, 224, 224)
    descriptions : pair of list of str
        The N descriptions retrieved for each image.
    scores, thresholds : mapping of str to float
        By metric key.
    ranges : mapping of str to (low, high)
        The range of each metric over the test pairs, which its strip shows.
    """
    shown = [metric for metric in METRICS if metric.key in scores]
    figure = plt.figure(figsize=(PAGE_IN, 3.7))
    top, bottom = figure.subfigures(2, 1, height_ratios=[2.3, 1.4], hspace=0.03)
    grid = top.subplots(1, 4, width_ratios=[1, 0.95, 1, 0.95])
    for column, (picture, texts) in enumerate(zip(pictures, descriptions, strict=True)):
        show_picture(grid[2 * column], picture)
        grid[2 * column].set_anchor("N")
        lines = ["\n   ".join(wrapped(text, 35, 2).split("\n")[:2]) for text in texts[:LISTED]]
        axis = grid[2 * column + 1]
        axis.text(0, 1, "\n".join(lines), va="top", fontsize=6, transform=axis.transAxes)
        axis.set_axis_off()
    strips = np.atleast_1d(bottom.subplots(1, len(shown)))
    rows = []
    for axis, metric in zip(strips, shown, strict=True):
        score, threshold = scores[metric.key], thresholds[metric.key]
        _score_strip(axis, metric, score, threshold, ranges[metric.key])
        paper = comparison.paper.get(metric.name)
        says = "alike" if score >= threshold else "different"
        note = f"{score:.2f}: {says}" + (f"\npaper {paper:.2f}" if paper is not None else "\n ")
        axis.set_title(f"{metric.label}\n{note}", fontsize=7.5, fontweight="normal")
        rows.append(
            {
                "figure": comparison.name,
                "metric": metric.key,
                "score": score,
                "threshold": threshold,
                "says": says,
                "paper_score": paper,
            }
        )
    number = comparison.name.removeprefix("figure_")
    meaning = comparison.meaning[0].upper() + comparison.meaning[1:]
    listed = f"the first {min(LISTED, len(texts))} of {len(texts)} descriptions of each"
    figure.suptitle(f"Figure {number}. {meaning} ({listed})", x=0.01, ha="left", fontsize=9)
    return figure, pd.DataFrame(rows)


def draw_comparison(
    comparison, position, class_size, images, pairs, retrieval, scores, thresholds
):
    """`comparison_figure` of the pair at `position`, or `empty_figure` where there is none."""
    if position is None:
        return empty_figure(comparison, class_size)
    ids = [str(pairs.id_a[position]), str(pairs.id_b[position])]
    tested = ~np.isnan(thresholds["clip_score"])
    ranges = {k: (values[tested].min(), values[tested].max()) for k, values in scores.items()}
    return comparison_figure(
        comparison,
        [images.pixels(image_id) for image_id in ids],
        [retrieval.descriptions(image_id) for image_id in ids],
        {key: float(values[position]) for key, values in scores.items()},
        {key: float(values[position]) for key, values in thresholds.items()},
        ranges,
    )


def comparison_caption(numbers, class_size):
    """What the metrics say of a figure's pair, and how many pairs are of its class.

    Parameters
    ----------
    numbers : pandas.DataFrame
        From `draw_comparison`.
    class_size : int
    """
    if "says" not in numbers:
        return "No such pair among the test pairs."
    labels = {metric.key: metric.label for metric in METRICS}
    said = [f"{labels[row.metric]} {row.score:.2f}, {row.says}" for row in numbers.itertuples()]
    return f"{'; '.join(said)}. Test pairs of this class: {class_size:,}."


def empty_figure(comparison, class_size):
    """In place of a figure whose class has no (further) pair: a sentence that says so."""
    number = comparison.name.removeprefix("figure_")
    text = (
        f"Figure {number} ({comparison.meaning}): the test pairs hold {class_size} of this class, "
        f"and this figure needs {comparison.place + 1}."
    )
    figure, axis = plt.subplots(figsize=(PAGE_IN, 1.0))
    axis.set_axis_off()
    axis.text(0.02, 0.5, textwrap.fill(text, 90), va="center")
    return figure, pd.DataFrame([{"figure": comparison.name, "class_size": class_size}])


def show_picture(axis, pixels):
    """A uint8 picture (3, H, W) in a frame, without ticks."""
    # As they are: smoothing would triple the size of the files and show nothing more.
    axis.imshow(np.asarray(pixels).transpose(1, 2, 0), interpolation="none")
    axis.set_axis_on()
    axis.grid(False)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set(visible=True, color=FRAME, linewidth=0.5)


def text_below(axis, text, size):
    """Text under a picture, for which the layout makes room."""
    axis.set_xlabel(text, x=0, ha="left", fontsize=size, color="#222222")


def wrapped(text, width, lines):
    """`text` in at most so many lines of so many characters."""
    short = textwrap.shorten(text, width * lines, placeholder=" …")
    return textwrap.fill(short, width)


def _score_strip(axis, metric, score, threshold, value_range):
    low, high = min(*value_range, threshold, score), max(*value_range, threshold, score)
    margin = 0.1 * (high - low)
    colour = IDENTITY[metric.key]["color"]
    axis.axvspan(threshold, high + margin, color=colour, alpha=0.12, linewidth=0)
    axis.axvline(threshold, color=colour, linewidth=1)
    axis.plot(score, 0, markersize=8, **marker_style(metric.key))
    axis.set(xlim=(low - margin, high + margin), ylim=(-1, 1), yticks=[])
    axis.spines["left"].set_visible(False)
    axis.grid(False)
    axis.set_xlabel(f"τ = {threshold:.2f}")


HEADINGS = {
    FALSE_ALARM: "Called alike, and is not",
    "miss": "Called different, and is alike",
}
CHARACTERS, LINES = 29, 3  # of a description under a picture


def worst_case_sheet(metric, cases, descriptions, images, pairs, clip_scores):
    """False alarms left, misses right, the most confident first; descriptions under each picture.

    Parameters
    ----------
    metric : clipsim.evaluation.table_1.Metric
    cases : dict of str to list of WorstCase
        By kind of error, the cases to show.
    descriptions : dict of WorstCase to list of list of (float, str)
        From `clipsim.evaluation.figures_1_to_4.described`.
    images : CaptionedImages
    pairs : LabelledPairs
    clip_scores : array of float, shape (P,)
        Stands beside the score of the other metrics.

    Returns
    -------
    figure, table
        A row per case; a kind without an error has a sentence in the place of its pictures.
    """
    rows = max(1, *(len(cases[error]) for error in ERRORS))
    figure = plt.figure(figsize=(PAGE_IN, 0.4 + 3.0 * rows))
    halves = figure.subfigures(1, 2, wspace=0.03)
    for half, error in zip(halves, ERRORS, strict=True):
        half.suptitle(HEADINGS[error], fontsize=9, fontweight="bold", x=0.02, ha="left")
        axes = half.subplots(rows, 2, squeeze=False)
        for axis in axes.flat:
            axis.set_axis_off()
        if not cases[error]:
            axes[0, 0].text(0, 0.5, f"no {error} among the test pairs")
        for line, case in zip(axes, cases[error], strict=False):
            _draw_case(line, metric, case, descriptions[case], images, pairs, clip_scores)
    table = [
        {
            "metric": case.metric,
            "error": case.error,
            "id_a": str(pairs.id_a[case.position]),
            "id_b": str(pairs.id_b[case.position]),
            "score": case.score,
            "threshold": case.threshold,
            "margin": case.margin,
            "clip_score": float(clip_scores[case.position]),
        }
        for error in ERRORS
        for case in cases[error]
    ]
    columns = ["metric", "error", "id_a", "id_b", "score", "threshold", "margin", "clip_score"]
    return figure, pd.DataFrame(table, columns=columns)


def _draw_case(axes, metric, case, descriptions, images, pairs, clip_scores):
    ids = (pairs.id_a[case.position], pairs.id_b[case.position])
    for axis, image_id, lines in zip(axes, ids, descriptions, strict=True):
        show_picture(axis, images.pixels(str(image_id)))
        shown = [
            f"{value:.2f}".replace("-", "−")
            + "  "
            + textwrap.fill(text, CHARACTERS, max_lines=LINES, placeholder=" …").replace(
                "\n", "\n         "
            )
            for value, text in lines
        ]
        text_below(axis, "\n".join(shown), 6)
    sign = "≥" if case.error == FALSE_ALARM else "<"
    verdict = f"{metric.label} {case.score:.2f} {sign} τ {case.threshold:.2f}"
    beside = f"margin {case.margin:.0%} of the pairs"
    if case.metric != "clip_score":
        beside += f"; CLIP {clip_scores[case.position]:.2f}"
    axes[0].set_title(f"{verdict}\n{beside}", fontsize=7, fontweight="normal")
