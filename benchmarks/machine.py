"""The machine that a benchmark ran on."""

import os
import platform
import resource
import sys
from pathlib import Path


def machine():
    """Processor, cores and Python, for a benchmark's results."""
    cpuinfo = Path("/proc/cpuinfo")
    names = [platform.processor()]
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        names = [ln.split(":")[1].strip() for ln in lines if ln.startswith("model name")] or names
    return {"processor": names[0], "cores": os.cpu_count(), "python": platform.python_version()}


def peak_gib():
    """The most memory that this process has had so far, in GiB."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 2 ** (30 if sys.platform == "darwin" else 20)
