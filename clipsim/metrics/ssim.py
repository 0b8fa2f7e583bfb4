"""Structural similarity, SSIM.

Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli: *Image Quality Assessment: From Error
Visibility to Structural Similarity*, IEEE Trans. Image Processing 13(4), 2004 (Wang 2004).
"""

import functools

import torch
import torch.nn.functional as F
from skimage.metrics import structural_similarity

from clipsim.metrics.all_pairs import score_matrix
from clipsim.metrics.definitions import definition, image_pair, luma, rounded, similarity

MID_GREY = 0.5  # subtracted before squaring: variances keep more digits, in float32 above all
STRIP = 12  # outputs per small matrix product of `window_mean`; the fastest of 8 … 54 tried


def ssim(a, b, variant="canonical"):
    r"""SSIM of two images.

    With local means μ, variances σ² and covariance σ_ab under a window (Wang 2004, Eqs. 14–16),

    .. math:: l = \frac{2 μ_a μ_b + C_1}{μ_a^2 + μ_b^2 + C_1}, \quad
              c s = \frac{2 σ_{ab} + C_2}{σ_a^2 + σ_b^2 + C_2}, \quad
              SSIM = \operatorname{mean}(l \cdot c s)

    (Eqs. 6, 13, 17; α = β = γ = 1, C3 = C2/2), C1 = (K1 R)², C2 = (K2 R)², K1 = .01, K2 = .03,
    over the positions where the window lies inside the image. No down-sampling.

    Parameters
    ----------
    a, b : torch.Tensor or numpy.ndarray, shape (3, H, W)
        RGB, float32 or float64 in [0, 1], or uint8. Both of one shape and dtype.
    variant : {"canonical", "package"} or SSIMDefinition
        "canonical": luma .299 R + .587 G + .114 B, 11×11 Gaussian window with σ = 1.5,
        population covariance, R = 255 grey levels: scikit-image computes it, in float64, with
        `gaussian_weights=True, sigma=1.5, use_sample_covariance=False`.
        "package": as image-similarity-measures 0.3.6 does by default: pixels of 8 bits; mean
        over R, G, B; 7×7 uniform window; sample covariance; R = 4095 on values up to 255.

    Returns
    -------
    float
        In [−1, 1], 1 for identical images; higher is more alike.

    Raises
    ------
    ValueError
        Naming the argument, what was expected and what was found.
    """
    chosen = definition("ssim", variant)
    pair = image_pair(a, b, chosen.window_size)
    if chosen != definition("ssim", "canonical"):
        return ssim_matrix(pair, chosen, pairs=[(0, 1)]).item()
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(structural_similarity(*luma(pair.double()).numpy(), data_range=1.0, **options))


def ssim_matrix(images, variant="canonical", *, pairs=None, dtype=None):
    """SSIM of all pairs of M images, or of the pairs given.

    Local means and variances are computed once per image; a pair costs one local mean, that
    of the product.

    Parameters
    ----------
    images : torch.Tensor or numpy.ndarray (a memory map, too), shape (M, 3, H, W)
        RGB, float32 or float64 in [0, 1], or uint8.
    variant : {"canonical", "package"} or SSIMDefinition
        As in `ssim`.
    dtype : {"float32", "float64"}, optional
        Precision; by default that of the images, float32 for uint8.
    pairs : array of int, shape (P, 2), optional
        Indices of the pairs wanted, in any order; by default all pairs.

    Returns
    -------
    numpy.ndarray, shape (M, M) or (P,)
        In [−1, 1], higher is more alike. The matrix is symmetric with a diagonal of ones.

    Raises
    ------
    ValueError
        Naming the argument, what was expected and what was found.
    """
    chosen = definition("ssim", variant)
    maps = functools.partial(image_maps, chosen=chosen)
    combine = functools.partial(combined, chosen=chosen)
    return score_matrix(images, maps, combine, chosen.window_size, pairs, dtype)


