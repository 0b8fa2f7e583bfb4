"""Ctrl-C and SIGTERM during long work: the step under way ends before anything stops."""

import signal
import sys
import threading
from contextlib import contextmanager


class TrainingInterrupted(KeyboardInterrupt):
    """Training that was asked to stop, saved its state and says how to go on."""


class EncodingInterrupted(KeyboardInterrupt):
    """Encoding that was asked to stop; what is encoded is kept, and it says how to go on."""


@contextmanager
def stop_requests():
    """An event that Ctrl-C or SIGTERM sets, so that a step ends before the work stops.

    A second Ctrl-C stops at once; SIGTERM may follow it, as it does where a kernel is shut down.
    Outside the main thread signals are left alone.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number, frame):
        if stop.is_set() and number == signal.SIGINT:
            signal.signal(number, before[number])
            signal.raise_signal(number)
        elif not stop.is_set():
            print("stopping after this step …", file=sys.stderr, flush=True)
        stop.set()

    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
