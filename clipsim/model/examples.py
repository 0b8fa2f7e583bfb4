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


class Identities:
    """What each example shows and what its caption says, as numbers: equal where these are.

    Images of the same content, as composed scenes can be, and equal captions are no negatives of
    each other (`contrastive_loss`).
    """

    def __init__(self, images):
        self.first_caption = np.cumsum([0, *map(len, images.captions)])[:-1]
        texts = [caption for group in images.captions for caption in group]
        self.text = np.unique(texts, return_inverse=True)[1]
        scenes = [images.scenes.get(image_id) for image_id in images.image_ids]
        shown = [sorted(s.content.elements()) if s else i for i, s in enumerate(scenes)]
        self.content = np.unique([repr(content) for content in shown], return_inverse=True)[1]

    def __call__(self, examples):
        """Identities of content and of text: int64 tensor, shape (B, 2)."""
        image, number = np.asarray(examples).T
        text = self.text[self.first_caption[image] + number]
        return torch.from_numpy(np.stack([self.content[image], text], axis=1))


@dataclass
class FeatureExamples(Dataset):
    """Cached backbone features of images and of all their captions."""

    image_features: torch.Tensor
    text_features: torch.Tensor
    identities: Identities

    def __getitems__(self, examples):
        """Batch of (image features, caption features, identities)."""
        image, number = np.asarray(examples).T
        caption = self.identities.first_caption[image] + number
        return self.image_features[image], self.text_features[caption], self.identities(examples)


@dataclass
class RawExamples(Dataset):
    """Pixels and tokens, read when they are asked for."""

    images: object
    tokens: object
    identities: Identities

    def __getitems__(self, examples):
        """Batch of (uint8 pixels, tokens, identities)."""
        ids = [self.images.image_ids[image] for image, _ in examples]
        texts = [self.images.captions[image][number] for image, number in examples]
        pixels = torch.from_numpy(self.images.pixel_batch(ids))
        return pixels, self.tokens(texts), self.identities(examples)


def examples_of(model, images):
    """What training reads of images and captions: features where the backbones are frozen."""
    identities = Identities(images)
    if not model.is_frozen:
        return RawExamples(images, model.text_backbone.tokens, identities)
    captions = [caption for group in images.captions for caption in group]
    features = image_features(model, images), text_features(model, captions)
    return FeatureExamples(*features, identities)


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
