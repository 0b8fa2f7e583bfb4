"""Numbers as people read them."""

import numpy as np


def duration(seconds):
    """Seconds in words: "41 s", "3 min 20 s", "2 h 5 min"."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def time_taken(seconds):
    """Seconds in words, short ones too: "0.16 ms", "132 ms", "4.1 s", "3 min 20 s"."""
    if seconds >= 60:
        return duration(seconds)
    number, unit = (seconds, "s") if seconds >= 1 else (1e3 * seconds, "ms")
    return f"{number:.{max(0, 1 - int(np.floor(np.log10(number))))}f} {unit}"


def gibibytes(n_bytes):
    """Bytes in words: "0.02 GiB", "1.6 GiB", "80 GiB"."""
    size = n_bytes / 2**30
    return f"{size:.{2 if size < 1 else 1 if size < 10 else 0}f} GiB"
