"""Feature similarity, FSIM.

L. Zhang, L. Zhang, X. Mou, D. Zhang: *FSIM: A Feature Similarity Index for Image Quality
Assessment*, IEEE Trans. Image Processing 20(8), 2011 (Zhang 2011). Phase congruency, where the
Fourier components of an image are in phase: P. Kovesi: *Image Features from Phase Congruency*,
Videre 1(3), 1999.
"""

import functools
import math

import numpy as np
import torch
import torch.nn.functional as F

from clipsim.metrics.all_pairs import score_matrix
from clipsim.metrics.definitions import definition, image_pair, luma, rounded, similarity

SCHARR = ((-3.0, 0.0, 3.0), (-10.0, 0.0, 10.0), (-3.0, 0.0, 3.0))  # grows to the right
FULL_SIZE = 256  # images are reduced towards this shorter side
EPSILON = 1e-4  # the authors' and Kovesi's guard of divisions, in grey levels; felt below 1e-2
CONSTANT = 1e-3  # a plane that varies by less than this many grey levels has no features
RADIAL_CUTOFF, RADIAL_ORDER = 0.45, 15  # Butterworth low-pass on every filter
ANGULAR_RATIO = 1.2  # interval between orientations over the angular Gaussian's sd
NOISE_RESCALE = 1.7  # the noise estimate is too high for this measure (authors' code)
SPREAD_CUTOFF, SPREAD_GAIN = 0.5, 10.0  # sigmoid of the frequency-spread weight


def fsim(a, b, variant="canonical"):
    r"""FSIM of two images.

    With phase congruency PC and gradient magnitude G of each image (Zhang 2011, Eqs. 3–7),

    .. math:: S_{PC} = \frac{2 PC_a PC_b + T_1}{PC_a^2 + PC_b^2 + T_1}, \quad
              S_G = \frac{2 G_a G_b + T_2}{G_a^2 + G_b^2 + T_2}, \quad
              FSIM = \frac{\sum S_{PC} S_G PC_m}{\sum PC_m}

    with PC_m = max(PC_a, PC_b), T1 = .85, T2 = 160 on grey levels 0–255.

    Where neither image has a feature (PC_m is 0 everywhere: two constant images) the quotient is
    0/0. FSIM is then 1, its limit for one faint texture on both: it does not compare brightness.

    Parameters
    ----------
    a, b : torch.Tensor or numpy.ndarray, shape (3, H, W)
        RGB, float32 or float64 in [0, 1], or uint8 (computed in float32). Both of one shape and
        dtype.
    variant : {"canonical", "package"} or FSIMDefinition
        "canonical": Zhang 2011 on Y of YIQ, reduced by block means to about 256 pixels.
        "package": as image-similarity-measures 0.3.6 does by default: pixels of 8 bits; mean
        over R, G, B, no reduction; a phase congruency summed over 6 orientations;
        gradients 16 times too large for T2 and kept in 16-bit unsigned integers that clip
        and wrap. `FSIMDefinition` names each of its departures.

    Returns
    -------
    float
        In [0, 1], 1 for identical images; higher is more alike.

    Raises
    ------
    ValueError
        Naming the argument, what was expected and what was found.
    """
    pair = image_pair(a, b, math.ceil(definition("fsim", variant).min_wavelength))
    return fsim_matrix(pair, variant, pairs=[(0, 1)]).item()


def fsim_matrix(images, variant="canonical", *, pairs=None, dtype=None):
    """FSIM of all pairs of M images, or of the pairs given.

    Phase congruency and gradients, nearly all of the work, are computed once per image.

    Parameters
    ----------
    images : torch.Tensor or numpy.ndarray (a memory map, too), shape (M, 3, H, W)
        RGB, float32 or float64 in [0, 1], or uint8.
    variant : {"canonical", "package"} or FSIMDefinition
        As in `fsim`.
    dtype : {"float32", "float64"}, optional
        Precision; by default that of the images, float32 for uint8.
    pairs : array of int, shape (P, 2), optional
        Indices of the pairs wanted, in any order; by default all pairs.

    Returns
    -------
    numpy.ndarray, shape (M, M) or (P,)
        In [0, 1], higher is more alike. The matrix is symmetric with a diagonal of ones.

    Raises
    ------
    ValueError
        Naming the argument, what was expected and what was found.
    """
    chosen = definition("fsim", variant)
    maps = functools.partial(image_maps, chosen=chosen)
    combine = functools.partial(combined, chosen=chosen)
    min_side = math.ceil(chosen.min_wavelength)  # one period of the finest filter
    return score_matrix(images, maps, combine, min_side, pairs, dtype)


