"""Two worker processes do the work of one, one thread each, and are gone afterwards."""

import multiprocessing
import os
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from clocks import Ticking

from clipsim.model.clip import DualEncoder
from clipsim.retrieval.caption_index import Describer
from clipsim.studies.cost_and_scale import cost_processes
from clipsim.studies.cost_and_scale.cost_processes import (
    ENCODE,
    ONE_THREAD,
    SEARCH,
    process_rows,
    shared_work,
    worker_processes,
)

CAPTIONS = [f"a caption with {i} in it" + " and more" * (i % 5) for i in range(90)]


@pytest.fixture
def described(smoke, tmp_path, coloured):
    profile = replace(smoke, n_descriptions=3)
    DualEncoder(profile).save(tmp_path / "model", {})
    model = DualEncoder.load(tmp_path / "model", profile)
    return Describer.of(profile, model, CAPTIONS), model.encode_images(coloured), tmp_path


class Here:
    """A worker without a process."""

    def __init__(self, work):
        self.work = work

    def send(self, task):
        name, part = task
        self.answer = self.work[name](part)

    def recv(self):
        return self.answer


def test_one_and_two_do_the_same_work(described, monkeypatch):
    describer, queries, folder = described
    work = cost_processes.work_of(describer)
    workers = [Here(work), Here(work)]
    monkeypatch.setattr(cost_processes, "worker_processes", lambda *_: nullcontext(workers))
    rows = process_rows(describer, queries, folder / "model", n_rounds=5, clock=Ticking())
    assert [row["work"] for row in rows] == [ENCODE, SEARCH]
    for row in rows:
        assert row["largest_difference"] < 1e-5
        assert [row["seconds"][key]["median_s"] for key in ("one", "two")] == [1, 1]
        assert (row["ratio"], row["saved"], row["saved_ci95"]) == (1, 0, [0, 0])
    assert rows[1]["largest_difference"] == 0


def test_real_ones_work_in_one_thread_each_and_end(described):
    describer, queries, _ = described
    before, seen = dict(os.environ), {}
    with pytest.raises(RuntimeError, match="a worker process has ended"):
        work_until_killed(described, seen)
    assert not multiprocessing.active_children()
    assert dict(os.environ) == before
    np.testing.assert_array_equal(seen["ids"], describer.index.search(queries, 3)[0])
    assert len(seen["started with"]) == 2
    for variables in seen["started with"]:
        assert not variables or variables >= {f"{k}={v}" for k, v in ONE_THREAD.items()}


def work_until_killed(described, seen):
    describer, queries, folder = described
    parts = [queries[::2], queries[1::2]]
    describer.save(folder)
    with worker_processes(2, describer.profile, folder / "model", folder) as workers:
        processes = multiprocessing.active_children()
        seen["started with"] = [environment_of(process.pid) for process in processes]
        seen["ids"] = shared_work(workers, SEARCH, parts)
        for process in processes:
            process.kill()
        shared_work(workers, SEARCH, parts)


def environment_of(pid):
    """What a process was started with, where the system tells."""
    file = Path(f"/proc/{pid}/environ")
    return {*file.read_text(encoding="utf-8").split("\0")} if file.exists() else set()
