"""Search of up to a million descriptions, beside the limits of the machine.

Run `python benchmarks/pool_size.py`; it prints and writes `pool_size.json` beside itself. The
model is the demo's, trained if it is not there; beyond its own pool, vectors are sampled around
the real ones (`sampled_pool`). Contestants take turns, so that a busy machine slows all
of them; ratios are what holds. A million vectors need about 6 GiB of memory, and minutes to be
made an index of.

The limits are measured right after, in rounds of their own. A large product of float32 matrices
bounds what multiplies many vectors. Reading the pool once bounds a single query, since that reads
all of it for little arithmetic; it takes half as long as copying the pool.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from inputs import demo_vectors
from rows import OURS_BY_PEER, PEER_BY_OURS, row, write
from sampled_pool import pool_of
from torch.nn.functional import linear

from clipsim.model import OneDnnLinear
from clipsim.studies.cost_and_scale import EXACT, search_rows, timed_rounds

SIZES = (100_000, 1_000_000)
ROUNDS = 5
SIDE = 1536  # of the matrices whose product gives the limit of arithmetic
RESULT = Path(__file__).with_suffix(".json")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="of the pools")
    sizes = parser.parse_args().sizes
    profile, vectors, queries = demo_vectors()
    found, limits = [], {}
    for size in sizes:
        pool = pool_of(vectors, size, profile.seed)
        rows = search_rows(profile, pool, queries, ROUNDS)
        limits = machine_limits(pool, timed_rounds(contestants(pool), ROUNDS))
        for found_row in rows:
            del found_row["seconds"]
            found.append(found_row | limit(found_row, pool, limits))
    what = f"top {profile.n_descriptions} of a pool, {torch.get_num_threads()} threads"
    packages = ("numpy", "torch", "faiss-cpu")
    write(RESULT, what, table_rows(found), packages, limits=limits, found=found)


def contestants(pool):
    """What takes turns to give the limits: a large product, and copying the pool."""
    factor = torch.rand(SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    whole, room = torch.from_numpy(pool), torch.empty(pool.shape)

    @torch.inference_mode()
    def multiply(number):
        with OneDnnLinear():
            return linear(factor, factor)

    return {
        "product": multiply,
        "copy": lambda number: room.copy_(whole),
        # In one thread, too: on a busy machine several wait for each other.
        "copy in one thread": lambda number: np.copyto(room.numpy(), pool),
    }


def machine_limits(pool, seconds):
    """What bounds a search, at its fastest: `flop_per_s`, `read_bytes_per_s`."""
    copying = min(seconds["copy"].min(), seconds["copy in one thread"].min())
    return {
        "flop_per_s": 2 * SIDE**3 / float(seconds["product"].min()),
        "read_bytes_per_s": 2 * pool.nbytes / float(copying),  # copying reads, and writes as much
    }


def limit(row, pool, limits):
    """The `limit_s` of an exact search, per query: reading for a single one, else arithmetic."""
    if row["search"] != EXACT:
        return {}
    if row["queries"] == 1:
        return {"limit_s": pool.nbytes / limits["read_bytes_per_s"]}
    return {"limit_s": 2 * pool.size / limits["flop_per_s"]}


def table_rows(found):
    """Approximate search beside the exact one on the same pool; exact search beside its limit."""
    exact_s = {(r["pool"], r["queries"]): r["median_s"] for r in found if r["search"] == EXACT}
    rows = []
    for r in found:
        case = f"{r['pool']:,} descriptions, {r['queries']:,} images at once"
        if r["search"] == EXACT:
            limit = "reading the pool" if r["queries"] == 1 else "arithmetic"
            times, ours, peer = (r["median_s"], r["limit_s"]), EXACT, f"the limit: {limit}"
        else:
            times = r["median_s"], exact_s[r["pool"], r["queries"]]
            ours = f"{r['factory']}, {r['effort']}: recall {r['recall']:.3f}"
            peer = EXACT
        medians = [1e3 * seconds for seconds in times]
        which = OURS_BY_PEER if r["search"] == EXACT else PEER_BY_OURS
        rows.append(row(case, ours, peer, "ms an image", medians, which))
    return rows


if __name__ == "__main__":
    main()