def image_maps(images, chosen):
    """What FSIM needs of images (B, 3, H, W): PC and G, each (B, C, h, w)."""
    if chosen.eight_bit:  # package: it is given 8-bit images
        images = rounded(images)
    levels = 255 * images
    if chosen.downsample:
        # Python's round, as in piq: halves go to even (shorter side 640: F = 2)
        factor = max(1, round(min(levels.shape[-2:]) / FULL_SIZE))
        levels = F.avg_pool2d(levels, factor) if factor > 1 else levels
    planes = luma(levels)[:, None] if chosen.colour == "luma" else levels
    return phase_congruency(planes, chosen), _gradient(planes, chosen)


def combined(left, right, chosen):
    """FSIM (...) from the maps of two images, each (..., C, h, w)."""
    similar = similarity(left[0], right[0], chosen.t1) * similarity(left[1], right[1], chosen.t2)
    weights = torch.maximum(left[0], right[0])
    total = weights.sum((-2, -1))
    featureless = total == 0
    quotient = (similar * weights).sum((-2, -1)) / torch.where(featureless, 1.0, total)
    scores = torch.where(featureless, 1.0, quotient).mean(-1)
    return scores.clamp(0, 1)  # rounding may pass 1


def _gradient(planes, chosen):
    """Gradient magnitude of planes (B, C, H, W) by Scharr's derivatives (Zhang 2011, Table I)."""
    shape = planes.shape
    planes = planes.reshape(-1, 1, *shape[-2:])
    border = {"zero": "constant", "reflect": "reflect"}[chosen.gradient_border]
    planes = F.pad(planes, (1, 1, 1, 1), mode=border)
    # package: not divided by 16, while T2 = 160 is meant for derivatives that are
    kernel = planes.new_tensor(SCHARR) / chosen.gradient_divisor
    across, down = F.conv2d(planes, torch.stack([kernel, kernel.T])[:, None]).unbind(1)
    if chosen.gradient_storage != "float":
        across, down = across.clamp_min(0), down.clamp_min(0)  # package: unsigned integers
    if chosen.gradient_storage == "uint16":
        # package: squares and their sum wrap; each stays below 2^24, exact in float32
        wrapped = across.round() ** 2 % 65536 + down.round() ** 2 % 65536
        return (wrapped % 65536).sqrt().reshape(shape)
    return _length(across, down).reshape(shape)


def phase_congruency(planes, chosen):
    r"""Phase congruency of grey planes (..., H, W) with levels from 0 to 255, of the same shape.

    With the complex responses e_so of log-Gabor filters of scales s and orientations o, amplitudes
    A_so = |e_so| and unit mean direction d_o = Σ_s e_so / |Σ_s e_so|,

    .. math:: E_o = \sum_s \left( \Re(\bar d_o e_{so}) - |\Im(\bar d_o e_{so})| \right), \quad
              E_o^+ = W_o \max(E_o - T_o, 0)

        pooled (Zhang 2011, Eq. 3; canonical)   PC = Σ_o E_o⁺ / Σ_o Σ_s A_so,  W_o = 1
        per orientation (package)               PC = Σ_o (E_o⁺ / Σ_s A_so)

    0 everywhere for a constant plane, whose response would be rounding noise alone.
    """
    spatial = planes.shape[-2:]
    filters, noise_factors = filter_bank(chosen, *spatial, planes.dtype)
    planes_in = planes.reshape(-1, *spatial)
    low, high = planes_in.amin((-2, -1), True), planes_in.amax((-2, -1), True)
    centred = planes_in - planes_in.mean((-2, -1), True)
    spectrum = torch.fft.fft2(torch.where(high - low < CONSTANT, 0.0, centred))
    tiny = torch.finfo(planes.dtype).eps
    energies, amplitudes, ratios = 0, 0, 0
    for bank, noise_factor in zip(filters, noise_factors, strict=True):
        responses = torch.fft.ifft2(spectrum[:, None] * bank)  # plane, scale, H, W
        energy, amplitude = _energy(responses, noise_factor, chosen)
        if chosen.pooling == "pooled":
            energies, amplitudes = energies + energy, amplitudes + amplitude
        else:  # package: a ratio for each orientation, summed
            ratios = ratios + energy / (amplitude + tiny)
    if chosen.pooling == "pooled":
        ratios = energies / (amplitudes + tiny)
    return ratios.reshape(planes.shape)


