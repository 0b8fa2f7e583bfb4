"""The training loop: steps and epochs, what is recorded of them, and the state between two.

The loss is CLIP's, over the batch of one process or over those of all together: gradient
accumulation does not enlarge the contrast (each batch is contrasted with itself alone), more
processes do (every image meets the texts of all of them).
"""

import math
import time
from contextlib import nullcontext

import torch
from accelerate.utils import gather_object, set_seed
from torch import distributed
from torch.nn.functional import cross_entropy
from tqdm.auto import tqdm

from clipsim.model.clip import (
    MAX_LOGIT_SCALE,
    CheckpointError,
    DualEncoder,
    checkpoint_record,
    write_record,
)
from clipsim.model.examples import (
    FeatureExamples,
    RawExamples,
    batch_loader,
    epoch_examples,
    step_examples,
)
from clipsim.model.state import (
    TrainingError,
    TrainingInterrupted,
    clear_states,
    prepared_model,
    random_state,
    set_random_state,
    study_accelerator,
    write_state,
)
from clipsim.model.validation import Validation, mean_recall
from clipsim.profile import relative


def contrastive_loss(image_vectors, text_vectors, logit_scale):
    """The mean of image-to-text and text-to-image cross-entropy (Radford et al. 2021).

    With k processes, each compares its B images and texts with the k·B of all; the mean of
    their losses is the loss of one process on the joined batch, and so are its gradients once
    averaged over the processes, as DistributedDataParallel does.

    Parameters
    ----------
    image_vectors, text_vectors : tensor, shape (B, d)
        Unit vectors; row i of one belongs to row i of the other. B is equal on all processes.
    logit_scale : scalar tensor
        Logarithm of the inverse temperature; at most ln 100 counts.

    Returns
    -------
    scalar tensor
        ln(k·B) for vectors that say nothing, 0 at best.
    """
    scale = logit_scale.clamp(max=MAX_LOGIT_SCALE).exp()
    first = len(image_vectors) * (distributed.get_rank() if _several_processes() else 0)
    target = torch.arange(first, first + len(image_vectors), device=image_vectors.device)
    image_logits = scale * image_vectors @ gathered(text_vectors).T  # (B, k·B)
    text_logits = scale * text_vectors @ gathered(image_vectors).T
    return (cross_entropy(image_logits, target) + cross_entropy(text_logits, target)) / 2


def gathered(rows):
    """The rows of all processes, (k·B, d), in the order of rank; differentiable."""
    return _Gather.apply(rows) if _several_processes() else rows


