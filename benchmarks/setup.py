"""The set-up of an environment from `requirements.lock`, by uv and by pip, both without a cache.

Run `python benchmarks/setup.py` where uv is on PATH; it prints and writes `setup.json` beside
itself. It does what `scripts/environment.sh` does, in temporary folders of up to 7 GB, one after
the other.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rows import OURS_BY_PEER, row, write

from clipsim.profile import REPOSITORY

LOCKED = ("--require-hashes", "-r", str(REPOSITORY / "requirements.lock"))
RESULT = Path(__file__).with_suffix(".json")


def main():
    seconds = {name: set_up_s(name) for name in ("uv", "pip")}
    case = "from nothing to an environment, downloads included"
    rows = [row(case, "uv", "pip", "s", list(seconds.values()), OURS_BY_PEER)]
    write(RESULT, f"{len(packages())} packages, about 7 GB unpacked", rows, ())


def packages():
    """The packages of the lock, for any system."""
    lines = Path(LOCKED[-1]).read_text(encoding="utf-8").splitlines()
    return {line.partition("==")[0] for line in lines if "==" in line}


def set_up_s(name):
    """Seconds until an environment is there."""
    with tempfile.TemporaryDirectory() as folder:
        python = f"{folder}/bin/python"
        install = [python, "-m", "pip", "install", "--quiet", "--no-cache-dir"]
        if name == "uv":
            install = ["uv", "pip", "install", "--quiet", "--no-cache", "--python", python]
        without = ["--without-pip"] if name == "uv" else []
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "venv", *without, folder], check=True)
        subprocess.run([*install, *LOCKED], check=True)
        return time.perf_counter() - start


if __name__ == "__main__":
    main()
