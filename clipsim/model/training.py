"""Contrastive training: symmetric cross-entropy over a batch of images and captions.

Through Accelerate, so that the same loop runs on a CPU, a GPU, several of them or several
machines. With frozen backbones the inputs are their cached features; with `trainable: all`,
pixels and tokens (`clipsim.model.examples`). Everything that the next step needs is saved as a
training state (`clipsim.model.state`); a training that was killed and resumed ends as one that
was not, to the bit.
"""

import math
import time
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from textwrap import shorten
from timeit import timeit

import numpy as np
import torch
from accelerate.utils import gather_object, send_to_device, set_seed
from humanize import precisedelta
from tqdm.auto import tqdm

from clipsim.errors import BadInput
from clipsim.model import clip, examples
from clipsim.model import state as states
from clipsim.model.encoders import LatentSemantics, OneDnnLinear
from clipsim.model.features import encoded_texts, image_features, stored_features
from clipsim.model.state import stop_requests, study_accelerator
from clipsim.profile import relative
from clipsim.record import device_name

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
UNTRAINED = dict.fromkeys(("loss", "gradient_norm", "learning_rate", "images_per_s"))
SAMPLE = 32  # images that are encoded to be timed
N_WARM, N_TIMED = 2, 5  # steps of an estimate


class TrainingError(BadInput, RuntimeError):
    """Training that cannot start or go on; says where it stopped."""


class TrainingInterrupted(KeyboardInterrupt):
    """Training that was asked to stop, saved its state and says how to go on."""


def train(profile, images, folder, resume=None, announce=True):
    """Train the profile's model and keep the epoch with the best validation recall.

    Parameters
    ----------
    profile : Profile
    images : CaptionedImages
        Trains on the split "train", selects the epoch on "val".
    folder : Path
        Where the checkpoint goes: `model.safetensors` and `checkpoint.json`, with the history;
        and, until the training is done, its states.
    resume : Path, optional
        A training state to go on from, such as `resumable` finds; without it, from the start.
    announce : bool
        Print what a training from the start will cost before it begins (`training_estimate`).

    Returns
    -------
    DualEncoder
        The best epoch's model.

    Raises
    ------
    TrainingError
        If there are fewer training images than a batch, or the loss is not finite.
    CheckpointError
        If a state cannot be read or written, or belongs to another training.
    TrainingInterrupted
        After Ctrl-C or SIGTERM, once the state is saved.
    """
    if announce and resume is None:
        study_accelerator().print(training_estimate(profile, images, folder))
    trainer = Trainer(profile, images, folder)
    if resume is not None:
        trainer.restore(states.read_state(resume))
        trainer.accelerator.print(f"going on at step {trainer.step + 1:,} of {trainer.n_steps:,}")
    elif trainer.is_main:
        # First the record: weights without one are no model, whatever happens from here.
        (folder / "checkpoint.json").unlink(missing_ok=True)
        states.clear_states(folder)
    with stop_requests() as stop:
        trainer.run(stop)
    trainer.accelerator.wait_for_everyone()
    return clip.DualEncoder.load(folder, profile)


def resumable(profile, images, folder):
    """The newest state of an interrupted training with these settings and data.

    Returns
    -------
    Path or None
        None also where the folder holds another training's.

    Raises
    ------
    CheckpointError
        If it cannot be read.
    """
    paths = states.state_paths(folder)
    if not paths:
        return None
    state = states.read_state(paths[-1])
    same = state["profile"] == profile.hash and state["data"] == images.fingerprint
    return paths[-1] if same else None


