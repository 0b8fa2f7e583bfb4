"""Command line: `clipsim COMMAND …` or `python -m clipsim COMMAND …`; `--help` lists the commands.

The commands are in `clipsim.commands`. Exit statuses: 0 done, 1 a notebook failed or `run --check`
found a difference, 2 bad input, told in one line, 130 interrupted.
"""

import errno
import os
import re
import sys
from contextlib import suppress

import typer
from typer.main import get_command

from clipsim.commands import encode, fetch, graph, run, score, search, shipped, train
from clipsim.errors import BadInput, is_bad_input, one_line
from clipsim.record import keep_freed_memory

# A write that fails names its file (`atomic_path`), unless it is to standard output.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EPIPE)
ADDRESS = re.compile(r"(\w+=)?[a-z]+://", re.IGNORECASE)
app = typer.Typer(help="Image similarity by descriptions.", add_completion=False)
for command in (run, train, encode, score, search, graph, fetch):
    app.command()(command)
app.command("model")(shipped)


def main(argv=None):
    """Run one command and return its exit status: 2 for bad input, told in one line."""
    _open_streams()
    keep_freed_memory()
    words = sys.argv[1:] if argv is None else argv
    commands = get_command(app)
    try:
        if addresses := list(filter(ADDRESS.match, words)):
            raise BadInput(f"{addresses[0]}: an address; download it, and name the copy")
        # Not commands.main, which would take the message from an interruption.
        with commands.make_context("clipsim", words) as context:
            status = commands.invoke(context)
        sys.stdout.flush()
        return status
    except typer.Exit as end:  # after --help
        return end.exit_code
    except typer.TyperException as misuse:
        _say(f"{one_line(misuse.format_message())} (--help shows the options)")
        return 2
    except KeyboardInterrupt as interruption:
        _say(one_line(interruption) or "interrupted")
        return 130
    except Exception as error:
        if not is_bad_input(error):
            raise
        if isinstance(error, OSError) and error.filename is None and error.errno in NO_ROOM:
            # Python would try to write the rest once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if isinstance(error, BrokenPipeError):  # its reader has stopped, as `head` does
                return 141
            error.filename = "standard output"
        _say(one_line(error))
        return 2


def _open_streams():
    """Streams that whoever started this has closed become /dev/null; the others never fail at a
    character that a terminal lacks.
    """
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # else the next file that is opened would take the number of a stream
    os.close(handle)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        getattr(sys, name).reconfigure(errors="replace")


def _say(line):
    with suppress(OSError):  # nobody may be there to read it
        print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
