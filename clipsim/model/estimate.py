"""What a training will cost, from a few steps that are timed before it starts."""

import resource
import shutil
import sys
import threading
import time
from dataclasses import dataclass, replace

import numpy as np
import torch

from clipsim.model.examples import batch_loader, epoch_examples
from clipsim.model.features import encoded_texts, image_features, stored_features
from clipsim.model.state import TrainingError
from clipsim.model.trainer import Trainer
from clipsim.model.validation import Validation
from clipsim.record import device_name, duration, gibibytes

SAMPLE = 32  # images that are encoded to be timed
N_WARM, LEAST_TIMED, MOST_TIMED = 2, 3, 200
LEAST_S = 1.0  # that the timed steps must take together


@dataclass(frozen=True)
class Estimate:
    """The cost of a training; seconds, and bytes.

    Attributes
    ----------
    device : str
    features_s : float
        Encoding what is not yet in the cache, with frozen backbones.
    step_s, validation_s : float
    n_steps, n_validations, n_timed : int
    peak_bytes : int
        The most memory in use until the timed steps ended: the GPU's, else this process's.
    disk_bytes, free_bytes : int
        Checkpoint and training states, and the room there is.
    """

    device: str
    features_s: float
    step_s: float
    validation_s: float
    n_steps: int
    n_validations: int
    n_timed: int
    peak_bytes: int
    disk_bytes: int
    free_bytes: int

    @property
    def total_s(self):
        return (
            self.features_s + self.n_steps * self.step_s + self.n_validations * self.validation_s
        )

    def __str__(self):
        return (
            f"training on {self.device}: about {duration(self.total_s)} "
            f"(features {duration(self.features_s)}; {self.n_steps:,} steps of "
            f"{1e3 * self.step_s:,.0f} ms; {self.n_validations} validations of "
            f"{self.validation_s:.1f} s), from {self.n_timed} timed steps; memory at its peak "
            f"{gibibytes(self.peak_bytes)}; disk {gibibytes(self.disk_bytes)} of "
            f"{gibibytes(self.free_bytes)} free"
        )


def training_estimate(profile, images, folder):
    """Time a few steps of a training that is thrown away.

    Parameters
    ----------
    profile : Profile
    images : CaptionedImages
    folder : Path
        Where the checkpoint will be.

    Returns
    -------
    Estimate

    Raises
    ------
    TrainingError
        If the training needs more room than there is; and as `train`.
    """
    parts = [images.indices(split)[:SAMPLE] for split in ("train", "val")]
    sample = replace(images.subset(np.concatenate(parts)), pixels_key="")  # never from the cache
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    trainer = Trainer(profile, sample, folder)
    counts = [len(images.captions[i]) for i in images.indices("train")]
    features_s = _features_s(trainer.model, images, sample) if trainer.model.is_frozen else 0.0
    step_s, n_timed = _step_s(trainer)
    weights, moments = trainer.model.trained_state(), trainer.optimizer.state_dict()["state"]
    weights_bytes = sum(_bytes(weight) for weight in weights.values())
    state_bytes = weights_bytes + sum(_bytes(v) for m in moments.values() for v in m.values())
    estimate = Estimate(
        device=f"{device_name()}, {trainer.accelerator.num_processes} × "
        f"{torch.get_num_threads()} threads",
        features_s=features_s,
        step_s=step_s,
        validation_s=_validation_s(trainer, images.subset(images.indices("val"))),
        n_steps=trainer.steps_of(counts) * profile.epochs,
        n_validations=profile.epochs + 1,
        n_timed=n_timed,
        peak_bytes=_peak_bytes(trainer.accelerator.device),
        disk_bytes=weights_bytes + state_bytes * (profile.keep + 1),  # one while it is written
        free_bytes=_free_bytes(folder),
    )
    if estimate.disk_bytes > estimate.free_bytes:
        raise TrainingError(
            f"{folder} has {gibibytes(estimate.free_bytes)} free and the training needs "
            f"{gibibytes(estimate.disk_bytes)}: make room, or pass a smaller keep"
        )
    return estimate


def _features_s(model, images, sample):
    """Seconds to encode what is not in the cache."""
    per_image = _seconds(lambda: image_features(model, sample)) / len(sample)
    texts = sorted({caption for group in sample.captions for caption in group})
    per_text = _seconds(lambda: encoded_texts(model, texts)) / len(texts)
    total = 0.0
    for split in ("train", "val"):
        part = images.subset(images.indices(split))
        if stored_features(model, "image", part.image_ids, part.pixels_key) is None:
            total += per_image * len(part)
        texts = sorted({caption for group in part.captions for caption in group})
        if stored_features(model, "text", texts) is None:
            total += per_text * len(texts)
    return total


def _step_s(trainer):
    """Seconds of a step, reading included, and how many were timed; the first ones are not."""
    profile, device = trainer.profile, trainer.accelerator.device
    shape = profile.gradient_accumulation, trainer.accelerator.num_processes, profile.batch_size
    examples = epoch_examples(trainer.counts, 1, profile.seed)  # too few: they are repeated
    step = np.resize(examples, (*shape, 2))
    own = step[:, trainer.accelerator.process_index]
    batches = np.resize(own, (MOST_TIMED * len(own), *own.shape[1:]))
    loader = iter(batch_loader(trainer.dataset, batches, profile.workers, device))
    trainer.model.train()
    times = []
    enough, done = threading.Event(), False
    while not done:
        # All processes take as many steps: the last is agreed on as a stop is.
        if len(times) >= N_WARM + LEAST_TIMED - 1 and sum(times[N_WARM:]) >= LEAST_S:
            enough.set()
        started = time.perf_counter()
        done = trainer.take_step(loader, step, enough) or len(times) + 1 == MOST_TIMED
        times.append(time.perf_counter() - started)
    trainer.model.eval()
    return sum(times[N_WARM:]) / len(times[N_WARM:]), len(times[N_WARM:])


def _validation_s(trainer, images):
    """Seconds of a validation: the real one on frozen features, else scaled from the sample."""
    model, part = trainer.model, trainer.validation
    if not model.is_frozen:
        return _seconds(lambda: part.recall(model)) * len(images) / len(part.images)
    n_captions = sum(len(group) for group in images.captions)
    features = (
        torch.randn(len(images), model.image_backbone.width),
        torch.randn(n_captions, model.text_backbone.width),
    )
    whole = Validation(model, images, trainer.accelerator, features)
    return _seconds(lambda: whole.recall(model))


def _seconds(work):
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _bytes(value):
    return value.numel() * value.element_size() if torch.is_tensor(value) else 8


def _peak_bytes(device):
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024)  # bytes on macOS, else KiB


def _free_bytes(folder):
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    replaced = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return shutil.disk_usage(there).free + sum(replaced)