def _energy(responses, noise_factor, chosen):
    """Weighted energy above noise E⁺ and amplitude Σ_s A of one orientation."""
    real, imaginary = responses.real.contiguous(), responses.imag.contiguous()
    amplitudes = _length(real, imaginary)
    amplitude = amplitudes.sum(1)
    x, y = real.sum(1), imaginary.sum(1)
    strength = _length(x, y)
    along = strength**2 / (strength + EPSILON)  # Σ_s Re(conj(d) e_s)
    x, y = (part.div_(strength + EPSILON)[:, None] for part in (x, y))
    across = (x * imaginary).addcmul_(y, real, value=-1).abs_().sum(1)  # Σ_s |Im(conj(d) e_s)|
    threshold = noise_factor * _median(amplitudes[:, 0].flatten(1))
    energy = (along - across - threshold[:, None, None]).clamp_min(0)
    if chosen.frequency_weight:  # package: few scales respond, little weight
        widest = amplitude / (amplitudes.amax(1) + EPSILON)
        spread = (widest - 1) / (chosen.scales - 1)
        energy = energy * torch.sigmoid(SPREAD_GAIN * (spread - SPREAD_CUTOFF))
    return energy, amplitude


def _length(x, y):
    """Length of vectors (x, y), in a fifth of the time that torch's `abs` of x + iy takes."""
    return torch.addcmul(x**2, y, y).sqrt()


def _median(values):
    """Median of each row; of an even number of values the mean of the middle two."""
    middle = (values.shape[1] - 1) // 2, values.shape[1] // 2
    # NumPy finds both at once, in half of the time that torch takes for one.
    middle = np.partition(values.numpy(), middle, axis=1)[:, middle]
    return torch.from_numpy(middle.sum(axis=1)) / 2


@functools.lru_cache(maxsize=4)
def filter_bank(chosen, height, width, dtype):
    """Log-Gabor filters and, per orientation, noise threshold over median amplitude.

    The filters are transfer functions, zero frequency first, (orientations, scales, H, W); T_o is
    its factor, a float, times the median amplitude at the finest scale.
    """
    y, x = torch.meshgrid(_frequencies(height), _frequencies(width), indexing="ij")
    radius = torch.sqrt(x**2 + y**2)
    angle = torch.atan2(-y, x)
    low_pass = 1 / (1 + (radius / RADIAL_CUTOFF) ** (2 * RADIAL_ORDER))
    radius[0, 0] = 1  # its logarithm is taken; the filters are 0 there
    radial = []
    for scale in range(chosen.scales):
        wavelength = chosen.min_wavelength * chosen.multiplier**scale
        log_sd = math.log(chosen.bandwidth)
        radial.append(torch.exp(-(torch.log(radius * wavelength) ** 2) / (2 * log_sd**2)))
        radial[-1] *= low_pass
        radial[-1][0, 0] = 0
    radial = torch.stack(radial)
    centres = [o * math.pi / chosen.orientations for o in range(chosen.orientations)]
    filters = torch.stack([radial * _angular_window(angle, c, chosen) for c in centres])
    noise_factors = tuple(_noise_factor(bank, chosen) for bank in filters)
    return filters.to(dtype), noise_factors


def _frequencies(n):
    """Cycles per pixel, zero first. Odd n is divided by n − 1, as the authors and Kovesi do."""
    first = -(n // 2)
    grid = torch.arange(first, first + n, dtype=torch.float64) / (n - n % 2)
    return torch.roll(grid, first)


def _angular_window(angle, centre, chosen):
    distance = torch.atan2(torch.sin(angle - centre), torch.cos(angle - centre)).abs()
    if chosen.angular_window == "gaussian":
        sd = math.pi / chosen.orientations / ANGULAR_RATIO
        return torch.exp(-(distance**2) / (2 * sd**2))
    # package: a raised cosine that is 0 from two intervals away on
    return (1 + torch.cos((distance * chosen.orientations / 2).clamp_max(math.pi))) / 2


def _noise_factor(bank, chosen):
    """Noise threshold of one orientation over the median amplitude at its finest scale.

    Amplitudes of noise are Rayleigh distributed with parameter τ: mean τ √(π/2), standard
    deviation τ √(2 − π/2); T = mean + k sd.
    """
    above = math.sqrt(math.pi / 2) + chosen.noise_deviations * math.sqrt(2 - math.pi / 2)
    if chosen.noise == "geometric":
        # package (Kovesi's phasecong3): τ = median / √ln 4 at the finest scale, summed over
        # scales as if amplitudes fell by the multiplier; no division by 1.7
        shrink = 1 / chosen.multiplier
        tau = (1 - shrink**chosen.scales) / (1 - shrink) / math.sqrt(math.log(4))
        return tau * above
    # noise power: mean squared amplitude (median² / ln 2) over the finest filter's energy;
    # Σ_s a_s² + 2 Σ_(s<t) a_s a_t of the filters in space is the square of their sum
    in_space = torch.fft.ifft2(bank.sum(0)).real * math.sqrt(bank[0].numel())
    power = 1 / math.log(2) / (bank[0] ** 2).sum()
    tau = math.sqrt(power * (in_space**2).sum())
    return tau * above / NOISE_RESCALE