def image_maps(images, chosen):
    """What SSIM needs of images (B, 3, H, W): canvas (B, C, H', W'), means, halves (B, C, w, h).

    The canvas is the planes less ½, padded for `window_mean`. Means are local ones less ½, where
    the window fits, transposed. Halves are half of the local variance plus C2/2: two of them make
    half of c·s's denominator.
    """
    if chosen.eight_bit:  # package: it is given 8-bit images
        images = rounded(images)
    planes = luma(images)[:, None] if chosen.colour == "luma" else images
    height, width = (side - chosen.window_size + 1 for side in planes.shape[-2:])
    canvas = _canvas(planes - MID_GREY, chosen)
    means = window_mean(canvas, height, width, chosen)
    variances = _covariance(canvas, means, canvas, means, chosen)
    return canvas, means, (variances + _constants(chosen)[1] / 2) / 2


def combined(left, right, chosen):
    """SSIM (...) from the maps of two images, each (..., C, ·, ·)."""
    canvas_a, means_a, halves_a = left
    canvas_b, means_b, halves_b = right
    c1, c2 = _constants(chosen)
    luminance = similarity(means_a + MID_GREY, means_b + MID_GREY, c1)
    covariances = _covariance(canvas_a, means_a, canvas_b, means_b, chosen)
    contrast_structure = covariances.add_(c2 / 2) / (halves_a + halves_b)
    product = luminance * contrast_structure
    return product.mean((-3, -2, -1)).clamp(-1, 1)  # rounding may pass 1


def _constants(chosen):
    """C1 and C2 for pixels in [0, 1]."""
    # package: R is 4095 where the pixels reach 255, so both are 258 times too large
    return tuple((k * chosen.data_range / 255) ** 2 for k in (chosen.k1, chosen.k2))


def _covariance(canvas_a, means_a, canvas_b, means_b, chosen):
    """Local covariance: mean of the product less the product of the means."""
    products = window_mean(canvas_a * canvas_b, means_a.shape[-1], means_a.shape[-2], chosen)
    covariances = torch.addcmul(products, means_a, means_b, value=-1)
    if chosen.covariance == "sample":  # package: n / (n − 1), as scikit-image by default
        n = chosen.window_size**2
        covariances = covariances * (n / (n - 1))
    return covariances


def window_mean(canvas, height, width, chosen):
    """Weighted local means of planes, (..., H', W') to (..., width, height), transposed.

    The window is separable. Along either axis, `STRIP` outputs are the product of a small
    banded matrix with the STRIP + r inputs that they see, r = window_size − 1, and all strips
    of all planes go into one batched product. The planes lie below each other; what a strip
    sees of the next one only enters outputs that are cut off. Columns come out as rows and
    stay so, since all that follows is pointwise and turning them back costs a copy.
    """
    *leading, tall, wide = canvas.shape
    seen = STRIP + chosen.window_size - 1
    band = _band(chosen, canvas.dtype)
    down = canvas.reshape(-1, wide).unfold(0, seen, STRIP).transpose(1, 2)  # strip, seen, column
    rows = torch.bmm(band.expand(len(down), -1, -1), down).flatten(0, 1)
    across = rows.unfold(1, seen, STRIP).permute(1, 2, 0)  # strip, seen, row
    columns = torch.bmm(band.expand(len(across), -1, -1), across).flatten(0, 1)
    means = columns[:width].unfold(1, height, tall)  # column, plane, row
    return means.transpose(0, 1).unflatten(0, leading)


def _canvas(planes, chosen):
    """Planes with zeros below and to the right, so that whole strips fit."""
    r = chosen.window_size - 1
    height, width = planes.shape[-2:]
    tall = _whole_strips(_whole_strips(height - r) + r)
    wide = _whole_strips(width - r) + r
    return F.pad(planes, (0, wide - width, 0, tall - height))


def _whole_strips(n):
    return -(-n // STRIP) * STRIP


@functools.lru_cache(maxsize=8)
def _band(chosen, dtype):
    """(STRIP, STRIP + r): row k holds the window's weights from column k on."""
    offsets = torch.arange(chosen.window_size, dtype=torch.float64) - chosen.window_size // 2
    if chosen.window == "gaussian":
        weights = torch.exp(-(offsets**2) / (2 * chosen.sigma**2))
    else:
        weights = torch.ones_like(offsets)
    weights = weights / weights.sum()
    band = torch.zeros(STRIP, STRIP + chosen.window_size - 1, dtype=torch.float64)
    for k in range(STRIP):
        band[k, k : k + chosen.window_size] = weights
    return band.to(dtype)
