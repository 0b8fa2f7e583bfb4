"""Backbone features: computed once, and cached on disk where the backbones are frozen.

Texts are encoded once each, in batches of texts with the same number of tokens: nothing is padded,
and on a CPU the features of a text are the same to the bit whatever it is encoded with. Images are
read ahead of the network, by a thread or, where they are drawn, by a process.

For a store, pictures are encoded shard by shard (`picture_vectors`): in batches of one size,
filled up where there are fewer, so that on a CPU the bits of a vector depend neither on what else
is in the shard nor on the number of threads.
"""

import hashlib
import json
import signal
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import version

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from clipsim.data import CROPPED, BadImageError, preprocessed
from clipsim.model.encoders import FITTED, OneDnnLinear
from clipsim.profile import CACHE
from clipsim.record import atomic_path

IMAGE_BATCH = 32
TOKENS_PER_BATCH = 2048
FEW = 8  # batches that no process is started for
READERS = 4  # threads that read the pictures of a shard
TEXT_RECIPE = "equal lengths"  # changes when the bits of text features do; part of their file name


def image_features(model, images):
    """Backbone features of images.

    Parameters
    ----------
    model : DualEncoder
    images : CaptionedImages, or array of uint8, shape (M, 3, 224, 224)

    Returns
    -------
    float32 tensor, shape (M, width)
    """
    if isinstance(images, np.ndarray | torch.Tensor):
        return _encoded_images(model, (images[part] for part in _parts(images)), len(images))
    ids, key = images.image_ids, images.pixels_key
    features = stored_features(model, "image", ids, key)
    if features is None:
        features = _encoded_images(model, _pixel_batches(images), len(ids))
        if model.is_frozen and key:
            _store(model, "image", ids, key, features)
    return features


def _parts(images):
    return [slice(i, i + IMAGE_BATCH) for i in range(0, len(images), IMAGE_BATCH)]


def _pixel_batches(images):
    """Pixels of images, batch by batch, read ahead."""
    batches = [images.image_ids[part] for part in _parts(images)]
    if not images.scenes or len(batches) < FEW:
        return _read_ahead(images.pixel_batch, batches)
    # Drawing keeps Python's lock: a process of its own does not hold up the network. Its generator
    # leaves torch's random stream as it is.
    return DataLoader(
        batches, batch_size=None, collate_fn=images.pixel_batch, num_workers=1,
        generator=torch.Generator(), worker_init_fn=undisturbed,
    )  # fmt: skip


