"""The same work by one single-threaded process, and shared by two.

The processes are started, have loaded the model, and have mapped the pool's vectors before any
clock runs; they share one copy of the vectors, the operating system's.
"""

import multiprocessing
import os
import signal
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from clipsim.model import DualEncoder
from clipsim.retrieval import Describer
from clipsim.studies.cost_and_scale.cost_breakdown import caption_samples, text_vectors
from clipsim.studies.cost_and_scale.timing import saving, timed_rounds, timing_row

ROUNDS = 7
BATCHES, SEARCHED = 2, 512
# Read when the libraries are loaded; torch, FAISS and NumPy each bring their own threads.
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
ENCODE, SEARCH = "encoding", "searching"


def process_rows(describer, queries, checkpoint, n_rounds=ROUNDS, clock=time.perf_counter):
    """Encoding captions and searching the pool, by one process and by two in turn.

    Parameters
    ----------
    describer : Describer
    queries : array of float32, shape (M, d)
        Vectors of images; repeated up to `SEARCHED`.
    checkpoint : Path
        The model's folder.
    n_rounds : int
    clock : callable

    Returns
    -------
    list of dict
        A row per kind of `work`, with the `amount` of captions or images, `seconds` of "one" and
        of "two" processes (each as `timing_row`), what two save (`saving`), and the
        `largest_difference` between their results, vectors or ids.
    """
    profile = describer.profile
    work = {
        ENCODE: caption_samples(describer.model, describer.index.captions, 1, BATCHES)[0].captions,
        SEARCH: np.resize(queries, (SEARCHED, queries.shape[1])),
    }
    rows = []
    with TemporaryDirectory() as folder:
        describer.save(Path(folder))
        with worker_processes(2, profile, checkpoint, Path(folder)) as workers:
            for name, whole in work.items():
                parts = {"one": [whole], "two": [whole[::2], whole[1::2]]}
                seconds = timed_rounds(
                    {key: _turn(workers, name, part) for key, part in parts.items()},
                    n_rounds,
                    clock,
                )
                one, two = (shared_work(workers, name, part) for part in parts.values())
                rows.append(
                    {"work": name, "amount": len(whole)}
                    | {"seconds": {key: timing_row(value) for key, value in seconds.items()}}
                    | saving(seconds["one"], seconds["two"], profile.n_bootstrap, profile.seed)
                    | {"largest_difference": float(np.abs(one - two).max())}
                )
    return rows


@contextmanager
def worker_processes(n, profile, checkpoint, pool):
    """Connections to n processes of one thread each that are ready to work; ended afterwards.

    Parameters
    ----------
    n : int
    profile : Profile
    checkpoint : Path
        The model's folder.
    pool : Path
        The folder of the pool's vectors (`Describer.save`).

    Raises
    ------
    RuntimeError
        If one of them ends too early.
    """
    context = multiprocessing.get_context("spawn")
    started = []
    try:
        for _ in range(n):
            ours, theirs = context.Pipe()
            of_worker = (theirs, profile, checkpoint, pool)
            process = context.Process(target=_serve, args=of_worker, daemon=True)
            with _environment(ONE_THREAD):
                process.start()
            theirs.close()
            started.append((process, ours))
        for _, connection in started:
            connection.recv()
        yield [connection for _, connection in started]
    except (EOFError, ConnectionError):
        raise RuntimeError("a worker process has ended; its own message says why") from None
    finally:
        for process, connection in started:
            connection.close()
            process.terminate()
            process.join()


def work_of(describer):
    """What a worker can do: by name, a function of a part of the work."""
    n_descriptions = describer.profile.n_descriptions
    return {
        ENCODE: lambda texts: text_vectors(describer.model, texts),
        SEARCH: lambda queries: describer.index.search(queries, n_descriptions)[0],
    }


@contextmanager
def _environment(values):
    """The environment that a process started in the block inherits."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def shared_work(workers, name, parts):
    """What the first processes make of the parts, one each, in the order of the whole.

    Parameters
    ----------
    workers : list of Connection
    name : str
        `ENCODE` or `SEARCH`.
    parts : list of sequence
        `whole[i::n]` for the i-th of n.

    Returns
    -------
    array, shape (len(whole), ·)
    """
    at_work = workers[: len(parts)]
    for worker, part in zip(at_work, parts, strict=True):
        worker.send((name, part))
    done = [worker.recv() for worker in at_work]
    whole = np.empty((sum(map(len, done)), *done[0].shape[1:]), dtype=done[0].dtype)
    for i, part in enumerate(done):
        whole[i :: len(done)] = part
    return whole


def _turn(workers, name, parts):
    return lambda number: shared_work(workers, name, parts)


def _serve(connection, profile, checkpoint, pool):
    """A worker: says that it is ready, then answers until it is ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interruption is its parent's to handle
    model = DualEncoder.load(checkpoint, profile)
    work = work_of(Describer.load(pool, profile, model))
    connection.send("ready")
    while True:
        try:
            name, part = connection.recv()
        except EOFError:
            return
        connection.send(work[name](part))
