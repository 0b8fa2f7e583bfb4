"""SSIM and FSIM: as the papers define them, as the study's paper must have computed them."""

from clipsim.metrics.definitions import FSIMDefinition, SSIMDefinition, ladder
from clipsim.metrics.fsim import fsim, fsim_matrix
from clipsim.metrics.images import luma
from clipsim.metrics.ssim import ssim, ssim_matrix

__all__ = [
    "FSIMDefinition",
    "SSIMDefinition",
    "fsim",
    "fsim_matrix",
    "ladder",
    "luma",
    "ssim",
    "ssim_matrix",
]
