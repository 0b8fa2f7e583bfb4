"""Contact sheets: pictures that a reader can look at, with what the study says of them.

Every sheet comes with its numbers as a table and its caption, as `show` takes them.
"""

import textwrap
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image

from clipsim.evaluation import ERRORS, FALSE_ALARM, METRICS, described
from clipsim.figures.style import INK, PAGE_IN, marker_style
from clipsim.figures.tables import JUDGED

FRAME = "#777777"
SCREEN_DPI = 100  # of a picture on a sheet: half the page's, or the files weigh four times as much
LISTED = 10  # descriptions that Figures 1–4 have room for
HEADINGS = {FALSE_ALARM: "Called alike, and is not", "miss": "Called different, and is alike"}


def image_sheet(images, seed, n=8):
    """Some training images, each with its first caption.

    Parameters
    ----------
    images : CaptionedImages
    seed : int
        Draws them.
    n : int

    Returns
    -------
    figure : matplotlib Figure
    numbers : pandas.DataFrame
        A row per image: `image_id`, `split` and all its `captions`.
    caption : str
    """
    shown = np.random.default_rng(seed).permutation(images.indices("train"))[:n]
    captions = {images.image_ids[i]: images.captions[i] for i in shown}
    groups = [
        ("", [(images.pixels(name), wrapped(own[0], 30, 3))]) for name, own in captions.items()
    ]
    joined = [" | ".join(own) for own in captions.values()]
    numbers = pd.DataFrame({"image_id": list(captions), "split": "train", "captions": joined})
    figure = picture_sheet(
        groups, 4, f"{len(captions)} training images, each with its first caption"
    )
    return figure, numbers, "Drawn by the profile's seed."


def pair_sheet(images, pairs, n=2):
    """The first pairs of each kind, of each who judged them, and of each label.

    Parameters
    ----------
    images : CaptionedImages
    pairs : LabelledPairs
    n : int
        How many of each.

    Returns
    -------
    figure : matplotlib Figure
    numbers : pandas.DataFrame
        A row per pair that is shown.
    caption : str
    """
    columns = ("id_a", "id_b", "similar", "graded", "kind", "source")
    table = pd.DataFrame({name: getattr(pairs, name) for name in columns})
    by = ["kind", "source", "similar"]
    first = table[table.similar >= 0].groupby(by).head(n)
    numbers = first.sort_values(by, ascending=[True, True, False], kind="stable")
    groups = []
    for row in numbers.itertuples():
        label = "similar" if row.similar else "not similar"
        pictures = [(images.pixels(image_id), "") for image_id in (row.id_a, row.id_b)]
        groups.append((f"{row.kind}{JUDGED[row.source]}: {label}", pictures))
    figure = picture_sheet(groups, 2, "What counts as similar, and what does not")
    return figure, numbers, f"The first {n} pairs of each kind and label."


def retrieval_sheet(images, retrieval, seed, n=6, n_shown=5):
    """Some test images with the descriptions retrieved for them.

    Parameters
    ----------
    images : CaptionedImages
    retrieval : Retrieval
    seed : int
        Draws the images.
    n, n_shown : int
        How many images, and descriptions of each.

    Returns
    -------
    figure : matplotlib Figure
    numbers : pandas.DataFrame
        A row per image and description, all N: `image_id`, `rank`, `description`, `similarity`.
    caption : str
    """
    test = [images.image_ids[i] for i in images.indices("test")]
    captions = dict(zip(images.image_ids, images.captions, strict=True))
    groups, tables = [], []
    for image_id in np.random.default_rng(seed).permutation(test)[:n].tolist():
        texts = retrieval.descriptions(image_id)
        sims = retrieval.sims[retrieval.rows([image_id])[0]].tolist()
        below = scored(zip(sims[:n_shown], texts[:n_shown], strict=True), 36, 2)
        title = wrapped(f"“{captions[image_id][0]}”", 40, 2)
        groups.append((title, [(images.pixels(image_id), below)]))
        of_image = {"image_id": image_id, "rank": range(1, len(texts) + 1)}
        tables.append(pd.DataFrame(of_image | {"description": texts, "similarity": sims}))
    title = f"Test images with a caption of their own; below, the {n_shown} descriptions most like"
    figure = picture_sheet(groups, 3, f"{title} them (cosine)")
    return figure, pd.concat(tables, ignore_index=True), "The model never saw the caption above."


