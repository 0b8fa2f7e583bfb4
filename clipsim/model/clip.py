"""CLIP: two backbones, two projections to one joint space, one temperature; its loss; checkpoints.

Eq. 1: v_I = f_I(I), Eq. 2: v_T = f_T(T), Eq. 3: sim(v_I, v_T) is the cosine of the two.
"""

import hashlib
import json
import math
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import distributed, nn
from torch.nn.functional import cross_entropy, linear, normalize
from torch.nn.modules.batchnorm import _BatchNorm

from clipsim.errors import BadInput, one_line
from clipsim.model.encoders import FITTED, image_backbone, text_backbone
from clipsim.model.features import image_features, text_features
from clipsim.profile import Profile
from clipsim.record import atomic_path, read_json

# The settings that decide what the weights of a checkpoint mean.
ARCHITECTURE = (
    "image_encoder", "text_encoder", "weights", "text_pooling", "max_tokens", "head",
    "embedding_dim", "trainable", "seed",
)  # fmt: skip
MAX_LOGIT_SCALE = math.log(100)  # logits are scaled by 100 at most (Radford et al. 2021, sec. 2.5)


class CheckpointError(BadInput, RuntimeError):
    """A checkpoint that cannot be read, or belongs to another profile."""


class ResidualHead(nn.Module):
    """Projection with one residual GELU layer, dropout and layer normalisation."""

    def __init__(self, width, dim, dropout):
        super().__init__()
        self.project = nn.Linear(width, dim)
        self.refine = nn.Sequential(nn.GELU(), nn.Linear(dim, dim), nn.Dropout(dropout))
        self.norm = nn.LayerNorm(dim)

    def forward(self, features):
        """Joint-space vectors (B, dim) of backbone features (B, width)."""
        projected = self.project(features)
        return self.norm(projected + self.refine(projected))


def _head(profile, width):
    """The projection that a profile asks for, of features (B, width)."""
    if profile.head == "linear":
        return nn.Linear(width, profile.embedding_dim)
    return ResidualHead(width, profile.embedding_dim, profile.dropout)


