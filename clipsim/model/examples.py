"""What training reads, and what chooses its best epoch.

It reads, in an epoch's own order, batches of features or of pixels and tokens; the best epoch is
that of the highest recall on the validation images.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from clipsim.model.features import image_features, text_features, undisturbed
from clipsim.model.widening import is_widened, widened


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
        shown = [scene.content_label if scene else str(i) for i, scene in enumerate(scenes)]
        self.content = np.unique(shown, return_inverse=True)[1]

    def __call__(self, examples):
        """Identities of content and of text: int64 tensor, shape (B, 2)."""
        image, number = np.asarray(examples).T
        text = self.text[self.first_caption[image] + number]
        return torch.from_numpy(np.stack([self.content[image], text], axis=1))


@dataclass
class FeatureExamples(Dataset):
    """Cached backbone features of images and of all their captions."""

    images: object
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
    """What training reads of images and captions: features where the backbones are frozen.

    Where composed descriptions are the pool, its `images` are more than those given (`widened`).
    """
    if not model.is_frozen:
        return RawExamples(images, model.text_backbone.tokens, Identities(images))
    all_images, of_images = images, image_features(model, images)
    if is_widened(model.profile):
        all_images, of_images = widened(model.profile, images, of_images)
    # Those of photographs by themselves: as the cache may have them.
    groups = all_images.captions[: len(images)], all_images.captions[len(images) :]
    captions = [[caption for group in part for caption in group] for part in groups]
    of_texts = torch.cat([text_features(model, part) for part in captions if part])
    return FeatureExamples(all_images, of_images, of_texts, Identities(all_images))


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
        collate_fn=tuple,
        num_workers=workers if isinstance(dataset, RawExamples) else 0,
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # else each start would draw from dropout's random stream
        worker_init_fn=undisturbed,
    )


def retrieval_recall(image_vectors, text_vectors, owner, texts, ks=(1, 5, 10)):
    """Recall@k in both directions, as a fraction.

    Parameters
    ----------
    image_vectors : array of float32, shape (M, d)
    text_vectors : array of float32, shape (C, d)
        Unit vectors of the captions of all M images.
    owner : array of int, shape (C,)
        The image that each caption belongs to.
    texts : sequence of str, length C
        A caption equal to one of the image's own is as right as its own.
    ks : tuple of int

    Returns
    -------
    dict
        "image_to_text" and "text_to_image", each {"R@1": …}; "pool_size" (C), "n_images" (M).
        An image is found where at least one of its captions is among its k best (as
        Karpathy & Fei-Fei 2015), a caption where its image is.
    """
    return _recall(image_vectors, text_vectors, own_captions(owner, texts), ks)


def own_captions(owner, texts):
    """Which captions are right for which image: two arrays of int, of images and of captions."""
    owner = np.asarray(owner)
    _, text_id = np.unique(np.asarray(texts, dtype=str), return_inverse=True)
    own = np.zeros((owner.max() + 1, text_id.max() + 1), dtype=bool)
    own[owner, text_id] = True
    return np.nonzero(own[:, text_id])


def _recall(image_vectors, text_vectors, own, ks=(1, 5, 10)):
    similarity = image_vectors @ text_vectors.T  # (M, C)
    best_caption, best_image = (np.full(n, -np.inf, dtype=np.float32) for n in similarity.shape)
    np.maximum.at(best_caption, own[0], similarity[own])
    np.maximum.at(best_image, own[1], similarity[own])
    # The rank of the best that is right: how many are better than it.
    image_rank = np.count_nonzero(similarity > best_caption[:, None], axis=1)
    text_rank = np.count_nonzero(similarity > best_image, axis=0)
    return {
        "image_to_text": {f"R@{k}": float((image_rank < k).mean()) for k in ks},
        "text_to_image": {f"R@{k}": float((text_rank < k).mean()) for k in ks},
        "pool_size": len(text_vectors),
        "n_images": len(image_vectors),
    }


def mean_recall(recall):
    """Mean of the six numbers of `retrieval_recall`: what selects the best epoch."""
    directions = ("image_to_text", "text_to_image")
    return float(np.mean([value for name in directions for value in recall[name].values()]))


class Validation:
    """The validation images and all their captions; frozen features are computed once.

    Parameters
    ----------
    model : DualEncoder
    images : CaptionedImages
    """

    def __init__(self, model, images):
        self.images = images
        self.captions = [caption for group in images.captions for caption in group]
        owner = np.repeat(np.arange(len(images)), [len(group) for group in images.captions])
        self.own = own_captions(owner, self.captions)
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
        return _recall(image_vectors, text_vectors, self.own)


def matched_vectors(model, images):
    """Joint-space vectors of images and of the first caption of each: two arrays (M, d)."""
    return model.encode_images(images), model.encode_texts([group[0] for group in images.captions])
