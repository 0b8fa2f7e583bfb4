"""What exactly "SSIM" and "FSIM" mean: every choice a field, every variant a value.

`canonical` is the definition of the papers. `package` is what the defaults of the PyPI package
image-similarity-measures 0.3.6 compute, whose values fall in the ranges that Lytvyn et al.
print. Between them lies a ladder: `ladder("ssim")` and `ladder("fsim")` change one field after
the other, so that it can be seen which departure moves the value how far.

Also images as both metrics accept them, and the small formulas that both use.
"""

import dataclasses
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

STRICT = ConfigDict(extra="forbid", strict=True)
Positive = Annotated[float, Field(gt=0)]
FLOATS = {"float32": torch.float32, "float64": torch.float64}


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
    t1, t2 : float
        T of phase congruency, and of the gradient (grey levels²).
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


def image_pair(a, b, min_side):
    """Two images (3, H, W) of one shape and dtype as a tensor (2, 3, H, W) in [0, 1]."""
    for image, name in ((a, "a"), (b, "b")):
        check_images(image, name, "(3, H, W)", min_side)
    if a.shape != b.shape:
        raise ValueError(f"b: expected the shape of a, {tuple(a.shape)}, got {tuple(b.shape)}")
    if dtype_name(a) != dtype_name(b):
        raise ValueError(f"b: expected the dtype of a, {dtype_name(a)}, got {dtype_name(b)}")
    return torch.stack([pixels(a, "a"), pixels(b, "b")])


def check_images(images, name, shape, min_side):
    """Raise ValueError unless type, dtype and shape are right; reads no pixel."""
    if not isinstance(images, torch.Tensor | np.ndarray):
        found = type(images).__name__
        raise ValueError(f"{name}: expected a torch tensor or numpy array {shape}, got {found}")
    if dtype_name(images) not in (*FLOATS, "uint8"):
        found = dtype_name(images)
        raise ValueError(f"{name}: expected dtype uint8, float32 or float64, got {found}")
    found = tuple(images.shape)
    if len(found) != len(shape.split(",")) or found[-3] != 3:
        last = len(found) >= 3 and found[-1] == 3
        hint = "; move the channels before the rows" if last else ""
        raise ValueError(f"{name}: expected shape {shape}, got {found}{hint}")
    if found[0] == 0:
        raise ValueError(f"{name}: expected at least one image, got shape {found}")
    if min(found[-2:]) < min_side:
        raise ValueError(
            f"{name}: expected height and width of at least {min_side} pixels, "
            f"got {found[-2]}×{found[-1]}"
        )


def pixels(images, name, dtype=None):
    """`images` as a float tensor in [0, 1]; ValueError if its values are not in range."""
    if isinstance(images, np.ndarray):
        images = torch.from_numpy(np.array(images))
    images = images.detach().cpu()
    if dtype is not None and dtype not in FLOATS:
        raise ValueError(f"dtype: expected 'float32' or 'float64', got {dtype!r}")
    if images.dtype == torch.uint8:
        return images.to(FLOATS[dtype or "float32"]) / 255
    low, high = (float(value) for value in images.aminmax())
    if not (low >= 0 and high <= 1):  # not (low < 0 or …): NaN must fail
        raise ValueError(
            f"{name}: expected values in [0, 1] for {dtype_name(images)}, found {low:g} to "
            f"{high:g}; divide 0–255 by 255, or pass uint8"
        )
    return images.to(FLOATS[dtype or dtype_name(images)])


def dtype_name(images):
    """The name of an array's or tensor's dtype, the same for both."""
    return str(images.dtype).removeprefix("torch.")


def luma(images):
    """Y = .299 R + .587 G + .114 B (Rec. 601; Y of YIQ; MATLAB's rgb2gray to 4 digits).

    Parameters
    ----------
    images : torch.Tensor, shape (..., 3, H, W)

    Returns
    -------
    torch.Tensor, shape (..., H, W)
        The grey image on which canonical SSIM and FSIM are defined.
    """
    red, green, blue = images.unbind(-3)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def rounded(images):
    """Pixels in [0, 1] rounded to 8 bits, still in [0, 1]."""
    return (images * 255).round() / 255


def similarity(x, y, constant):
    """(2xy + C) / (x² + y² + C), the comparison of both papers, point by point.

    Evaluated as u / (u + (x − y)²) with u = 2xy + C: exactly 1 where x = y, exactly symmetric.
    """
    numerator = torch.addcmul(x.new_full((), constant), x, y, value=2)
    difference = x - y
    return numerator / torch.addcmul(numerator, difference, difference)