def comparison_figure(comparison, candidates, images):
    """A figure of the paper on this data: two images, their descriptions, the scores.

    Parameters
    ----------
    comparison : clipsim.evaluation.figures_1_to_4.Comparison
    candidates : clipsim.evaluation.figures_1_to_4.Candidates
    images : CaptionedImages

    Returns
    -------
    figure : matplotlib Figure
        Where the class has no (further) pair, a sentence that says so.
    numbers : pandas.DataFrame
        A row per metric: `score`, `threshold`, what it `says`, `paper_score`.
    caption : str
    """
    position, class_size = candidates.choice(comparison)
    pairs, retrieval, scores = candidates.pairs, candidates.retrieval, candidates.scores
    of = "training" if "training images" in pairs.kind else "test"
    meaning = comparison.meaning[0].upper() + comparison.meaning[1:]
    title = f"Figure {comparison.name.removeprefix('figure_')}. {meaning}"
    if position is None:
        figure = plt.figure(figsize=(PAGE_IN, 0.5))
        text = f"{title}: the {of} pairs hold {class_size}, it needs {comparison.place + 1}"
        figure.suptitle(text, x=0.01, ha="left")
        numbers = pd.DataFrame([{"figure": comparison.name, "class_size": class_size}])
        return figure, numbers, f"No such pair among the {of} pairs."
    shown, rows = [metric for metric in METRICS if metric.key in scores], []
    for metric in shown:
        row = {"figure": comparison.name, "metric": metric.key}
        row["score"] = float(scores[metric.key][position])
        row["threshold"] = float(candidates.thresholds[metric.key][position])
        row["says"] = "alike" if row["score"] >= row["threshold"] else "different"
        rows.append(row | {"paper_score": comparison.paper.get(metric.name)})
    figure = plt.figure(figsize=(PAGE_IN, 3.7))
    top, bottom = figure.subfigures(2, 1, height_ratios=[2.3, 1.4], hspace=0.03)
    ids = [str(names[position]) for names in (pairs.id_a, pairs.id_b)]
    texts = [retrieval.descriptions(image_id) for image_id in ids]
    beside_descriptions(top, [images.pixels(image_id) for image_id in ids], texts)
    listed = f"the first {min(LISTED, len(texts[0]))} of {len(texts[0])} descriptions of each"
    figure.suptitle(f"{title} ({listed})", x=0.01, ha="left")
    strips = bottom.subplots(1, len(shown), squeeze=False)[0]
    for axis, metric, row in zip(strips, shown, rows, strict=True):
        _score_strip(axis, metric, row, scores[metric.key][candidates.tested])
    caption = f"{of.capitalize()} pairs of this class: {class_size:,}."
    return figure, pd.DataFrame(rows), caption


def worst_case_sheet(metric, errors, images, retrieval, n=3):
    """A metric's most confident errors, with descriptions under each picture.

    Parameters
    ----------
    metric : clipsim.metrics.compared.Metric
    errors : pandas.DataFrame
        From `errors_by_confidence`.
    images : CaptionedImages
    retrieval : Retrieval
    n : int
        How many of each kind of error.

    Returns
    -------
    figure : matplotlib Figure
        False alarms left, misses right; a sentence in the place of one that there is not.
    numbers : pandas.DataFrame
        A row per case that is shown.
    caption : str
    """
    by_kind, groups = {error: errors[errors.error == error] for error in ERRORS}, []
    numbers = errors.groupby("error").head(n)
    for place, error in product(range(max(1, *numbers.error.value_counts(), 0)), ERRORS):
        if place >= len(by_kind[error]):
            groups.append((f"no{' further' * (place > 0)} {error} among the test pairs", []))
            continue
        case = by_kind[error].iloc[place]
        sign = "≥" if error == FALSE_ALARM else "<"
        decision = f"{metric.label} {case.score:.2f} {sign} τ {case.threshold:.2f}"
        beside = "" if metric.key == "clip_score" else f"; CLIP {case.clip_score:.2f}"
        title = f"{HEADINGS[error]}\n{decision}, margin {case.margin:.0%} of the pairs{beside}"
        texts = [scored(lines, 26, 3) for lines in described(case, retrieval)]
        pictures = map(images.pixels, (case.id_a, case.id_b))
        groups.append((title, list(zip(pictures, texts, strict=True))))
    counts = " and ".join(f"{len(of_kind):,} × {error}" for error, of_kind in by_kind.items())
    title = f"{metric.label[0].upper()}{metric.label[1:]}: the worst of {counts}"
    return picture_sheet(groups, 2, title), numbers, "Of the test pairs."


