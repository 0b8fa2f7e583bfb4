"""Vectors with their names in one file that says what made them: mapped into memory on load.

The file is a safetensors file with the tensors `vectors` (M, d) and `names` (UTF-8 JSON); its
metadata say which weights made the vectors, so that no other model's are ever taken for them.
Equal content gives equal bytes.
"""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from clipsim.paths import relative
from clipsim.results import StaleError, atomic_path


def write_vectors(path, vectors, names, made_by):
    """Write vectors and their names, whole or not at all.

    Parameters
    ----------
    path : str or Path
        Ends in `.safetensors`.
    vectors : array of float32, shape (M, d)
    names : sequence of str, length M
        Captions, or the names of images.
    made_by : mapping of str to str
        What the vectors depend on: the checkpoint's hash, the encoder's name, and so on.
    """
    if len(names) != len(vectors):
        raise ValueError(f"names: expected {len(vectors)}, one per vector, got {len(names)}")
    text = json.dumps(list(names)).encode()  # escaped: file names need not be valid Unicode
    tensors = {
        "vectors": torch.from_numpy(np.ascontiguousarray(vectors, dtype=np.float32)),
        "names": torch.frombuffer(bytearray(text), dtype=torch.uint8),
    }
    # One entry only: several are written in a random order.
    metadata = {"made_by": json.dumps(dict(made_by), sort_keys=True)}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata)


def read_vectors(path, made_by):
    """Vectors, mapped into memory, and their names.

    Parameters
    ----------
    path : str or Path
    made_by : mapping of str to str
        What they must depend on; keys beyond these are not compared.

    Returns
    -------
    vectors : array of float32, shape (M, d)
        Read from the disk when they are used.
    names : tuple of str, length M

    Raises
    ------
    StaleError
        If the file is missing, damaged, or something else made it; one line says which.
    """
    path = Path(path)
    found = vector_record(path)
    for key, wanted in made_by.items():
        if found.get(key) != wanted:
            raise StaleError(
                f"{relative(path)} was made by another {key.replace('_', ' ')} "
                f"({str(found.get(key))[:12]}, not {str(wanted)[:12]}): encode again"
            )
    with safe_open(path, "pt") as stored:
        vectors = stored.get_tensor("vectors").numpy()
        names = json.loads(stored.get_tensor("names").numpy().tobytes())
    return vectors, tuple(names)


def vector_record(path):
    """What a file of vectors says made it: dict of str; `StaleError` if it cannot be read."""
    path = Path(path)
    if not path.is_file():
        raise StaleError(f"{relative(path)} is missing: encode first")
    try:
        with safe_open(path, "pt") as stored:
            whole = {"vectors", "names"} <= set(stored.keys())
            found = (stored.metadata() or {}).get("made_by")
    except (OSError, SafetensorError) as error:
        raise StaleError(f"{relative(path)} is damaged ({error}): encode again") from None
    if not whole or found is None:
        raise StaleError(f"{relative(path)} holds no named vectors: encode again")
    return json.loads(found)
