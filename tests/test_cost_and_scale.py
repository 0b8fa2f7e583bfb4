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


def test_ratios_are_of_one_round_and_saved_and_lost_are_alike():
    slow = np.array([2.0, 20.0, 8.0, 12.0, 6.0])  # of a machine that is at times ten times as slow
    found, lost = study.saving(slow, slow / 4, PROFILE), study.saving(slow / 4, slow, PROFILE)
    assert (found["ratio"], found["ratio_ci95"]) == (4, [4, 4])
    assert (found["saved"], found["saved_ci95"]) == (0.75, [0.75, 0.75])
    assert (lost["ratio"], lost["saved"]) == (0.25, -0.75)
    assert np.isnan(study.saving(slow[:4], slow[:4], PROFILE)["ratio_ci95"]).all()


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
    times = [times for _, times in study.caption_samples(describer.model, CAPTIONS, 3)]
    assert min(times) > 1
    for name, values in seconds.items():
        assert values.tolist() == (times[1:] if name == study.ANEW else [1, 1])


def test_samples_stand_for_the_pool(describer):
    tokens = describer.model.text_backbone.tokens.unpadded(CAPTIONS)
    lengths, seen = dict(zip(CAPTIONS, map(len, tokens), strict=True)), set()
    for captions, times in study.caption_samples(describer.model, CAPTIONS, 20):
        assert len({*captions}) == len(captions)
        of_sample = [lengths[caption] for caption in captions]
        assert len({*of_sample}) >= study.BATCHES  # here all texts of a length are one batch
        assert times == pytest.approx(sum(lengths.values()) / sum(of_sample))
        seen |= {*captions}
    assert len(seen) > 0.9 * len(CAPTIONS)
    for captions, times in study.caption_samples(describer.model, CAPTIONS[:3], 2):
        assert (sorted(captions), times) == (sorted(CAPTIONS[:3]), 1)


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
    index = study.approximate_index(pool, row["factory"])
    assert study.least_effort(index, pool, queries, 4, [row["effort"]])["recall"] == row["recall"]
    exact, found = np.argsort(-(queries @ pool.T), axis=1)[:, :4], index.search(queries, 4)[1]
    both = [len({*a} & {*b}) for a, b in zip(exact.tolist(), found.tolist(), strict=True)]
    assert row["recall"] == pytest.approx(sum(both) / (4 * len(queries)))
    _, efforts = study.factories(400)["IVF"]
    for less in efforts[: efforts.index(row["effort"])]:
        assert study.least_effort(index, pool, queries, 4, [less])["recall"] < study.RECALL
    few = study.approximate_index(pool[:64], "IVF32,Flat")  # a list has fewer than are asked for
    found = study.least_effort(few, pool[:64], queries, 20, ["nprobe=1", "nprobe=32"])
    assert found == {"effort": "nprobe=32", "recall": 1.0}


def findings_of(world, anew, filed, pictures, gain):
    """Findings where better search takes 1 / gain of the time."""
    jitter = np.random.default_rng(0).uniform(0.9, 1.1, 7)
    seconds = {
        study.READ: 0.01, study.ENCODE: pictures, study.ANEW: anew, study.FILED: filed,
        study.SEARCH: 0.02, study.SCORE: 0.001,
    }  # fmt: skip
    stages = {name: value * jitter for name, value in seconds.items()}
    of_gain = study.saving(gain * jitter, np.ones(7), PROFILE)
    by_pool = [row | of_gain for row in world[2]]
    savings = study.saving_rows(PROFILE, stages, by_pool, world[3])
    return study.cost_findings(PROFILE, stages, savings)


def test_the_claims_can_hold_and_fail(world):
    found = findings_of(world, anew=100, filed=9, pictures=1, gain=20)
    assert [f["verdict"] for f in found] == ["supported"] * 6
    found = findings_of(world, anew=0.01, filed=0.5, pictures=5, gain=0.4)
    assert [f["verdict"] for f in found] == ["not supported"] * 6
    found = findings_of(world, anew=100, filed=0.01, pictures=1, gain=4)
    assert [f["estimate"] for f in found] == pytest.approx(
        [100.02 / 101.031, 0.03 / 1.041, 1 - 0.03 / 100.02, 0.75, 0.75, 0.75], abs=0.03
    )
