"""How time and memory grow with the number of items, beside the limits of the machine.

Run `python benchmarks/growth.py`; it prints and writes `growth.json` and draws `growth.png` beside
itself. Every size runs in a process of its own, whose peak memory is measured; then the same
process measures its limit. It takes a quarter of an hour on two cores.

- pictures: a folder of pictures that grows, read and encoded into its store by the model that
  ships; what an earlier size left there is not encoded again. At 20,000, with a store of its own,
  the encoding is killed once it has written, and started again. The limit: the network alone, on
  pixels in memory.
- descriptions: encoded by the same model. The limit: the network alone, on tokens in memory.
- retrieve: 10 of 30,000 descriptions for every image. edges: all pairs of images with a score
  (Eq. 4) at or above a threshold, about ten to an image. The limit of both: a large product of
  float32 matrices with as much arithmetic.
- search: the 10 pictures nearest to a text. The limit: reading their vectors once.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from timeit import timeit

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from machine import peak_gib
from pool_size import contestants, machine_limits
from rows import OURS_BY_PEER, row, write
from scoring import EDGES_PER_IMAGE, GROUPS

import clipsim
from clipsim.data import load, picture_folder
from clipsim.figures import use_style
from clipsim.model import TOKENS_PER_BATCH, OneDnnLinear, encoded_texts, image_features
from clipsim.pictures import own_describer
from clipsim.retrieval import encode, largest_products, products_at_least
from clipsim.studies.cost_and_scale import timed_rounds

SIZES = {
    "pictures": (1_000, 10_000, 20_000, 100_000),
    "descriptions": (1_000, 10_000, 100_000),
    "retrieve": (1_000, 10_000, 100_000),
    "edges": (1_000, 10_000, 100_000),
    "search": (1_000, 10_000, 100_000, 1_000_000),
}
LIMITS = {
    "pictures": "the network alone",
    "descriptions": "the network alone",
    "retrieve": "arithmetic",
    "edges": "arithmetic",
    "search": "reading the vectors",
}
KILLED = 20_000  # the size at which the encoding is killed
MOST_GIB = 4
POOL, D, N = 30_000, 256, 10
SAMPLED = 200  # images whose scores with all others give the threshold
DRAWN = 100  # different pictures of the folder, each under many names
ENCODED = 256  # pictures that the network alone encodes to be timed
ROUNDS = 5
RESULT = Path(__file__).with_suffix(".json")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        what, size, folder = args.one
        print(json.dumps(measured(what, int(size), Path(folder))))
        return
    sizes = [(what, n) for what, every in SIZES.items() for n in every]
    with tempfile.TemporaryDirectory() as folder:
        found = [apart(what, size, Path(folder)) for what, size in sizes]
    draw(found)
    rows = [time_row(f) for f in found] + [memory_row(f) for f in found if "kept" in f]
    what = f"growth, d = {D}, {os.cpu_count()} threads"
    if not write(RESULT, what, rows, ("numpy", "torch", "timm"), found=found):
        sys.exit("a target is missed")


def apart(what, size, folder):
    """What `measured` finds in a fresh process: of an encoding that is killed, in the second."""
    command = [sys.executable, __file__, "--one", what, str(size), str(folder)]
    is_killed = what == "pictures" and size == KILLED
    if is_killed:
        killed_once_written(command, store_of(size, folder) / "vectors.safetensors")
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    found = json.loads(done.stdout)
    return found | ({"kept": size - found["items"]} if is_killed else {})


def killed_once_written(command, store):
    """Begin an encoding, and kill it as soon as it has written what is done, after a minute."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while not store.exists():
            if process.poll() is not None:
                sys.exit("the encoding that was to be killed ended by itself")
            time.sleep(0.1)
        process.kill()


def measured(what, size, folder):
    """A size's items that were worked on, seconds, the limit's, and the peak memory in GiB."""
    n_items, took_s, limit = MEASURED[what](size, folder)
    found = {"what": what, "size": size, "items": n_items, "took_s": took_s}
    found |= {"peak_gib": peak_gib()}  # before the limit, which needs memory of its own
    return found | {"limit_s": limit()}


def store_of(size, folder):
    """Of the folder that grows, or of its own."""
    return folder / ("killed" if size == KILLED else "store")


def encoding(size, folder):
    fill(folder / "pictures", size)
    model = own_describer().model
    started = time.perf_counter()
    n_new = encode(model, picture_folder(folder / "pictures"), store_of(size, folder)).n_new
    took_s = time.perf_counter() - started
    pixels = np.random.default_rng(0).integers(256, size=(ENCODED, 3, 224, 224), dtype=np.uint8)

    def limit():
        seconds = timed_rounds({"network": lambda _: image_features(model, pixels)}, ROUNDS)
        return n_new * float(seconds["network"].min()) / ENCODED

    return n_new, took_s, limit


