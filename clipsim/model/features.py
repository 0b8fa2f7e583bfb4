"""Backbone features: computed once, and cached on disk where the backbones are frozen.

Texts are encoded once each, in batches of texts with the same number of tokens: nothing is padded,
and on a CPU the features of a text are the same to the bit whatever it is encoded with.
Images are read by a thread ahead of the network.

The vectors of pictures and captions, shard by shard: each as if it were alone.

On a CPU the bits of a vector depend neither on what else is in the shard nor on the number of
threads: pictures are encoded in batches of one size, filled up where there are fewer, and captions
in batches of one length (`clipsim.model.features`).
"""

import hashlib
import json
import warnings
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tqdm.auto import tqdm

from clipsim.data import CROPPED, BadImageError, preprocessed
from clipsim.model.encoders import OneDnnLinear
from clipsim.profile import CACHE
from clipsim.record import atomic_path

READERS = 4  # threads that read pictures ahead


@dataclass(frozen=True)
class Item:
    """A picture or a caption that is to be encoded.

    Attributes
    ----------
    name : str
        Id of the picture, or the caption.
    stamp : str
        Changes when the picture does.
    file : PictureFile or PictureRow, optional
        The picture; None for a caption.
    """

    name: str
    stamp: str
    file: Any = None


def picture_vectors(model, shards):
    """Encode shards of pictures; the next shard is read while one is in the network.

    Parameters
    ----------
    model : DualEncoder
    shards : sequence of sequence of Item

    Yields
    ------
    vectors : array of float32, shape (len(shard), d)
        In the joint space; of a picture that cannot be read, nothing that counts.
    faults : dict of int to str
        Position of such a picture in its shard, and what is wrong with it.
    """
    # Each picture silences warnings for itself, which threads undo in any order.
    with warnings.catch_warnings(), ThreadPoolExecutor(READERS) as readers:
        try:
            for pending in _one_ahead(
                [readers.submit(_pixels, i.file) for i in s] for s in shards
            ):
                read = [future.result() for future in pending]
                faults = {i: pixels for i, pixels in enumerate(read) if isinstance(pixels, str)}
                whole = np.zeros((_filled(len(read)), 3, CROPPED, CROPPED), dtype=np.uint8)
                for i, pixels in enumerate(read):
                    if i not in faults:
                        whole[i] = pixels
                batches = (whole[i : i + IMAGE_BATCH] for i in range(0, len(whole), IMAGE_BATCH))
                features = torch.cat([pixel_features(model, batch) for batch in batches])
                yield _projected(model, features, "image")[: len(read)], faults
        finally:
            readers.shutdown(cancel_futures=True)  # an interruption does not wait for the rest


def caption_vectors(model, shards):
    """Encode shards of captions; yields as `picture_vectors`, without faults."""
    for shard in shards:
        features = encoded_texts(model, [item.name for item in shard], progress=False)
        yield _projected(model, features, "text"), {}


def _pixels(file):
    """Preprocessed pixels, or what is wrong with the picture."""
    try:
        return preprocessed(file.read())
    except BadImageError as error:
        return str(error)


def _one_ahead(iterable):
    """The same values, each taken from `iterable` before the one before it is used."""
    iterator = iter(iterable)
    try:
        value = next(iterator)
    except StopIteration:
        return
    for following in iterator:
        yield value
        value = following
    yield value


def _projected(model, features, modality):
    """Vectors of features, in batches of one size."""
    filled = torch.zeros(_filled(len(features)), features.shape[1])
    filled[: len(features)] = features
    return model.project(filled, modality, batch_size=IMAGE_BATCH)[: len(features)]


def _filled(count):
    return -(-count // IMAGE_BATCH) * IMAGE_BATCH


IMAGE_BATCH = 32
TOKENS_PER_BATCH = 2048
TEXT_RECIPE = "equal lengths"  # changes when the bits of text features do; part of their file name


def image_features(model, images):
    """Backbone features of images: float32 tensor, shape (M, width).

    Parameters
    ----------
    model : DualEncoder
    images : CaptionedImages, or array of uint8, shape (M, 3, 224, 224)
    """
    if isinstance(images, np.ndarray | torch.Tensor):
        chunks = (images[i : i + IMAGE_BATCH] for i in range(0, len(images), IMAGE_BATCH))
        return _encoded_images(model, chunks, len(images))
    ids = images.image_ids
    stored = stored_features(model, "image", ids, images.pixels_key)
    if stored is not None:
        return stored
    chunks = (
        images.pixel_batch(ids[i : i + IMAGE_BATCH]) for i in range(0, len(ids), IMAGE_BATCH)
    )
    features = _encoded_images(model, chunks, len(ids))
    if model.is_frozen and images.pixels_key:
        _store(model, "image", ids, images.pixels_key, features)
    return features


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


def _encoded_images(model, chunks, total):
    features = []
    # One chunk is read while another is in the network.
    with ThreadPoolExecutor(1) as reader, tqdm(total=total, desc="images", leave=False) as bar:
        pending = reader.submit(next, chunks, None)
        while (chunk := pending.result()) is not None:
            pending = reader.submit(next, chunks, None)
            features.append(pixel_features(model, chunk))
            bar.update(len(chunk))
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


@torch.inference_mode()
def encoded_texts(model, texts, progress=True):
    """`text_features` of distinct texts, computed whatever the cache holds."""
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
    """Batches of sequences of one length, each at most `most` long in all: lists of positions."""
    of_length = defaultdict(list)
    for i, sequence in enumerate(sequences):
        of_length[len(sequence)].append(i)
    for length, rows in sorted(of_length.items()):
        at_once = max(1, most // length)
        yield from (rows[i : i + at_once] for i in range(0, len(rows), at_once))


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
        with safe_open(path, "pt") as stored:
            row = {name: i for i, name in enumerate(json.loads(stored.metadata()["names"]))}
            if row.keys() >= set(names):
                return stored.get_tensor("features")[[row[name] for name in names]]
    return None


def _store(model, modality, names, content, features):
    with atomic_path(_cache_file(model, modality, names, content)) as temporary:
        save_file({"features": features}, temporary, {"names": json.dumps(names)})


def _cache_file(model, modality, names, content):
    profile = model.profile
    backbone = getattr(profile, f"{modality}_encoder")
    what = [backbone, profile.weights, profile.mixed_precision, str(model.device), content]
    if modality == "text":
        what += [profile.text_pooling, profile.max_tokens, TEXT_RECIPE]
    if "tiny" in backbone or profile.weights == "random":  # drawn one after the other
        what += [profile.seed, profile.image_encoder, profile.text_encoder]
    what += [torch.get_num_threads(), version("torch"), version("timm"), version("transformers")]
    return CACHE / f"{modality}-features-{_digest(what)}-{_digest(names)}.safetensors"


def _digest(value):
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:24]
