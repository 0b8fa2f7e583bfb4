"""Memory and threads as encoders need them, for a process that no script has prepared.

`scripts/environment.sh` sets the same variables. glibc reads its own only when a process starts:
this process is told by a call, those that it starts by the environment.
"""

import ctypes
import os

# Threads that wait sleep, and freed memory is kept for the next tensor: half of an encoder's time
# goes into getting it again otherwise. Results are the same to the bit.
VARIABLES = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
}
MMAP_MAX, TRIM_THRESHOLD = -4, -1  # as <malloc.h> names them


def keep_freed_memory():
    """Set what the environment does not.

    Called before torch is imported it also lets this process's threads sleep; later it only
    keeps memory, and does both for the processes that this one starts.
    """
    allocator = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's alone
    parameters = {"MALLOC_MMAP_MAX_": MMAP_MAX, "MALLOC_TRIM_THRESHOLD_": TRIM_THRESHOLD}
    for name, value in VARIABLES.items():
        if name in os.environ:
            continue
        os.environ[name] = value
        if allocator is not None and name in parameters:
            allocator(parameters[name], int(value))
