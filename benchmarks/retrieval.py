"""The ten best of 200,000 descriptions for 1,000 images, exactly, against FAISS.

Run `python benchmarks/retrieval.py`; it prints and writes `retrieval.json` beside itself. The
model is the demo's, trained if it is not there; beyond its own pool, vectors are sampled around
the real ones (`sampled_pool`), and beyond its held-out images around theirs. FAISS's index
is made before the clock starts. The ids must be FAISS's, but where products are equal to
rounding; `pool_size.py` has the approximate indexes.
"""

import sys
from pathlib import Path

import faiss
import numpy as np
import torch
from inputs import demo_vectors
from rows import OURS_BY_PEER, row, write
from sampled_pool import pool_of

from clipsim.retrieval import largest_products
from clipsim.studies.cost_and_scale import timed_rounds

POOL, N_IMAGES, N = 200_000, 1_000, 10
ROUNDS = 9
TIE = 1e-6  # products of unit vectors that differ by less are equal to rounding
RESULT = Path(__file__).with_suffix(".json")


def main():
    pool, queries = vectors()
    peer = faiss.IndexFlatIP(pool.shape[1])
    peer.add(pool)
    rows = [search_row(pool, queries[:n], peer) for n in (N_IMAGES, 1)]
    same = agreement(pool, queries, peer)
    what = f"top {N} of {POOL:,} descriptions, {torch.get_num_threads()} threads"
    is_met = write(RESULT, what, rows, ("numpy", "torch", "faiss-cpu"), agreement=same)
    if not is_met or same["differing_beyond_ties"]:
        sys.exit("a target is missed")


def vectors():
    """The pool and the images."""
    profile, pool, queries = demo_vectors()
    return pool_of(pool, POOL, profile.seed), pool_of(queries, N_IMAGES, profile.seed)


def search_row(pool, queries, peer):
    seconds = timed_rounds(
        {
            "ours": lambda _: largest_products(queries, pool, N),
            "peer": lambda _: peer.search(queries, N),
        },
        ROUNDS,
    )
    medians = [1e3 * float(np.median(seconds[name])) for name in ("ours", "peer")]
    case = f"top {N} of {POOL:,} for {len(queries):,} images at once"
    target = "≤ 1.15" if len(queries) == N_IMAGES else None
    return row(case, "largest_products", "FAISS IndexFlatIP", "ms", medians, OURS_BY_PEER, target)


def agreement(pool, queries, peer):
    """How many of the ids differ from FAISS's, and how many of these are no ties."""
    ids, products = largest_products(queries, pool, N)
    other_products, other_ids = peer.search(queries, N)
    differing = ids != other_ids
    apart = differing & (np.abs(products - other_products) > TIE)
    return {
        "ids": int(ids.size),
        "differing": int(differing.sum()),
        "differing_beyond_ties": int(apart.sum()),
    }


if __name__ == "__main__":
    main()
