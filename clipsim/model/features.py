"""Backbone features: computed once, and cached on disk where the backbones are frozen.

Texts are encoded once each, sorted by length and padded to the longest of their batch.
Images are read by a thread ahead of the network.
"""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
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
        return _image_features(model, chunks, len(images))
    ids = images.image_ids
    chunks = (
        images.pixel_batch(ids[i : i + IMAGE_BATCH]) for i in range(0, len(ids), IMAGE_BATCH)
    )
    if not images.pixels_key:
        return _image_features(model, chunks, len(ids))
    compute = partial(_image_features, model, chunks, len(ids))
    return _cached(model, "image", ids, images.pixels_key, compute)


def text_features(model, texts):
    """Backbone features of texts: float32 tensor, shape (C, width); equal texts, equal rows."""
    unique = sorted(set(texts))
    features = _cached(model, "text", unique, "", partial(_text_features, model, unique))
    row = {text: i for i, text in enumerate(unique)}
    return features[[row[text] for text in texts]]


@torch.inference_mode()
def _image_features(model, chunks, total):
    was_training = model.training
    model.eval()
    features = []
    # One chunk is read while another is in the network.
    with ThreadPoolExecutor(1) as reader, tqdm(total=total, desc="images", leave=False) as bar:
        pending = reader.submit(next, chunks, None)
        while (chunk := pending.result()) is not None:
            pending = reader.submit(next, chunks, None)
            pixels = torch.as_tensor(chunk).to(model.device)
            with _autocast(model):
                features.append(model.image_backbone(pixels).float().cpu())
            bar.update(len(chunk))
    model.train(was_training)
    return torch.cat(features)


@torch.inference_mode()
def _text_features(model, texts):
    was_training = model.training
    model.eval()
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    features = torch.empty(len(texts), model.text_backbone.width)
    with tqdm(total=len(texts), desc="texts", leave=False) as bar:
        for start in range(0, len(texts), TEXT_BATCH):
            rows = order[start : start + TEXT_BATCH]
            tokens = model.text_backbone.tokens([texts[i] for i in rows])
            tokens = {name: value.to(model.device) for name, value in tokens.items()}
            with _autocast(model):
                features[rows] = model.text_backbone(tokens).float().cpu()
            bar.update(len(rows))
    model.train(was_training)
    return features


def _autocast(model):
    enabled = model.profile.mixed_precision == "bf16"
    return torch.autocast(model.device.type, torch.bfloat16, enabled=enabled)


def _cached(model, modality, names, content, compute):
    """Features from the cache folder, or computed and kept there; no cache if they can change.

    A file that holds these names among others serves as well: a subset of images or texts is
    not encoded again. `content` stands for what the names mean.
    """
    if not model.is_frozen:
        return compute()
    profile = model.profile
    backbone = getattr(profile, f"{modality}_encoder")
    what = [backbone, profile.weights, profile.mixed_precision, str(model.device), content]
    what += [profile.text_pooling, profile.max_tokens] if modality == "text" else []
    what += [profile.seed] if "tiny" in backbone or profile.weights == "random" else []
    what += [torch.get_num_threads(), version("torch"), version("timm"), version("transformers")]
    stem = f"{modality}-features-{_digest(what)}"
    own = CACHE / f"{stem}-{_digest(names)}.safetensors"
    for path in [own] if own.is_file() else sorted(CACHE.glob(f"{stem}-*.safetensors")):
        with safe_open(path, "pt") as stored:
            row = {name: i for i, name in enumerate(json.loads(stored.metadata()["names"]))}
            if row.keys() >= set(names):
                return stored.get_tensor("features")[[row[name] for name in names]]
    features = compute()
    with atomic_path(own) as temporary:
        save_file({"features": features}, temporary, {"names": json.dumps(names)})
    return features


def _digest(value):
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:24]
