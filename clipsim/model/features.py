"""Backbone features: computed once, and cached on disk where the backbones are frozen.

Texts are encoded once each, sorted by length and padded to the longest of their batch.
Images are read by a thread ahead of the network.
"""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tqdm.auto import tqdm

from clipsim.paths import CACHE
from clipsim.results import atomic_path

IMAGE_BATCH = 32
TEXT_BATCH = 64


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


@torch.inference_mode()
def _encoded_images(model, chunks, total):
    was_training = model.training
    model.eval()
    features = []
    # One chunk is read while another is in the network.
    with ThreadPoolExecutor(1) as reader, tqdm(total=total, desc="images", leave=False) as bar:
        pending = reader.submit(next, chunks, None)
        while (chunk := pending.result()) is not None:
            pending = reader.submit(next, chunks, None)
            pixels = torch.as_tensor(chunk).to(model.device)
            with model.autocast():
                features.append(model.image_backbone(pixels).float().cpu())
            bar.update(len(chunk))
    model.train(was_training)
    return torch.cat(features)


@torch.inference_mode()
def encoded_texts(model, texts):
    """`text_features` of distinct texts, computed whatever the cache holds."""
    was_training = model.training
    model.eval()
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    features = torch.empty(len(texts), model.text_backbone.width)
    with tqdm(total=len(texts), desc="texts", leave=False) as bar:
        for start in range(0, len(texts), TEXT_BATCH):
            rows = order[start : start + TEXT_BATCH]
            tokens = model.text_backbone.tokens([texts[i] for i in rows])
            tokens = {name: value.to(model.device) for name, value in tokens.items()}
            with model.autocast():
                features[rows] = model.text_backbone(tokens).float().cpu()
            bar.update(len(rows))
    model.train(was_training)
    return features


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
    what += [profile.text_pooling, profile.max_tokens] if modality == "text" else []
    if "tiny" in backbone or profile.weights == "random":  # drawn one after the other
        what += [profile.seed, profile.image_encoder, profile.text_encoder]
    what += [torch.get_num_threads(), version("torch"), version("timm"), version("transformers")]
    return CACHE / f"{modality}-features-{_digest(what)}-{_digest(names)}.safetensors"


def _digest(value):
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:24]