def picture_sheet(groups, columns, title):
    """A figure of groups of pictures, each group a title and [(pixels, text below), …]."""
    rows = -(-len(groups) // columns)
    most = max(1, *(len(pictures) for _, pictures in groups))
    side_in = PAGE_IN / columns / most
    above = max(len(title.splitlines()) for title, _ in groups)
    texts = [text for _, pictures in groups for _, text in pictures]
    below = max((len(text.splitlines()) for text in texts), default=0)
    row_in = side_in + 0.14 * above + 0.11 * below + 0.15  # texts have 7.5 and 6.5 points
    figure = plt.figure(figsize=(PAGE_IN, row_in * rows + 0.25))
    figure.suptitle(title, x=0.01, ha="left")
    cells = figure.subfigures(rows, columns, squeeze=False, wspace=0.03)
    for cell, (title, pictures) in zip(cells.flat, groups, strict=False):
        # Titles of one height, or pictures would not stand in rows.
        level = title + "\n" * (above - len(title.splitlines()))
        cell.suptitle(level, x=0.02, ha="left", fontsize=7.5, fontweight="normal")
        axes = cell.subplots(1, len(pictures), squeeze=False)[0] if pictures else []
        for axis, (pixels, text) in zip(axes, pictures, strict=True):
            show_picture(axis, pixels, round(SCREEN_DPI * side_in))
            # As a label, text has room made for it by the layout.
            axis.set_xlabel(text, x=0, ha="left", fontsize=6.5, color=INK)
    return figure


def show_picture(axis, pixels, side=224):
    """A uint8 picture (3, H, W), reduced to so many pixels a side, in a frame without ticks."""
    picture = Image.fromarray(np.asarray(pixels).transpose(1, 2, 0))
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    # Smoothed anew by matplotlib, the file would be three times as large and show nothing more.
    axis.imshow(picture, interpolation="none")
    axis.set(xticks=[], yticks=[], anchor="N")
    axis.grid(False)
    axis.spines[:].set(visible=True, color=FRAME, linewidth=0.5)


def wrapped(text, width, lines):
    """`text` in at most so many lines of so many characters."""
    return textwrap.fill(text, width, max_lines=lines, placeholder=" …")


def scored(descriptions, width, lines):
    """Descriptions, each (value, text), one below the other, the value before the text."""
    shown = [(f"{value:.2f}".replace("-", "−"), text) for value, text in descriptions]
    said = [f"{value}  {wrapped(text, width, lines)}" for value, text in shown]
    return "\n".join(text.replace("\n", "\n" + 10 * " ") for text in said)


def beside_descriptions(figure, pictures, descriptions):
    """Two pictures, and the first descriptions of each beside it."""
    grid = figure.subplots(1, 4, width_ratios=[1, 0.95, 1, 0.95])
    for column, (pixels, texts) in enumerate(zip(pictures, descriptions, strict=True)):
        show_picture(grid[2 * column], pixels)
        lines = [wrapped(text, 35, 2).replace("\n", "\n   ") for text in texts[:LISTED]]
        axis = grid[2 * column + 1]
        axis.text(0, 1, "\n".join(lines), va="top", fontsize=6)
        axis.set_axis_off()


def _score_strip(axis, metric, row, of_tested):
    """A score between those of all test pairs; the part that is called alike is shaded."""
    score, threshold, colour = row["score"], row["threshold"], metric.look["color"]
    low, high = min(of_tested.min(), threshold, score), max(of_tested.max(), threshold, score)
    margin = 0.1 * (high - low)
    axis.axvspan(threshold, high + margin, color=colour, alpha=0.2, linewidth=0)
    axis.axvline(threshold, color=colour, linewidth=1)
    axis.plot(score, 0, markersize=8, **marker_style(metric.key))
    axis.set(xlim=(low - margin, high + margin), ylim=(-1, 1), yticks=[])
    axis.spines["left"].set_visible(False)
    axis.grid(False)
    axis.set_xlabel(f"τ = {threshold:.2f}")
    paper = "" if row["paper_score"] is None else f"paper {row['paper_score']:.2f}"
    note = f"{metric.label}\n{score:.2f}: {row['says']}\n{paper}"
    axis.set_title(note, fontsize=7.5, fontweight="normal")
