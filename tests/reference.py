"""Slow readings of the equations, one loop per index, against which fast paths are checked."""

import functools
import hashlib
import json
import math

import numpy as np
import PIL.Image
import pytest
from scipy.signal import correlate2d
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from clipsim.profile import REPOSITORY

METRICS_REFERENCE = REPOSITORY.parent / "shared" / "metrics_reference"

# --- images ----------------------------------------------------------------------------------


def random_image(height, width, seed):
    """White noise over a slow wave: (3, H, W) float64 in [0, 1], every pixel k/255."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    phase = random.uniform(0, 6, (3, 1, 1))
    wave = 0.5 + 0.3 * np.sin(x / random.uniform(5, 20) + y / random.uniform(5, 20) + phase)
    return np.round(255 * np.clip(wave + random.normal(0, 0.1, (3, height, width)), 0, 1)) / 255


@functools.cache
def photograph_pairs():
    """The reference pairs: [(a, b, values)], a and b uint8 (3, 224, 224). Skips if not there.

    `values` come from image-similarity-measures 0.3.6, piq 0.8.0, scikit-image 0.20.0 and a
    float64 reading of the FSIM paper; reference.json says how.
    """
    path = METRICS_REFERENCE / "reference.json"
    if not path.is_file():
        pytest.skip("shared/metrics_reference is not beside the repository")
    pairs = []
    for pair in json.loads(path.read_text(encoding="utf-8"))["pairs"]:
        a, b = _photograph(pair["a"], "plain"), _photograph(pair["b"], pair["kind"])
        for pixels, expected in ((a, pair["sha256_a"]), (b, pair["sha256_b"])):
            if hashlib.sha256(pixels.tobytes()).hexdigest() != expected:
                pytest.skip("this JPEG decoder gives other pixels than the reference values'")
        pairs.append((a.transpose(2, 0, 1), b.transpose(2, 0, 1), pair["values"]))
    return pairs


def _photograph(name, kind):
    with PIL.Image.open(METRICS_REFERENCE / name) as photograph:
        small = photograph.convert("RGB").resize((256, 256), PIL.Image.Resampling.BILINEAR)
    pixels = np.asarray(small)
    left = 24 if kind == "shift8" else 16
    pixels = pixels[16:240, left : left + 224]
    return np.ascontiguousarray(pixels[:, ::-1] if kind == "hflip" else pixels)


# --- FSIM ------------------------------------------------------------------------------------


def slow_fsim(a, b):
    """Zhang et al. 2011 in float64, on images (3, H, W) in [0, 1]."""
    a, b = _reduced(255 * a), _reduced(255 * b)
    a, b = (np.einsum("c,chw->hw", (0.299, 0.587, 0.114), image) for image in (a, b))
    pc_a, pc_b = (_canonical_phase_congruency(image) for image in (a, b))
    gradient_a, gradient_b = (_canonical_gradient(image) for image in (a, b))
    similar = _similar(pc_a, pc_b, 0.85) * _similar(gradient_a, gradient_b, 160)
    weights = np.maximum(pc_a, pc_b)
    return float((similar * weights).sum() / weights.sum())


def slow_package_fsim(a, b):
    """What image-similarity-measures 0.3.6 computes, from FACTS in words, on uint8 (3, H, W)."""
    values = []
    for plane_a, plane_b in zip(a, b, strict=True):
        pc_a, pc_b = (_package_phase_congruency(p.astype(float)) for p in (plane_a, plane_b))
        gradient_a, gradient_b = _package_gradient(plane_a), _package_gradient(plane_b)
        similar = _similar(pc_a, pc_b, 0.85) * _similar(gradient_a, gradient_b, 160)
        weights = np.maximum(pc_a, pc_b)
        values.append((similar * weights).sum() / weights.sum())
    return float(np.mean(values))


def _similar(x, y, constant):
    return (2 * x * y + constant) / (x**2 + y**2 + constant)


def _reduced(image):
    """Block means, F = max(1, round(min(H, W) / 256))."""
    f = max(1, round(min(image.shape[1:]) / 256))
    height, width = image.shape[1] // f, image.shape[2] // f
    blocks = image[:, : height * f, : width * f].reshape(3, height, f, width, f)
    return blocks.mean((2, 4))


def _log_gabor(shape, scale, log_sd, angular):
    """One filter, minimum wavelength 6 and multiplier 2; `angular` of the angle is a factor."""
    axes = []
    for n in shape:
        axis = np.linspace(-0.5, 0.5, n) if n % 2 else np.arange(-n // 2, n // 2) / n
        axes.append(np.fft.ifftshift(axis))
    y, x = np.meshgrid(*axes, indexing="ij")
    radius = np.hypot(x, y)
    low_pass = 1 / (1 + (radius / 0.45) ** 30)
    radius[0, 0] = 1
    radial = np.exp(-(np.log(radius * 6 * 2**scale) ** 2) / (2 * log_sd**2)) * low_pass
    radial[0, 0] = 0
    return radial * angular(np.arctan2(-y, x))


def _distance(angle, centre):
    """Absolute angle between two directions, from 0 to π."""
    return np.abs((angle - centre + np.pi) % (2 * np.pi) - np.pi)


def _energy(responses):
    """Σ_s of each response along the mean direction less its absolute part across it."""
    total = sum(responses)
    direction = total / (np.abs(total) + 1e-4)
    energy = 0
    for response in responses:
        turned = response * np.conj(direction)
        energy = energy + turned.real - np.abs(turned.imag)
    return energy


def _canonical_phase_congruency(plane):
    energy_sum, amplitude_sum = 0, 0
    for o in range(4):

        def angular(angle, centre=o * np.pi / 4):
            return np.exp(-(_distance(angle, centre) ** 2) / (2 * (np.pi / 4 / 1.2) ** 2))

        bank = [_log_gabor(plane.shape, s, math.log(0.55), angular) for s in range(4)]
        responses = [np.fft.ifft2(np.fft.fft2(plane) * g) for g in bank]
        in_space = [np.fft.ifft2(g).real * math.sqrt(plane.size) for g in bank]
        squares = sum((g**2).sum() for g in in_space)
        products = sum((in_space[s] * in_space[t]).sum() for t in range(4) for s in range(t))
        power = np.median(np.abs(responses[0]) ** 2) / math.log(2) / (bank[0] ** 2).sum()
        tau = math.sqrt((2 * power * squares + 4 * power * products) / 2)
        threshold = tau * math.sqrt(math.pi / 2) + 2 * math.sqrt((2 - math.pi / 2) * tau**2)
        energy_sum = energy_sum + np.maximum(_energy(responses) - threshold / 1.7, 0)
        amplitude_sum = amplitude_sum + sum(np.abs(r) for r in responses)
    return energy_sum / amplitude_sum


def _package_phase_congruency(plane):
    total = 0
    for o in range(6):

        def angular(angle, centre=o * np.pi / 6):
            return (np.cos(np.minimum(_distance(angle, centre) * 6 / 2, np.pi)) + 1) / 2

        bank = [_log_gabor(plane.shape, s, math.log(0.5978), angular) for s in range(4)]
        responses = [np.fft.ifft2(np.fft.fft2(plane) * g) for g in bank]
        amplitudes = [np.abs(r) for r in responses]
        tau = np.median(amplitudes[0]) / math.sqrt(math.log(4)) * (1 + 1 / 2 + 1 / 4 + 1 / 8)
        threshold = tau * math.sqrt(math.pi / 2) + 2 * tau * math.sqrt((4 - math.pi) / 2)
        spread = (sum(amplitudes) / (np.maximum.reduce(amplitudes) + 1e-4) - 1) / 3
        weight = 1 / (1 + np.exp(10 * (0.5 - spread)))
        energy = np.maximum(_energy(responses) - threshold, 0)
        total = total + weight * energy / sum(amplitudes)
    return total


def _derivatives(padded, kernel):
    """Correlation with a 3×3 kernel and with its transpose."""
    return [correlate2d(padded, one, mode="valid") for one in (kernel, kernel.T)]


SCHARR = np.array([[-3.0, 0, 3], [-10, 0, 10], [-3, 0, 3]])


def _canonical_gradient(plane):
    return np.hypot(*_derivatives(np.pad(plane, 1), SCHARR / 16))


def _package_gradient(plane):
    """NumPy's own 16-bit arithmetic wraps as the package's does."""
    across, down = _derivatives(np.pad(plane.astype(float), 1, mode="reflect"), SCHARR)
    across, down = (np.maximum(d, 0).astype(np.uint16) for d in (across, down))
    return np.sqrt((across * across + down * down).astype(float))


def eq_4(emb_a, emb_b, normalisation="mean"):
    """Eq. 4 of the paper as printed: a double loop over cosines."""
    a, b, n = np.asarray(emb_a, dtype=float), np.asarray(emb_b, dtype=float), len(emb_a)
    total = sum(u @ w / (np.sqrt(u @ u) * np.sqrt(w @ w)) for u in a for w in b)
    return total / n if normalisation == "paper" else total / n**2


# --- graphs ---------------------------------------------------------------------------------


def random_edges(n_images, n_edges, seed):
    """Distinct pairs and scores, some of them equal."""
    rng = np.random.default_rng(seed)
    every = np.stack(np.triu_indices(n_images, k=1), axis=1)
    pairs = every[rng.permutation(len(every))[:n_edges]]
    return pairs, rng.integers(-20, 100, len(pairs)).astype(np.float32) / 100


def components_by_search(n_images, pairs):
    """Sets of images that can be reached from each other, as SciPy finds them."""
    edges = coo_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(n_images, n_images))
    n_found, label = connected_components(edges, directed=False)
    return [set(np.flatnonzero(label == i).tolist()) for i in range(n_found)]
