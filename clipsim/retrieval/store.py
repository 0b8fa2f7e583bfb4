"""Vectors kept on disk: a file of named vectors, and a store that is filled bit by bit.

A file is a safetensors file with the tensors `vectors` (M, d) and `names` (UTF-8 JSON); its
metadata say which weights made the vectors, so that no other model's are ever taken for them.
Equal content gives equal bytes.

A store is a folder that holds the vectors of a folder of pictures, or of many captions. What it
holds is not encoded again; a picture that has changed is, and one that is gone drops out. What is
missing is cut into shards, shared out over the processes of Accelerate, each written when it is
done, so that an encoding that was killed goes on with the shards that are missing; then the main
process merges them into `vectors.safetensors`: the same bytes whatever the number of processes
and however often it was killed.
"""

import fcntl
import hashlib
import json
import shutil
import sys
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.utils import broadcast_object_list
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from tqdm.auto import tqdm

from clipsim.data import CROPPED, RESIZED, CaptionedImages, DataError
from clipsim.model import caption_vectors, picture_vectors, stop_requests, study_accelerator
from clipsim.profile import relative
from clipsim.record import StaleError, atomic_path

FILE, SHARDS, LOCK = "vectors.safetensors", ".clipsim-shards", ".lock"
PICTURES_PER_SHARD, CAPTIONS_PER_SHARD = 64, 1024


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
            record = (stored.metadata() or {}).get("made_by")
            if record is None or not {"vectors", "names"} <= set(stored.keys()):
                raise StaleError(f"{relative(path)} holds no named vectors: encode again")
            vectors = stored.get_tensor("vectors").numpy()
            names = tuple(json.loads(stored.get_tensor("names").numpy().tobytes()))
        record = dict(json.loads(record))
    except (OSError, SafetensorError, TypeError, ValueError) as error:
        raise StaleError(f"{relative(path)} is damaged ({error}): encode again") from None
    for key, wanted in made_by.items():
        if record.get(key) != wanted:
            raise StaleError(
                f"{relative(path)} was made by another {key.replace('_', ' ')} "
                f"({str(record.get(key))[:12]}, not {str(wanted)[:12]}): encode again"
            )
    return vectors, names, record


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


