"""Long work on whatever device there is, in one process or several; and how it is stopped."""

import signal
import sys
import threading
from contextlib import contextmanager
from datetime import timedelta

import torch
from accelerate import Accelerator
from accelerate.utils import GradientAccumulationPlugin, InitProcessGroupKwargs

LONGEST_WAIT = timedelta(hours=12)  # processes wait while one computes features


def study_accelerator():
    """An Accelerator that leaves precision and accumulation to the profile.

    Accelerate fixes its own for the life of a process, and takes them from whatever
    `accelerate launch` was configured with; here a process may train twice, differently.
    """
    return Accelerator(
        cpu=not torch.accelerator.is_available(),  # else several CPU processes stay apart
        mixed_precision="no",
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
        kwargs_handlers=[InitProcessGroupKwargs(timeout=LONGEST_WAIT)],
    )


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
