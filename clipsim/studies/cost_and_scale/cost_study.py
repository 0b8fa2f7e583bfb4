"""What retrieval and scoring cost against the size of the pool and the number of images.

Contestants take turns (`timing`), and the limits of the machine are measured in the same
rounds. A large product of float32 matrices bounds what multiplies many vectors. Reading the pool
once bounds a single query, since that reads all of it for little arithmetic; it takes half as long
as copying the pool.
"""

import time

import numpy as np
import torch

from clipsim.retrieval import ApproximateIndex, largest_products, score_matrix
from clipsim.studies.cost_and_scale.sampled_pool import pool_of, pool_sizes
from clipsim.studies.cost_and_scale.timing import (
    flop_per_s,
    large_product,
    saving,
    timed_rounds,
    timing_row,
)

BATCH = 256
ROUNDS = 9
RECALL = 0.95
SAMPLED_PAIRS = 100
EXACT, GRAPH, LISTS = "exact", "HNSW32", "IVF"
PRODUCT, COPY, COPY_ALONE = "product", "copy", "copy in one thread"
SEARCH, ALL_PAIRS, PAIR_BY_PAIR = "search", "all pairs, factorised", "pair by pair"


def factories(size):
    """Approximate indexes for a pool of a size, and how much effort each may make in a search.

    Returns
    -------
    dict of str to tuple of (str, list of str)
        By name: FAISS's factory string, and its search parameters, rising: efSearch, nodes kept
        in view, or nprobe, lists read.
    """
    doublings = round(np.log2(size) / 2)  # as many lists as a list has vectors
    return {
        GRAPH: ("HNSW32", [f"efSearch={2**k}" for k in range(4, 12)]),
        LISTS: (f"IVF{2**doublings},Flat", [f"nprobe={2**k}" for k in range(doublings + 1)]),
    }


def pool_rows(profile, vectors, queries, sizes=None, n_rounds=ROUNDS, clock=time.perf_counter):
    """Time and recall of exact and approximate search against the size of the pool.

    An approximate index makes the least effort with which it finds 95 % of the N best.

    Parameters
    ----------
    profile : Profile
    vectors : array of float32, shape (C, d)
        The profile's own pool.
    queries : array of float32, shape (M, d)
        Vectors of images.
    sizes : sequence of int, optional
        Of the pools; by default `pool_sizes`.
    n_rounds : int
    clock : callable

    Returns
    -------
    list of dict
        A row per size of the `pool`, `search` ("exact", "HNSW32", "IVF") and number of `queries`
        at once, with seconds per query (`timing_row`). An exact one has the machine's `limit_s`,
        an approximate one what it saves (`saving`), `factory`, `effort`, `recall`, `build_s`.
    """
    rows = []
    for size in sizes or pool_sizes(len(vectors)):
        pool = pool_of(vectors, size, profile.seed)
        rows += _rows_of_pool(profile, pool, queries, n_rounds, clock)
    return rows


