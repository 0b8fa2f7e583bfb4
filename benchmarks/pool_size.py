"""Search of up to a million descriptions: the rows of notebook 12, further on.

Run `python benchmarks/pool_size.py`; it prints and writes `pool_size.json` beside itself. The
model is the demo's, trained if it is not there; beyond its own pool, vectors are sampled around
the real ones (`clipsim.sampled_pool`). Contestants take turns, so that a busy machine slows all
of them; ratios are what holds. A million vectors need about 6 GiB of memory, and minutes to be
made an index of.
"""

import argparse
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from machine import machine

import clipsim
from clipsim.cost_study import machine_limits, pool_rows
from clipsim.data import load
from clipsim.data.pool import caption_pool
from clipsim.pipeline import train_or_load
from clipsim.results import atomic_path

SIZES = (100_000, 1_000_000)
ROUNDS = 5
RESULT = Path(__file__).with_suffix(".json")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="of the pools")
    sizes = parser.parse_args().sizes
    profile = clipsim.load_profile("demo")
    images = load(profile)
    model = train_or_load(profile, images)
    vectors = model.encode_texts(caption_pool(profile, images))
    held_out = np.concatenate([images.indices(split) for split in ("val", "test")])
    queries = model.encode_images(images.subset(held_out))
    rows = pool_rows(profile, vectors, queries, sizes, ROUNDS)
    result = {
        "benchmark": f"top {profile.n_descriptions} of a pool, {torch.get_num_threads()} threads",
        "machine": machine(),
        "versions": {name: version(name) for name in ("numpy", "torch", "faiss-cpu")},
        "limits": machine_limits(rows),
        "rows": rows,
    }
    text = json.dumps(result, indent=2)
    with atomic_path(RESULT) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
