"""The metrics that the study compares: what each is called, how it is drawn, what computes it.

A metric is one entry of `METRICS`: scores, thresholds, Table 1 and figures go through them all.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from clipsim.metrics.fsim import fsim_matrix
from clipsim.metrics.ssim import ssim_matrix


@dataclass(frozen=True)
class Metric:
    """A similarity metric of the study; higher is more alike.

    Attributes
    ----------
    key : str
        Column of the pair scores.
    name, variant : str
        As in Table 1's rows. "canonical" is scored wherever pixels are compared; "package" where
        the variants are compared with each other.
    label : str
        For people.
    look : dict
        `color`, `linestyle` and `marker`: safe for colour-blind readers, different in grey.
    paper_threshold, paper_accuracy : float or None
        Table 1 of the paper.
    matrix : callable or None
        `matrix(pixels, variant=..., pairs=...)` of uint8 pixels (M, 3, H, W) and pairs of
        positions (P, 2) gives the scores (P,). None: a trained model gives them
        (`clipsim.retrieval.caption_index.description_scores`).
    """

    key: str
    name: str
    variant: str
    label: str
    look: dict = field(compare=False)
    paper_threshold: float | None = None
    paper_accuracy: float | None = None
    matrix: Callable | None = field(default=None, compare=False)


def look(color, linestyle, marker):
    """How a metric is drawn, as matplotlib takes it."""
    return {"color": color, "linestyle": linestyle, "marker": marker}


BLUE, SKY, ORANGE, GREY = "#0173b2", "#56b4e9", "#de8f05", "#4d4d4d"
DOTS, DASHES = (0, (1, 1)), (0, (5, 1))
# The other variant of a metric keeps its colour and marker; the marker is hollow.
METRICS = (
    Metric("clip_score", "clip_score", "eq4", "CLIP score", look(BLUE, "-", "o"), 0.5, 0.82),
    Metric("ssim", "ssim", "canonical", "SSIM", look(ORANGE, "--", "s"), 0.7, 0.64, ssim_matrix),
    Metric("fsim", "fsim", "canonical", "FSIM", look(GREY, ":", "^"), 0.3, 0.56, fsim_matrix),
    Metric(
        "ssim_package", "ssim", "package", "SSIM (package)", look(ORANGE, DOTS, "s"),
        0.7, 0.64, ssim_matrix,
    ),
    Metric(
        "fsim_package", "fsim", "package", "FSIM (package)", look(GREY, DASHES, "^"),
        0.3, 0.56, fsim_matrix,
    ),
    Metric("image_cosine", "image_cosine", "joint", "image cosine", look(SKY, "-.", "D")),
)  # fmt: skip

METRIC_LABELS = {metric.key: metric.label for metric in METRICS}


def pixel_scores(images, pairs, variants=("canonical",)):
    """The metrics of pixels, SSIM and FSIM, of pairs.

    Parameters
    ----------
    images : CaptionedImages
    pairs : LabelledPairs
    variants : sequence of {"canonical", "package"}

    Returns
    -------
    dict of str to array of float32, shape (P,)
        By `Metric.key`, those of `METRICS` that have a `matrix` and are of these variants.
    """
    ids = pairs.image_ids
    index_pairs, pixels = pairs.positions(ids), images.pixel_batch(ids)
    return {
        metric.key: np.asarray(
            metric.matrix(pixels, variant=metric.variant, pairs=index_pairs), dtype=np.float32
        )
        for metric in METRICS
        if metric.matrix is not None and metric.variant in variants
    }
