"""Execute the notebooks of a profile in order, and show Table 1: the command `run`.

A notebook is executed to a temporary name beside its target and moved when it succeeds, so
that a failed run leaves the last good copy where it was.
"""

import os
import re
import shlex
import signal
import sys
import tempfile
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import chdir, contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import nbformat
from humanize import precisedelta

from clipsim.errors import BAD_INPUT, BadInput, one_line, plain
from clipsim.profile import NOTEBOOKS, REPOSITORY, load_profile, read_overrides, relative

SHELL_COMMAND = "CLIPSIM_COMMAND"  # set by run_all.sh: how the user called it
PARAMETERS = {"profile", "overrides"}
# Notebooks that read nothing of each other run side by side; 12 measures times and runs alone.
APART = ({"00", "01", "02"}, {"05", "06", "07"}, {"08", "09", "10", "11"}, {"13", "14"})
WIDGET = "application/vnd.jupyter.widget-view+json"
MESSAGE_LINES = 5
PROGRESS_BAR = re.compile(r"\d\d:\d\d.*(/s|s/\w+)\]$")  # ends a line of tqdm's, fast or slow
MEMORY = 6 * 2**30  # bytes of the machine, for each notebook that runs side by side with another
SHUTDOWN_S = 20.0  # that an interrupted notebook has before it is killed


class NotebookError(BadInput, ValueError):
    """A notebook that cannot be run as asked; the message is one line."""


@dataclass(eq=False)
class NotebookFailure(Exception):
    """A notebook stopped in one of its cells.

    Attributes
    ----------
    stem : str
        Name of the notebook.
    cell : int or None
        Number of the cell in the notebook, from 1; None when no cell was reached.
    line : str or None
        The line of that cell which failed.
    error, message : str
        Class and text of the error.
    kept : Path or None
        The executed copy, up to the failure.
    """

    stem: str
    cell: int | None
    line: str | None
    error: str
    message: str
    kept: Path | None

    @property
    def is_bad_input(self):
        """Whether the user's input is at fault, and not the notebook."""
        return self.error in BAD_INPUT

    def __str__(self):
        where = f"{self.stem} failed" + (f" in cell {self.cell}" if self.cell else "")
        lines = [where + (f", at: {self.line}" if self.line else "")]
        message = f"{self.error}: {self.message}".strip().splitlines()
        lines += message[:MESSAGE_LINES] + ["…"] * (len(message) > MESSAGE_LINES)
        return "\n".join(lines)


def notebook_paths(folder):
    """The notebooks in `folder` by their two-digit numbers, without copies of failed ones."""
    return sorted(p for p in Path(folder).glob("[0-9][0-9]_*.ipynb") if "." not in p.stem)


def numbered(paths, number):
    """Position in `paths` of the notebook with this number, as "03", "3" or a whole name."""
    wanted = number.strip().removesuffix(".ipynb")
    for position, path in enumerate(paths):
        if wanted.zfill(2) == path.stem[:2] or wanted == path.stem:
            return position
    known = ", ".join(path.stem[:2] for path in paths)
    raise NotebookError(f"there is no notebook {number!r}; there are: {known}")


def outline(path):
    """Title and question of a notebook: the first two paragraphs of its first cell."""
    first = nbformat.read(path, as_version=4).cells[0].source
    title, question = (" ".join(part.split()) for part in first.split("\n\n")[:2])
    return title.lstrip("# "), re.sub(r"[*_`]", "", question)


def check_parameters(path):
    """`NotebookError` unless a notebook has just the parameters that a run hands it.

    Papermill itself passes over a misspelt name.
    """
    import papermill

    try:
        found = papermill.inspect_notebook(path)
    except (nbformat.reader.NotJSONError, nbformat.ValidationError):
        raise NotebookError(f"{path.name} is not a valid notebook") from None
    if found.keys() != PARAMETERS:
        names = " and ".join(sorted(PARAMETERS))
        raise NotebookError(f"{path.name}: its cell tagged 'parameters' must set {names} alone")


