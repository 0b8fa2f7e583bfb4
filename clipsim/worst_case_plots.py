"""A contact sheet of a metric's most confident errors."""

import textwrap

import matplotlib.pyplot as plt
import pandas as pd

from clipsim.sheets import show_picture, text_below
from clipsim.style import PAGE_IN
from clipsim.worst_cases import ERRORS, FALSE_ALARM

HEADINGS = {
    FALSE_ALARM: "Called alike, and is not",
    "miss": "Called different, and is alike",
}
CHARACTERS, LINES = 29, 3  # of a description under a picture


def worst_case_sheet(metric, cases, descriptions, images, pairs, clip_scores):
    """False alarms left, misses right, the most confident first; descriptions under each picture.

    Parameters
    ----------
    metric : clipsim.evaluation.Metric
    cases : dict of str to list of WorstCase
        By kind of error, the cases to show.
    descriptions : dict of WorstCase to list of list of (float, str)
        From `clipsim.worst_cases.described`.
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
