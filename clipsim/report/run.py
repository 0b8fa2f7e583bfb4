"""Execute the notebooks of a profile in order, and show Table 1: the command `run`."""

import os
import shlex
import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from humanize import precisedelta
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from clipsim.errors import one_line
from clipsim.profile import NOTEBOOKS, load_profile, read_overrides
from clipsim.report.notebooks import (
    NotebookError,
    NotebookFailure,
    code_cells,
    execute,
    notebook_paths,
    numbered,
    outline,
    parameters,
)

SHELL_COMMAND = "CLIPSIM_COMMAND"  # set by run_all.sh: how the user called it


def checked_profile(name, overrides):
    """The two values that every notebook takes, from a command line.

    Parameters
    ----------
    name : str
        Of a file under `profiles/`, or the path of a YAML file.
    overrides : list of str
        Each `key=value`; relative paths start at the current folder.

    Returns
    -------
    (str, dict)
        Name or whole path, and the overrides as `load_profile` takes them.

    Raises
    ------
    ProfileError
        If they do not make a valid profile; one line says why.
    """
    if Path(name).suffix in (".yaml", ".yml"):
        name = os.path.abspath(Path(name).expanduser())
    values = read_overrides(overrides, Path.cwd())
    load_profile(name, **values)
    return name, values


def run_notebooks(profile="demo", overrides=(), first=None, only=(), list_only=False, check=False):
    """Execute the chosen notebooks of a profile.

    Parameters
    ----------
    profile, overrides : str, sequence of str
        As `checked_profile`.
    first : str, optional
        The number of the notebook to start at.
    only : sequence of str
        Numbers of the notebooks to run, each item one or several with commas.
    list_only : bool
        Print the notebooks with their questions and do nothing else.
    check : bool
        Run below runs/check, and compare with the committed results (`clipsim.report.check`).

    Returns
    -------
    int
        0 when all succeed; 2 for bad input; 1 for a failure, or a result that the check refuses;
        130 when interrupted.

    Raises
    ------
    ProfileError, NotebookError
        Bad input that is found before anything runs.
    """
    paths = notebook_paths(NOTEBOOKS)
    if list_only:
        for path in paths:
            title, question = outline(path)
            print(f"{path.stem[:2]}  {title}" + (f"\n    {question}" if question else ""))
        return 0
    if first and only:
        raise NotebookError("--from and --only exclude each other")
    chosen = _chosen(paths, first, only)
    name, values = checked_profile(profile, overrides)
    for path in chosen:
        parameters(path)
    stems = [path.stem for path in chosen]
    if check:
        from clipsim.report.check import agrees, prepared  # here, since it imports much

        values = prepared(name, values, stems)
    settings = load_profile(name, **values)
    folder = settings.run_dir / "notebooks"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the kernel, too
    began = time.time()
    for position, path in enumerate(chosen):
        label = f"[{position + 1}/{len(chosen)}] {path.stem}"
        rest = [left.stem[:2] for left in chosen[position:]]
        try:
            with _progress(label, code_cells(path)) as step:
                execute(path, folder, {"profile": name, "overrides": values}, step)
        except NotebookFailure as failure:
            if failure.is_bad_input:
                _say(f"{failure.stem}: {one_line(failure.message)}")
                return 2
            kept = [f"kept: {_from_here(failure.kept)}"] if failure.kept else []
            _say(failure, *kept, _continuation(profile, overrides, only, check, rest))
            return 1
        except KeyboardInterrupt:
            again = _continuation(profile, overrides, only, check, rest)
            _say(f"interrupted in {path.stem}", again)
            return 130
    if check:
        return 0 if agrees(settings, stems) else 1
    _show_outcome(settings, folder, began)
    return 0


@contextmanager
def _progress(label, n_cells):
    """A line per notebook on stdout; where stderr is a terminal also cells and time, live."""
    console, began, took = Console(stderr=True), time.monotonic(), "stopped after "
    if not console.is_terminal:
        print(f"{label} … ", end="", flush=True)
    columns = TextColumn("{task.description} … cell"), MofNCompleteColumn(), TimeElapsedColumn()
    try:
        with Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        ) as bar:
            task = bar.add_task(label, total=n_cells)
            yield lambda: bar.advance(task)
        took = ""
    finally:
        took += precisedelta(round(time.monotonic() - began))
        print(f"{label} … {took}" if console.is_terminal else took, flush=True)


def _chosen(paths, first, only):
    if only:
        numbers = [number for item in only for number in item.split(",") if number.strip()]
        return [paths[position] for position in sorted({numbered(paths, n) for n in numbers})]
    return paths[numbered(paths, first) :] if first else paths


def _say(*lines):
    print(*lines, sep="\n", file=sys.stderr)


def _continuation(profile, overrides, only, check, rest):
    """The command that goes on with the notebooks of these numbers."""
    shell = os.environ.get(SHELL_COMMAND)
    words = ["--profile", profile]
    for item in overrides:
        words += ["-p", item]
    words += ["--check"] if check else []
    words += ["--only", ",".join(rest)] if only else ["--from", rest[0]]
    command = shlex.quote(shell) if shell else "clipsim run"
    alone = " (compares these alone)" if check else ""
    return f"continue with: {command} {shlex.join(words)}{alone}"


def _from_here(path):
    """`path` relative to the caller's folder where it lies within, else whole."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _show_outcome(settings, folder, began):
    from clipsim.report.pages import write_report  # here: a list and bad input answer at once

    table = settings.figures_dir / "table_1.md"
    if table.is_file():
        # The notebook that makes the table need not be among those that were run.
        earlier = ", from an earlier run" if table.stat().st_mtime < began else ""
        print(f"\nTable 1 ({_from_here(table)}{earlier})\n")
        print(table.read_text(encoding="utf-8").strip())
    print(f"\nfigures    {_from_here(settings.figures_dir)}")
    print(f"results    {_from_here(settings.results_dir)}")
    print(f"notebooks  {_from_here(folder)}")
    print(f"report     {_from_here(write_report(settings, folder))}")
