"""The vectors of pictures and captions, shard by shard: each as if it were alone.

On a CPU the bits of a vector depend neither on what else is in the shard nor on the number of
threads: pictures are encoded in batches of one size, filled up where there are fewer, and captions
in batches of one length (`clipsim.model.features`).
"""

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from clipsim.data.images import CROPPED, BadImageError, preprocessed
from clipsim.model.features import IMAGE_BATCH, encoded_texts, pixel_features

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