class DualEncoder(nn.Module):
    """The CLIP model of a profile.

    Parameters
    ----------
    profile : Profile
    pretrained : bool
        False: random backbones, to be filled from a checkpoint that holds all weights.
    widths : dict of str to int, optional
        Of the features of "image_backbone" and "text_backbone": one that is named here is built
        when it first encodes something.

    Notes
    -----
    With `trainable: projections` the backbones are frozen, in evaluation mode for good, and no
    part of the checkpoint: they come from their packages.

    With `trainable: all` and `batch_norm: frozen` the image backbone keeps the batch statistics it
    was pretrained with, and trains all weights: statistics of 5 images, the paper's batch, are
    noise, and each process would have its own.
    """

    def __init__(self, profile, pretrained=True, widths=None):
        super().__init__()
        self.profile = profile
        pretrained = pretrained and profile.weights == "pretrained"
        text = (profile.text_encoder, pretrained, profile.text_pooling, profile.max_tokens)
        self._builders = {
            "image_backbone": partial(image_backbone, profile.image_encoder, pretrained),
            "text_backbone": partial(text_backbone, *text),
        }
        widths = widths or {}
        with self._drawn_from_seed():
            for name, build in self._builders.items():
                if name not in widths:
                    setattr(self, name, build())
            for name in self._builders:
                width = widths.get(name) or getattr(self, name).width
                setattr(self, name.replace("backbone", "head"), _head(profile, width))
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / profile.temperature)))
        self.is_frozen = profile.trainable == "projections"
        for backbone in self._frozen:
            backbone.requires_grad_(False).eval()
        self.eval()

    def __getattr__(self, name):
        """A backbone, built when it is first needed, where `load` left it out."""
        if name in ("image_backbone", "text_backbone") and name not in self._modules:
            with self._drawn_from_seed():
                backbone = self._builders[name]()
            setattr(self, name, backbone.to(self.device).requires_grad_(False).eval())
        return super().__getattr__(name)

    @contextmanager
    def _drawn_from_seed(self):
        """Whatever is random in a backbone or a head comes from the profile's seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.profile.seed)
            yield

    @property
    def _frozen(self):
        """The backbones that are there and frozen."""
        own = dict(self.named_children()) if self.is_frozen else {}
        return [part for name, part in own.items() if name.endswith("_backbone")]

    def train(self, mode=True):
        """Training mode; what is frozen stays in evaluation mode."""
        self.training, frozen = mode, self._frozen
        for part in self.children():
            if part not in frozen:  # hundreds of layers, at every validation
                part.train(mode)
        if not self.is_frozen and self.profile.batch_norm == "frozen":
            for layer in self.image_backbone.modules():
                if isinstance(layer, _BatchNorm):
                    layer.eval()
        return self

    def autocast(self):
        """The context in which the networks run: bfloat16 where the profile says so."""
        enabled = self.profile.mixed_precision == "bf16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)

    def forward(self, image_inputs, text_inputs):
        """Unit vectors of images and of texts, both (B, d), and the logit scale.

        Frozen backbones: the inputs are backbone features; else pixels and tokens.
        """
        if not self.is_frozen:
            image_inputs = self.image_backbone(image_inputs)
            text_inputs = self.text_backbone(text_inputs)
        return (
            normalize(self.image_head(image_inputs).float(), dim=-1),
            normalize(self.text_head(text_inputs).float(), dim=-1),
            self.logit_scale,
        )

    @property
    def temperature(self):
        """CLIP's temperature, the inverse of exp(logit_scale)."""
        return (-self.logit_scale.detach().clamp(max=MAX_LOGIT_SCALE)).exp().item()

    @property
    def device(self):
        """The device that the weights are on."""
        return self.logit_scale.device

    def encode_images(self, images):
        """Joint-space vectors of images (Eq. 1).

        Parameters
        ----------
        images : CaptionedImages, or array of uint8, shape (M, 3, 224, 224)
            Preprocessed as `clipsim.data.pictures.preprocessed` does.

        Returns
        -------
        array of float32, shape (M, d)
            Unit vectors.
        """
        return self.project(image_features(self, images), "image")

    def encode_texts(self, texts, space="joint"):
        """Vectors of texts (Eq. 2); equal texts give equal vectors.

        Parameters
        ----------
        texts : sequence of str, length C
        space : {"joint", "text"}
            "text" gives the text backbone's own space, without the projection.

        Returns
        -------
        array of float32, shape (C, d)
            Unit vectors.
        """
        features = text_features(self, texts)
        if space == "text":
            return normalize(features, dim=-1).numpy()
        return self.project(features, "text")

    @torch.inference_mode()
    def project(self, features, modality, batch_size=4096):
        """Joint-space unit vectors (M, d), float32, of backbone features (M, width).

        `modality` is "image" or "text".
        """
        head = self.image_head if modality == "image" else self.text_head
        was_training = self.training
        self.eval()
        batches = [
            normalize(head(batch.to(self.device)).float(), dim=-1).cpu()
            for batch in features.split(batch_size)
        ]
        self.train(was_training)
        return torch.cat(batches).numpy()

    def trained_state(self):
        """What comes from the training data: all weights, or all but the frozen backbones'."""
        of_packages = ("image_backbone.", "text_backbone.") if self.is_frozen else ()
        if self.profile.text_encoder in FITTED:
            of_packages = of_packages[:1]
        return {
            name: value.contiguous()
            for name, value in self.state_dict().items()
            if not name.startswith(of_packages)
        }

    def save(self, folder, record, dtype=torch.float32):
        """Write `model.safetensors`, its numbers as `dtype`, and `checkpoint.json`."""
        path, state = Path(folder) / "model.safetensors", self.trained_state()
        for name, value in state.items():
            if value.is_floating_point():
                state[name] = value.to(dtype)
        with atomic_path(path) as temporary:
            save_file(state, temporary)
        made_by = {"name": self.profile.name, **self.profile.settings}
        write_record(folder, {"sha256": _sha256(path), "profile": made_by, **record})

    @classmethod
    def load(cls, checkpoint, profile=None):
        """Read a checkpoint.

        Parameters
        ----------
        checkpoint : str or Path
            Folder with `model.safetensors` and `checkpoint.json`.
        profile : Profile, optional
            What the checkpoint must fit; without it, the profile that made it.

        Returns
        -------
        DualEncoder
            In evaluation mode, with the attributes `record` (the JSON) and `fingerprint`.

        Raises
        ------
        CheckpointError
            If it is missing, damaged, or made by a profile that differs where it matters.
        """
        folder = Path(checkpoint)
        record = checkpoint_record(folder)
        made_by = record["profile"]
        try:
            profile = profile or Profile(**made_by)
        except (TypeError, ValueError) as error:
            raise CheckpointError(
                f"{folder} was made by settings that this version cannot use "
                f"({one_line(error)[:200]}): train anew"
            ) from None
        differing = [
            f"{key}: {made_by.get(key)!r} there, {getattr(profile, key)!r} here"
            for key in ARCHITECTURE
            if made_by.get(key) != getattr(profile, key)
        ]
        if differing:
            raise CheckpointError(f"{folder} does not fit the profile ({'; '.join(differing)})")
        path = folder / "model.safetensors"
        try:
            if _sha256(path) != record["sha256"]:
                raise CheckpointError(f"{path} is damaged: train anew with --fresh")
            state = load_file(path)
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{path} is damaged: {error}") from None
        # Backbones take seconds to build, which an answer from cached features need not wait for;
        # a tiny one is random, and drawn where its turn is.
        widths, first = {}, "weight" if profile.head == "linear" else "project.weight"
        known = profile.trainable == "projections" and profile.weights == "pretrained"
        if known and not {*FITTED, "tiny"} & {profile.image_encoder, profile.text_encoder}:
            for modality in ("image", "text"):
                if (name := f"{modality}_head.{first}") in state:
                    widths[f"{modality}_backbone"] = state[name].shape[1]
        model = cls(profile, pretrained=profile.trainable == "projections", widths=widths)
        missing, unexpected = model.load_state_dict(state, strict=False)
        if unexpected or set(missing) & set(model.trained_state()):
            raise CheckpointError(f"{folder}: the weights do not fit the model")
        model.record = record
        return model

    @property
    def fingerprint(self):
        """Hexadecimal sha256 of the trained weights, as in the checkpoint."""
        return self.record["sha256"]


