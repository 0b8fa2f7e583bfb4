"""All pairs of M images: maps once per image, then one cheap combination per pair.

What a metric needs of one image is computed once and kept as a row of numbers. Rows that
together exceed a budget go to an unnamed temporary file (in the folder that `tempfile` uses)
and come back as two tiles at a time, so that memory is bounded whatever M is. In memory the
pairs go by tiles, too, small enough for a processor's cache, and a few are combined at once.
"""

import itertools
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from tqdm.auto import tqdm

from clipsim.metrics.images import check_images, dtype_name, pixels

GIB = 2**30
CACHED_TILE = 16  # images per tile in memory; two tiles of SSIM maps at 224 px take 18 MiB
CACHED_BYTES = 640 * 2**10  # of one map to combine at once: 3 grey pictures of 224 px


def score_matrix(images, maps, combine, min_side, pairs, dtype, progress, memory_gib):
    """Scores of all pairs of images, or of those given, as `ssim_matrix` and `fsim_matrix` say.

    `maps` gives what the metric needs of images (B, 3, H, W): a tuple of tensors (B, ...) of one
    dtype. `combine` makes scores (...) of two such tuples; symmetric, 1 for equals.
    """
    check_images(images, "images", "(M, 3, H, W)", min_side)
    if not memory_gib > 0:
        raise ValueError(f"memory_gib: expected a positive number, got {memory_gib!r}")
    n_images = len(images)
    index = _checked_pairs(pairs, n_images)
    with torch.no_grad(), tempfile.TemporaryFile(prefix="clipsim-maps-") as file:
        rows = _Rows(n_images, memory_gib * GIB, file)
        _fill(rows, images, maps, dtype, progress)
        scores = _pair_scores(rows, index, combine, progress)
    if pairs is not None:
        return scores
    matrix = np.eye(n_images, dtype=scores.dtype)
    matrix[index[:, 0], index[:, 1]] = scores
    matrix[index[:, 1], index[:, 0]] = scores
    return matrix


def _checked_pairs(pairs, n_images):
    if pairs is None:
        return np.stack(np.triu_indices(n_images, k=1), axis=1)
    index = np.asarray(pairs)
    if index.size == 0:
        index = index.astype(int).reshape(0, 2)
    if index.ndim != 2 or index.shape[1] != 2 or index.dtype.kind not in "iu":
        raise ValueError(
            f"pairs: expected integers of shape (P, 2), got {index.dtype} of shape {index.shape}"
        )
    if index.size and not (index.min() >= 0 and index.max() < n_images):
        raise ValueError(
            f"pairs: expected indices from 0 to {n_images - 1}, "
            f"found {index.min()} to {index.max()}"
        )
    return index.astype(np.int64)


def _fill(rows, images, maps, dtype, progress):
    """Compute the maps of all images and write them into `rows`.

    Each thread takes an image of its own: the work on one is too small to share out.
    """
    threads = torch.get_num_threads()

    def maps_of(i):
        with torch.no_grad():  # a setting of the thread
            return maps(pixels(images[i : i + 1], f"images[{i}:{i + 1}]", dtype))

    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            found = pool.map(maps_of, range(len(images)))
            for i, image_maps in enumerate(_bar(found, "maps", "image", len(images), progress)):
                rows.write(i, image_maps)
    finally:
        torch.set_num_threads(threads)


def _pair_scores(rows, index, combine, progress):
    """`combine` for each pair of `index`, tile by tile, in the order of `index`."""
    scores = np.empty(len(index), dtype=dtype_name(rows))
    with _bar(None, "pairs", "pair", len(index), progress) as bar:
        for members, left, right, local in rows.tiles(index):
            for chunk, first, second in _runs(local, rows.at_once):
                score = combine([m[first] for m in left], [m[second] for m in right])
                scores[members[chunk]] = score.numpy()
                bar.update(len(score))
    return scores


def _bar(items, what, unit, total, progress):
    return tqdm(items, what, total, unit=unit, leave=False, disable=not progress)


def _runs(local, longest):
    """One image against up to `longest` that follow each other: slices, which copy nothing."""
    breaks = np.flatnonzero((np.diff(local, axis=0) != (0, 1)).any(axis=1)) + 1
    for start, stop in itertools.pairwise([0, *breaks.tolist(), len(local)]):
        for low in range(start, stop, longest):
            high = min(low + longest, stop)
            i, j = local[low].tolist()
            yield slice(low, high), slice(i, i + 1), slice(j, j + high - low)


class _Rows:
    """One row of numbers per image, in memory or in a temporary file, read back as maps."""

    def __init__(self, n_images, budget_bytes, file):
        self.n_images, self.budget_bytes, self.file = n_images, budget_bytes, file
        self.table = None

    def _open(self, maps):
        """Lay out the rows after the first maps and decide where they live."""
        self.shapes = [m.shape[1:] for m in maps]
        self.dtype = maps[0].dtype
        self.at_once = max(1, CACHED_BYTES // (self.shapes[0].numel() * self.dtype.itemsize))
        self.width = sum(shape.numel() for shape in self.shapes)
        self.row_bytes = self.width * self.dtype.itemsize
        if self.n_images * self.row_bytes <= self.budget_bytes:
            self.tile = CACHED_TILE
            self.table = torch.empty(self.n_images, self.width, dtype=self.dtype)
        else:
            self.tile = max(1, int(self.budget_bytes // (2 * self.row_bytes)))

    def write(self, i, maps):
        """Append the maps (1, ...) of image `i`."""
        if i == 0:
            self._open(maps)
        row = torch.cat([m.flatten() for m in maps])
        if self.table is None:
            row.numpy().tofile(self.file)
        else:
            self.table[i] = row

    def read(self, tile):
        """The maps of one tile of images."""
        start = tile * self.tile
        count = min(self.tile, self.n_images - start)
        if self.table is None:
            table = torch.empty(count, self.width, dtype=self.dtype)
            self.file.seek(start * self.row_bytes)
            self.file.readinto(table.numpy())
        else:
            table = self.table[start : start + count]
        columns = table.split([shape.numel() for shape in self.shapes], dim=1)
        return [c.unflatten(1, shape) for c, shape in zip(columns, self.shapes, strict=True)]

    def tiles(self, index):
        """Groups of pairs within two tiles: (members, maps, maps, indices within the tiles)."""
        tile = index // self.tile
        order = np.lexsort((tile[:, 1], tile[:, 0]))
        changes = np.flatnonzero(np.diff(tile[order], axis=0).any(axis=1)) + 1
        held = {}
        for members in np.split(order, changes) if len(order) else ():
            wanted = tuple(int(t) for t in tile[members[0]])
            held = {t: maps for t, maps in held.items() if t in wanted}
            for t in wanted:
                if t not in held:
                    held[t] = self.read(t)
            yield members, held[wanted[0]], held[wanted[1]], index[members] % self.tile
