"""Eq. 4 for all pairs, against the arithmetic it needs at least and against the double loop.

Run `python benchmarks/scoring.py`; it prints and writes `scoring.json` beside itself.

- all pairs: `score_matrix` of M × N × d description vectors, with their lengths and sums, against
  one product of two M × d matrices; and the product of sums that are there already, as they are
  once images are described.
- pairs: the double loop over the N² cosines of a pair, in NumPy, on sampled pairs.
- edges: all pairs of 100,000 images at or above a threshold, in a process of its own whose peak
  memory is measured, the description vectors (M × N × d) included. The images are in groups, so
  that there are edges; the threshold leaves about ten to an image.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from machine import peak_gib
from rows import OURS_BY_PEER, PEER_BY_OURS, row, write

from clipsim.retrieval import description_sums, pair_products, score_edges, score_matrix
from clipsim.studies.cost_and_scale import timed_rounds

M, N, D = 5_000, 10, 256
SAMPLED_PAIRS = 20
ROUNDS = 9
MANY, GROUPS, EDGES_PER_IMAGE = 100_000, 4_000, 10
MOST_GIB = 4
RESULT = Path(__file__).with_suffix(".json")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edges", action="store_true", help=argparse.SUPPRESS)
    if parser.parse_args().edges:
        print(json.dumps(edges()))
        return
    found = edges_apart()
    rows = [*all_pairs_rows(), edge_row(found)]
    what = f"Eq. 4, N = {N}, d = {D}, {torch.get_num_threads()} threads"
    if not write(RESULT, what, rows, ("numpy", "torch"), edges=found):
        sys.exit("a target is missed")


def all_pairs_rows():
    """Rows of all pairs of M images."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((M, N, D), dtype=np.float32)
    sums = description_sums(vectors)
    pairs = rng.integers(M, size=(SAMPLED_PAIRS, 2))
    seconds = timed_rounds(
        {
            "matrix": lambda _: score_matrix(vectors),
            "sums": lambda _: sums @ sums.T,
            "product": lambda _: np.matmul(vectors[:, 0], vectors[:, 1].T),
            "loop": lambda _: [double_loop(vectors[a], vectors[b]) for a, b in pairs],
        },
        ROUNDS,
    )
    median = {name: float(np.median(values)) for name, values in seconds.items()}
    per_pair = 1e6 / M**2
    case, plain = f"all pairs of {M:,} images", f"one product of two {M:,} × {D} matrices"
    return [
        row(
            case, "score_matrix, from description vectors", plain, "s",
            (median["matrix"], median["product"]), OURS_BY_PEER, "≤ 1.3",
        ),
        row(
            case, "the product of their sums (symmetric: half the arithmetic)", plain, "s",
            (median["sums"], median["product"]), OURS_BY_PEER,
        ),
        row(
            f"{case}, a pair of them", "score_matrix", "double loop over N² cosines", "µs",
            (median["matrix"] * per_pair, median["loop"] / SAMPLED_PAIRS * 1e6), PEER_BY_OURS,
        ),
    ]  # fmt: skip


def double_loop(a, b):
    """Eq. 4 of a pair as it is written."""
    total = 0.0
    for u in a:
        for w in b:
            total += u @ w / (np.linalg.norm(u) * np.linalg.norm(w))
    return total / (len(a) * len(b))


def edges_apart():
    """What `edges` finds in a fresh process."""
    command = [sys.executable, __file__, "--edges"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def edges():
    """Edges of many images: their number, the time, the peak memory of this process in GiB."""
    rng = np.random.default_rng(0)
    vectors = np.empty((MANY, N, D), dtype=np.float32)
    centres = rng.standard_normal((GROUPS, D), dtype=np.float32)
    for start in range(0, MANY, GROUPS):
        noise = rng.standard_normal((GROUPS, N, D), dtype=np.float32)
        vectors[start : start + GROUPS] = centres[:, None] + noise
    threshold = threshold_for(description_sums(vectors[: 10 * GROUPS]), rng)
    started = time.perf_counter()
    n_edges = sum(len(scores) for _, scores in score_edges(vectors, threshold))
    took = time.perf_counter() - started
    return {
        "images": MANY,
        "threshold": round(float(threshold), 4),
        "edges": n_edges,
        "took_s": round(took, 1),
        "peak_gib": round(peak_gib(), 2),
    }


def threshold_for(sums, rng):
    """The score that some tens of thousandths of all pairs reach: about ten edges to an image."""
    some = rng.integers(len(sums), size=(2, 4_000_000))
    scores = pair_products(sums, sums, *some)
    return np.quantile(scores[some[0] != some[1]], 1 - EDGES_PER_IMAGE / MANY)


def edge_row(found):
    case = f"{found['edges']:,} edges among {found['images']:,} images, peak memory"
    return row(
        case, f"score_edges, {found['took_s']:g} s", "the bound", "GiB",
        (found["peak_gib"], MOST_GIB), OURS_BY_PEER, "≤ 1",
    )  # fmt: skip


if __name__ == "__main__":
    main()