def run_notebooks(
    profile="demo", overrides=(), first=None, only=(), list_only=False, check=False, force=False
):
    """Execute the chosen notebooks of a profile, but for those that are current.

    Parameters
    ----------
    profile : str
        Name of a file under `profiles/`, or the path of a YAML file.
    overrides : sequence of str
        Each `key=value`; relative paths start at the current folder.
    first : str, optional
        The number of the notebook to start at.
    only : sequence of str
        Numbers of the notebooks to run, each item one or several with commas; these run always.
    list_only : bool
        Print the notebooks with their questions and do nothing else.
    check : bool
        Run below runs/check, and compare with the committed results (`clipsim.report.check`).
    force : bool
        Run also what is current (`clipsim.report.current`), as `only` and `check` do.

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
            print(f"{path.stem[:2]}  " + "\n    ".join(filter(None, outline(path))))
        return 0
    chosen = _chosen(paths, first, only)
    name, values = profile, read_overrides(overrides, Path.cwd())
    if Path(name).suffix in (".yaml", ".yml"):
        name = os.path.abspath(Path(name).expanduser())
    load_profile(name, **values)
    for path in chosen:
        check_parameters(path)
    stems = [path.stem for path in chosen]
    from clipsim.report import current  # here, as what follows: bad input answers at once

    if check:
        from clipsim.report.check import agrees, prepared

        values = prepared(name, values, stems)
    settings = load_profile(name, **values)
    folder, parameters = settings.run_dir / "notebooks", {"profile": name, "overrides": values}
    kernels, left = Kernels(), list(chosen)

    def label(path):
        return f"[{chosen.index(path) + 1}/{len(chosen)}] {path.stem}"

    def run(path, is_alone):
        with _timed(label(path), is_alone) as bar:
            execute(path, folder, parameters, bar, kernels)
        left.remove(path)

    def run_group(group):
        """Those of it that are not current; their stamps, once all are done, name one outcome."""
        before, made_from = current.outcome(settings), {}
        for path in group:
            earlier = [folder / p.name for p in paths if _turn(p) < _turn(path)]
            digest = current.made_from(path, earlier, settings)
            if only or check or force or not current.is_current(folder / path.name, digest):
                made_from[path] = digest
            else:
                print(f"{label(path)} … current", flush=True)
                left.remove(path)
        # Without what earlier notebooks leave, two might train the same model at once.
        most = 1 if None in made_from.values() else 2
        try:
            _run_group(run, list(made_from), kernels, most)
        finally:
            for path in made_from.keys() - set(left):
                current.write_stamp(folder / path.name, made_from[path], before, settings)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the kernels, too
    began = time.time()
    try:
        with chdir(REPOSITORY):  # as papermill does, which would go back while others are there
            for _, group in groupby(chosen, _turn):
                run_group(list(group))
    except (NotebookFailure, KeyboardInterrupt) as end:
        again = _continuation(profile, overrides, only, check, force, left)
        if isinstance(end, KeyboardInterrupt):
            _say(f"interrupted in {left[0].stem}", again)
            return 130
        if end.is_bad_input:
            _say(f"{end.stem}: {one_line(end.message)}")
            return 2
        _say(end, *([f"kept: {relative(end.kept)}"] if end.kept else []), again)
        return 1
    if check:
        return 0 if agrees(settings, stems) else 1
    _show_outcome(settings, folder, began)
    return 0


class Kernels(list):
    """The kernels of a run, as their managers; `is_ending` when they must begin nothing more."""

    is_ending = False

    def end(self, number):
        self.is_ending = True
        for manager in self:
            with suppress(ProcessLookupError):
                if manager.has_kernel:  # with all that it has started
                    os.killpg(manager.provisioner.pid, number)


def _turn(path):
    """The first number among those of the notebooks that may run beside one, its own included."""
    number = path.stem[:2]
    return next((min(numbers) for numbers in APART if number in numbers), number)


def _run_group(run, group, kernels, most):
    """Run notebooks, `most` at a time if the machine has room; after a failure no more begin."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    n_workers = max(1, min(len(group), most, os.cpu_count() or 1, memory // MEMORY))
    with ThreadPoolExecutor(n_workers) as pool:
        futures = [pool.submit(run, path, n_workers == 1) for path in group]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            pool.shutdown(cancel_futures=True)  # and wait for the one beside it
        except BaseException:  # Ctrl-C, or told to end: a training saves its state
            pool.shutdown(wait=False, cancel_futures=True)
            kernels.end(signal.SIGINT)
            begun = [future for future in futures if not future.cancelled()]
            if wait(begun, SHUTDOWN_S).not_done:
                kernels.end(signal.SIGKILL)
            raise
    for future in futures:
        if not future.cancelled():
            future.result()


@contextmanager
def _timed(label, is_alone):
    """A line on stdout with the time that a notebook took; last, where a bar is shown.

    Yields what tqdm shall show of its cells.
    """
    began, took, has_bar = time.monotonic(), "stopped after ", is_alone and sys.stderr.isatty()
    before, after = (f"{label} … ", "") if is_alone and not has_bar else ("", f"{label} … ")
    print(before if is_alone else f"{label} … started\n", end="", flush=True)
    try:
        yield {"desc": label, "leave": False, "disable": not has_bar}
        took = ""
    finally:
        print(after + took + precisedelta(round(time.monotonic() - began)), flush=True)


def _chosen(paths, first, only):
    if only:
        numbers = [number for item in only for number in item.split(",") if number.strip()]
        return [paths[position] for position in sorted({numbered(paths, n) for n in numbers})]
    return paths[numbered(paths, first) :] if first else paths


def _say(*lines):
    print(*lines, sep="\n", file=sys.stderr)


