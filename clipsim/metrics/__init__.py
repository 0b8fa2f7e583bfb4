"""SSIM and FSIM: of a pair, of all pairs; as their papers define them, as the study's must have.

`METRICS` lists everything that the study compares, the CLIP score among them.
"""

from clipsim.metrics.compared import METRIC_LABELS, METRICS, Metric, pixel_scores
from clipsim.metrics.definitions import PACKAGE, FSIMDefinition, SSIMDefinition, ladder, luma
from clipsim.metrics.fsim import fsim, fsim_matrix
from clipsim.metrics.ssim import ssim, ssim_matrix

__all__ = [
    "METRICS", "METRIC_LABELS", "PACKAGE", "FSIMDefinition", "Metric", "SSIMDefinition", "fsim",
    "fsim_matrix", "ladder", "luma", "pixel_scores", "ssim", "ssim_matrix",
]  # fmt: skip
