"""Command line: `clipsim COMMAND …` or `python -m clipsim COMMAND …`; `--help` lists the commands.

The commands are in `clipsim.commands`. Exit statuses: 0 done, 1 a notebook failed or `run --check`
found a difference, 2 bad input, told in one line, 130 interrupted.
"""

import os
import sys

import typer
from typer.main import get_command

from clipsim.commands import encode, fetch, graph, run, score, search, shipped, train
from clipsim.errors import is_bad_input, one_line
from clipsim.record import keep_freed_memory

app = typer.Typer(help="Image similarity by descriptions.", add_completion=False)
for command in (run, train, encode, score, search, graph, fetch):
    app.command()(command)
app.command("model")(shipped)


def main(argv=None):
    """Run one command and return its exit status: 2 for bad input, told in one line."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a terminal that lacks a character still works
    keep_freed_memory()
    commands = get_command(app)
    try:
        # Not commands.main, which would take the message from an interruption.
        with commands.make_context("clipsim", sys.argv[1:] if argv is None else argv) as context:
            status = commands.invoke(context)
        sys.stdout.flush()
        return status
    except typer.Exit as end:  # after --help
        return end.exit_code
    except typer.TyperException as misuse:
        print(f"{one_line(misuse.format_message())} (--help shows the options)", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interruption:
        print(one_line(interruption) or "interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read the output has stopped, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        if not is_bad_input(error):
            raise
        print(one_line(error), file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
