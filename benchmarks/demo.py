"""How long one waits for the demo, the tests and an answer, beside an earlier commit.

Run `python benchmarks/demo.py` on a machine that does nothing else, with everything committed: in
a fresh clone of this commit, then in one of the last commit before the work on speed, it runs
`./run_all.sh`, `./run_tests.sh` and `clipsim`; in the first `./run_all.sh` again, too, with
nothing changed. Each does the work of its time: the earlier demo trains on 5,000 scenes, in
batches of 256, and has other tests. It takes 45 minutes, the network, and 14 GB in a temporary
folder; prints and writes `demo.json` beside itself. Table 1 and the paper's figures are there
after 06.
"""

import os
import subprocess
import sys
import tempfile
from datetime import datetime
from functools import partial
from pathlib import Path
from timeit import timeit

import nbformat
from rows import OURS_BY_PEER, row, write

from clipsim.data import package_photographs
from clipsim.profile import REPOSITORY
from clipsim.record import VARIABLES
from clipsim.report import notebook_paths

BEFORE = "388d629"
FIRST, AGAIN, TESTS = "./run_all.sh, set-up and all", "./run_all.sh again", "./run_tests.sh"
HELP, SCORE = "clipsim --help", "clipsim score, described before"
EARLY, ALL = "notebooks 00–06", "all 15 notebooks"
MOST_S = {EARLY: 270, ALL: 480, AGAIN: 90, TESTS: 420, HELP: 1, SCORE: 5}
INHERITED = {"PYTHONPATH", "VIRTUAL_ENV", "OMP_NUM_THREADS", *VARIABLES}  # what clones do not get
RESULT = Path(__file__).with_suffix(".json")


def main():
    with tempfile.TemporaryDirectory() as folder:
        shared = REPOSITORY.parent / "shared"  # what some tests read, and are skipped without
        if shared.is_dir():
            (Path(folder) / "shared").symlink_to(shared)
        now, before = (waits(Path(folder) / name, name) for name in ("HEAD", BEFORE))
    rows = []
    for case, seconds in now.items():
        if case in MOST_S:
            medians = seconds, MOST_S[case]
            rows.append(row(case, "now", "the bound", "s", medians, OURS_BY_PEER, "≤ 1"))
        if case in before:
            medians = seconds, before[case]
            rows.append(row(case, "now", f"{BEFORE}, before", "s", medians, OURS_BY_PEER))
    what = "waiting, in fresh clones, each once; before: on more scenes, with other tests"
    if not write(RESULT, what, rows, ("torch", "papermill", "pytest")):
        sys.exit("a target is missed")


def waits(clone, name):
    """Seconds of each case in a fresh clone of a commit, by its name."""
    subprocess.run(["git", "clone", "--quiet", REPOSITORY, clone], check=True)
    subprocess.run(["git", "checkout", "--quiet", name], cwd=clone, check=True)
    environment = {key: value for key, value in os.environ.items() if key not in INHERITED}
    own = str(Path(sys.prefix) / "bin")
    folders = [folder for folder in environment["PATH"].split(os.pathsep) if folder != own]
    environment["PATH"] = os.pathsep.join(folders)
    is_now = name != BEFORE

    def seconds(*command):
        # An earlier commit's tests are those of its time: one that fails loses nothing.
        run = partial(subprocess.run, check=is_now, cwd=clone, env=environment, stdout=sys.stderr)
        return timeit(lambda: run(command), number=1)

    found = {FIRST: seconds("./run_all.sh")}
    notebooks = notebook_paths(clone / "runs" / "demo" / "notebooks")
    found |= {EARLY: busy_seconds(notebooks[:7]), ALL: busy_seconds(notebooks)}
    if is_now:  # before, everything ran again
        found[AGAIN] = seconds("./run_all.sh")
    found[TESTS] = seconds("./run_tests.sh")
    clipsim = (".venv/bin/python", "-P", "-m", "clipsim")
    sources = package_photographs().read_image.sources
    pair = [str(sources[picture].path) for picture in ("coffee.png", "china.jpg")]
    found[HELP] = seconds(*clipsim, "--help")
    seconds(*clipsim, "score", *pair)
    return found | {SCORE: seconds(*clipsim, "score", *pair)}


def busy_seconds(paths):
    """Seconds in which at least one of some notebooks was being executed."""
    busy, until = 0.0, 0.0
    clocks = [nbformat.read(path, as_version=4).metadata.papermill for path in paths]
    for clock in sorted(clocks, key=lambda clock: clock.start_time):
        start, end = (
            datetime.fromisoformat(clock[f"{name}_time"]).timestamp() for name in ("start", "end")
        )
        busy += max(0.0, end - max(start, until))
        until = max(until, end)
    return busy


if __name__ == "__main__":
    main()
