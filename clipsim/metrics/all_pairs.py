"""All pairs of M images: maps once per image, then one cheap combination per pair.

What a metric needs of one image is computed once and kept as a row of numbers. Rows that
together exceed a budget go to an unnamed temporary file (in the folder that `tempfile` uses)
and come back as two tiles at a time, so that memory is bounded whatever M is. In memory the
pairs go by tiles, too, small enough for a processor's cache. On a CPU a few are combined at
once, so that their pixels stay in the cache; on an accelerator many.
"""

import itertools
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from tqdm.auto import tqdm

from clipsim.metrics.images import check_stack, dtype_name, pixels

GIB = 2**30
CACHED_TILE = 16  # images per tile in memory; two tiles of SSIM maps at 224 px take 18 MiB
CACHED_BYTES = 640 * 2**10  # of one map to combine at once on a CPU: 3 grey pictures of 224 px
ON_DEVICE = 64  # pairs to combine at once on an accelerator


def score_matrix(images, maps, combine, *, pairs, dtype, progress, memory_gib, min_side):
    """Scores of all pairs of images, or of those given.

    Parameters
    ----------
    images : torch.Tensor or numpy.ndarray, shape (M, 3, H, W)
        Float32 or float64 in [0, 1], or uint8; read a few at a time, so a numpy memory map
        may be larger than memory.
    maps : callable
        (B, 3, H, W) pixels in [0, 1] -> tuple of tensors (B, ...), all of one dtype.
    combine : callable
        Two such tuples of the same leading shape (...) -> scores (...); symmetric, 1 for equals.
    pairs : array of int, shape (P, 2), or None
        Indices into `images`; None for all pairs.
    dtype : float32, float64 or None
        As in `image_pair`.
    progress : bool
        Show a progress bar.
    memory_gib : float
        Budget for the maps of all images; beyond it they go to a temporary file.
    min_side : int
        As in `image_pair`.

    Returns
    -------
    numpy.ndarray, shape (M, M) or (P,)
        Float32 or float64, as computed. The matrix is symmetric with a diagonal of ones.

    Raises
    ------
    ValueError
        For unusable images or pairs, naming the argument.
    """
    check_stack(images, "images", (4,), "(M, 3, H, W)", min_side)
    if not memory_gib > 0:
        raise ValueError(f"memory_gib: expected a positive number, got {memory_gib!r}")
    n_images = len(images)
    index = _checked_pairs(pairs, n_images)
    with torch.no_grad(), _Rows(n_images, memory_gib * GIB) as rows:
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
    index = np.asarray(pairs.cpu() if isinstance(pairs, torch.Tensor) else pairs)
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

    On a CPU each thread takes an image of its own: the work on one is too small to share out.
    """
    step = 1 if _on_cpu(images) else 16
    threads = torch.get_num_threads()

    def maps_from(start):
        block = pixels(images[start : start + step], f"images[{start}:{start + step}]", dtype)
        with torch.no_grad():  # a setting of the thread
            return maps(block)

    starts = range(0, len(images), step)
    torch.set_num_threads(1)
    try:
        with (
            ThreadPoolExecutor(threads if step == 1 else 1) as pool,
            _bar("maps", "image", len(images), progress) as bar,
        ):
            for start, block in zip(starts, pool.map(maps_from, starts), strict=True):
                rows.write(start, block)
                bar.update(len(block[0]))
    finally:
        torch.set_num_threads(threads)


def _pair_scores(rows, index, combine, progress):
    """`combine` for each pair of `index`, tile by tile, in the order of `index`."""
    scores = np.empty(len(index), dtype=dtype_name(rows))
    with _bar("pairs", "pair", len(index), progress) as bar:
        for members, left, right, local in rows.tiles(index):
            chunks = _runs(local, rows.at_once) if _on_cpu(rows) else _blocks(local, ON_DEVICE)
            for chunk, first, second in chunks:
                score = combine([m[first] for m in left], [m[second] for m in right])
                scores[members[chunk]] = score.cpu().numpy()
                bar.update(len(score))
    return scores


def _bar(what, unit, total, progress):
    return tqdm(total=total, desc=what, unit=unit, leave=False, disable=not progress)


def _runs(local, longest):
    """One image against up to `longest` that follow each other: slices, which copy nothing."""
    breaks = np.flatnonzero((np.diff(local, axis=0) != (0, 1)).any(axis=1)) + 1
    for start, stop in itertools.pairwise([0, *breaks.tolist(), len(local)]):
        for low in range(start, stop, longest):
            high = min(low + longest, stop)
            i, j = local[low].tolist()
            yield slice(low, high), slice(i, i + 1), slice(j, j + high - low)


def _blocks(local, size):
    """Any `size` pairs: index arrays, which gather."""
    for low in range(0, len(local), size):
        chunk = slice(low, low + size)
        first, second = torch.from_numpy(local[chunk].T)
        yield chunk, first, second


def _on_cpu(holder):
    return torch.device(getattr(holder, "device", "cpu")).type == "cpu"


class _Rows:
    """One row of numbers per image, in memory or in a temporary file, read back as maps."""

    def __init__(self, n_images, budget_bytes):
        self.n_images = n_images
        self.budget_bytes = budget_bytes
        self.file = None
        self.table = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.file is not None:
            self.file.close()

    def _open(self, maps):
        """Lay out the rows after the first maps and decide where they live."""
        self.shapes = [m.shape[1:] for m in maps]
        self.dtype, self.device = maps[0].dtype, maps[0].device
        self.at_once = max(1, CACHED_BYTES // (self.shapes[0].numel() * self.dtype.itemsize))
        self.width = sum(shape.numel() for shape in self.shapes)
        self.row_bytes = self.width * self.dtype.itemsize
        if self.n_images * self.row_bytes <= self.budget_bytes:
            self.tile = CACHED_TILE
            self.table = torch.empty(
                self.n_images, self.width, dtype=self.dtype, device=self.device
            )
        else:
            self.tile = max(1, int(self.budget_bytes // (2 * self.row_bytes)))
            self.file = tempfile.TemporaryFile(prefix="clipsim-maps-")  # noqa: SIM115, __exit__ closes

    def write(self, start, maps):
        """Append the maps of the images from `start` on."""
        if start == 0:
            self._open(maps)
        block = torch.cat([m.flatten(1) for m in maps], dim=1)
        if self.file is None:
            self.table[start : start + len(block)] = block
        else:
            block.cpu().numpy().tofile(self.file)

    def read(self, tile):
        """The maps of one tile of images."""
        start = tile * self.tile
        count = min(self.tile, self.n_images - start)
        if self.file is None:
            table = self.table[start : start + count]
        else:
            buffer = np.empty((count, self.width), dtype=dtype_name(self))
            self.file.seek(start * self.row_bytes)
            self.file.readinto(buffer)
            table = torch.from_numpy(buffer).to(self.device)
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
