"""The command `run`: execute the notebooks of a profile, in order, and show Table 1."""

import os
import shlex
import signal
import sys
import threading
import time
from pathlib import Path

from clipsim.errors import one_line
from clipsim.profile import NOTEBOOKS, load_profile, read_overrides
from clipsim.record import duration
from clipsim.report.notebooks import (
    NotebookFailure,
    code_cells,
    execute,
    notebook_paths,
    numbered,
    outline,
    parameters,
)

SHELL_COMMAND = "CLIPSIM_COMMAND"  # set by run_all.sh: how the user called it


def add_profile_arguments(parser):
    """Add `--profile` and `-p`, the same for every command that takes a profile."""
    parser.add_argument(
        "--profile",
        default="demo",
        metavar="NAME",
        help="name of a file in profiles/, or the path of a YAML file (default: demo)",
    )
    parser.add_argument(
        "-p",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="replace one value of the profile; may be repeated",
    )


def profile_arguments(args):
    """The two values that every notebook takes: profile (name or whole path) and overrides.

    Raises
    ------
    ProfileError
        If they do not make a valid profile; one line says why.
    """
    profile = args.profile
    if Path(profile).suffix in (".yaml", ".yml"):
        profile = os.path.abspath(Path(profile).expanduser())
    overrides = read_overrides(args.overrides, Path.cwd())
    load_profile(profile, **overrides)
    return profile, overrides


def add_arguments(parser):
    """Add the options of `run` to an argument parser."""
    parser.prog = _command()
    add_profile_arguments(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--from", dest="first", metavar="NN", help="start at this notebook, such as 03"
    )
    which.add_argument(
        "--only",
        action="append",
        metavar="NN",
        help="run this notebook alone; may be repeated, or 05,06",
    )
    which.add_argument("--list", action="store_true", help="list the notebooks and stop")
    parser.add_argument(
        "--check",
        action="store_true",
        help="run below runs/check and compare with the committed results, within tolerances",
    )


def run(args):
    """Execute the chosen notebooks.

    Returns
    -------
    int
        0 when all succeed; 2 for bad input; 1 for a failure, or a result that `--check` refuses.
    """
    paths = notebook_paths(NOTEBOOKS)
    if args.list:
        for path in paths:
            title, question = outline(path)
            print(f"{path.stem[:2]}  {title}" + (f"\n    {question}" if question else ""))
        return 0
    chosen = _chosen(paths, args)
    profile, overrides = profile_arguments(args)
    for path in chosen:
        parameters(path)
    stems = [path.stem for path in chosen]
    if args.check:
        from clipsim import check  # here, since it imports much

        overrides = check.prepared(profile, overrides, stems)
    settings = load_profile(profile, **overrides)
    folder = settings.run_dir / "notebooks"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the kernel, too
    began = time.time()
    for position, path in enumerate(chosen):
        label = f"[{position + 1}/{len(chosen)}] {path.stem}"
        try:
            with Progress(label, code_cells(path)) as progress:
                execute(path, folder, {"profile": profile, "overrides": overrides}, progress.step)
        except NotebookFailure as failure:
            return _report(failure, args, chosen[position:])
        except KeyboardInterrupt:
            _say(f"interrupted in {path.stem}", _continuation(args, chosen[position:]))
            return 130
    if args.check:
        return 0 if check.report(settings, stems) else 1
    _show_outcome(settings, folder, began)
    return 0


class Progress:
    """One line per notebook on stdout; where stderr is a terminal also cells and seconds, live.

    Parameters
    ----------
    label : str
        What the line starts with.
    n_cells : int
        How many cells there are to count.
    """

    def __init__(self, label, n_cells):
        self.label, self.n_cells, self.cell = label, n_cells, 0
        self.began = time.monotonic()
        self._ended = threading.Event()
        self._live = threading.Thread(target=self._draw, daemon=True)

    def step(self):
        """Count one more cell."""
        self.cell += 1

    def __enter__(self):
        if sys.stderr.isatty():
            self._live.start()
        else:
            print(f"{self.label} … ", end="", flush=True)
        return self

    def __exit__(self, kind, error, trace):
        took = duration(time.monotonic() - self.began)
        if kind is not None:
            took = f"stopped after {took}"
        if self._live.is_alive():
            self._ended.set()
            self._live.join()
            print(f"{self.label} … {took}", flush=True)
        else:
            print(took, flush=True)

    def _draw(self):
        ended = False
        while not ended:
            took = duration(time.monotonic() - self.began)
            line = f"{self.label} … cell {self.cell}/{self.n_cells}, {took}"
            sys.stderr.write(f"\r{line}\x1b[K")
            sys.stderr.flush()
            ended = self._ended.wait(0.5)
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def _chosen(paths, args):
    if args.only:
        numbers = [number for item in args.only for number in item.split(",") if number.strip()]
        positions = {numbered(paths, number) for number in numbers}
        return [paths[position] for position in sorted(positions)]
    return paths[numbered(paths, args.first) :] if args.first else paths


def _report(failure, args, rest):
    if failure.is_bad_input:
        _say(f"{failure.stem}: {one_line(failure.message)}")
        return 2
    kept = [f"kept: {_from_here(failure.kept)}"] if failure.kept else []
    _say(failure, *kept, _continuation(args, rest))
    return 1


def _say(*lines):
    print(*lines, sep="\n", file=sys.stderr)


def _command():
    shell = os.environ.get(SHELL_COMMAND)
    return shlex.quote(shell) if shell else "python -m clipsim run"


def _continuation(args, rest):
    words = ["--profile", args.profile]
    for item in args.overrides:
        words += ["-p", item]
    words += ["--check"] if args.check else []
    numbers = [path.stem[:2] for path in rest]
    words += ["--only", ",".join(numbers)] if args.only else ["--from", numbers[0]]
    alone = " (compares these alone)" if args.check else ""
    return f"continue with: {_command()} {shlex.join(words)}{alone}"


def _from_here(path):
    """`path` relative to the caller's folder where it lies within, else whole."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _show_outcome(settings, folder, began):
    from clipsim.report.pages import (
        write_report,  # here, so that --list and bad input answer at once
    )

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
