"""The house: who may know whom, and what every notebook takes from it."""

import ast
import subprocess
import sys

import pytest

from clipsim.profile import REPOSITORY

# From the ground up: a module imports from its own floor or from those below.
FLOORS = (
    ("errors", "profile"), ("record",), ("data",), ("metrics",), ("model",), ("retrieval",),
    ("evaluation",), ("figures",), ("studies", "pictures"), ("report",), ("commands",),
    ("__init__", "__main__"),
)  # fmt: skip
FLOOR = {room: height for height, floor in enumerate(FLOORS) for room in floor}
PATHS = sorted((REPOSITORY / "clipsim").rglob("*.py"))


def own_room(path):
    """The folder, or the file, of the package that a path lies in."""
    return path.relative_to(REPOSITORY / "clipsim").parts[0].removesuffix(".py")


def imported_rooms(path):
    """The rooms of the package that a file imports from, inside functions as well."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module == "clipsim":
            names = [f"clipsim.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        yield from (name.split(".")[1] for name in names if name.startswith("clipsim."))


def test_every_room_has_its_floor():
    rooms = {
        path.relative_to(REPOSITORY / "clipsim").parts[0].removesuffix(".py") for path in PATHS
    }
    assert rooms == FLOOR.keys()


@pytest.mark.parametrize("path", PATHS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_imports_run_downwards(path):
    own = own_room(path)
    for room in imported_rooms(path):
        assert FLOOR.get(room, 0) <= FLOOR[own], f"{own} imports {room}"


@pytest.mark.parametrize(
    "module",
    ["retrieval.score", "retrieval.graph", "metrics", "evaluation.resampling",
     "evaluation.thresholds", "evaluation.claims"],
)  # fmt: skip
def test_what_knows_numbers_alone_imports_no_model_code(module):
    code = f"import sys, clipsim.{module}; sys.exit('clipsim.model.clip' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
