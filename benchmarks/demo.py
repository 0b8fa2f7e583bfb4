"""How long the demo takes, by the clocks of its executed notebooks.

Run `./run_all.sh --force` on a machine that does nothing else, then `python benchmarks/demo.py`:
it runs the demo a second time, with nothing changed, prints and writes `demo.json` beside itself.
Table 1 and the paper's figures are there after 06.
"""

import subprocess
import sys
from datetime import datetime
from functools import partial
from pathlib import Path
from timeit import timeit

import nbformat
from rows import OURS_BY_PEER, row, write

from clipsim import load_profile
from clipsim.report import notebook_paths

SECONDS = {"notebooks 00–06": (7, 270), "all 15": (15, 480)}  # how many notebooks, and the bound
AGAIN_S = 90
RESULT = Path(__file__).with_suffix(".json")


def main():
    paths = notebook_paths(load_profile("demo").run_dir / "notebooks")
    rows = []
    for case, (n, bound) in SECONDS.items():
        medians = busy_seconds(paths[:n]), bound
        rows.append(row(case, "run_all.sh", "the bound", "s", medians, OURS_BY_PEER, "≤ 1"))
    command = [sys.executable, "-P", "-m", "clipsim", "run"]
    again = partial(subprocess.run, command, check=True, stdout=subprocess.DEVNULL)
    times = timeit(again, number=1), AGAIN_S
    case = "a second run, nothing changed"
    rows.append(row(case, "clipsim run", "the bound", "s", times, OURS_BY_PEER, "≤ 1"))
    if not write(RESULT, "the demo", rows, ("torch", "papermill")):
        sys.exit("a target is missed")


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
