"""What exactly "SSIM" and "FSIM" mean: every choice a field, every variant a value.

`canonical` is the definition of the papers. `package` is what the defaults of the PyPI package
image-similarity-measures 0.3.6 compute, whose values fall in the ranges that Lytvyn et al.
print. Between them lies a ladder: `ladder("ssim")` and `ladder("fsim")` change one field after
the other, so that it can be seen which departure moves the value how far.
"""

import dataclasses
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

STRICT = ConfigDict(extra="forbid", strict=True)
Positive = Annotated[float, Field(gt=0)]
Term = Literal["luminance", "contrast", "structure"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SSIMDefinition:
    """One definition of SSIM; the defaults are Wang et al. 2004.

    Attributes
    ----------
    eight_bit : bool
        Round the pixels to 256 levels first.
    colour : {"luma", "rgb"}
        Compare Y = .299 R + .587 G + .114 B, or each of R, G, B and average.
    window : {"gaussian", "uniform"}
        Local weights; `window_size` pixels wide, `sigma` for the Gaussian, summing to 1.
    covariance : {"population", "sample"}
        Divide local sums of n = `window_size`² products by n, or by n − 1.
    data_range : float
        The range R that C1 = (K1 R)² and C2 = (K2 R)² assume, in 8-bit grey levels.
    k1, k2 : float
        K1 and K2.
    terms : tuple of {"luminance", "contrast", "structure"}
        The factors whose product is averaged: all three are SSIM.
    """

    eight_bit: bool = False
    colour: Literal["luma", "rgb"] = "luma"
    window: Literal["gaussian", "uniform"] = "gaussian"
    window_size: Annotated[int, Field(ge=3)] = 11
    sigma: Positive = 1.5
    covariance: Literal["population", "sample"] = "population"
    data_range: Positive = 255.0
    k1: Positive = 0.01
    k2: Positive = 0.03
    terms: Annotated[tuple[Term, ...], Field(min_length=1)] = (
        "luminance",
        "contrast",
        "structure",
    )

    def __post_init__(self):
        if self.window_size % 2 == 0:
            raise ValueError(f"window_size: expected an odd number, got {self.window_size}")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class FSIMDefinition:
    """One definition of FSIM; the defaults are Zhang et al. 2011.

    Attributes
    ----------
    eight_bit : bool
        Round the pixels to 256 levels first.
    downsample : bool
        Average blocks of F×F pixels, F = max(1, round(min(H, W) / 256)).
    colour : {"luma", "rgb"}
        Compare Y of YIQ, or each of R, G, B and average.
    scales, orientations : int
        Size of the log-Gabor bank.
    min_wavelength, multiplier : float
        Wavelength of the finest scale in pixels, and from scale to scale.
    bandwidth : float
        Ratio σ/f; the standard deviation of the log-Gabor in ln f is |ln bandwidth|.
    angular_window : {"gaussian", "raised_cosine"}
        Angular part of a filter: sd (π / orientations) / 1.2, or (1 + cos(orientations θ/2)) / 2.
    noise : {"filter_bank", "geometric"}
        How the median amplitude at the finest scale becomes the noise threshold T: through
        the filters' own energy and divided by 1.7, or through a geometric sum over scales.
    noise_deviations : float
        k, the number of standard deviations of the noise above its mean.
    pooling : {"pooled", "per_orientation"}
        One ratio of energy to amplitude over all orientations, or the sum of their ratios.
    frequency_weight : bool
        Weigh the energy by a sigmoid (cut-off .5, gain 10) of how many scales respond.
    gradient_divisor : float
        Scharr's kernel is divided by this.
    gradient_border : {"zero", "reflect"}
        What lies outside the image: zeros, or the image mirrored at its edge pixels' centres.
    gradient_storage : {"float", "clipped", "uint16"}
        Derivatives as they are; negative ones set to 0; or as 16-bit unsigned integers, in
        which negative ones are 0 and squares and their sum are taken modulo 65536.
    t1, t2, t3, t4 : float
        T of phase congruency, gradient (grey levels²), chroma I and Q.
    chroma_exponent : float
        λ.
    """

    eight_bit: bool = False
    downsample: bool = True
    colour: Literal["luma", "rgb"] = "luma"
    scales: Annotated[int, Field(ge=2)] = 4
    orientations: Annotated[int, Field(ge=1)] = 4
    min_wavelength: Annotated[float, Field(ge=2)] = 6.0
    multiplier: Annotated[float, Field(gt=1)] = 2.0
    bandwidth: Annotated[float, Field(gt=0, lt=1)] = 0.55
    angular_window: Literal["gaussian", "raised_cosine"] = "gaussian"
    noise: Literal["filter_bank", "geometric"] = "filter_bank"
    noise_deviations: Positive = 2.0
    pooling: Literal["pooled", "per_orientation"] = "pooled"
    frequency_weight: bool = False
    gradient_divisor: Positive = 16.0
    gradient_border: Literal["zero", "reflect"] = "zero"
    gradient_storage: Literal["float", "clipped", "uint16"] = "float"
    t1: Positive = 0.85
    t2: Positive = 160.0
    t3: Positive = 200.0
    t4: Positive = 200.0
    chroma_exponent: Positive = 0.03


SSIM_STEPS = (
    ("pixels rounded to 8 bits", {"eight_bit": True}),
    ("mean over R, G, B instead of luma", {"colour": "rgb"}),
    ("7×7 uniform window instead of Gaussian", {"window": "uniform", "window_size": 7}),
    ("sample instead of population covariance", {"covariance": "sample"}),
    ("range R = 4095 instead of 255", {"data_range": 4095.0}),
)
FSIM_STEPS = (
    ("pixels rounded to 8 bits", {"eight_bit": True}),
    ("no down-sampling", {"downsample": False}),
    ("mean over R, G, B instead of luma", {"colour": "rgb"}),
    ("6 orientations instead of 4", {"orientations": 6}),
    ("raised-cosine angular window", {"angular_window": "raised_cosine"}),
    ("log-sd |ln .5978| instead of |ln .55|", {"bandwidth": 0.5978}),
    ("noise threshold from a geometric sum", {"noise": "geometric"}),
    ("frequency-spread weight", {"frequency_weight": True}),
    ("one ratio per orientation, summed", {"pooling": "per_orientation"}),
    ("gradient borders mirrored", {"gradient_border": "reflect"}),
    ("gradient not divided by 16", {"gradient_divisor": 1.0}),
    ("negative derivatives clipped to 0", {"gradient_storage": "clipped"}),
    ("squares and sums modulo 65536", {"gradient_storage": "uint16"}),
)
STEPS = {"ssim": SSIM_STEPS, "fsim": FSIM_STEPS}
CANONICAL = {"ssim": SSIMDefinition(), "fsim": FSIMDefinition()}


def ladder(metric):
    """The way from `canonical` to `package`, one change after the other.

    Parameters
    ----------
    metric : {"ssim", "fsim"}

    Returns
    -------
    list of (str, SSIMDefinition or FSIMDefinition)
        What changed, and the definition with this and all changes before it. The first is
        ("canonical", ...), the last equals `PACKAGE[metric]`. A definition can be passed as
        `variant` to the functions of this metric.
    """
    if metric not in STEPS:
        raise ValueError(f"metric: expected 'ssim' or 'fsim', got {metric!r}")
    rungs = [("canonical", CANONICAL[metric])]
    for label, changes in STEPS[metric]:
        rungs.append((label, dataclasses.replace(rungs[-1][1], **changes)))
    return rungs


PACKAGE = {metric: ladder(metric)[-1][1] for metric in STEPS}


def definition(metric, variant):
    """The definition that `variant` names, or `variant` itself if it is one of `metric`'s."""
    if isinstance(variant, type(CANONICAL[metric])):
        return variant
    if variant not in ("canonical", "package"):
        expected = f"'canonical', 'package' or {type(CANONICAL[metric]).__name__}"
        raise ValueError(f"variant: expected {expected}, got {variant!r}")
    return CANONICAL[metric] if variant == "canonical" else PACKAGE[metric]
