"""Contrastive training: symmetric cross-entropy over a batch of images and captions.

Through Accelerate, so that the same loop runs on a CPU, a GPU or several. With frozen
backbones the inputs are their cached features; with `trainable: all`, pixels and tokens.
"""

import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from clipsim.evaluation import mean_recall
from clipsim.model.clip import MAX_LOGIT_SCALE, DualEncoder, checkpoint_record, write_record
from clipsim.model.features import image_features, text_features
from clipsim.retrieval import retrieval_recall

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


class TrainingError(RuntimeError):
    """Training that cannot go on; says where it stopped."""


def contrastive_loss(image_vectors, text_vectors, logit_scale):
    """CLIP's loss: the mean of image-to-text and text-to-image cross-entropy.

    Parameters
    ----------
    image_vectors, text_vectors : tensor, shape (B, d)
        Unit vectors; row i of one belongs to row i of the other.
    logit_scale : scalar tensor
        Logarithm of the inverse temperature; at most ln 100 counts.

    Returns
    -------
    scalar tensor
        ln B for vectors that say nothing, 0 at best.
    """
    scale = logit_scale.clamp(max=MAX_LOGIT_SCALE).exp()
    logits = scale * image_vectors @ text_vectors.T
    target = torch.arange(len(logits), device=logits.device)
    return (cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2


def epoch_examples(captions_per_image, epoch, seed, captions_per_epoch="one"):
    """The order of an epoch: which image with which of its captions.

    Parameters
    ----------
    captions_per_image : sequence of int, length M
    epoch, seed : int
        Every epoch has its own order, the same whenever it is asked for.
    captions_per_epoch : {"one", "all"}
        One random caption of each image, or every caption once.

    Returns
    -------
    array of int64, shape (M, 2) or (total captions, 2)
        Image position, and number of the caption within the image.
    """
    rng = np.random.default_rng([seed, epoch])
    counts = np.asarray(captions_per_image)
    if captions_per_epoch == "one":
        examples = np.stack([np.arange(len(counts)), rng.integers(counts)], axis=1)
    else:
        image = np.repeat(np.arange(len(counts)), counts)
        first = np.repeat(np.cumsum(counts) - counts, counts)
        examples = np.stack([image, np.arange(len(image)) - first], axis=1)
    return rng.permutation(examples)


@dataclass
class FeatureExamples(Dataset):
    """Cached backbone features of images and of all their captions."""

    image_features: torch.Tensor
    text_features: torch.Tensor
    first_caption: np.ndarray

    def __getitems__(self, examples):
        """Batch of (image features, caption features)."""
        image, number = np.asarray(examples).T
        return self.image_features[image], self.text_features[self.first_caption[image] + number]


@dataclass
class RawExamples(Dataset):
    """Pixels and tokens, read when they are asked for."""

    images: object
    text_backbone: object

    def __getitems__(self, examples):
        """Batch of (uint8 pixels, tokens)."""
        ids = [self.images.image_ids[image] for image, _ in examples]
        texts = [self.images.captions[image][number] for image, number in examples]
        pixels = torch.from_numpy(self.images.pixel_batch(ids))
        return pixels, self.text_backbone.tokens(texts)


def learning_rate_factor(step, n_steps, schedule, warmup_steps=0):
    """Factor on the learning rate at a step: linear warm-up, then constant or cosine to 0."""
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    if schedule == "constant":
        return 1.0
    progress = (step - warmup_steps) / max(1, n_steps - warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * progress))


class Validation:
    """The validation images and all their captions; frozen features are computed once."""

    def __init__(self, model, images):
        self.images = images
        self.captions = [caption for group in images.captions for caption in group]
        self.owner = np.repeat(np.arange(len(images)), [len(group) for group in images.captions])
        if model.is_frozen:
            self.image_features = image_features(model, images)
            self.text_features = text_features(model, self.captions)

    def recall(self, model):
        """Recall of the images against all these captions (`retrieval_recall`)."""
        if model.is_frozen:
            image_vectors = model.project(self.image_features, "image")
            text_vectors = model.project(self.text_features, "text")
        else:
            image_vectors = model.encode_images(self.images)
            text_vectors = model.encode_texts(self.captions)
        return retrieval_recall(image_vectors, text_vectors, self.owner, self.captions)


