"""All pairs of M images: maps once per image, then one cheap combination per pair.

What a metric needs of one image is computed once and kept as a row of a table. A table beyond
`MEMORY_BYTES` is mapped from an unnamed temporary file (in the folder that `tempfile` uses), so
that memory is bounded whatever M is. Pairs go by tiles of the table: small enough for a
processor's cache, or, where the table is a file, large enough to read it seldom.
"""

import itertools
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from tqdm.auto import tqdm

from clipsim.metrics.definitions import check_images, dtype_name, pixels

MEMORY_BYTES = 2**30  # of maps
PAIRS_AT_ONCE = 32  # where no image is in two of them
CACHED_TILE = 16  # images per tile in memory; two tiles of SSIM maps at 224 px take 18 MiB
BAR = {"leave": False, "delay": 1}  # what is done within a second needs none
CACHED_BYTES = 640 * 2**10  # of one map to combine at once: 3 grey pictures of 224 px


def score_matrix(images, maps, combine, min_side, pairs, dtype):
    """Scores of all pairs of images, or of those given, as `ssim_matrix` and `fsim_matrix` say.

    `maps` gives what the metric needs of images (B, 3, H, W): a tuple of tensors (B, ...) of one
    dtype. `combine` makes scores (...) of two such tuples; symmetric, 1 for equals.
    """
    check_images(images, "images", "(M, 3, H, W)", min_side)
    n_images = len(images)
    every = np.stack(np.triu_indices(n_images, k=1), axis=1)
    index = every if pairs is None else np.asarray(pairs).reshape(-1, 2)
    if index.size and (index.dtype.kind not in "iu" or index.min() < 0 or index.max() >= n_images):
        raise ValueError(f"pairs: expected integers (P, 2) from 0 to {n_images - 1}")
    index = index.astype(np.int64)
    parts, rows = [index], [range(n_images)]
    if len(np.unique(index)) == index.size > 0:  # no image is in two pairs: few maps at a time
        parts = np.split(index, range(PAIRS_AT_ONCE, len(index), PAIRS_AT_ONCE))
        rows = [part.ravel().tolist() for part in parts]
        parts = [np.arange(part.size).reshape(-1, 2) for part in parts]
    scores = []
    for part, own in zip(parts, tqdm(rows, "parts", **BAR), strict=True):
        with torch.no_grad(), tempfile.TemporaryFile(prefix="clipsim-maps-") as file:
            scores.append(_pair_scores(*_table(images, own, maps, dtype, file), part, combine))
    scores = np.concatenate(scores)
    if pairs is not None:
        return scores
    matrix = np.eye(n_images, dtype=scores.dtype)
    matrix[tuple(index.T)] = matrix[tuple(index.T[::-1])] = scores
    return matrix


def _table(images, rows, maps, dtype, file):
    """The maps of some images, a row each, and the shape of each map.

    Each thread takes an image of its own: the work on one is too small to share out.
    """
    n_images, threads, table = len(rows), torch.get_num_threads(), None

    def maps_of(i):
        with torch.no_grad():  # a setting of the thread
            return maps(pixels(images[i : i + 1], f"images[{i}:{i + 1}]", dtype))

    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            # Some at a time: more than a slow disk takes would pile up in memory.
            some = (rows[i : i + PAIRS_AT_ONCE] for i in range(0, n_images, PAIRS_AT_ONCE))
            found = itertools.chain.from_iterable(pool.map(maps_of, part) for part in some)
            found = tqdm(found, "maps", n_images, **BAR, unit="image")
            for i, image_maps in enumerate(found):
                row = torch.cat([m.flatten() for m in image_maps])
                if table is None:
                    shapes = [m.shape[1:] for m in image_maps]
                    if n_images * row.nbytes <= MEMORY_BYTES:
                        table = torch.empty(n_images, len(row), dtype=row.dtype)
                    else:
                        size = (n_images, len(row))
                        table = torch.from_numpy(np.memmap(file, dtype_name(row), shape=size))
                table[i] = row
    finally:
        torch.set_num_threads(threads)
    return table, shapes


def _pair_scores(table, shapes, index, combine):
    """`combine` for each pair of `index`, tile by tile, in the order of `index`."""
    maps = [
        column.unflatten(1, shape)
        for column, shape in zip(table.split([s.numel() for s in shapes], 1), shapes, strict=True)
    ]
    in_memory, of_two = table.nbytes <= MEMORY_BYTES, 2 * table[0].nbytes
    tile = CACHED_TILE if in_memory else max(1, MEMORY_BYTES // of_two)
    tiles = index // tile
    order = np.lexsort((tiles[:, 1], tiles[:, 0]))
    at_once = max(1, CACHED_BYTES // maps[0][0].nbytes)
    scores = np.empty(len(index), dtype=dtype_name(table))
    with tqdm(desc="pairs", total=len(index), unit="pair", **BAR) as bar:
        for chunk, first, second in _runs(index[order], tiles[order], at_once):
            score = combine([m[first] for m in maps], [m[second] for m in maps])
            scores[order[chunk]] = score.numpy()
            bar.update(len(score))
    return scores


def _runs(index, tiles, longest):
    """One image against up to `longest` of a tile, one after the other: slices copy nothing."""
    goes_on = (np.diff(index, axis=0) == (0, 1)) & (np.diff(tiles, axis=0) == 0)
    breaks = np.flatnonzero(~goes_on.all(axis=1)) + 1
    for start, stop in itertools.pairwise([0, *breaks.tolist(), len(index)]):
        for low in range(start, stop, longest):
            high = min(low + longest, stop)
            i, j = index[low].tolist()
            yield slice(low, high), slice(i, i + 1), slice(j, j + high - low)