def _rows_of_pool(profile, pool, queries, n_rounds, clock):
    n, (size, dimensions) = profile.n_descriptions, pool.shape
    asked = queries[:: max(1, len(queries) // BATCH)][:BATCH]
    searches = {EXACT: lambda part, k: largest_products(part, pool, k)}
    about = {EXACT: {}}
    for name, (factory, efforts) in factories(size).items():
        started = clock()
        index = ApproximateIndex.build(pool, factory)
        built_s = clock() - started
        effort, recall = least_effort(index, asked, n, efforts)
        about[name] = {"factory": factory, "effort": effort, "recall": recall}
        about[name]["build_s"] = built_s
        searches[name] = index.search
    turns = {}
    for name, search in searches.items():
        turns[name, 1] = lambda i, search=search: search(asked[i % len(asked)][None], n)
        turns[name, len(asked)] = lambda i, search=search: search(asked, n)
    whole, room = torch.from_numpy(pool), torch.empty(pool.shape)
    turns[COPY] = lambda i: room.copy_(whole)
    # In one thread, too: on a busy machine several wait for each other.
    turns[COPY_ALONE] = lambda i: np.copyto(room.numpy(), pool)
    turns[PRODUCT] = large_product()
    seconds = timed_rounds(turns, n_rounds, clock)
    arithmetic = 2 * size * dimensions / flop_per_s(seconds[PRODUCT])
    copying = min(seconds[COPY].min(), seconds[COPY_ALONE].min())  # reads it, and writes as much
    limits = {1: copying / 2, len(asked): arithmetic}
    rows = []
    for name, at_once in ((name, k) for name in searches for k in limits):
        row = {"pool": size, "search": name, "queries": at_once, "dimensions": dimensions}
        row |= timing_row(seconds[name, at_once], at_once) | about[name]
        if name == EXACT:
            row["limit_s"] = float(limits[at_once])
        else:
            pair = seconds[EXACT, at_once], seconds[name, at_once]
            row |= saving(*pair, profile.n_bootstrap, profile.seed)
        rows.append(row)
    return rows


def machine_limits(rows):
    """What bounds a search, measured at the largest pool: `flop_per_s`, `read_bytes_per_s`."""
    largest = max(row["pool"] for row in rows)
    exact = [row for row in rows if row["pool"] == largest and row["search"] == EXACT]
    one, several = sorted(exact, key=lambda row: row["queries"])
    numbers = largest * one["dimensions"]
    return {
        "flop_per_s": 2 * numbers / several["limit_s"],
        "read_bytes_per_s": 4 * numbers / one["limit_s"],
    }


def least_effort(index, queries, n, efforts):
    """Make an index search with the least effort that finds `RECALL` of the n best.

    Parameters
    ----------
    index : ApproximateIndex
        Changed: its FAISS index keeps the effort.
    queries : array of float32, shape (Q, d)
    n : int
    efforts : sequence of str
        FAISS's search parameters, rising; the last one stays where none is enough.

    Returns
    -------
    effort : str
    recall : float
    """
    import faiss  # as in clipsim.retrieval.search

    for effort in efforts:
        faiss.ParameterSpace().set_index_parameters(index.index, effort)
        try:
            recall = index.recall(queries, n)
        except ValueError:  # not even n found for each
            recall = 0.0
        if recall >= RECALL:
            break
    return effort, recall


def image_rows(profile, describer, queries, n_rounds=ROUNDS, clock=time.perf_counter):
    """Time of retrieval and of Eq. 4 against the number of images.

    Parameters
    ----------
    profile : Profile
    describer : Describer
        The model's pool, in the joint space and as Eq. 4 compares it.
    queries : array of float32, shape (M, d)
        Vectors of images.
    n_rounds : int
    clock : callable

    Returns
    -------
    list of dict
        A row per number of `images` and `work`: their descriptions searched exactly, Eq. 4 for
        all pairs as one product of matrices (with the machine's `limit_s`), and as N² cosines of
        every pair, timed on some pairs and multiplied up. Seconds as `timing_row`.
    """
    ids, _ = describer.index.search(queries, profile.n_descriptions)
    rows = []
    for size in image_numbers(len(queries)):
        described = describer.compared[ids[:size]]
        pairs = np.random.default_rng(profile.seed).integers(size, size=(SAMPLED_PAIRS, 2))
        turns = {
            SEARCH: lambda i, q=queries[:size]: describer.index.search(q, profile.n_descriptions),
            ALL_PAIRS: lambda i, v=described: score_matrix(v, profile.normalisation),
            PAIR_BY_PAIR: lambda i, v=described, p=pairs: [double_sum(v[a], v[b]) for a, b in p],
            PRODUCT: large_product(),
        }
        seconds = timed_rounds(turns, n_rounds, clock)
        seconds[PAIR_BY_PAIR] *= size * (size - 1) / 2 / SAMPLED_PAIRS
        for work in (SEARCH, ALL_PAIRS, PAIR_BY_PAIR):
            rows.append({"images": size, "work": work} | timing_row(seconds[work]))
        flop = 2 * size**2 * described.shape[2]
        rows[-2]["limit_s"] = flop / flop_per_s(seconds[PRODUCT])
    return rows


def double_sum(a, b):
    """All N² products of two images' descriptions, summed: Eq. 4 as it is printed, but for 1/N."""
    return np.einsum("nd,kd->", a, b)  # in one thread; for so little, several only wait


def image_numbers(n_images):
    """Powers of ten below a number of images, and that number."""
    return sorted({*(10**k for k in range(1, 9) if 10**k < n_images), n_images})