def train(profile, images, folder):
    """Train the profile's model and keep the epoch with the best validation recall.

    Parameters
    ----------
    profile : Profile
    images : CaptionedImages
        Trains on the split "train", selects the epoch on "val".
    folder : Path
        Where the checkpoint goes: `model.safetensors` and `checkpoint.json`, with the history.

    Returns
    -------
    DualEncoder
        The best epoch's model.

    Raises
    ------
    TrainingError
        If there are fewer training images than a batch, or the loss is not finite.
    """
    accelerator = Accelerator(mixed_precision=profile.mixed_precision)
    set_seed(profile.seed)
    training = images.subset(images.indices("train"))
    if len(training) < profile.batch_size:
        raise TrainingError(
            f"{len(training)} training images are fewer than batch_size={profile.batch_size}"
        )
    model = DualEncoder(profile).to(accelerator.device)
    dataset = _examples(model, training)
    validation = Validation(model, images.subset(images.indices("val")))
    trainable = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = OPTIMIZERS[profile.optimizer](
        trainable, lr=profile.learning_rate, weight_decay=profile.weight_decay
    )
    counts = [len(group) for group in training.captions]
    n_examples = len(epoch_examples(counts, 0, profile.seed, profile.captions_per_epoch))
    n_steps = n_examples // profile.batch_size * profile.epochs
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate_factor(step, n_steps, profile.schedule)
    )
    wrapped, optimizer = accelerator.prepare(model, optimizer)
    history = [_epoch_record(0, model, validation, loss=None, images_per_s=None)]
    for epoch in tqdm(range(1, profile.epochs + 1), desc="epochs"):
        examples = epoch_examples(counts, epoch, profile.seed, profile.captions_per_epoch)
        started = time.perf_counter()
        loss = _train_epoch(
            accelerator, wrapped, model, dataset, examples, profile, optimizer, scheduler, epoch
        )
        images_per_s = len(examples) / (time.perf_counter() - started)
        history.append(_epoch_record(epoch, model, validation, loss, images_per_s))
        if max(history[1:], key=lambda record: record["mean_recall"]) is history[-1]:
            model.save(folder, {"epoch": epoch, "data": images.fingerprint, "history": history})
    write_record(folder, checkpoint_record(folder) | {"history": history})
    return DualEncoder.load(folder, profile)


def _examples(model, training):
    if not model.is_frozen:
        return RawExamples(training, model.text_backbone)
    counts = np.array([len(group) for group in training.captions])
    captions = [caption for group in training.captions for caption in group]
    return FeatureExamples(
        image_features(model, training), text_features(model, captions), counts.cumsum() - counts
    )


def _train_epoch(
    accelerator, wrapped, model, dataset, examples, profile, optimizer, scheduler, epoch
):
    """One pass over the examples; the mean loss."""
    n_batches = len(examples) // profile.batch_size  # a smaller last batch would contrast less
    batches = np.split(examples[: n_batches * profile.batch_size], n_batches)
    loader = DataLoader(dataset, batch_sampler=batches, collate_fn=lambda batch: batch)
    model.train()
    total = 0.0
    for step, (image_inputs, text_inputs) in enumerate(tqdm(loader, leave=False, desc="steps")):
        with accelerator.autocast():
            vectors = wrapped(_on(image_inputs, model.device), _on(text_inputs, model.device))
        loss = contrastive_loss(*vectors, model.logit_scale)
        if not torch.isfinite(loss):
            ids = ", ".join(str(image) for image, _ in batches[step][:5])
            raise TrainingError(
                f"loss is {loss.item()} at epoch {epoch}, step {step}, training images {ids}, …"
            )
        accelerator.backward(loss)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
        total += loss.item()
    model.eval()
    return total / n_batches


def _on(inputs, device):
    if isinstance(inputs, dict):
        return {name: value.to(device, non_blocking=True) for name, value in inputs.items()}
    return inputs.to(device, non_blocking=True)


def _epoch_record(epoch, model, validation, loss, images_per_s):
    recall = validation.recall(model)
    return {
        "epoch": epoch,
        "loss": loss,
        "temperature": model.temperature,
        "images_per_s": images_per_s,
        "mean_recall": mean_recall(recall),
        "recall": recall,
    }
