"""How long the tests take, as `./run_tests.sh` runs them, the set-up done before.

Run `python benchmarks/suite.py` on a machine that does nothing else; it prints and writes
`suite.json` beside itself. The test that reads what is written here is left out.
"""

import subprocess
import sys
from functools import partial
from pathlib import Path
from timeit import timeit

from rows import OURS_BY_PEER, row, write

from clipsim.profile import REPOSITORY

MOST_S = 420
RESULT = Path(__file__).with_suffix(".json")


def main():
    command = [str(REPOSITORY / "run_tests.sh"), "--ignore", "tests/test_benchmarks.py"]
    run = partial(subprocess.run, command, check=True, stdout=sys.stderr)
    times = timeit(run, number=1), MOST_S
    rows = [row("all tests", "run_tests.sh", "the bound", "s", times, OURS_BY_PEER, "≤ 1")]
    if not write(RESULT, "the tests", rows, ("pytest", "pytest-xdist")):
        sys.exit("a target is missed")


if __name__ == "__main__":
    main()
