"""A store: the vectors of a folder of pictures, or of many captions, in a folder that keeps them.

What a store holds is not encoded again; a picture that has changed is, and one that is gone drops
out. What is missing is cut into shards, shared out over the processes of Accelerate, each written
when it is done, so that an encoding that was killed goes on with the shards that are missing; then
the main process merges them into `vectors.safetensors`: the same bytes whatever the number of
processes and however often it was killed.

Vectors with their names in one file that says what made them: mapped into memory on load.

The file is a safetensors file with the tensors `vectors` (M, d) and `names` (UTF-8 JSON); its
metadata say which weights made the vectors, so that no other model's are ever taken for them.
Equal content gives equal bytes.
"""

import fcntl
import hashlib
import json
import shutil
import sys
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from accelerate.utils import broadcast_object_list
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from tqdm.auto import tqdm

from clipsim.data import CROPPED, RESIZED, CaptionedImages, DataError
from clipsim.model import (
    EncodingInterrupted,
    Item,
    caption_vectors,
    picture_vectors,
    stop_requests,
    study_accelerator,
)
from clipsim.profile import relative
from clipsim.record import StaleError, atomic_path


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


FILE, SHARDS, LOCK = "vectors.safetensors", ".clipsim-shards", ".lock"
PICTURES_PER_SHARD, CAPTIONS_PER_SHARD = 64, 1024


@dataclass(frozen=True)
class Encoded:
    """Vectors by name.

    Attributes
    ----------
    names : tuple of str, length M
        Ids of pictures, or captions.
    vectors : array of float32, shape (M, d)
        Unit vectors of the joint space, mapped into memory.
    broken : dict of str to str
        Pictures that cannot be read, and why.
    n_new : int
        How many of the vectors were encoded by this call.
    n_dropped : int
        How many were there before and are no part of the source any more.
    source : {"pictures", "captions"}
    """

    names: tuple[str, ...]
    vectors: np.ndarray
    broken: dict[str, str] = field(default_factory=dict)
    n_new: int = 0
    n_dropped: int = 0
    source: str = "pictures"


def encode(model, source, folder, accelerator=None):
    """Encode what a store does not hold yet, and return all that it should.

    Parameters
    ----------
    model : DualEncoder
        With a fingerprint, as from a checkpoint; it is moved to the accelerator's device.
    source : CaptionedImages, or sequence of str
        Pictures whose `read_image` is a `Pictures`, such as `picture_folder` gives; or captions,
        of which equal ones are encoded once.
    folder : str or Path
        The store; made if it is missing. All processes must see it.
    accelerator : Accelerator, optional

    Returns
    -------
    Encoded
        In the order of the source.

    Raises
    ------
    StaleError
        If the store is of another model, of other things, or damaged.
    DataError
        If the store cannot be written.
    EncodingInterrupted
        After Ctrl-C or SIGTERM, once the shard under way is written.
    """
    folder, made_by = Path(folder), _made_by(model)
    accelerator = accelerator or study_accelerator()
    model.to(accelerator.device)
    with _sole_writer(folder) if accelerator.is_main_process else nullcontext():
        # One process says what is there; a folder may change while it is looked at.
        items = _items(source) if accelerator.is_main_process else None
        shards = _missing_shards(items, folder, made_by) if accelerator.is_main_process else None
        [shards] = broadcast_object_list([shards])
        before = _names(folder) if accelerator.is_main_process else set()
        _encode_shards(model, shards, folder, accelerator)
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            _merge(items, folder, made_by, model.profile.embedding_dim)
        accelerator.wait_for_everyone()
        stored = load_store(folder, model)
        accelerator.wait_for_everyone()  # another command may change the store from here on
    new = {item.name for shard in shards for item in shard} - stored.broken.keys()
    n_dropped = len(before - {*stored.names, *stored.broken})
    return replace(stored, n_new=len(new), n_dropped=n_dropped)


def load_store(folder, model):
    """What a store holds.

    Parameters
    ----------
    folder : str or Path
    model : DualEncoder

    Returns
    -------
    Encoded

    Raises
    ------
    StaleError
        If it is missing, damaged or of another model.
    """
    path = Path(folder) / FILE
    vectors, names = read_vectors(path, _made_by(model))
    record = vector_record(path)
    broken = {name: reason for name, (_, reason) in json.loads(record["broken"]).items()}
    return Encoded(names, vectors, broken, source=record["source"])


def _names(folder):
    """What a store held when it was last merged."""
    path = folder / FILE
    if not path.is_file():
        return set()
    _, names = read_vectors(path, {})
    return {*names, *json.loads(vector_record(path)["broken"])}


def _made_by(model):
    profile = model.profile
    return {
        "checkpoint": model.fingerprint,
        "encoders": f"{profile.image_encoder}, {profile.text_encoder}",
        "precision": profile.mixed_precision,
        "preprocessing": f"resize {RESIZED}, crop {CROPPED}",
    }


def _items(source):
    """What the source holds, once each: list of Item."""
    if not isinstance(source, CaptionedImages):
        return [Item(caption, "-") for caption in dict.fromkeys(source)]
    files = source.read_image.sources
    return [Item(name, _digest(files[name].stamp()), files[name]) for name in source.image_ids]


