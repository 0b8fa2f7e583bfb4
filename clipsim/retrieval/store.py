"""Vectors kept on disk: a file of named vectors, and the store of a folder of pictures.

A file is a safetensors file with the tensors `vectors` (M, d) and `names` (UTF-8 JSON); its
metadata say which weights made the vectors, so that no other model's are ever taken for them.
Equal content gives equal bytes.

A store is a folder with one such file, `vectors.safetensors`. What it holds is not encoded again;
a picture that has changed is, and one that is gone drops out. What is missing is shared out over
the processes of Accelerate, shard by shard. Every minute what is done is written, so that an
encoding that was killed goes on from there, and ends with the same bytes.
"""

import hashlib
import json
import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from accelerate.utils import broadcast_object_list, gather_object
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from tqdm.auto import tqdm

from clipsim.data import CROPPED, RESIZED
from clipsim.model import picture_vectors, stop_requests, study_accelerator
from clipsim.profile import relative
from clipsim.record import StaleError, atomic_path

FILE = "vectors.safetensors"
SHARD = 64  # pictures of a process between two exchanges
SAVE_EVERY_S = 60.0


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
    text = json.dumps(list(names)).encode()  # escaped: file names need not be valid Unicode
    tensors = {
        "vectors": torch.from_numpy(np.ascontiguousarray(vectors, dtype=np.float32)),
        "names": torch.frombuffer(bytearray(text), dtype=torch.uint8),
    }
    with atomic_path(path) as temporary:
        # One entry of metadata only: several are written in a random order.
        save_file(tensors, temporary, {"made_by": json.dumps(dict(made_by), sort_keys=True)})


def read_vectors(path, made_by):
    """Vectors, mapped into memory, their names, and all that the file says made them.

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
    record : dict of str

    Raises
    ------
    StaleError
        If the file is missing, damaged, or something else made it; one line says which.
    """
    path = Path(path)
    if not path.is_file():
        raise StaleError(f"{relative(path)} is missing: encode first")
    try:
        with safe_open(path, "pt") as stored:
            record = dict(json.loads(stored.metadata()["made_by"]))
            vectors = stored.get_tensor("vectors").numpy()
            names = tuple(json.loads(stored.get_tensor("names").numpy().tobytes()))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise StaleError(f"{relative(path)} is damaged ({error}): encode again") from None
    for key, wanted in made_by.items():
        if record.get(key) != wanted:
            raise StaleError(
                f"{relative(path)} was made by another {key.replace('_', ' ')} "
                f"({str(record.get(key))[:12]}, not {str(wanted)[:12]}): encode again, "
                "into another folder"
            )
    return vectors, names, record


@dataclass(frozen=True)
class Encoded:
    """Vectors of pictures.

    Attributes
    ----------
    names : tuple of str, length M
        Ids of the pictures.
    vectors : array of float32, shape (M, d)
        Unit vectors of the joint space, mapped into memory.
    broken : dict of str to str
        Pictures that cannot be read, and why.
    n_new : int
        How many of the vectors were encoded by this call.
    """

    names: tuple[str, ...]
    vectors: np.ndarray
    broken: dict[str, str]
    n_new: int = 0


