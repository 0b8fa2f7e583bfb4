"""The house: who may know whom."""

import ast

from clipsim.profile import REPOSITORY

# From the ground up: a module imports from its own floor or from those below.
FLOORS = (
    ("errors", "profile"), ("record",), ("data",), ("metrics",), ("model",), ("retrieval",),
    ("evaluation",), ("figures",), ("studies", "pictures"), ("report",), ("commands",),
    ("__init__", "__main__"),
)  # fmt: skip
FLOOR = {room: height for height, floor in enumerate(FLOORS) for room in floor}
PACKAGE = REPOSITORY / "clipsim"


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


def test_every_room_has_its_floor_and_imports_run_downwards():
    for path in PACKAGE.rglob("*.py"):
        own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        above = [room for room in imported_rooms(path) if FLOOR.get(room, 0) > FLOOR[own]]
        assert not above, f"{path} imports {above}"