def _continuation(profile, overrides, only, check, force, paths):
    """The command that goes on with these notebooks."""
    rest = [path.stem[:2] for path in paths]
    shell = os.environ.get(SHELL_COMMAND)
    words = ["--profile", profile, *(word for item in overrides for word in ("-p", item))]
    words += [f"--{name}" for name, is_set in (("check", check), ("force", force)) if is_set]
    words += ["--only", ",".join(rest)] if only else ["--from", rest[0]]
    command = shlex.quote(shell) if shell else "clipsim run"
    return f"continue with: {command} {shlex.join(words)}"


def _show_outcome(settings, folder, began):
    # here: a list and bad input answer at once
    from clipsim.report.pages import write_pages, write_report

    table = settings.figures_dir / "table_1.md"
    if table.is_file():
        # The notebook that makes the table need not be among those that were run.
        earlier = ", from an earlier run" if table.stat().st_mtime < began else ""
        print(f"\nTable 1 ({relative(table)}{earlier})\n")
        print(table.read_text(encoding="utf-8").strip())
    print(f"\nfigures    {relative(settings.figures_dir)}")
    print(f"results    {relative(settings.results_dir)}")
    print(f"notebooks  {relative(folder)}")
    print(f"report     {relative(write_report(settings, folder))}")
    print(f"pages      {relative(write_pages(settings, folder))}")


def execute(path, folder, values, bar=None, kernels=None):
    """Execute a notebook and write `folder`/<its name>.

    Parameters
    ----------
    path, folder : Path
        The notebook, and where its executed copy goes.
    values : dict
        Its parameters.
    bar : dict, optional
        What tqdm shall show of its cells; without it, nothing.
    kernels : Kernels, optional
        Gets its kernel.

    Raises
    ------
    KeyboardInterrupt
        If the kernels are to end.
    NotebookFailure
        The copy up to the failure is kept as <stem>.failed.ipynb; what an earlier run left is
        untouched.
    """
    import papermill

    target = folder / path.name
    temporary = folder / f".{path.stem}.running.ipynb"
    failed = folder / f"{path.stem}.failed.ipynb"
    folder.mkdir(parents=True, exist_ok=True)
    started, kernels = [], Kernels() if kernels is None else kernels

    def on_cell_execute(cell, **_):
        if kernels.is_ending:
            raise InterruptedError
        started.append(cell.id)

    with tempfile.TemporaryFile() as log:
        try:
            papermill.execute_notebook(
                str(path),
                str(temporary),
                parameters=values,
                kernel_name="python3",
                kernel_manager_class=_kernel_manager(log, kernels),
                on_cell_execute=on_cell_execute,
                progress_bar=bar or False,
                cwd=str(REPOSITORY),
            )
            _clear_progress_bars(temporary)
            temporary.replace(target)
            failed.unlink(missing_ok=True)
        except Exception as error:
            if kernels.is_ending:
                raise KeyboardInterrupt from error
            kept = temporary.replace(failed) if temporary.exists() else None
            raise _failure(path, error, started, kept, log) from error
        finally:
            temporary.unlink(missing_ok=True)


def _kernel_manager(log, kernels):
    """A kernel manager that starts this interpreter, whatever kernels the user registered.

    What the kernel itself says goes to the file `log`, not between the lines of progress; the
    manager joins `kernels`.
    """
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    class OwnKernelManager(AsyncKernelManager):
        shutdown_wait_time = SHUTDOWN_S  # a training saves its state first

        def _kernel_spec_manager_default(self):
            return KernelSpecManager(kernel_dirs=[], parent=self)

        async def _async_launch_kernel(self, kernel_cmd, **options):
            await super()._async_launch_kernel(kernel_cmd, **options, stderr=log)
            kernels.append(self)

    return OwnKernelManager


def _clear_progress_bars(path):
    """Remove tqdm's bars, which say nothing once they stand still, from an executed notebook."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", [])[:]:
            if PROGRESS_BAR.search(output.get("data", {}).get("text/plain", "")):
                cell.outputs.remove(output)
    if WIDGET not in str(notebook.cells):
        notebook.metadata.pop("widgets", None)
    nbformat.write(notebook, path)


def _failure(path, error, started, kept, log):
    from nbclient.exceptions import DeadKernelError

    cells = [cell.id for cell in nbformat.read(path, as_version=4).cells]
    number = cells.index(started[-1]) + 1 if started and started[-1] in cells else None
    trace = plain("\n".join(getattr(error, "traceback", ())))
    arrow = re.search(r"^-+> ?\d+ (.*)$", trace, re.MULTILINE)
    message = getattr(error, "evalue", str(error))
    if isinstance(error, DeadKernelError):
        log.seek(0)
        said = log.read().decode(errors="replace").strip().splitlines()
        message = "\n".join([f"{message} (out of memory?)", *said[-2:]])
    return NotebookFailure(
        stem=path.stem,
        cell=number,
        line=arrow.group(1).strip() if arrow else None,
        error=getattr(error, "ename", type(error).__name__),
        message=plain(message),
        kept=kept,
    )
