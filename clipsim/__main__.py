"""Command line: `python -m clipsim COMMAND …`; `python -m clipsim --help` lists the commands.

A command is a module with `add_arguments(parser)` and `run(args) -> int`, the exit status; it
is imported only when it is asked for.
"""

import argparse
import os
import sys
from importlib import import_module

from clipsim.errors import is_bad_input, one_line
from clipsim.record import keep_freed_memory

COMMANDS = {
    "run": ("clipsim.report.run", "execute the notebooks of a profile"),
    "train": ("clipsim.commands.train_command", "train the model of a profile"),
    "encode": (
        "clipsim.commands.encode_command",
        "encode a folder of pictures, or descriptions, once",
    ),
    "score": (
        "clipsim.commands.score_command",
        "how alike pictures are, and which descriptions say so",
    ),
    "search": (
        "clipsim.commands.search_command",
        "find pictures in a folder by a text or by a picture",
    ),
    "graph": (
        "clipsim.commands.graph_command",
        "which pictures of a folder are alike, and their clusters",
    ),
    "fetch": (
        "clipsim.data.photographs.fetch",
        "download Flickr8k or Flickr30k from the Hugging Face hub",
    ),
}


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {one_line(message)} (--help shows the options)\n")


def main(argv=None):
    """Run one command and return its exit status: 2 for bad input, told in one line."""
    argv = sys.argv[1:] if argv is None else list(argv)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a terminal that lacks a character still works
    keep_freed_memory()
    args = _parser(argv).parse_args(argv)
    try:
        status = args.run(args)
        sys.stdout.flush()
        return status
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


def _parser(argv):
    parser = Parser(prog="python -m clipsim", description="Image similarity by descriptions.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (module, purpose) in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=purpose,
            description=f"{purpose[0].upper()}{purpose[1:]}.",
            allow_abbrev=False,
        )
        if name in argv[:1]:
            implementation = import_module(module)
            implementation.add_arguments(command)
            command.set_defaults(run=implementation.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
