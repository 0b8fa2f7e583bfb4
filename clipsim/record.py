"""Results with provenance, and the arrays that one notebook hands to the next.

Everything is written to a temporary name and moved when whole, so that a reader never meets
half a file and an interrupted run loses nothing that was there before.

A run also begins with memory and threads as encoders need them (`keep_freed_memory`).
"""

import ctypes
import errno
import json
import os
import platform
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from safetensors import SafetensorError

from clipsim.errors import BadInput
from clipsim.profile import REPOSITORY, Profile, load_profile, relative

# Threads that wait look around for some microseconds, then sleep, and freed memory is kept for the
# next tensor: half of an encoder's time goes into getting it again otherwise. Results are the same
# to the bit.
VARIABLES = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "300",
    "OPENBLAS_THREAD_TIMEOUT": "16",  # 2**16 cycles
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
}
PARAMETERS = {"MALLOC_MMAP_MAX_": -4, "MALLOC_TRIM_THRESHOLD_": -1}  # numbers of <malloc.h>


def keep_freed_memory():
    """Set what the environment does not, as `scripts/environment.sh` does for what it starts.

    glibc reads its own variables only when a process starts: this process is told by a call.
    Called before torch is imported it also lets torch's threads sleep; later it only keeps memory.
    NumPy's, imported above, sleep in the processes that this one starts, as all of them do.
    """
    allocator = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's alone
    for name in VARIABLES.keys() - os.environ.keys():
        os.environ[name] = VARIABLES[name]
        if allocator is not None and name in PARAMETERS:
            allocator(PARAMETERS[name], int(VARIABLES[name]))


VERSIONED = ("torch", "torchvision", "timm", "transformers", "numpy", "scikit-learn", "pillow")


class StaleError(BadInput, RuntimeError):
    """What an earlier notebook should have left is missing or belongs to something else."""


@contextmanager
def atomic_path(path):
    """A temporary path beside `path` that replaces it when the block ends without error.

    An `OSError` names `path`: the temporary name says nothing, and a full disk names no file.
    What safetensors cannot write is one, too.
    """
    path, temporary = Path(path), None
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        prefix = f".{path.stem[:40]}-"  # a long name has room for a few characters more at most
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes it private
        temporary.replace(path)
    except SafetensorError as error:
        raise OSError(errno.EIO, str(error), str(path)) from None
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@dataclass(frozen=True)
class Run:
    """One notebook's run: its profile, its name, and when it started."""

    profile: Profile
    notebook: str
    started: float

    def write_results(self, data, results):
        """Write `results/<profile>/<notebook>.json` with its provenance.

        Parameters
        ----------
        data : dict
            What the numbers were computed on (counts, fingerprint).
        results : dict
            The numbers. Floats are rounded to six significant digits.
        """
        import torch  # here, so that commands which only write files start at once

        record = {
            "profile": self.profile.name,
            "profile_hash": self.profile.hash,
            "seed": self.profile.seed,
            "git_commit": git_commit(),
            "versions": {"python": platform.python_version()}
            | {package: version(package) for package in VERSIONED},
            "device": device_name(),
            "threads": torch.get_num_threads(),
            "runtime_s": round(time.monotonic() - self.started, 1),
            "data": _plain(data),
            "results": _plain(results),
        }
        path = self.profile.results_dir / f"{self.notebook}.json"
        with atomic_path(path) as temporary:
            text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
            # What is no Unicode, as in the name of a folder, becomes the escape that JSON reads.
            temporary.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
        print(f"results: {relative(path)}")


def start_run(notebook, profile, overrides=None):
    """Start the run of a notebook: load its profile, note the time.

    Parameters
    ----------
    notebook : str
        The notebook's stem, which names its results.
    profile : str or Path
    overrides : dict, optional

    Returns
    -------
    Run
    """
    keep_freed_memory()  # in JupyterLab, which no script of ours has started
    loaded = load_profile(profile, **(overrides or {}))
    return Run(loaded, notebook, time.monotonic())


def read_results(profile, notebook):
    """The `results` that a notebook wrote for this very profile; see `read_record`."""
    return read_record(profile, notebook)["results"]


def read_record(profile, notebook):
    """All that a notebook wrote for this very profile: its `results`, `data` and provenance.

    Raises
    ------
    StaleError
        If the file is missing or another profile hash made it.
    """
    path = profile.results_dir / f"{notebook}.json"
    if not path.is_file():
        raise StaleError(f"{relative(path)} is missing: run notebook {notebook} first")
    record = read_json(path, StaleError, profile_hash=str, data=dict, results=dict)
    if record["profile_hash"] != profile.hash:
        raise StaleError(f"{relative(path)} is from other settings: run notebook {notebook} again")
    return record


def read_json(path, error, **keys):
    """The object in a JSON file, with these keys of these types; an `error` if it is damaged."""
    fault = f"expected an object with {', '.join(keys)}"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if all(isinstance(record[key], kind) for key, kind in keys.items()):
            return record
    except (ValueError, RecursionError) as error_in_it:
        fault = error_in_it
    except (KeyError, TypeError):
        pass
    raise error(f"{relative(path)} is damaged: {fault}")


def save_arrays(path, fingerprint, **arrays):
    """Write named arrays for a later notebook, with what they were computed from.

    Parameters
    ----------
    path : Path
        A `.npz` file.
    fingerprint : str
        Identifies the data and the model behind the arrays.
    **arrays : array
    """
    with atomic_path(path) as temporary:
        np.savez(temporary, fingerprint=np.array(fingerprint), **arrays)


def load_arrays(path, fingerprint, made_by):
    """Read what `save_arrays` wrote.

    Raises
    ------
    StaleError
        If the file is missing or its fingerprint is another; says which notebook to run.
    """
    if not path.is_file():
        raise StaleError(f"{relative(path)} is missing: run notebook {made_by} first")
    with np.load(path, allow_pickle=False) as stored:
        if str(stored["fingerprint"]) != fingerprint:
            raise StaleError(f"{relative(path)} is from other data: run notebook {made_by} again")
        return {name: stored[name] for name in stored.files if name != "fingerprint"}


def git_commit():
    """The commit of the code, "+changes" if the working tree departs from it, "" without git."""

    def git(*words):
        command = ["git", "-C", str(REPOSITORY), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")
        code = ("clipsim", "notebooks", "profiles", "requirements.lock")
        changed = git("status", "--porcelain", "--", *code)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return commit + ("+changes" if changed else "")


def device_name():
    """The GPU, else the kind of CPU."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"cpu ({platform.machine()})"


def _plain(value):
    """`value` in JSON's types, floats rounded to six significant digits, NaN as None."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float):
        return float(f"{value:.6g}") if np.isfinite(value) else None
    return value
