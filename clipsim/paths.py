"""Where things live: every path is relative to the repository, never to the caller's folder."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PROFILES = REPOSITORY / "profiles"
NOTEBOOKS = REPOSITORY / "notebooks"
RUNS = REPOSITORY / "runs"
CACHE = RUNS / "cache"


def relative(path):
    """`path` as a reader should see it: inside the repository relative to it, else whole."""
    path = Path(path)
    return path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path
