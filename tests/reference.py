"""Slow readings of the equations, one loop per index, against which fast paths are checked."""

import functools
import hashlib
import json

import numpy as np
import PIL.Image
import pytest
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


# --- Eq. 4 ----------------------------------------------------------------------------------


def eq_4(emb_a, emb_b, normalisation="mean"):
    """Eq. 4 of the paper as printed: a double loop over cosines."""
    total = 0.0
    for u in emb_a:
        for w in emb_b:
            u64, w64 = np.asarray(u, dtype=float), np.asarray(w, dtype=float)
            total += (u64 @ w64) / (np.sqrt(u64 @ u64) * np.sqrt(w64 @ w64))
    n = len(emb_a)
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
    a, b = pairs.T
    edges = coo_array((np.ones(len(pairs)), (a, b)), shape=(n_images, n_images))
    n_found, label = connected_components(edges, directed=False)
    return [set(np.flatnonzero(label == i).tolist()) for i in range(n_found)]
