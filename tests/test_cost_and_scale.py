"""Times from a given clock, counts and recall by definition; the claims can hold and fail."""

from dataclasses import replace

import numpy as np
import pytest

from clipsim import load_profile
from clipsim.data import LabelledPairs
from clipsim.model import DualEncoder
from clipsim.retrieval import CaptionIndex, Describer
from clipsim.studies import cost_and_scale as study

CAPTIONS = [" ".join(["word"] * (i % 17 + 1)) + f" {i}" for i in range(1000)]
PROFILE = load_profile("smoke", n_descriptions=4, n_bootstrap=100)


class Clock:
    """Moved by work that says how long it takes, or by a second with every look at it."""

    def __init__(self, step=0):
        self.now, self.step, self.done = 0.0, step, []

    def __call__(self):
        self.now += self.step
        return self.now

    def work(self, name, seconds):
        """A contestant that takes `seconds[number]` in the round of that number."""

        def run(number):
            self.done.append((number, name))
            self.now += seconds[number]

        return run


def test_contestants_take_turns_and_every_round_is_timed_but_the_first():
    clock = Clock()
    seconds = {"a": [99, 1, 2, 3], "b": [99, 4, 5, 6], "c": [99, 7, 8, 9]}
    turns = {name: clock.work(name, of) for name, of in seconds.items()}
    found = study.timed_rounds(turns, 3, clock)
    assert {name: of.tolist() for name, of in found.items()} == {
        name: of[1:] for name, of in seconds.items()
    }
    rounds = ["".join(name for number, name in clock.done if number == n) for n in range(4)]
    assert rounds == ["abc", "bca", "cab", "abc"]


@pytest.fixture
def describer(smoke, coloured):
    model = DualEncoder(replace(smoke, n_descriptions=3))
    model.record = {"sha256": "untrained"}
    return Describer.of(model.profile, model, CAPTIONS)


def test_every_stage_is_timed_and_the_pool_multiplied_up(describer, coloured):
    ids, none = np.array(coloured.image_ids), np.full(16, "")
    columns = {"kind": none, "split": none, "source": none, "graded": np.zeros(16)}
    pairs = LabelledPairs(ids[:16], ids[16:], similar=np.zeros(16, dtype=np.int8), **columns)
    seconds = study.pair_seconds(describer, coloured, pairs, n_rounds=2, clock=Clock(1))
    times = set(seconds.pop(study.ANEW))
    # Some batches, of which each has texts of one length, stand for all of them.
    assert len(times) == 1
    assert 1 < times.pop() < len(CAPTIONS) / study.BATCHES
    assert np.array([*seconds.values()]).tolist() == [[1, 1]] * 5


def unit(n, d, seed):
    vectors = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def world():
    """A pool of 400 vectors, 40 images near some of them, and the rows of both."""
    pool = unit(400, 16, seed=0)
    queries = pool[:40] + 0.5 * unit(40, 16, seed=1)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    describer = Describer(PROFILE, None, CaptionIndex.build(pool, [*map(str, range(400))]), pool)
    stages = {study.ANEW: np.full(5, 90.0), study.ENCODE: np.full(5, 4.0)}
    return (
        pool,
        queries,
        study.pool_rows(PROFILE, pool, queries, n_rounds=5, clock=Clock(1)),
        study.image_rows(describer, queries, stages, n_rounds=5, clock=Clock(1)),
    )


def test_approximate_search_reaches_the_recall_with_the_least_effort(world):
    pool, queries, rows, _ = world
    assert min(row.get("recall", 1) for row in rows) >= study.RECALL
    row = next(row for row in rows if (row["pool"], row["search"]) == (400, "IVF"))
    efforts = [f"nprobe={2**k}" for k in range(5)]
    index, _ = study.approximate_index(pool, row["factory"], queries, 4, [row["effort"]])
    exact, found = np.argsort(-(queries @ pool.T), axis=1)[:, :4], index.search(queries, 4)[1]
    both = [len({*a} & {*b}) for a, b in zip(exact.tolist(), found.tolist(), strict=True)]
    assert row["recall"] == pytest.approx(sum(both) / (4 * len(queries)))
    for less in efforts[: efforts.index(row["effort"])]:
        _, found = study.approximate_index(pool, row["factory"], queries, 4, [less])
        assert found["recall"] < study.RECALL
    few = pool[:64], "IVF32,Flat", queries, 20  # a list has fewer than are asked for
    _, found = study.approximate_index(*few, ["nprobe=1", "nprobe=32"])
    assert found == {"effort": "nprobe=32", "recall": 1.0}


def found_in(world, anew, filed, pictures, gain):
    """Findings where better search takes 1 / gain of the time, on a machine of uneven speed."""
    jitter = np.random.default_rng(0).uniform(0.5, 5, 7)
    seconds = {
        study.READ: 0.01, study.ENCODE: pictures, study.ANEW: anew, study.FILED: filed,
        study.SEARCH: 0.02, study.SCORE: 0.001,
    }  # fmt: skip
    stages = {name: value * jitter for name, value in seconds.items()}
    by_pool = [
        row
        | {"seconds": jitter * (gain if (row["search"], row["queries"]) == ("exact", 1) else 1)}
        for row in world[2]
    ]
    savings = study.saving_rows(PROFILE, stages, by_pool, world[3])
    return savings, study.cost_findings(PROFILE, stages, savings)


def test_the_claims_can_hold_and_fail(world):
    savings, found = found_in(world, anew=0.01, filed=0.5, pictures=5, gain=0.4)
    assert [f["verdict"] for f in found] == ["not supported"] * 6
    assert savings[1]["saved"] == pytest.approx(-0.6)
    savings, found = found_in(world, anew=100, filed=9, pictures=1, gain=4)
    assert [f["verdict"] for f in found] == ["supported"] * 6
    shares = [100.02 / 101.031, 9.02 / 10.031, 1 - 9.02 / 100.02, 0.75, 0.75, 0.75]
    assert [f["estimate"] for f in found] == pytest.approx(shares)  # of one round each
    assert savings[1]["ratio"] == pytest.approx(4)