class _Gather(torch.autograd.Function):
    """`all_gather` whose backward returns to each process what all of them ask of its rows.

    torch's own differentiable gather needs an all-to-all that gloo, the backend on CPUs, lacks.
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


def _several_processes():
    return (
        distributed.is_available()
        and distributed.is_initialized()
        and distributed.get_world_size() > 1
    )


OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
NAMED_AT_MOST = 8


def learning_rate_factor(step, n_steps, schedule, warmup_steps=0):
    """Factor on the learning rate at a step: linear warm-up, then constant or cosine to 0."""
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    if schedule == "constant":
        return 1.0
    progress = (step - warmup_steps) / max(1, n_steps - warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * progress))


class Trainer:
    """A training under way: its model and optimiser, and where in the data it is.

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
        self.profile, self.folder = profile, folder
        self.fingerprint = images.fingerprint
        self.images = images.subset(images.indices("train"))
        self.counts = [len(group) for group in self.images.captions]
        self.steps_per_epoch = self.steps_of(self.counts)
        self.model = prepared_model(DualEncoder(profile), self.accelerator)
        # Afterwards: making the model seeds all devices alike, and processes must not drop alike.
        set_seed(profile.seed, device_specific=True)
        with self.accelerator.main_process_first():  # the others find its features in the cache
            self.dataset = self._dataset()
            self.validation = Validation(
                self.model, images.subset(images.indices("val")), self.accelerator
            )
        self.weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        optimizer = OPTIMIZERS[profile.optimizer](
            self.weights, lr=profile.learning_rate, weight_decay=profile.weight_decay
        )
        self.wrapped, self.optimizer = self.accelerator.prepare(self.model, optimizer)
        self.step, self.epoch, self.history = 0, 1, []
        self.sums = {"loss": 0.0, "gradient_norm": 0.0, "seconds": 0.0}

    @property
    def is_main(self):
        """Whether this is the process that writes and speaks."""
        return self.accelerator.is_main_process

    @property
    def n_steps(self):
        return self.steps_per_epoch * self.profile.epochs

    @property
    def per_step(self):
        """Examples in one step of the optimiser, on all processes together."""
        profile, n_processes = self.profile, self.accelerator.num_processes
        return profile.batch_size * profile.gradient_accumulation * n_processes

    def say(self, *text):
        if self.is_main:
            print(*text)

    def steps_of(self, captions_per_image):
        """How many steps an epoch over images with so many captions each has."""
        every = self.profile.captions_per_epoch == "all"
        n_examples = sum(captions_per_image) if every else len(captions_per_image)
        return n_examples // self.per_step

    def examples_of_epoch(self, epoch):
        """The epoch's examples by step (`step_examples`)."""
        profile = self.profile
        examples = epoch_examples(self.counts, epoch, profile.seed, profile.captions_per_epoch)
        shape = profile.gradient_accumulation, self.accelerator.num_processes, profile.batch_size
        return step_examples(examples, *shape)

    def run(self, stop):
        """Train to the end, or until `stop` is set: then save the state and raise."""
        if not self.steps_per_epoch:
            raise TrainingError(
                f"{len(self.images)} training images do not fill a step of {self.per_step} "
                f"(batch_size={self.profile.batch_size} × accumulation × processes)"
            )
        if not self.history:
            self.history.append(self._record(0, None, None, None, None))
        bar = tqdm(
            total=self.n_steps, initial=self.step, desc="training", unit="step", leave=False,
            disable=not self.is_main,
        )  # fmt: skip
        with bar:
            while self.epoch <= self.profile.epochs:
                self._run_epoch(stop, bar)
        if self.is_main:
            complete = checkpoint_record(self.folder) | {"history": self.history}
            write_record(self.folder, complete)
            clear_states(self.folder)

    def _run_epoch(self, stop, bar):
        steps = self.examples_of_epoch(self.epoch)
        done = self.step - (self.epoch - 1) * self.steps_per_epoch
        own = steps[done:, :, self.accelerator.process_index]
        batches = own.reshape(-1, *own.shape[2:])
        profile, device = self.profile, self.accelerator.device
        loader = iter(batch_loader(self.dataset, batches, profile.workers, device))
        self.model.train()
        for examples in steps[done:]:
            started = time.perf_counter()
            asked_to_stop = self.take_step(loader, examples, stop)
            self.sums["seconds"] += time.perf_counter() - started
            bar.update()
            if asked_to_stop:
                self._stop()
            if profile.save_every and self.step % profile.save_every == 0:
                self.save()
        self.model.eval()
        self._finish_epoch()

    def take_step(self, loader, examples, stop=None):
        """One step of the optimiser; whether any process was asked to stop.

        Parameters
        ----------
        loader : iterator of (image inputs, text inputs)
            Of this process, as many as `gradient_accumulation`.
        examples : array of int64, shape (a, k, B, 2)
            What all processes read in this step.
        stop : threading.Event, optional
            Set where this process was asked to stop, which all of them learn.
        """
        rate = self.profile.learning_rate * learning_rate_factor(
            self.step, self.n_steps, self.profile.schedule, self.profile.warmup_steps
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        n_batches = self.profile.gradient_accumulation
        loss = 0.0
        for number in range(n_batches):
            last = number == n_batches - 1
            with nullcontext() if last else self.accelerator.no_sync(self.wrapped):
                loss = loss + self._backward(*next(loader)) / n_batches
        asked_to_stop = stop is not None and stop.is_set()
        told = torch.stack([loss, torch.full_like(loss, float(asked_to_stop))])
        loss, asked = self.accelerator.gather(told[None]).mean(dim=0).tolist()
        norm = self._gradient_norm()
        if not (math.isfinite(loss) and math.isfinite(norm)):
            self._stop_at_nonsense(loss, norm, examples)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        self.sums["loss"] += loss
        self.sums["gradient_norm"] += norm
        return asked > 0

    def _backward(self, image_inputs, text_inputs):
        device = self.accelerator.device
        with self.model.autocast():
            vectors = self.wrapped(_on(image_inputs, device), _on(text_inputs, device))
        loss = contrastive_loss(*vectors)
        self.accelerator.backward(loss / self.profile.gradient_accumulation)
        return loss.detach()

    def _gradient_norm(self):
        """Norm of the whole gradient before it is clipped, where the profile asks for that."""
        gradients = [weight.grad for weight in self.weights if weight.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if self.profile.max_gradient_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(
                self.weights, self.profile.max_gradient_norm, norm
            )
        return norm.item()

    def _stop_at_nonsense(self, loss, norm, examples):
        ids = [self.images.image_ids[image] for image in examples[..., 0].ravel()]
        more = ", …" if len(ids) > NAMED_AT_MOST else ""
        raise TrainingError(
            f"loss is {loss}, gradient norm {norm} at epoch {self.epoch}, step {self.step + 1:,}, "
            f"training images {', '.join(ids[:NAMED_AT_MOST])}{more}: look at these, or pass a "
            "smaller learning_rate"
        )

    def _stop(self):
        self.save()
        raise TrainingInterrupted(
            f"stopped after step {self.step:,} of {self.n_steps:,}; the state is saved in "
            f"{relative(self.folder)}: go on with --resume, or by running the notebook again"
        )

    def _finish_epoch(self):
        n, sums = self.steps_per_epoch, self.sums
        self.history.append(
            self._record(
                self.epoch,
                sums["loss"] / n,
                sums["gradient_norm"] / n,
                self.optimizer.param_groups[0]["lr"],
                n * self.per_step / sums["seconds"],
            )
        )
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

    def _record(self, epoch, loss, gradient_norm, learning_rate, images_per_s):
        recall = self.validation.recall(self.model)
        return {
            "epoch": epoch,
            "loss": loss,
            "gradient_norm": gradient_norm,
            "learning_rate": learning_rate,
            "temperature": self.model.temperature,
            "images_per_s": images_per_s,
            "mean_recall": mean_recall(recall),
            "recall": recall,
        }

    def save(self):
        """Save the state; all processes take part, the main one writes."""
        random = gather_object([random_state(self.accelerator.device)])
        if self.is_main:
            write_state(self.folder, self.state(random), self.profile.keep)
        self.accelerator.wait_for_everyone()  # a process that ends early would end the writing one

    def state(self, random):
        """What the next step needs, as plain values and tensors."""
        return {
            "profile": self.profile.hash,
            "data": self.fingerprint,
            "processes": self.accelerator.num_processes,
            "step": self.step,
            "epoch": self.epoch,
            "sums": self.sums,
            "history": self.history,
            "model": self.model.trained_state(),
            "optimizer": self.optimizer.state_dict(),
            "random": random,
        }

    def restore(self, state):
        """Take up a saved state.

        Raises
        ------
        CheckpointError
            If it is of other settings or data, or of another number of processes.
        """
        here = {
            "profile": self.profile.hash,
            "data": self.fingerprint,
            "processes": self.accelerator.num_processes,
        }
        for name, value in here.items():
            if state[name] != value:
                raise CheckpointError(
                    f"the training state is of {name} {str(state[name])[:8]}, this training of "
                    f"{name} {str(value)[:8]}: resume it as it began, or delete "
                    f"{relative(self.folder / 'states')} to start anew"
                )
        self._check_best(state["history"])
        self.step, self.epoch = state["step"], state["epoch"]
        self.sums, self.history = state["sums"], state["history"]
        self.model.load_state_dict(state["model"], strict=False)
        self.optimizer.load_state_dict(state["optimizer"])
        set_random_state(state["random"][self.accelerator.process_index])

    def _check_best(self, history):
        """The best epoch so far must lie in this folder, as the state's own training left it."""
        if len(history) < 2:
            return
        recorded = checkpoint_record(self.folder)["history"]
        shared = min(len(recorded), len(history))
        if recorded[:shared] != history[:shared]:
            raise CheckpointError(
                f"{relative(self.folder)} holds the checkpoint of another training than the "
                "state: resume in the state's own folder"
            )

    def _dataset(self):
        if self.model.is_frozen:
            return FeatureExamples.of(self.model, self.images)
        return RawExamples(self.images, self.model.text_backbone.tokens)


def _on(inputs, device):
    if isinstance(inputs, dict):
        return {name: value.to(device, non_blocking=True) for name, value in inputs.items()}
    return inputs.to(device, non_blocking=True)