def undisturbed(worker):
    """Of a worker: Ctrl-C reaches it, too, and only the main process decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _encoded_images(model, batches, n):
    """Features of n images from batches of their pixels."""
    features = []
    with tqdm(total=n, desc="images", leave=False) as bar:
        for pixels in batches:
            features.append(pixel_features(model, pixels))
            bar.update(len(pixels))
    return torch.cat(features)


@torch.inference_mode()
def pixel_features(model, pixels):
    """Backbone features (B, width), float32, of one batch of uint8 pixels (B, 3, 224, 224)."""
    was_training = model.training
    model.eval()
    with model.autocast():
        features = model.image_backbone(torch.as_tensor(pixels).to(model.device))
    model.train(was_training)
    return features.float().cpu()


def text_features(model, texts):
    """Backbone features of texts: float32 tensor, shape (C, width); equal texts, equal rows."""
    unique = sorted(set(texts))
    features = stored_features(model, "text", unique)
    if features is None:
        features = encoded_texts(model, unique)
        if model.is_frozen:
            _store(model, "text", unique, "", features)
    row = {text: i for i, text in enumerate(unique)}
    return features[[row[text] for text in texts]]


@torch.inference_mode()
def encoded_texts(model, texts, progress=True):
    """`text_features` of distinct texts, computed whatever the cache holds.

    Parameters
    ----------
    model : DualEncoder
    texts : sequence of str, length C
    progress : bool
        Show a bar.

    Returns
    -------
    float32 tensor, shape (C, width)
    """
    was_training = model.training
    model.eval()
    features = torch.empty(len(texts), model.text_backbone.width)
    tokens = model.text_backbone.tokens.unpadded(texts)
    bar = tqdm(total=len(texts), desc="texts", leave=False, disable=not progress)
    with OneDnnLinear(), bar:
        for rows in equal_lengths(tokens, TOKENS_PER_BATCH):
            ids = torch.tensor([tokens[i] for i in rows], device=model.device)
            with model.autocast():
                features[rows] = model.text_backbone({"input_ids": ids}).float().cpu()
            bar.update(len(rows))
    model.train(was_training)
    return features


def equal_lengths(sequences, most):
    """Batches of sequences of one length, each at most `most` long in all: arrays of positions."""
    lengths = np.array([len(sequence) for sequence in sequences])
    for length in np.unique(lengths):
        rows, at_once = np.flatnonzero(lengths == length), max(1, most // length)
        yield from np.split(rows, range(at_once, len(rows), at_once))


def picture_vectors(model, shards):
    """Encode shards of pictures; the next shard is read while one is in the network.

    Parameters
    ----------
    model : DualEncoder
    shards : sequence of sequence of PictureFile or PictureRow

    Yields
    ------
    list of (array of float32, shape (d,)) or str
        For each picture of a shard its vector in the joint space; or, where it cannot be read,
        what is wrong with it.
    """
    # Each picture silences warnings for itself, which threads undo in any order.
    with warnings.catch_warnings(), ThreadPoolExecutor(READERS) as readers:
        for results in _read_ahead(lambda shard: list(readers.map(_pixels, shard)), shards):
            blank = np.zeros((3, CROPPED, CROPPED), dtype=np.uint8)
            stack = np.stack([blank if isinstance(pixels, str) else pixels for pixels in results])
            batches = _filled(torch.from_numpy(stack)).split(IMAGE_BATCH)
            features = torch.cat([pixel_features(model, batch) for batch in batches])
            vectors = model.project(features, "image", batch_size=IMAGE_BATCH)
            pairs = zip(results, vectors, strict=False)  # what filled up is left out
            yield [pixels if isinstance(pixels, str) else vector for pixels, vector in pairs]


def _filled(rows):
    """A tensor with rows of zeros behind it, so that all batches of it are of one size."""
    return torch.cat([rows, rows.new_zeros(-len(rows) % IMAGE_BATCH, *rows.shape[1:])])


def _pixels(file):
    """Preprocessed pixels, or what is wrong with the picture."""
    try:
        return preprocessed(file.read())
    except BadImageError as error:
        return str(error)


def _read_ahead(read, parts):
    """`read` of each part, in a thread, while the one before it is in use."""
    with ThreadPoolExecutor(1) as reader:
        pending = None
        for part in parts:
            before, pending = pending, reader.submit(read, part)
            if before:
                yield before.result()
        if pending:
            yield pending.result()


def stored_features(model, modality, names, content=""):
    """Features from the cache folder, or None; None always where the backbones can change.

    A file that holds these names among others serves as well: a subset of images or texts is
    not encoded again.

    Parameters
    ----------
    model : DualEncoder
    modality : {"image", "text"}
    names : sequence of str
        Image ids, or sorted texts.
    content : str
        What the names stand for: the `pixels_key` of images.
    """
    if not model.is_frozen:
        return None
    own = _cache_file(model, modality, names, content)
    shared = own.name.rsplit("-", 1)[0]
    for path in [own] if own.is_file() else sorted(CACHE.glob(f"{shared}-*.safetensors")):
        # A damaged file is one that is not there: it is written anew.
        with (
            suppress(SafetensorError, KeyError, TypeError, ValueError),
            safe_open(path, "pt") as stored,
        ):
            row = {name: i for i, name in enumerate(json.loads(stored.metadata()["names"]))}
            if row.keys() >= set(names):
                return stored.get_tensor("features")[[row[name] for name in names]]
    return None


def _store(model, modality, names, content, features):
    with atomic_path(_cache_file(model, modality, names, content)) as temporary:
        save_file({"features": features}, temporary, {"names": json.dumps(names)})


def _cache_file(model, modality, names, content):
    """Where features are kept; the name says all that their bits depend on."""
    profile = model.profile
    backbone = getattr(profile, f"{modality}_encoder")
    what = [backbone, profile.weights, profile.mixed_precision, str(model.device), content]
    if modality == "text":
        what += [profile.text_pooling, profile.max_tokens, TEXT_RECIPE]
        if profile.text_encoder in FITTED:
            what += [model.text_backbone.content]
    if "tiny" in backbone or profile.weights == "random":  # drawn one after the other
        what += [profile.seed, profile.image_encoder, profile.text_encoder]
    what += [torch.get_num_threads(), version("torch"), version("timm"), version("transformers")]
    return CACHE / f"{modality}-features-{_digest(what)}-{_digest(names)}.safetensors"


def _digest(value):
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:24]
