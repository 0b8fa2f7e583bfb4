"""Search of up to a million descriptions: the rows of notebook 12, further on.

Run `python benchmarks/pool_size.py`; it prints and writes `pool_size.json` beside itself. The
model is the demo's, trained if it is not there; beyond its own pool, vectors are sampled around
the real ones (`sampled_pool`). Contestants take turns, so that a busy machine slows all
of them; ratios are what holds. A million vectors need about 6 GiB of memory, and minutes to be
made an index of.
"""

import argparse
from pathlib import Path

import torch
from inputs import demo_vectors
from rows import OURS_BY_PEER, PEER_BY_OURS, row, write

from clipsim.studies.cost_and_scale.cost_study import EXACT, machine_limits, pool_rows

SIZES = (100_000, 1_000_000)
ROUNDS = 5
RESULT = Path(__file__).with_suffix(".json")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="of the pools")
    sizes = parser.parse_args().sizes
    profile, vectors, queries = demo_vectors()
    found = pool_rows(profile, vectors, queries, sizes, ROUNDS)
    what = f"top {profile.n_descriptions} of a pool, {torch.get_num_threads()} threads"
    packages = ("numpy", "torch", "faiss-cpu")
    write(RESULT, what, table_rows(found), packages, limits=machine_limits(found), found=found)


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
