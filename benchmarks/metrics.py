"""SSIM and FSIM of all pairs against scikit-image and piq pair by pair, on one thread.

Run `python benchmarks/metrics.py`; it prints tables and writes `metrics.json` beside itself.
The pictures are 224×224: photographs of ../shared/flickr8k if they are there, else noise with
the spectrum of natural images. scikit-image and piq are timed on pictures that are already grey or
RGB tensors, ours with all that it does. Matrix and pairs take turns, so that a busy machine
slows both. The first row of each metric is what one gets for 8-bit pictures without asking for
a dtype: scikit-image computes those in float64, piq and ours in float32. The other rows give
both sides the same dtype.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import piq
import torch
from machine import peak_gib
from PIL import Image
from rows import OURS_BY_PEER, PEER_BY_OURS, row, write
from skimage.metrics import structural_similarity

from clipsim.metrics import fsim_matrix, luma, ssim_matrix
from clipsim.profile import REPOSITORY

SIDE = 224
M = 100
GROWTH = (25, 50, 100, 200)
ROUNDS = 5
PAIRS_PER_ROUND = 12
PHOTOGRAPHS = REPOSITORY.parent / "shared" / "flickr8k" / "Images"
TARGETS = {"fsim": 70, "ssim": 8}
MEMORY_M = 1000
MEMORY_GIB = 4
MEMORY_CASES = (
    ("ssim", "canonical", "float32"),
    ("ssim", "package", "float64"),
    ("fsim", "canonical", "float32"),
    ("fsim", "package", "float32"),
)
CASES = (  # metric, our dtype, the other's
    ("fsim", "float32", "float32"),
    ("fsim", "float64", "float64"),
    ("ssim", "float32", "float64"),
    ("ssim", "float32", "float32"),
    ("ssim", "float64", "float64"),
)
DEFAULTS = (CASES[0], CASES[2])  # held to the targets
MATRIX = {"ssim": ssim_matrix, "fsim": fsim_matrix}
RESULT = Path(__file__).with_suffix(".json")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peak", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.peak:
        print(peak_of(*args.peak))
        return
    peaks = [peak(*case) for case in MEMORY_CASES]  # first: a child's peak counts its parent's
    images, source = pictures(max(GROWTH))
    compared = [comparison(*case, images[:M]) for case in CASES]
    rows = [*map(comparison_row, CASES, compared), *map(memory_row, peaks)]
    what = f"all pairs of {M} pictures of {SIDE}×{SIDE} ({source}), one thread"
    grown = [growth(m, images[:m]) for m in GROWTH]
    packages = ("torch", "numpy", "piq", "scikit-image")
    rest = {"against_pair_by_pair": compared, "growth": grown, "memory": peaks}
    if not write(RESULT, what, rows, packages, **rest):
        sys.exit("a target is missed")


def comparison_row(case, found):
    name, ours, other = found["metric"].upper(), found["dtype"], found["other_dtype"]
    medians = found["ours_ms_per_pair"], found["other_ms_per_pair"]
    target = f"≥ {TARGETS[found['metric']]}" if case in DEFAULTS else None
    return row(
        f"{name} of all pairs of {M} pictures", f"{found['metric']}_matrix, {ours}",
        f"{found['other']} pair by pair, {other}", "ms a pair", medians, PEER_BY_OURS, target,
    )  # fmt: skip


def memory_row(found):
    what = f"{found['metric'].upper()} ({found['variant']}, {found['dtype']})"
    case = f"{what} of {found['images']:,} pictures, peak memory"
    medians = found["peak_gib"], MEMORY_GIB
    ours = f"{found['metric']}_matrix"
    return row(case, ours, "the bound", "GiB", medians, OURS_BY_PEER, "≤ 1")


def comparison(metric, dtype, other_dtype, images):
    """All pairs by us against sampled pairs by the other, in turns."""
    others, name = {"fsim": (piq_scorer, "piq"), "ssim": (skimage_scorer, "scikit-image")}[metric]
    other = others(torch.from_numpy(images).to(getattr(torch, other_dtype)) / 255)
    n_pairs = len(images) * (len(images) - 1) // 2
    random = np.random.default_rng(0)
    other(0, 1)
    MATRIX[metric](images[:4], dtype=dtype)
    ours, theirs, differences = [], [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        matrix = MATRIX[metric](images, dtype=dtype)
        ours.append((time.perf_counter() - start) / n_pairs)
        for _ in range(PAIRS_PER_ROUND):
            i, j = random.choice(len(images), 2, replace=False)
            start = time.perf_counter()
            score = other(i, j)
            theirs.append(time.perf_counter() - start)
            differences.append(abs(score - matrix[i, j]))
    our_s, their_s = statistics.median(ours), statistics.median(theirs)
    return {
        "metric": metric,
        "dtype": dtype,
        "other": name,
        "other_dtype": other_dtype,
        "ours_ms_per_pair": round(1e3 * our_s, 3),
        "other_ms_per_pair": round(1e3 * their_s, 3),
        "ratio": round(their_s / our_s, 1),
        "largest_difference": float(f"{max(differences):.2g}"),
        "n_compared": len(differences),
    }


def piq_scorer(images):
    return lambda i, j: piq.fsim(images[i : i + 1], images[j : j + 1], chromatic=False).item()


def skimage_scorer(images):
    grey = luma(images).numpy()

    def score(i, j):
        return structural_similarity(
            grey[i],
            grey[j],
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1.0,
        )

    return score


def growth(m, images):
    """Seconds for all pairs of m pictures."""
    row = {"images": m, "pairs": m * (m - 1) // 2}
    for metric, score_matrix in MATRIX.items():
        start = time.perf_counter()
        score_matrix(images)
        row[f"{metric}_s"] = round(time.perf_counter() - start, 2)
    return row


def peak(metric, variant, dtype):
    """Peak memory of a fresh process that computes the maps of MEMORY_M pictures."""
    command = [sys.executable, __file__, "--peak", metric, variant, dtype]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    case = {"metric": metric, "variant": variant, "dtype": dtype, "images": MEMORY_M}
    return {**case, "peak_gib": round(float(output), 2)}


def peak_of(metric, variant, dtype):
    """Maps of all pictures, and 2,000 pairs from all over the matrix."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (MEMORY_M, 3, SIDE, SIDE), dtype=np.uint8)
    pairs = random.integers(0, MEMORY_M, (2000, 2))
    MATRIX[metric](images, variant, pairs=pairs, dtype=dtype)
    return peak_gib()


def pictures(n):
    """n pictures (n, 3, SIDE, SIDE) uint8, and what they are."""
    paths = sorted(PHOTOGRAPHS.rglob("*.jpg"))[:n] if PHOTOGRAPHS.is_dir() else []
    if len(paths) == n:
        return np.stack([photograph(path) for path in paths]), "Flickr8k photographs"
    random = np.random.default_rng(0)
    fy, fx = np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)
    spectrum = 1 / np.maximum(np.hypot(fy, fx), 1 / SIDE)
    noise = np.fft.irfft2(np.fft.rfft2(random.normal(size=(n, 3, SIDE, SIDE))) * spectrum)
    noise = 128 + 50 * noise / noise.std()
    return np.clip(noise, 0, 255).astype(np.uint8), "generated noise with a 1/f spectrum"


def photograph(path):
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB").resize((SIDE, SIDE)))
    return pixels.transpose(2, 0, 1)


if __name__ == "__main__":
    main()
