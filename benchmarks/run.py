"""Every benchmark in one run, and the table for people.

`python benchmarks/run.py` runs them one after the other, each in a process of its own, and writes
their rows to `README.md` beside itself; `python benchmarks/run.py scoring retrieval` runs some,
and `--table` none: the table is then made of the JSON files that are there.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from rows import section

from clipsim.record import atomic_path

FOLDER = Path(__file__).parent
NAMES = (
    "scoring", "retrieval", "pool_size", "encoding", "training", "metrics", "read_dataset",
    "shipped", "growth", "setup", "demo",
)  # fmt: skip
HEAD = """# Benchmarks

`python benchmarks/run.py` measures all of this anew, ours and the others side by side on the same
inputs, and writes this page; each script alone does its part. Contestants take turns and medians
of the rounds are shown (but for setup and demo: once each), since machines are noisy: ratios are
what holds, not seconds. "The bound" is what a number must stay below. Rows without a target are
there for the record.

![Time and memory against the number of items](growth.png)
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--table", action="store_true", help="only write the table")
    args = parser.parse_args()
    unknown = sorted(set(args.names) - set(NAMES))
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}; there are: {', '.join(NAMES)}")
    missed = []
    for name in () if args.table else args.names or NAMES:
        print(f"{name} …", file=sys.stderr)
        done = subprocess.run([sys.executable, str(FOLDER / f"{name}.py")])
        missed += [name] if done.returncode else []
    with atomic_path(FOLDER / "README.md") as temporary:
        temporary.write_text(table(), encoding="utf-8")
    if missed:
        sys.exit(f"a target is missed, or the benchmark failed: {', '.join(missed)}")


def table():
    """The page: a section for every benchmark that has been run."""
    paths = [FOLDER / f"{name}.json" for name in NAMES]
    records = {p.stem: json.loads(p.read_text(encoding="utf-8")) for p in paths if p.is_file()}
    return "\n".join([HEAD, *(f"{section(*item)}\n" for item in records.items())])


if __name__ == "__main__":
    main()
