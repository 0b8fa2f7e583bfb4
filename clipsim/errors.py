"""Which errors are the user's to mend: these end in one line and exit status 2.

Only the name of an error comes back from a notebook's kernel, so they are listed by name.
"""

import re

BAD_INPUT = frozenset(
    {
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
MISSING_FILES = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def is_bad_input(error):
    """Whether the user's input caused the exception `error`, rather than a fault in the code."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & BAD_INPUT) or isinstance(error, MISSING_FILES)


def plain(text):
    """`text` without terminal colours."""
    return _ANSI.sub("", str(text))


def one_line(error):
    """The message of an exception, or a text, on one line and without terminal colours."""
    if isinstance(error, OSError) and error.filename is not None:
        error = f"{error.filename}: {error.strerror}"
    return " ".join(plain(error).split())