def contrastive_loss(image_vectors, text_vectors, logit_scale, same=None):
    """The mean of image-to-text and text-to-image cross-entropy (Radford et al. 2021).

    With k processes, each compares its B images and texts with the k·B of all; the mean of
    their losses is the loss of one process on the joined batch, and so are its gradients once
    averaged over the processes, as DistributedDataParallel does. Gradient accumulation does not
    enlarge the contrast: each batch is contrasted with itself alone.

    Parameters
    ----------
    image_vectors, text_vectors : tensor, shape (B, d)
        Unit vectors; row i of one belongs to row i of the other. B is equal on all processes.
    logit_scale : scalar tensor
        Logarithm of the inverse temperature; at most ln 100 counts.
    same : tensor of int, shape (B, K), optional
        K identities of each row, such as what its image shows and what its caption says. Rows that
        share one are alike, so they are left out of each other's negatives.

    Returns
    -------
    scalar tensor
        ln(k·B) for vectors that say nothing, 0 at best.
    """
    scale = logit_scale.clamp(max=MAX_LOGIT_SCALE).exp()
    target = torch.arange(len(image_vectors), device=image_vectors.device)
    all_images, all_texts, all_same = image_vectors, text_vectors, same
    alone = not distributed.is_initialized()
    if not alone:
        target += len(image_vectors) * distributed.get_rank()
        all_images, all_texts = Gathered.apply(image_vectors), Gathered.apply(text_vectors)
        all_same = None if same is None else Gathered.apply(same)
    # `linear`, not @: `OneDnnLinear` computes it.
    logits = linear(scale * image_vectors, all_texts)  # (B, k·B)
    both_ways = logits, logits.T if alone else linear(scale * text_vectors, all_images)
    if same is not None:
        alike = (same[:, None] == all_same).any(dim=-1)
        alike[torch.arange(len(target)), target] = False  # its own match stays
        both_ways = [logits.masked_fill(alike, -torch.inf) for logits in both_ways]
    return sum(cross_entropy(logits, target) for logits in both_ways) / 2


class Gathered(torch.autograd.Function):
    """The rows of all processes, (k·B, d); backward, each gets what all of them ask of its rows.

    torch's own differentiable gather needs an all-to-all that gloo, the backend on CPUs, lacks, or
    is deprecated.
    """

    @staticmethod
    def forward(ctx, rows):
        blocks = [torch.empty_like(rows) for _ in range(distributed.get_world_size())]
        distributed.all_gather(blocks, rows.contiguous())
        return torch.cat(blocks)

    @staticmethod
    def backward(ctx, gradient):
        gradient = gradient.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(gradient)
        return gradient.chunk(distributed.get_world_size())[distributed.get_rank()]


def checkpoint_record(folder):
    """The JSON of a checkpoint folder; `CheckpointError` if it cannot be read."""
    path = Path(folder) / "checkpoint.json"
    try:
        return read_json(path, CheckpointError, sha256=str, profile=dict)
    except (FileNotFoundError, NotADirectoryError):
        raise CheckpointError(f"{folder}: no checkpoint there; run notebook 02 first") from None


def is_whole(record):
    """Whether the training behind a checkpoint's record ran to its end.

    Every best epoch is saved with the history so far; the whole one also has epoch 0.
    """
    return len(record.get("history", ())) == record["profile"]["epochs"] + 1


def write_record(folder, record):
    """Write the JSON of a checkpoint folder."""
    with atomic_path(Path(folder) / "checkpoint.json") as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _sha256(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
