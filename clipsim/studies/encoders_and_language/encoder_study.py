"""Which encoder, and which vector space? Secs. 3 and 7 of the paper.

Encoders are compared on fewer images than the study's model sees, the same for every encoder:
backbones frozen, projections trained, the floor random weights. A random backbone has a seed of
its own, so that it stays the same over the training seeds of its projections.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

import huggingface_hub
import numpy as np
import torch
import torchvision

from clipsim.data import caption_pool
from clipsim.evaluation import description_scores, retrieval_of, train_or_load
from clipsim.model import IMAGE_BACKBONES, TEXT_BACKBONES, image_backbone, text_backbone
from clipsim.retrieval import score_pairs

# What a comparison costs: a minute for two random backbones and twelve trainings on two cores.
N_TRAIN, N_VAL_PAIRS, N_SEEDS, BATCH, EPOCHS = 500, 100, 3, 64, 20
PAPER = {"image": "resnet50", "text": "bert-base-uncased"}


def random_image_encoder(name, draw=0):
    """The name of an image encoder's architecture with random weights, fixed by `draw`.

    The name works wherever a profile's `image_encoder` does, once this was called.
    """
    build = partial(_randomly, draw, lambda: image_backbone(name, pretrained=False))
    IMAGE_BACKBONES[f"random {name} {draw}"] = build
    return f"random {name} {draw}"


def random_text_encoder(name, draw=0):
    """As `random_image_encoder`, for a profile's `text_encoder`."""

    def build():
        backbone = text_backbone(name, pretrained=False)
        return backbone.network, backbone.tokens.tokenizer

    TEXT_BACKBONES[f"random {name} {draw}"] = partial(_randomly, draw, build)
    return f"random {name} {draw}"


def has_local_weights(modality):
    """Whether the weights of the paper's "image" or "text" encoder are on this machine."""
    if modality == "image":
        url = torchvision.models.ResNet50_Weights.IMAGENET1K_V1.url
        return (Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]).is_file()
    cached = huggingface_hub.try_to_load_from_cache(PAPER["text"], "model.safetensors")
    return isinstance(cached, str)


def compared_encoders(profile):
    """The (image, text) encoders to compare, by what they are.

    Returns
    -------
    dict of str to tuple of str
        The profile's own first; each side, and both, with random weights; the paper's where
        their weights are on this machine.
    """
    image, text = profile.image_encoder, profile.text_encoder
    random_image, random_text = random_image_encoder(image), random_text_encoder(text)
    encoders = {
        f"{image} + {text}": (image, text),
        f"random {image} + {text}": (random_image, text),
        f"{image} + random {text}": (image, random_text),
        f"random {image} + random {text}": (random_image, random_text),
    }
    if image != PAPER["image"] and has_local_weights("image"):
        encoders[f"{PAPER['image']} + {text}"] = (PAPER["image"], text)
    if text != PAPER["text"] and has_local_weights("text"):
        encoders[f"{image} + {PAPER['text']}"] = (image, PAPER["text"])
    return encoders


def study_data(profile, images, pairs):
    """The images and pairs of the comparison: fewer to train on, every test pair.

    Returns
    -------
    images : CaptionedImages
        `N_TRAIN` training images, drawn with the profile's seed, and the images of the pairs.
    pairs : LabelledPairs
        All but the validation pairs, of which `N_VAL_PAIRS` remain.
    """
    rng = np.random.default_rng(profile.seed)
    validation = np.flatnonzero(pairs.split == "val")
    validation = rng.permutation(validation)[:N_VAL_PAIRS]
    kept_pairs = np.sort(np.concatenate([np.flatnonzero(pairs.split != "val"), validation]))
    pairs = pairs.where(kept_pairs)
    training = rng.permutation(images.indices("train"))[:N_TRAIN]
    position = images.position()
    paired = [position[image_id] for image_id in pairs.image_ids]
    selected = [i for i in images.indices("val") if i in {*paired}]
    if not selected:  # judged pairs of test images only: epochs still need images to choose by
        paired += images.indices("val")[: 2 * N_VAL_PAIRS].tolist()
    return images.subset(np.unique([*training, *paired])), pairs


def encoder_scores(profile, images, pairs, encoders):
    """Eq. 4 and the image cosine of the pairs, with projections trained on these encoders.

    Parameters
    ----------
    profile : Profile
    images, pairs
        From `study_data`.
    encoders : tuple of str
        Names of an image and a text encoder.

    Returns
    -------
    dict of str to list of array of float32, shape (P,)
        `clip_score` and `image_cosine`, each with one array per training seed.
    """
    image, text = encoders
    scores = {}
    for seed in range(profile.seed, profile.seed + min(N_SEEDS, profile.n_seeds)):
        study = replace(
            profile,
            image_encoder=image,
            text_encoder=text,
            seed=seed,
            pool="train",
            pool_file=None,
            trainable="projections",
            batch_size=min(BATCH, profile.batch_size),
            epochs=min(EPOCHS, profile.epochs),
        )
        folder = profile.work_dir / "encoders" / study.hash[:8]
        model = train_or_load(study, images, folder)
        retrieval = retrieval_of(study, model, images, caption_pool(study, images))
        for name, values in description_scores(study, retrieval, pairs).items():
            scores.setdefault(name, []).append(values)
    return scores


def space_scores(profile, model, images, pairs):
    """Eq. 4 with description vectors of either space, and the image cosine.

    The descriptions are the same N: images are searched for in the joint space.

    Returns
    -------
    dict of str to array of float32, shape (P,)
        "Eq. 4, joint space", "Eq. 4, text space", "image cosine".
    """
    retrieval = retrieval_of(
        replace(profile, vector_space="joint"), model, images, caption_pool(profile, images)
    )
    scores = description_scores(profile, retrieval, pairs)
    index_pairs = pairs.positions(retrieval.image_ids)
    own = model.encode_texts(retrieval.pool.tolist(), space="text")[retrieval.ids]
    return {
        "Eq. 4, joint space": scores["clip_score"],
        "Eq. 4, text space": score_pairs(own, index_pairs, profile.normalisation),
        "image cosine": scores["image_cosine"],
    }


def _randomly(draw, build, pretrained):
    """Whatever `build` makes, its weights from the seed `draw`; "pretrained" has no meaning."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(draw)
        return build()
