"""Which errors are the user's to mend: these end in one line and exit status 2.

Only the name of an error comes back from a notebook's kernel, so they are listed by name. What the
operating system refuses (no such file, no room, no permission) is the user's to mend, too.
"""

import re

BAD_INPUT = frozenset(
    {
        *("FileExistsError", "FileNotFoundError", "IsADirectoryError", "NotADirectoryError"),
        *("OSError", "PermissionError"),
        "BadImageError",
        "CheckpointError",
        "DataError",
        "MissingWeightsError",
        "NotebookError",
        "ProfileError",
        "StaleError",
        "TrainingError",
    }
)
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class BadInput(Exception):
    """What the errors of `BAD_INPUT` have in common: a notebook, too, tells them in one line."""

    def _render_traceback_(self):
        """What IPython shows in place of a traceback."""
        return [f"{type(self).__name__}: {one_line(self)}"]


def is_bad_input(error):
    """Whether the user's input caused the exception `error`, rather than a fault in the code."""
    return isinstance(error, BadInput | OSError)


def plain(text):
    """`text` without terminal colours."""
    return _ANSI.sub("", str(text))


def one_line(error):
    """The message of an exception, or a text, on one line and without terminal colours."""
    if isinstance(error, OSError) and error.filename is not None:
        error = f"{error.filename}: {error.strerror}"
    return " ".join(plain(error).split())
