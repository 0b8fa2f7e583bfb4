"""What every notebook keeps to: thin, clean, in order, and saying what it is about."""

import ast
import re

import nbformat
import pytest

from clipsim.profile import NOTEBOOKS
from clipsim.report import check_parameters

PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
MOST_LINES = 12  # of a code cell
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
WHOLE_PATH = re.compile(r"""["'(\s](/(home|Users|root|mnt|tmp|data|work|content)/|~/|[A-Z]:\\)""")


def test_each_has_a_number_of_its_own():
    numbers = [path.name[:3] for path in PATHS]
    assert numbers[0] == "00_"
    assert len(set(numbers)) == len(PATHS)


@pytest.fixture(params=PATHS, ids=[path.stem for path in PATHS])
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_valid(notebook):
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) >= (4, 5), "cells need ids"
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert notebook.metadata.kernelspec.name == "python3"


def test_committed_without_outputs(notebook):
    for cell in code(notebook):
        assert cell.outputs == []
        assert cell.execution_count is None


def test_says_what_it_is_about(notebook):
    first = notebook.cells[0]
    assert first.cell_type == "markdown"
    title, question, _ = first.source.split("\n\n", 2)
    assert title.startswith("# ")
    assert question.startswith("**")
    for words in ("Reads", "Writes", "Takes about"):
        assert words in first.source


def test_parameters(path):
    check_parameters(path)


def test_thin(notebook):
    for cell in code(notebook):
        assert len(cell.source.splitlines()) <= MOST_LINES, cell.source
        nodes = list(ast.walk(ast.parse(cell.source)))  # no magics, either
        assert not [node for node in nodes if isinstance(node, DEFINITIONS)], cell.source


def test_names_no_whole_path(notebook):
    for cell in notebook.cells:
        assert not WHOLE_PATH.search(f" {cell.source}"), cell.source
