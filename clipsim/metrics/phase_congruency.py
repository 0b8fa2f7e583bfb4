r"""Phase congruency: where the Fourier components of an image are in phase.

P. Kovesi: *Image Features from Phase Congruency*, Videre 1(3), 1999, in the two forms that the
variants of FSIM use. With the complex responses e_so of log-Gabor filters of scales s and
orientations o, amplitudes A_so = |e_so| and unit mean direction d_o = Σ_s e_so / |Σ_s e_so|,

.. math:: E_o = \sum_s \left( \Re(\bar d_o e_{so}) - |\Im(\bar d_o e_{so})| \right), \quad
          E_o^+ = W_o \max(E_o - T_o, 0)

    pooled (Zhang et al. 2011, Eq. 3; canonical)   PC = Σ_o E_o⁺ / Σ_o Σ_s A_so,  W_o = 1
    per orientation (package)                      PC = Σ_o (E_o⁺ / Σ_s A_so)
"""

import functools
import math

import torch

EPSILON = 1e-4  # the authors' and Kovesi's guard of divisions, in grey levels; felt below 1e-2
CONSTANT = 1e-3  # a plane that varies by less than this many grey levels has no features
RADIAL_CUTOFF, RADIAL_ORDER = 0.45, 15  # Butterworth low-pass on every filter
ANGULAR_RATIO = 1.2  # interval between orientations over the angular Gaussian's sd
NOISE_RESCALE = 1.7  # the noise estimate is too high for this measure (authors' code)
SPREAD_CUTOFF, SPREAD_GAIN = 0.5, 10.0  # sigmoid of the frequency-spread weight


def phase_congruency(planes, chosen):
    """Phase congruency of grey planes.

    Parameters
    ----------
    planes : torch.Tensor, shape (..., H, W)
        Grey levels from 0 to 255.
    chosen : FSIMDefinition

    Returns
    -------
    torch.Tensor, shape (..., H, W)
        From 0 to 1 ("pooled") or to the number of orientations ("per_orientation"); 0
        everywhere for a constant plane, whose response would be rounding noise alone.
    """
    spatial = planes.shape[-2:]
    filters, noise_factors = filter_bank(chosen, *spatial, planes.dtype, planes.device)
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
    amplitudes = responses.abs()
    amplitude = amplitudes.sum(1)
    total = responses.sum(1)
    strength = total.abs()
    direction = (total / (strength + EPSILON)).conj()[:, None]
    along = strength**2 / (strength + EPSILON)  # Σ_s Re(conj(d) e_s)
    across = torch.view_as_real(direction * responses)[..., 1].abs().sum(1)
    threshold = noise_factor * _median(amplitudes[:, 0].flatten(1))
    energy = (along - across - threshold[:, None, None]).clamp_min(0)
    if chosen.frequency_weight:  # package: few scales respond, little weight
        widest = amplitude / (amplitudes.amax(1) + EPSILON)
        spread = (widest - 1) / (chosen.scales - 1)
        energy = energy * torch.sigmoid(SPREAD_GAIN * (spread - SPREAD_CUTOFF))
    return energy, amplitude


def _median(values):
    """Median of each row; of an even number of values the mean of the middle two."""
    lower = values.median(dim=1).values
    upper = -(-values).median(dim=1).values
    return (lower + upper) / 2


@functools.lru_cache(maxsize=4)
@torch.inference_mode(False)  # a cached tensor must also serve a later call with gradients
def filter_bank(chosen, height, width, dtype, device):
    """Log-Gabor filters and, per orientation, noise threshold over median amplitude.

    Returns
    -------
    filters : torch.Tensor, shape (orientations, scales, H, W)
        Transfer functions, zero frequency first.
    noise_factors : tuple of float
        T_o is this times the median amplitude at the finest scale.
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
    filters = torch.stack(
        [
            radial * _angular_window(angle, o * math.pi / chosen.orientations, chosen)
            for o in range(chosen.orientations)
        ]
    )
    noise_factors = tuple(_noise_factor(bank, chosen) for bank in filters)
    return filters.to(device, dtype), noise_factors


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
