"""The notebooks: which there are, what they take, and executing one of them.

A notebook is executed to a temporary name beside its target and moved when it succeeds, so
that a failed run leaves the last good copy where it was.

What a notebook's widgets showed when it ended, for a page on which nothing moves.
"""

import ast
import html
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nbformat

from clipsim.errors import BAD_INPUT, BadInput, plain
from clipsim.profile import REPOSITORY

WIDGET = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"


def still_outputs(output, notebook):
    """An output; in place of a widget, what its parts showed.

    Parameters
    ----------
    output : nbformat.NotebookNode
    notebook : nbformat.NotebookNode
        Executed; its metadata hold the state of its widgets.

    Returns
    -------
    list of dict
        Outputs: those that the widget had caught; its pictures, whose caption and alternative text
        are the words that the widget shows beside them.
    """
    model_id = output.get("data", {}).get(WIDGET, {}).get("model_id")
    if model_id is None:
        return [output]
    models = notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    parts = list(_parts(model_id, models))
    words = [part["state"]["value"] for part in parts if part.get("model_name") == "HTMLModel"]
    said = html.unescape(re.sub(r"<[^>]*>", "", " ".join(words))).strip()
    still = [caught for part in parts for caught in part["state"].get("outputs", ())]
    for part in parts:
        if part.get("model_name") == "ImageModel":
            known = {"image/png": {"alt": f"Drawn by the controls: {said}"}}
            png = next(item["data"] for item in part["buffers"] if item["path"] == ["value"])
            still.append({"data": {"image/png": png}, "metadata": known})
            still.append(
                {"data": {"text/markdown": f"*{said}. The controls move in JupyterLab.*"}}
            )
    return still


def _parts(model_id, models):
    """A widget's models, from the outermost in, in order."""
    if model_id in models:
        yield models[model_id]
        for child in models[model_id]["state"].get("children", ()):
            yield from _parts(child.removeprefix("IPY_MODEL_"), models)


PARAMETERS = {"profile": str, "overrides": dict}
MESSAGE_LINES = 5
PROGRESS_BAR = re.compile(r"\d\d:\d\d.*/s\]$")  # ends a line of tqdm's
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
    """Paths of the notebooks in `folder`, in the order of their two-digit numbers."""
    paths = sorted(Path(folder).glob("[0-9][0-9]_*.ipynb"))
    if not paths:
        raise NotebookError(f"no notebooks in {folder}")
    return paths


def numbered(paths, number):
    """Position in `paths` of the notebook with this number, as "03", "3" or a whole name."""
    wanted = number.strip().removesuffix(".ipynb")
    for position, path in enumerate(paths):
        if wanted.zfill(2) == path.stem[:2] or wanted == path.stem:
            return position
    known = ", ".join(path.stem[:2] for path in paths)
    raise NotebookError(f"there is no notebook {number!r}; there are: {known}")


def outline(path):
    """Title and question of a notebook, from its first markdown cell."""
    cells = nbformat.read(path, as_version=4).cells
    text = next((cell.source for cell in cells if cell.cell_type == "markdown"), "")
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip()]
    title = next((part.lstrip("# ") for part in paragraphs if part.startswith("#")), "")
    prose = [re.sub(r"[*_`]", "", part) for part in paragraphs if not part.startswith("#")]
    question = next((part for part in prose if "?" in part), prose[0] if prose else "")
    return title or Path(path).stem, question


def parameters(path):
    """The parameters of a notebook with their default values.

    Raises
    ------
    NotebookError
        Unless exactly one cell is tagged `parameters` and it assigns literals to the names of
        `PARAMETERS` and nothing else. Papermill itself passes over a misspelt name.
    """
    path = Path(path)
    try:
        cells = nbformat.read(path, as_version=4).cells
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, UnicodeDecodeError):
        raise NotebookError(f"{path.name} is not a valid notebook") from None
    tagged = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise NotebookError(f"{path.name} has {len(tagged)} cells tagged 'parameters', not 1")
    try:
        statements = ast.parse(tagged[0].source).body
        values = {}
        for statement in statements:
            (target,) = statement.targets
            values[target.id] = ast.literal_eval(statement.value)
    except (SyntaxError, AttributeError, ValueError):
        raise NotebookError(f"{path.name}: its parameters are not plain literals") from None
    if {name: type(value) for name, value in values.items()} != PARAMETERS:
        expected = ", ".join(f"{name} ({kind.__name__})" for name, kind in PARAMETERS.items())
        raise NotebookError(f"{path.name}: its parameters are not {expected}")
    return values


def code_cells(path):
    """Number of code cells that executing the notebook runs, with papermill's own."""
    cells = nbformat.read(path, as_version=4).cells
    return 1 + sum(cell.cell_type == "code" for cell in cells)


def execute(path, folder, values, on_cell=lambda: None):
    """Execute a notebook and write `folder`/<its name>.

    Parameters
    ----------
    path, folder : Path
        The notebook, and where its executed copy goes.
    values : dict
        Its parameters.
    on_cell : callable
        Called without arguments whenever a code cell starts.

    Raises
    ------
    NotebookFailure
        The copy up to the failure is kept as <stem>.failed.ipynb; what an earlier run left is
        untouched.
    """
    import papermill

    target = folder / path.name
    temporary = folder / f".{path.stem}.running.ipynb"
    failed = folder / f"{path.stem}.failed.ipynb"
    folder.mkdir(parents=True, exist_ok=True)
    started = []

    def cell_starts(cell, **_):
        started.append(cell.id)
        on_cell()

    with tempfile.TemporaryFile() as log:
        try:
            papermill.execute_notebook(
                str(path),
                str(temporary),
                parameters=values,
                kernel_name="python3",
                kernel_manager_class=_kernel_manager(log),
                on_cell_execute=cell_starts,
                progress_bar=False,
                cwd=str(REPOSITORY),
            )
            _clear_progress_bars(temporary)
            temporary.replace(target)
            failed.unlink(missing_ok=True)
        except Exception as error:
            kept = temporary.replace(failed) if temporary.exists() else None
            raise _failure(path, error, started, kept, log) from error
        finally:
            temporary.unlink(missing_ok=True)


def _kernel_manager(log):
    """A kernel manager that starts this interpreter, whatever kernels the user registered.

    What the kernel itself says goes to the file `log`, not between the lines of progress.
    """
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    class OwnKernelManager(AsyncKernelManager):
        shutdown_wait_time = SHUTDOWN_S  # a training saves its state first

        def _kernel_spec_manager_default(self):
            return KernelSpecManager(kernel_dirs=[], parent=self)

        async def _async_launch_kernel(self, kernel_cmd, **options):
            command = [sys.executable, *kernel_cmd[1:]]
            await super()._async_launch_kernel(command, **options, stderr=log)

    return OwnKernelManager


def _clear_progress_bars(path):
    """Remove tqdm's bars, which say nothing once they stand still, from an executed notebook."""
    notebook = nbformat.read(path, as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    bars = [id(output) for output in outputs if PROGRESS_BAR.search(_shown_text(output))]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if id(output) not in bars]
    if len(bars) == sum(WIDGET in output.get("data", {}) for output in outputs):
        notebook.metadata.pop("widgets", None)
    nbformat.write(notebook, path)


def _shown_text(output):
    """What an output with a widget says where there are no widgets."""
    data = output.get("data", {})
    return data.get("text/plain", "") if WIDGET in data else ""


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