@dataclass(frozen=True)
class Item:
    """A picture or a caption of a store; its stamp changes when the picture does."""

    name: str
    stamp: str
    content: Any  # a PictureFile or PictureRow; or the caption itself


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
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, once the shard under way is written.
    """
    folder = Path(folder)
    accelerator = accelerator or study_accelerator()
    model.to(accelerator.device)
    kind = "pictures" if isinstance(source, CaptionedImages) else "captions"
    made_by = _made_by(model) | {"source": kind}
    is_main, shards, n_dropped = accelerator.is_main_process, None, 0
    with _sole_writer(folder) if is_main else nullcontext():
        if is_main:  # one process says what is there; a folder may change while it is looked at
            items = _items(source)
            shards, n_dropped = _plan(items, folder, made_by)
        [shards] = broadcast_object_list([shards])
        _encode_shards(model, shards, folder, made_by, accelerator)
        accelerator.wait_for_everyone()
        if is_main:
            _merge(items, folder, made_by, model.profile.embedding_dim)
        accelerator.wait_for_everyone()
        stored = load_store(folder, model)
        accelerator.wait_for_everyone()  # another command may change the store from here on
    new = {item.name for shard in shards for item in shard} - stored.broken.keys()
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
    vectors, names, record = read_vectors(Path(folder) / FILE, _made_by(model))
    broken = {name: reason for name, (_, reason) in json.loads(record["broken"]).items()}
    return Encoded(names, vectors, broken, source=record["source"])


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
        return [Item(caption, "-", caption) for caption in dict.fromkeys(source)]
    files = source.read_image.sources
    return [Item(name, _digest(files[name].stamp()), files[name]) for name in source.image_ids]


def _plan(items, folder, made_by):
    """What the store lacks, in shards (lists of Item); and how much it holds beyond the items."""
    known = _known(folder, made_by)
    missing = [item for item in items if _is_missing(known.get((item.name, item.stamp)))]
    size = PICTURES_PER_SHARD
    if made_by["source"] == "captions":
        size = CAPTIONS_PER_SHARD
        missing.sort(key=lambda item: -len(item.name))  # those of one length go together
    shards = [missing[i : i + size] for i in range(0, len(missing), size)]
    return shards, len({name for name, _ in known} - {item.name for item in items})


def _is_missing(result):
    """Whether there is neither a vector nor a fault of the picture itself.

    Where the system was at fault (no permission, a disk that is away), it is tried again.
    """
    return result is None or (isinstance(result, str) and "[Errno " in result)


def _encode_shards(model, shards, folder, made_by, accelerator):
    """Encode and write this process's part of the shards."""
    own = shards[accelerator.process_index :: accelerator.num_processes]
    vectors_of = picture_vectors if made_by["source"] == "pictures" else caption_vectors
    results = vectors_of(model, [[item.content for item in shard] for shard in own])
    n_done, n_own = 0, sum(len(shard) for shard in own)
    bar = tqdm(
        total=n_own, desc=f"encoding {made_by['source']}", disable=not accelerator.is_main_process,
        delay=1,  # what is done within a second needs no bar
    )  # fmt: skip
    with stop_requests() as stop, bar, closing(results):
        for shard, found in zip(own, results, strict=True):
            path = folder / SHARDS / f"{_digest(*(i.name + i.stamp for i in shard))}.safetensors"
            _write(path, shard, found, made_by, model.profile.embedding_dim)
            bar.update(len(shard))
            n_done += len(shard)
            if stop.is_set() and n_done < n_own:
                raise KeyboardInterrupt(
                    f"encoding stopped with {n_done:,} of {n_own:,} done, which are kept: "
                    "run the same again to go on"
                )


def _merge(items, folder, made_by, width):
    """Make the shards and what the store holds one file, in the order of the source."""
    known = _known(folder, made_by)
    missing = [item.name for item in items if (item.name, item.stamp) not in known]
    if missing:
        raise DataError(
            f"{folder} lacks {len(missing):,} of {len(items):,} vectors (such as {missing[0]}): "
            "all processes must see this folder"
        )
    results = [known[item.name, item.stamp] for item in items]
    _write(folder / FILE, items, results, made_by, width)
    shutil.rmtree(folder / SHARDS, ignore_errors=True)
    for unfinished in folder.glob(f".{Path(FILE).stem}-*"):  # what a killed merge left
        unfinished.unlink()


def _write(path, items, results, made_by, width):
    """Write the vectors of items; where a result is what is wrong with a picture, keep that."""
    results = list(zip(items, results, strict=True))
    good = [(item, vector) for item, vector in results if not isinstance(vector, str)]
    broken = {item.name: [item.stamp, why] for item, why in results if isinstance(why, str)}
    names = [item.name for item, _ in good]
    record = made_by | {
        "names": _digest(*names),
        "stamps": " ".join(item.stamp for item, _ in good),
        "broken": json.dumps(broken),
    }
    if path.exists() and read_vectors(path, {})[2] == record:
        return
    vectors = np.stack([vector for _, vector in good]) if good else np.empty((0, width))
    try:
        write_vectors(path, vectors, names, record)
    except OSError as error:
        raise DataError(
            f"{relative(path)} cannot be written ({error.strerror}): make room there, or name "
            "another folder; what is encoded is kept"
        ) from None


def _known(folder, made_by):
    """What the files of a store hold: dict of (name, stamp) to a vector or a fault."""
    known = {}
    shards = sorted((folder / SHARDS).glob("[!.]*.safetensors"))
    for path in filter(Path.exists, [folder / FILE, *shards]):
        try:
            vectors, names, record = read_vectors(path, made_by)
        except StaleError as error:
            raise StaleError(f"{error} (into another folder, or delete this one)") from None
        known |= dict(zip(zip(names, record["stamps"].split(), strict=True), vectors, strict=True))
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