def _kind(items):
    return "captions" if all(item.file is None for item in items) else "pictures"


def _missing_shards(items, folder, made_by):
    """What the store does not hold yet, cut into shards: list of lists of Item."""
    known = _known(folder, made_by | {"source": _kind(items)})
    missing = [item for item in items if _is_missing(known.get((item.name, item.stamp)))]
    if _kind(items) == "pictures":
        size = PICTURES_PER_SHARD
    else:
        size = CAPTIONS_PER_SHARD
        missing.sort(key=lambda item: -len(item.name))  # those of one length go together
    return [missing[i : i + size] for i in range(0, len(missing), size)]


def _is_missing(result):
    """Whether there is neither a vector nor a fault of the picture itself.

    Where the system was at fault (no permission, a disk that is away), it is tried again.
    """
    return result is None or (isinstance(result, str) and "[Errno " in result)


def _encode_shards(model, shards, folder, accelerator):
    """Encode and write this process's part of the shards."""
    own = shards[accelerator.process_index :: accelerator.num_processes]
    if not own:
        return
    made_by = _made_by(model) | {"source": _kind(own[0])}
    vectors_of = caption_vectors if made_by["source"] == "captions" else picture_vectors
    bar = tqdm(
        total=sum(len(shard) for shard in own),
        desc=f"encoding {made_by['source']}",
        disable=not accelerator.is_main_process,
        delay=1,  # seconds: what is done at once needs no bar
    )
    n_done, n_own = 0, sum(len(shard) for shard in own)  # the bar counts in one process alone
    with stop_requests() as stop, bar, closing(vectors_of(model, own)) as results:
        for shard, (vectors, faults) in zip(own, results, strict=True):
            path = folder / SHARDS / f"{_digest(*(i.name + i.stamp for i in shard))}.safetensors"
            _write(path, shard, vectors, faults, made_by, model.profile.embedding_dim)
            bar.update(len(shard))
            n_done += len(shard)
            if stop.is_set() and n_done < n_own:
                raise EncodingInterrupted(
                    f"encoding stopped with {n_done:,} of {n_own:,} done, which are kept: "
                    "run the same again to go on"
                )


def _merge(items, folder, made_by, width):
    """Make the shards and what the store holds one file, in the order of the source."""
    made_by = made_by | {"source": _kind(items)}
    known = _known(folder, made_by)
    missing = [item.name for item in items if (item.name, item.stamp) not in known]
    if missing:
        raise DataError(
            f"{folder} lacks {len(missing):,} of {len(items):,} vectors (such as {missing[0]}): "
            "all processes must see this folder"
        )
    results = [known[item.name, item.stamp] for item in items]
    faults = {i: result for i, result in enumerate(results) if isinstance(result, str)}
    _write(folder / FILE, items, results, faults, made_by, width)
    shutil.rmtree(folder / SHARDS, ignore_errors=True)
    for unfinished in folder.glob(f".{Path(FILE).stem}-*"):  # what a killed merge left
        unfinished.unlink()


def _write(path, items, results, faults, made_by, width):
    """Write the vectors of all items but those with faults, whose reasons are kept instead."""
    good = [i for i in range(len(items)) if i not in faults]
    names = [items[i].name for i in good]
    broken = {items[i].name: [items[i].stamp, reason] for i, reason in sorted(faults.items())}
    record = made_by | {
        "names": _digest(*names),
        "stamps": " ".join(items[i].stamp for i in good),
        "broken": json.dumps(broken),
    }
    if path.exists() and vector_record(path) == record:
        return
    vectors = np.stack([results[i] for i in good]) if good else np.empty((0, width))
    try:
        write_vectors(path, vectors, names, record)
    except (OSError, SafetensorError) as error:
        raise DataError(
            f"{relative(path)} cannot be written ({error}): make room there, or name another "
            "folder; what is encoded is kept"
        ) from None


def _known(folder, made_by):
    """What the files of a store hold: dict of (name, stamp) to a vector or a fault."""
    known = {}
    for path in [folder / FILE, *sorted((folder / SHARDS).glob("[!.]*.safetensors"))]:
        if not path.exists():
            continue
        try:
            vectors, names = read_vectors(path, made_by)
        except StaleError as error:
            raise StaleError(f"{error} (into another folder, or delete this one)") from None
        record = vector_record(path)
        stamps = record["stamps"].split()
        known |= dict(zip(zip(names, stamps, strict=True), vectors, strict=True))
        known |= {(n, stamp): why for n, (stamp, why) in json.loads(record["broken"]).items()}
    return known


@contextmanager
def _sole_writer(folder):
    """Hold the store's lock, so that no other command merges meanwhile; wait for it if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("w")
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written ({error.strerror}): name another folder"
        ) from None
    with lock:  # closing it gives it back, as the end of the process does
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another encoding into {relative(folder)} …", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest(*texts):
    content = "\n".join(texts).encode(errors="surrogatepass")
    return hashlib.sha256(content).hexdigest()[:16]
