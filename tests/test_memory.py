"""A command started without the scripts has the memory and the threads that they would give it."""

import os
import subprocess
import sys

import pytest

from clipsim.profile import REPOSITORY
from clipsim.record import VARIABLES, keep_freed_memory

FAULTS = """
import ctypes, resource, sys
from clipsim.record import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()
libc, size = ctypes.CDLL(None), ctypes.c_size_t(2**26)
libc.malloc.restype = ctypes.c_void_p
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    block = ctypes.c_void_p(libc.malloc(size))
    libc.memset(block, 1, size)
    libc.free(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_freed_memory_is_used_again():
    environment = {k: v for k, v in os.environ.items() if k not in VARIABLES}
    command = [sys.executable, "-c", FAULTS]
    given_back, kept = (
        int(subprocess.check_output([*command, how], cwd=REPOSITORY, env=environment))
        for how in ("given back", "kept")
    )
    assert given_back > 5 * kept


def test_what_the_user_has_set_stays_and_the_scripts_set_the_same(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    keep_freed_memory()
    assert {name: os.environ[name] for name in VARIABLES} == VARIABLES | {
        "OMP_WAIT_POLICY": "ACTIVE"
    }
    script = (REPOSITORY / "scripts" / "environment.sh").read_text(encoding="utf-8")
    for name, value in VARIABLES.items():
        assert f"export {name}=${{{name}:-{value}}}" in script