def encode(model, images, folder, accelerator=None):
    """Encode the pictures that a store does not hold yet, and return all that it should.

    Parameters
    ----------
    model : DualEncoder
        With a fingerprint, as from a checkpoint; it is moved to the accelerator's device.
    images : CaptionedImages
        Whose `read_image` is a `Pictures`, such as `picture_folder` gives.
    folder : str or Path
        The store; made if it is missing. The main process alone reads and writes it.
    accelerator : Accelerator, optional

    Returns
    -------
    Encoded
        In the order of the images.

    Raises
    ------
    StaleError
        If the store is of another model, or damaged.
    OSError
        If the store cannot be written.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, once what is encoded is written.
    """
    path = Path(folder) / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    accelerator = accelerator or study_accelerator()
    model.to(accelerator.device)
    files = images.read_image.sources
    wanted = {(name, _digest(files[name].stamp())): files[name] for name in images.image_ids}
    before = _known(path, model)
    # One process says what is missing: a folder may change while it is looked at.
    [missing] = broadcast_object_list([{k: f for k, f in wanted.items() if k not in before}])
    known, keys, n_done = before | {}, list(missing), 0
    shards = [keys[i : i + SHARD] for i in range(0, len(keys), SHARD)]
    own = shards[accelerator.process_index :: accelerator.num_processes]
    results = picture_vectors(model, [[missing[key] for key in shard] for shard in own])
    bar = tqdm(
        total=len(keys), desc="encoding pictures", disable=not accelerator.is_main_process,
        delay=1,  # what is done within a second needs no bar
    )  # fmt: skip
    saved = time.monotonic()
    with stop_requests() as stop, bar, closing(results):
        while n_done < len(keys):
            exchanged = gather_object([(next(results, []), stop.is_set())])
            found = [result for of_process, _ in exchanged for result in of_process]
            known |= zip(keys[n_done : n_done + len(found)], found, strict=True)
            n_done += len(found)
            bar.update(len(found))
            is_stopped = any(asked for _, asked in exchanged) and n_done < len(keys)
            if is_stopped or time.monotonic() - saved > SAVE_EVERY_S:
                _write(path, wanted, known, model, accelerator)
                saved = time.monotonic()
            if is_stopped:
                accelerator.wait_for_everyone()  # one that ends early would end the writing one
                raise KeyboardInterrupt(
                    f"encoding stopped with {n_done:,} of {len(keys):,} done, which are kept: "
                    "run the same again to go on"
                )
    if before.keys() != wanted.keys():
        _write(path, wanted, known, model, accelerator)
    accelerator.wait_for_everyone()
    n_new = sum(not isinstance(known[key], str) for key in missing)
    return replace(load_store(folder, model), n_new=n_new)


def load_store(folder, model):
    """What a store holds, as `Encoded`; `StaleError` if it is missing or of another model."""
    vectors, names, record = read_vectors(Path(folder) / FILE, _made_by(model))
    broken = {name: reason for name, (_, reason) in json.loads(record["broken"]).items()}
    return Encoded(names, vectors, broken)


def _made_by(model):
    profile = model.profile
    return {
        "checkpoint": model.fingerprint,
        "encoders": f"{profile.image_encoder}, {profile.text_encoder}",
        "precision": profile.mixed_precision,
        "preprocessing": f"resize {RESIZED}, crop {CROPPED}",
    }


def _known(path, model):
    """What a store holds: (name, stamp) to a vector, or to what is wrong with the picture.

    Where the system was at fault (no permission, a disk that is away), it is tried again.
    """
    if not path.exists():
        return {}
    vectors, names, record = read_vectors(path, _made_by(model))
    keys = zip(names, record["stamps"].split(), strict=True)
    broken = {(n, stamp): why for n, (stamp, why) in json.loads(record["broken"]).items()}
    lasting = {key: why for key, why in broken.items() if "[Errno " not in why}
    return dict(zip(keys, vectors, strict=True)) | lasting


def _write(path, wanted, known, model, accelerator):
    """Write what is known of the pictures wanted, in their order."""
    if not accelerator.is_main_process:
        return
    done = [(key, known[key]) for key in wanted if key in known]
    good = [(key, vector) for key, vector in done if not isinstance(vector, str)]
    broken = {name: [stamp, why] for (name, stamp), why in done if isinstance(why, str)}
    stamps = " ".join(stamp for (_, stamp), _ in good)
    record = _made_by(model) | {"stamps": stamps, "broken": json.dumps(broken)}
    vectors = np.array([vector for _, vector in good]).reshape(-1, model.profile.embedding_dim)
    write_vectors(path, vectors, [name for (name, _), _ in good], record)


def _digest(text):
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]
