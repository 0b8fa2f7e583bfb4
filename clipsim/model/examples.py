"""What training reads: the order of an epoch, and batches of features or of pixels and tokens."""

import signal
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from clipsim.model.features import image_features, text_features


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
        examples = np.array([(image, i) for image, n in enumerate(counts) for i in range(n)])
    return rng.permutation(examples)


def step_examples(examples, accumulation, n_processes, batch_size):
    """An epoch's examples by step; what does not fill a step is left out.

    A smaller batch would contrast less, and unequal ones would not add up to a joined batch.

    Parameters
    ----------
    examples : array of int64, shape (E, 2)
    accumulation, n_processes, batch_size : int
        a batches to a step, each of B examples on each of k processes.

    Returns
    -------
    array of int64, shape (steps, a, k, B, 2)
        In its batch number i of a step, process r reads [step, i, r]; the k of them are
        neighbours, as in one process that reads k·B examples at once.
    """
    left_over = len(examples) % (accumulation * n_processes * batch_size)
    whole = examples[: len(examples) - left_over]
    return whole.reshape(-1, accumulation, n_processes, batch_size, 2)


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
    tokens: object

    def __getitems__(self, examples):
        """Batch of (uint8 pixels, tokens)."""
        ids = [self.images.image_ids[image] for image, _ in examples]
        texts = [self.images.captions[image][number] for image, number in examples]
        return torch.from_numpy(self.images.pixel_batch(ids)), self.tokens(texts)


def examples_of(model, images):
    """What training reads of images and captions: features where the backbones are frozen."""
    if not model.is_frozen:
        return RawExamples(images, model.text_backbone.tokens)
    counts = np.array([len(group) for group in images.captions])
    captions = [caption for group in images.captions for caption in group]
    features = image_features(model, images), text_features(model, captions)
    return FeatureExamples(*features, counts.cumsum() - counts)


def batch_loader(dataset, batches, workers, device):
    """Batches in order, read ahead by worker processes and pinned for a GPU.

    Parameters
    ----------
    dataset : FeatureExamples or RawExamples
    batches : array of int64, shape (n, B, 2)
    workers : int
        0 reads in this process, as features in memory always are.
    device : torch.device

    Returns
    -------
    DataLoader
    """
    return DataLoader(
        dataset,
        batch_sampler=list(batches),
        collate_fn=_as_it_is,
        num_workers=workers if isinstance(dataset, RawExamples) else 0,
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # else each start would draw from dropout's random stream
        worker_init_fn=_undisturbed,
    )


def _undisturbed(worker):
    """Ctrl-C reaches the workers too, and only the training decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _as_it_is(batch):
    return batch
