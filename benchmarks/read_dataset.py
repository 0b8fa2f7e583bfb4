"""How long a data set of 40,000 generated images takes to read and index, and how much memory.

Run `python benchmarks/read_dataset.py`; it writes `read_dataset.json` beside itself. A child
process reads each layout, so that peaks of memory do not add up. The pictures are small
(64×64): decoding real ones takes longer the first time, in proportion to their size.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import peak_gib
from PIL import Image
from rows import OURS_BY_PEER, row, write

N_IMAGES = 40_000
N_FLICKR8K = 8_000
N_CAPTIONS = 5
PICTURE_SIZE = 64
LIMIT_S = 60
LIMIT_GIB = 2
RESULT = Path(__file__).with_suffix(".json")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--read", metavar="FOLDER", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.read:
        print(json.dumps(measured(args.read)))
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = {name: write(Path(folder) / name) for name, write in LAYOUTS.items()}
        rows = {name: child(root, Path(folder) / "cache") for name, root in rows.items()}
    what = f"{N_IMAGES:,} images of {PICTURE_SIZE}×{PICTURE_SIZE}, {N_CAPTIONS} captions each"
    table = [line for item in rows.items() for line in bounded_rows(*item)]
    if not write(RESULT, what, table, ("numpy", "pillow"), results=rows):
        sys.exit("over a limit")


def bounded_rows(layout, found):
    """Time and memory of a layout beside what they must stay below."""
    bounds = (("read_and_index_s", "s", LIMIT_S), ("peak_gib", "GiB", LIMIT_GIB))
    return [
        row(
            f"{layout}, {'read and indexed' if unit == 's' else 'peak memory'}", "data.load",
            "the bound", unit, (found[key], bound), OURS_BY_PEER, "≤ 1",
        )
        for key, unit, bound in bounds
    ]  # fmt: skip


def child(root, cache):
    """What a fresh process measures; its verdict on pictures goes to `cache`."""
    command = [sys.executable, __file__, "--read", str(root)]
    environment = {**os.environ, "CLIPSIM_BENCHMARK_CACHE": str(cache)}
    output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout
    return json.loads(output)


def measured(root):
    """Seconds of each step, and the peak memory of the process in GiB."""
    from clipsim.data import pairs as caption_pairs
    from clipsim.data import pictures, pool
    from clipsim.data.photographs import folders
    from clipsim.profile import Profile

    pictures.CACHE = Path(os.environ["CLIPSIM_BENCHMARK_CACHE"])
    profile = Profile(name="benchmark", dataset="photographs", pairs="captions", data_root=root)
    seconds = {}

    def timed(step, function, *args):
        start = time.perf_counter()
        value = function(*args)
        seconds[step] = round(time.perf_counter() - start, 2)
        return value

    images = timed("read_and_index_s", folders.photographs, profile)
    timed("check_first_time_s", pictures.checked, images, "error")
    timed("check_again_s", pictures.checked, images, "error")
    descriptions = timed("pool_s", pool.caption_pool, profile, images)
    timed("caption_pairs_s", caption_pairs.caption_pairs, images, profile)
    return {
        "images": len(images),
        "descriptions": len(descriptions),
        **seconds,
        "peak_gib": round(peak_gib(), 2),
    }


def described(rng):
    words = rng.integers(0, 3000, 11)
    return " ".join(f"word{word}" for word in words)


def write_pictures(folder, names, rng):
    folder.mkdir(parents=True)
    path = folder / names[0]
    pixels = rng.integers(0, 256, (PICTURE_SIZE, PICTURE_SIZE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    for name in names[1:]:
        os.link(path, folder / name)


def write_captions_csv(root, names=None, rng=None):
    rng = rng or np.random.default_rng(0)
    names = names or [f"{i:06d}.jpg" for i in range(N_IMAGES)]
    write_pictures(root / "Images", names, rng)
    with (root / "captions.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "caption"))
        writer.writerows((n, described(rng)) for n in names for _ in range(N_CAPTIONS))
    return root


def write_karpathy(root):
    rng = np.random.default_rng(1)
    names = [f"{i:06d}.jpg" for i in range(N_IMAGES)]
    write_pictures(root / "images", names, rng)
    entries = []
    for i, name in enumerate(names):
        texts = [described(rng) for _ in range(N_CAPTIONS)]
        sentences = [{"raw": text, "tokens": text.split()} for text in texts]
        split = {0: "val", 1: "test"}.get(i % 20, "train")
        entries.append({"filename": name, "split": split, "sentences": sentences})
    (root / "dataset_flickr30k.json").write_text(json.dumps({"images": entries}))
    return root


def write_merged(root):
    rng = np.random.default_rng(2)
    ids = [f"{i:06d}" for i in range(N_IMAGES - N_FLICKR8K)]
    first = [f"{i}_{i}abcdef.jpg" for i in ids[:N_FLICKR8K]]
    write_captions_csv(root / "flickr8k", first, rng)
    write_captions_csv(root / "flickr30k", [f"{i}.jpg" for i in ids], rng)
    return root


LAYOUTS = {
    "captions.csv": write_captions_csv,
    "Karpathy's JSON": write_karpathy,
    "Flickr8k and Flickr30k, merged": write_merged,
}

if __name__ == "__main__":
    main()
