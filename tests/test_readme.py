"""README keeps its word: its numbers are the committed results', its files exist."""

import json
import re

from clipsim.notebooks import notebook_paths, outline
from clipsim.paths import NOTEBOOKS, REPOSITORY
from clipsim.tables import paper_and_run

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_table_1_is_the_committed_one():
    path = REPOSITORY / "results" / "demo" / "05_threshold_sweeps.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["results"]["table1"]
    assert paper_and_run(rows) in README, f"README needs:\n{paper_and_run(rows)}"


def test_pictures_and_links_exist():
    for target in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (REPOSITORY / target).is_file(), target


def test_every_notebook_is_listed_with_its_question():
    for path in notebook_paths(NOTEBOOKS):
        _, question = outline(path)
        row = next(line for line in README.splitlines() if line.startswith(f"| {path.stem} "))
        assert question.partition(" (paper")[0].strip("*. ?").lower() in row.lower()


def test_every_dependency_has_a_reason():
    text = (REPOSITORY / "pyproject.toml").read_text()
    for name in re.findall(r'"([a-z0-9-]+)[=>]=', text.split("[project.optional")[0]):
        if name not in ("setuptools", "python"):
            assert re.search(rf"^\|.*\b{name}\b", README, re.MULTILINE), name
