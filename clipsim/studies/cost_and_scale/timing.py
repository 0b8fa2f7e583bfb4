"""Timing on a machine that does other things, too: contestants take turns, and ratios are taken
within a round, of what ran side by side.
"""

import time
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch.nn.functional import linear

from clipsim.evaluation import interval
from clipsim.model import OneDnnLinear

SIDE = 1536  # of the matrices whose product gives the limit of arithmetic


def timed_rounds(
    contestants: Mapping[str, Callable[[int], object]],
    n_rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, np.ndarray]:
    """Seconds that each contestant takes, round by round.

    One round before does not count. Whoever is first in a round is last in the next one, so that
    none always finds the caches as another left them.

    Parameters
    ----------
    contestants : mapping of str to callable
        Called with the number of the round, 0 in the one that does not count.
    n_rounds : int
        At least 1.
    clock : callable
        Returns seconds.

    Returns
    -------
    dict of str to array of float64, shape (n_rounds,)
        In the order of `contestants`.
    """
    if n_rounds < 1:
        raise ValueError(f"n_rounds: expected at least 1, got {n_rounds}")
    names = list(contestants)
    seconds = {name: np.empty(n_rounds) for name in names}
    for number in range(n_rounds + 1):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            started = clock()
            contestants[name](number)
            ended = clock()
            if number:
                seconds[name][number - 1] = ended - started
    return seconds


def timing_row(seconds, per=1):
    """The median of the rounds and their quartiles.

    Parameters
    ----------
    seconds : array of float, shape (R,)
    per : int
        Number of things done in a round; the times are of one.

    Returns
    -------
    dict
        `median_s`, `low_s`, `high_s` (the quartiles), `rounds`.
    """
    low, median, high = np.quantile(np.asarray(seconds) / per, [0.25, 0.5, 0.75])
    return {
        "median_s": float(median),
        "low_s": float(low),
        "high_s": float(high),
        "rounds": len(seconds),
    }


def saving(seconds, cheaper, n_bootstrap, seed):
    """What a way that should be cheaper saves, from rounds in which both took their turn.

    Parameters
    ----------
    seconds, cheaper : array of float, shape (R,)
        Of the same rounds.
    n_bootstrap, seed : int
        See `median_interval`.

    Returns
    -------
    dict
        `ratio`, seconds / cheaper, and `saved`, their difference as a share of the longer one, in
        (-1, 1), above 0 where time is saved: medians of the rounds, both with `_ci95`.
    """
    seconds, cheaper = np.asarray(seconds), np.asarray(cheaper)
    found = {
        "ratio": seconds / cheaper,
        "saved": (seconds - cheaper) / np.maximum(seconds, cheaper),
    }
    row = {}
    for name, values in found.items():
        row[name] = float(np.median(values))
        row[f"{name}_ci95"] = median_interval(values, n_bootstrap, seed)
    return row


def median_interval(values, n_bootstrap, seed):
    """The 95 % interval of the rounds' median, rounds resampled: [low, high].

    NaN with fewer than five rounds: the bootstrap of a median needs some.
    """
    values = np.asarray(values, dtype=float)
    if len(values) < 5:
        return [float("nan")] * 2
    drawn = np.random.default_rng(seed).integers(len(values), size=(n_bootstrap, len(values)))
    return interval(np.median(values[drawn], axis=1))


def large_product():
    """A contestant: the product of two large float32 matrices, arithmetic at its fastest."""
    factor = torch.rand(SIDE, SIDE, generator=torch.Generator().manual_seed(0))

    @torch.inference_mode()
    def multiply(number):
        with OneDnnLinear():
            return linear(factor, factor)

    return multiply


def flop_per_s(seconds):
    """Floating-point operations a second of the fastest `large_product`."""
    return 2 * SIDE**3 / float(np.min(seconds))