def describing(size, _):
    describer = own_describer()
    model, known = describer.model, describer.index.captions
    times = -(-size // len(known))
    texts = [f"{text} {number}" for number in range(times) for text in known][:size]
    took_s = timeit(lambda: encoded_texts(model, texts, progress=False), number=1)
    tokens = model.text_backbone.tokens.unpadded(texts)
    length = round(np.mean([len(ids) for ids in tokens]))
    batch = torch.full((TOKENS_PER_BATCH // length, length), tokens[0][1])

    def limit():
        with torch.inference_mode(), OneDnnLinear():
            work = {"network": lambda _: model.text_backbone({"input_ids": batch})}
            seconds = timed_rounds(work, ROUNDS)["network"]
        return size * float(seconds.min()) / len(batch)

    return size, took_s, limit


def fill(folder, size):
    """Names in a folder, up to `size`, for some drawn pictures."""
    drawn = folder.parent / "drawn"
    if not drawn.is_dir():
        drawn.mkdir()
        folder.mkdir()
        scenes = load(clipsim.load_profile("demo", n_train_scenes=DRAWN, n_pairs=8))
        for number, name in enumerate(scenes.image_ids[:DRAWN]):
            scenes.read_image(name).save(drawn / f"{number}.jpg", quality=90)
    for number in range(len(os.listdir(folder)), size):
        os.link(drawn / f"{number % DRAWN}.jpg", folder / f"{number}.jpg")


def retrieving(size, _):
    pool, queries = unit_vectors(POOL), unit_vectors(size, seed=1)
    took_s = timeit(lambda: largest_products(queries, pool, N), number=1)
    return size, took_s, lambda: 2 * size * pool.size / limits_of(pool)["flop_per_s"]


def joining(size, _):
    centres, vectors = unit_vectors(min(GROUPS, size // N)), unit_vectors(size, seed=1)
    vectors += centres[np.arange(size) % len(centres)]
    some = np.random.default_rng(0).integers(size, size=SAMPLED)
    share = (EDGES_PER_IMAGE + 1) / size  # an image's product with itself is among them
    threshold = float(np.quantile(vectors[some] @ vectors.T, 1 - share))
    took_s = timeit(lambda: deque(products_at_least(vectors, threshold), maxlen=0), number=1)
    return size, took_s, lambda: size * vectors.size / limits_of(vectors)["flop_per_s"]


def searching(size, _):
    vectors, query = unit_vectors(size), unit_vectors(1, seed=1)
    took_s = timeit(lambda: largest_products(query, vectors, N), number=1)
    return size, took_s, lambda: vectors.nbytes / limits_of(vectors)["read_bytes_per_s"]


MEASURED = {
    "pictures": encoding,
    "descriptions": describing,
    "retrieve": retrieving,
    "edges": joining,
    "search": searching,
}


def unit_vectors(size, seed=0):
    vectors = np.random.default_rng(seed).standard_normal((size, D), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def limits_of(vectors):
    return machine_limits(vectors, timed_rounds(contestants(vectors), ROUNDS))


def time_row(found):
    """Of one size: its time beside its limit."""
    what, n_items = found["what"], found["items"]
    anew = f", {n_items:,} of them anew" * (n_items < found["size"])
    case = f"{what}, {found['size']:,} items{anew}"
    seconds = found["took_s"], found["limit_s"]
    ours = f"clipsim, {found['peak_gib']:.2g} GiB"
    return row(case, ours, f"the limit: {LIMITS[what]}", "s", seconds, OURS_BY_PEER)


def memory_row(found):
    """Of the encoding that was killed and started again."""
    case = f"{found['size']:,} pictures, killed with {found['kept']:,} kept, resumed: memory"
    gib = found["peak_gib"], MOST_GIB
    return row(case, "encode", "the bound", "GiB", gib, OURS_BY_PEER, "≤ 1")


def draw(found):
    """Time and memory against the number of items; a line for the limit of time."""
    use_style()
    table = pd.DataFrame(found)
    figure, axes = plt.subplots(2, len(SIZES), figsize=(11.5, 4.6), sharex="col", sharey="row")
    for column, (what, rows) in zip(axes.T, table.groupby("what", sort=False), strict=False):
        per_item = rows[["took_s", "limit_s"]].div(rows["items"], axis=0)
        column[0].loglog(rows["size"], 1e3 * per_item.took_s, "o-", label="clipsim")
        column[0].loglog(rows["size"], 1e3 * per_item.limit_s, "--", label=LIMITS[what])
        column[1].semilogx(rows["size"], rows.peak_gib, "o-")
        column[1].axhline(MOST_GIB, linestyle=":", color="grey")
        column[0].set(title=what)
        column[0].legend()
        column[1].set(xlabel="items")
    axes[0, 0].set(ylabel="ms an item")
    axes[1, 0].set(ylabel="peak memory (GiB)", ylim=(0, 1.1 * MOST_GIB))
    figure.savefig(RESULT.with_suffix(".png"), dpi=150)
    plt.close(figure)


if __name__ == "__main__":
    main()