class Trainer:
    """A training under way: its model and optimiser, and where in the data it is.

    Parameters
    ----------
    profile : Profile
    images : CaptionedImages
    folder : Path
        Of the checkpoint.

    Attributes
    ----------
    step, n_steps : int
        Optimiser steps taken, and in all.
    epoch : int
        The epoch under way, from 1.
    history : list of dict
        A record per finished epoch; the first one (epoch 0) is the untrained model's.
    """

    def __init__(self, profile, images, folder):
        self.accelerator = study_accelerator()
        self.is_main = self.accelerator.is_main_process  # the process that writes
        self.profile, self.folder = profile, folder
        self.fingerprint = images.fingerprint
        n_processes = self.accelerator.num_processes
        # Of a step: a batches, each of B examples on each of k processes.
        self.shape = profile.gradient_accumulation, n_processes, profile.batch_size
        self.per_step = math.prod(self.shape)  # examples
        model, training = clip.DualEncoder(profile), images.subset(images.indices("train"))
        if isinstance(model.text_backbone, LatentSemantics):
            model.text_backbone.fit([c for group in training.captions for c in group])
        if n_processes > 1 and not model.is_frozen and profile.batch_norm == "train":
            from timm.layers import convert_sync_batchnorm  # timm takes seconds

            # Statistics over all processes, which must be GPUs. timm's converter, because torch's
            # own loses the activation that timm's layers hold.
            model.image_backbone = convert_sync_batchnorm(model.image_backbone)
        self.model = model.to(self.accelerator.device)
        # Afterwards: making the model seeds all devices alike, and processes must not drop alike.
        set_seed(profile.seed, device_specific=True)
        with self.accelerator.main_process_first():  # the others find its features in the cache
            self.dataset = examples.examples_of(self.model, training)
            held_out = images.subset(images.indices("val"))
            self.validation = examples.Validation(self.model, held_out)
        self.images = self.dataset.images
        self.steps_per_epoch = len(self.examples_of_epoch(1))
        self.n_steps = self.steps_per_epoch * profile.epochs
        self.weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        optimizer = OPTIMIZERS[profile.optimizer](
            self.weights, lr=profile.learning_rate, weight_decay=profile.weight_decay
        )
        self.wrapped, self.optimizer = self.accelerator.prepare(self.model, optimizer)
        self.step, self.epoch, self.history = 0, 1, []
        self.sums = {"loss": 0.0, "gradient_norm": 0.0, "seconds": 0.0}

    def examples_of_epoch(self, epoch):
        """The epoch's examples by step: int64, shape (steps, a, k, B, 2)."""
        profile = self.profile
        counts = [len(group) for group in self.images.captions]
        drawn = examples.epoch_examples(counts, epoch, profile.seed, profile.captions_per_epoch)
        return examples.step_examples(drawn, *self.shape)

    def loader(self, steps):
        """The batches that this process reads in some steps, one after the other."""
        own = steps[:, :, self.accelerator.process_index]  # (steps, a, B, 2)
        batches, workers = own.reshape(-1, *own.shape[2:]), self.profile.workers
        return iter(examples.batch_loader(self.dataset, batches, workers, self.accelerator.device))

    def run(self, stop):
        """Train to the end, or until the event `stop` is set: then save the state and raise."""
        if not self.steps_per_epoch:
            raise TrainingError(
                f"{len(self.images)} training images do not fill a step of {self.per_step} "
                f"(batch_size={self.profile.batch_size} × accumulation × processes)"
            )
        bar = tqdm(
            total=self.n_steps, initial=self.step, desc="training", unit="step", leave=False,
            disable=not self.is_main,
        )  # fmt: skip
        with _arithmetic(self.model), bar:
            if not self.history:
                self.history.append(self._record(0))
            while self.epoch <= self.profile.epochs:
                self._run_epoch(stop, bar)
        if self.is_main:
            record = clip.checkpoint_record(self.folder) | {"history": self.history}
            clip.write_record(self.folder, record)
            states.clear_states(self.folder)

    def _run_epoch(self, stop, bar):
        """The steps that are left of the epoch under way, then its record."""
        done = self.step - (self.epoch - 1) * self.steps_per_epoch
        steps = self.examples_of_epoch(self.epoch)[done:]
        loader = self.loader(steps)
        self.model.train()
        for step in steps:
            started = time.perf_counter()
            asked_to_stop = self.take_step(loader, step, stop)
            self.sums["seconds"] += time.perf_counter() - started
            bar.update()
            if asked_to_stop:
                self.save()
                raise TrainingInterrupted(
                    f"stopped after step {self.step:,} of {self.n_steps:,}; the state is saved in "
                    f"{relative(self.folder)}: go on by the same command or run the notebook again"
                )
            if self.profile.save_every and self.step % self.profile.save_every == 0:
                self.save()
        self.model.eval()
        self._finish_epoch()

    def take_step(self, loader, step, stop=None):
        """One step of the optimiser; whether any process was asked to stop.

        Parameters
        ----------
        loader : iterator of (image inputs, text inputs, identities)
            Of this process, as many as `gradient_accumulation`.
        step : array of int64, shape (a, k, B, 2)
            The examples that all processes read in this step.
        stop : threading.Event, optional
            Set where this process was asked to stop, which all of them learn.
        """
        profile, device = self.profile, self.accelerator.device
        rate = profile.learning_rate * learning_rate_factor(
            self.step, self.n_steps, profile.schedule, profile.warmup_steps
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        n_batches, loss = profile.gradient_accumulation, 0.0
        for number in range(n_batches):
            last = number == n_batches - 1
            *inputs, same = send_to_device(next(loader), device, non_blocking=True)
            same = same if profile.false_negatives == "masked" else None
            with nullcontext() if last else self.accelerator.no_sync(self.wrapped):
                with self.model.autocast():
                    vectors = self.wrapped(*inputs)
                batch_loss = clip.contrastive_loss(*vectors, same)
                self.accelerator.backward(batch_loss / n_batches)
            loss = loss + batch_loss.detach() / n_batches
        asked_to_stop = stop is not None and stop.is_set()
        told = torch.stack([loss, torch.full_like(loss, float(asked_to_stop))])
        loss, asked = self.accelerator.gather(told[None]).mean(dim=0).tolist()
        gradients = [weight.grad for weight in self.weights if weight.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)  # before it is clipped
        if profile.max_gradient_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(self.weights, profile.max_gradient_norm, norm)
        norm = norm.item()
        if not (math.isfinite(loss) and math.isfinite(norm)):
            ids = [self.images.image_ids[image] for image in step[..., 0].ravel()]
            raise TrainingError(
                f"loss is {loss}, gradient norm {norm} at epoch {self.epoch}, step "
                f"{self.step + 1:,}, training images {shorten(', '.join(ids), 200)}: look at "
                "these, or pass a smaller learning_rate"
            )
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        self.sums["loss"] += loss
        self.sums["gradient_norm"] += norm
        return asked > 0

    def _finish_epoch(self):
        """Record the epoch, keep its model if it is the best so far, and go to the next."""
        n, sums = self.steps_per_epoch, self.sums
        means = {name: sums[name] / n for name in ("loss", "gradient_norm")}
        means["learning_rate"] = self.optimizer.param_groups[0]["lr"]
        means["images_per_s"] = n * self.per_step / sums["seconds"]
        self.history.append(self._record(self.epoch, means))
        best = max(self.history[1:], key=lambda record: record["mean_recall"])
        if self.is_main and best is self.history[-1]:
            record = {
                "epoch": self.epoch,
                "data": self.fingerprint,
                "processes": self.accelerator.num_processes,
                "history": self.history,
            }
            self.model.save(self.folder, record)
        self.epoch += 1
        self.sums = dict.fromkeys(sums, 0.0)
        self.save()

    def _record(self, epoch, means=UNTRAINED):
        recall = self.validation.recall(self.model)
        found = {"mean_recall": examples.mean_recall(recall), "recall": recall}
        return {"epoch": epoch} | means | {"temperature": self.model.temperature} | found

    @property
    def identity(self):
        """What a state must share with this training to go on in it."""
        return {
            "profile": self.profile.hash,
            "data": self.fingerprint,
            "processes": self.accelerator.num_processes,
        }

    def save(self):
        """Save what the next step needs; all processes take part, the main one writes."""
        random = gather_object([states.random_state(self.accelerator.device)])
        if self.is_main:
            state = self.identity | {
                "step": self.step,
                "epoch": self.epoch,
                "sums": self.sums,
                "history": self.history,
                "model": self.model.trained_state(),
                "optimizer": self.optimizer.state_dict(),
                "random": random,
            }
            states.write_state(self.folder, state, self.profile.keep)
        self.accelerator.wait_for_everyone()  # a process that ends early would end the writing one

    def restore(self, state):
        """Take up a saved state.

        Raises
        ------
        CheckpointError
            If it is of other settings or data, of another number of processes, or the folder does
            not hold the best epoch so far as the state's own training left it.
        """
        for name, value in self.identity.items():
            if state[name] != value:
                raise clip.CheckpointError(
                    f"the training state is of {name} {str(state[name])[:8]}, this training of "
                    f"{name} {str(value)[:8]}: resume it as it began, or delete "
                    f"{relative(self.folder / 'states')} to start anew"
                )
        self.step, self.epoch = state["step"], state["epoch"]
        self.sums, self.history = state["sums"], state["history"]
        if len(self.history) > 1:
            recorded = clip.checkpoint_record(self.folder)["history"]
            # Either may be one epoch ahead of the other, if the training was killed in between.
            if any(a != b for a, b in zip(recorded, self.history, strict=False)):
                raise clip.CheckpointError(
                    f"{relative(self.folder)} holds the checkpoint of another training than the "
                    "state: resume in the state's own folder"
                )
        self.model.load_state_dict(state["model"], strict=False)
        self.optimizer.load_state_dict(state["optimizer"])
        random = state["random"][self.accelerator.process_index]
        torch.set_rng_state(random["cpu"])
        if "cuda" in random:
            torch.cuda.set_rng_state(random["cuda"])


@contextmanager
def _arithmetic(model):
    """How a training computes; yields its number of threads.

    Projections alone, whose steps are small, are trained in one thread, by oneDNN: their bits are
    those of any machine with such a processor.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1 if model.is_frozen else before)
    try:
        with OneDnnLinear() if model.is_frozen else nullcontext():
            yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def learning_rate_factor(step, n_steps, schedule, warmup_steps=0):
    """Factor on the learning rate at a step: linear warm-up, then constant or cosine to 0."""
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    if schedule == "constant":
        return 1.0
    progress = (step - warmup_steps) / max(1, n_steps - warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * progress))


def training_estimate(profile, images, folder):
    """What a training from the start will cost, from a few steps of one that is thrown away.

    Parameters
    ----------
    profile : Profile
    images : CaptionedImages
    folder : Path
        Where the checkpoint will be.

    Returns
    -------
    str
        One line: device and time.

    Raises
    ------
    TrainingError
        As `train`.
    """
    parts = [images.indices(split)[:SAMPLE] for split in ("train", "val")]
    sample = replace(images.subset(np.concatenate(parts)), pixels_key="")  # never from the cache
    trainer = Trainer(profile, sample, folder)
    model = trainer.model
    features_s = _features_s(model, images, sample) if model.is_frozen else 0.0
    with _arithmetic(model) as n_threads:
        step_s = _step_s(trainer)
        validation_s = timeit(lambda: trainer.validation.recall(model), number=1)
    validation_s *= len(images.indices("val")) / len(parts[1])
    counts = [len(images.captions[i]) for i in images.indices("train")]
    n_examples = len(counts) if profile.captions_per_epoch == "one" else sum(counts)
    n_steps = n_examples // trainer.per_step * profile.epochs
    n_validations = profile.epochs + 1
    total_s = features_s + n_steps * step_s + n_validations * validation_s
    total = precisedelta(total_s, "minutes" if total_s > 3600 else "seconds", format="%.0f")
    return (
        f"training on {device_name()}, {trainer.accelerator.num_processes} × "
        f"{n_threads} threads: about {total} (features {features_s:,.0f} s; "
        f"{n_steps:,} steps of {1e3 * step_s:,.0f} ms; {n_validations} validations of "
        f"{validation_s:.1f} s), from {N_TIMED} timed steps"
    )


def _features_s(model, images, sample):
    """Seconds to encode the images and captions of training, if the cache lacks them."""
    parts = [images.subset(images.indices(split)) for split in ("train", "val")]
    if stored_features(model, "image", parts[0].image_ids, parts[0].pixels_key) is not None:
        return 0.0
    texts = sorted({caption for group in sample.captions for caption in group})
    seconds = timeit(lambda: image_features(model, sample), number=1)
    seconds += timeit(lambda: encoded_texts(model, texts), number=1)
    return seconds * sum(map(len, parts)) / len(sample)


def _step_s(trainer):
    """Seconds of a step, reading included; the first ones, which warm up, do not count."""
    first = [(image, 0) for image in range(len(trainer.images))]
    steps = np.resize(first, (N_WARM + N_TIMED, *trainer.shape, 2))  # too few: repeated
    loader, left = trainer.loader(steps), iter(steps)
    trainer.model.train()
    for _ in range(N_WARM):
        trainer.take_step(loader, next(left))
    seconds = timeit(lambda: trainer.take_step(loader, next(left)), number=N_TIMED)
    trainer.model.eval()
    return seconds / N_TIMED
