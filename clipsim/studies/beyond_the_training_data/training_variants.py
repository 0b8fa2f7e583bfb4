"""Trainings on altered data: noise in the captions, fewer images."""

from dataclasses import replace

import numpy as np

from clipsim.evaluation import ResampledPairs, measured, train_or_load
from clipsim.model import mean_recall, retrieval_recall
from clipsim.retrieval import Describer

EPOCHS = 5  # at most, with all the images
SELECTING = 4  # every fourth validation image selects the epoch: enough, and quick
NOISE = (0.0, 0.1, 0.25, 0.5, 1.0)
SIZES = {1 / 16: 3, 1 / 8: 2, 1 / 4: 1, 1 / 2: 1, 1.0: 1}  # share of the images: trainings


def noisy_captions(images, share, seed):
    """The same images, a share of those in training with the captions of another one.

    The chosen images hand their captions on in a circle: none keeps its own, and the set of
    captions stays what it is.

    Parameters
    ----------
    images : CaptionedImages
    share : float
        In [0, 1]; of the training images.
    seed : int
        The images chosen for a small share are among those for a larger one.

    Returns
    -------
    CaptionedImages
    """
    training = images.indices("train")
    chosen = np.random.default_rng(seed).permutation(training)[: round(share * len(training))]
    captions = list(images.captions)
    for image, giver in zip(chosen, np.roll(chosen, 1), strict=True):
        captions[image] = images.captions[giver]
    return replace(images, captions=tuple(captions))


def fewer_images(images, share, seed):
    """The same data with a share of the training images, drawn at random; captions go along."""
    training = images.indices("train")
    n_kept = max(1, round(share * len(training)))
    kept = np.random.default_rng(seed).permutation(training)[:n_kept]
    rest = np.flatnonzero(images.split != "train")
    return images.subset(np.sort(np.concatenate([kept, rest])))


def fewer_validation_images(images):
    """The same data with every fourth validation image."""
    validation = images.indices("val")
    dropped = np.setdiff1d(validation, validation[::SELECTING])
    return images.subset(np.setdiff1d(np.arange(len(images)), dropped))


def held_out_recall(model, images):
    """Mean of the six recalls of the test images against all their captions."""
    test = images.subset(images.indices("test"))
    captions = [caption for group in test.captions for caption in group]
    owner = np.repeat(np.arange(len(test)), [len(group) for group in test.captions])
    return mean_recall(
        retrieval_recall(model.encode_images(test), model.encode_texts(captions), owner, captions)
    )


def noise_rows(profile, images, pairs, pool):
    """AUC and recall on test data against the share of training images with wrong captions.

    Parameters
    ----------
    profile : Profile
    images : CaptionedImages
    pairs : LabelledPairs
        Labelled and evaluated ones, of one source.
    pool : sequence of str
        The same for all: what differs is the training.

    Returns
    -------
    list of dict
        `share`, `auc` as `measured` gives it, `recall`, `n_train`, `n_seeds`, `epochs`.
    """
    short, data = _short(profile, images)
    sample = ResampledPairs.of(pairs, profile)
    rows = []
    for share in NOISE:
        noisy = noisy_captions(data, share, profile.seed)
        runs = [(short, noisy, f"noise-{share:g}" if share else "full")]
        rows.append({"share": share, **_row(profile, runs, images, sample, pool)})
    return rows


def size_rows(profile, images, pairs, pool):
    """AUC and recall on test data against the share of the training images that is used.

    Every training sees as many examples as the full one does in its epochs, and no share is
    trained that has fewer images than a batch. Parameters and return as `noise_rows`.
    """
    short, data = _short(profile, images)
    sample = ResampledPairs.of(pairs, profile)
    n_train = len(images.indices("train"))
    rows = []
    for share, n_seeds in SIZES.items():
        if round(share * n_train) < profile.batch_size:
            continue
        runs = [(short, data, "full")]
        if share < 1:
            seeds = range(profile.seed, profile.seed + n_seeds)
            runs = [
                (
                    replace(short, seed=seed, epochs=round(short.epochs / share)),
                    fewer_images(data, share, seed),
                    f"size-{share:g}-{seed}",
                )
                for seed in seeds
            ]
        rows.append({"share": share, **_row(profile, runs, images, sample, pool)})
    return rows


def _short(profile, images):
    """Profile and data of the full one of these trainings."""
    return replace(profile, epochs=min(profile.epochs, EPOCHS)), fewer_validation_images(images)


def _row(profile, runs, images, sample, pool):
    """Mean over trainings, each of a profile, its data and the name of its folder."""
    aucs, recalls = [], []
    for altered, data, name in runs:
        model = train_or_load(altered, data, profile.work_dir / "variants" / name)
        values = Describer.of(profile, model, pool).scores(images, sample.pairs)["clip_score"]
        aucs.append(sample.auc(values))
        recalls.append(held_out_recall(model, images))
    return {
        **measured({"auc": np.stack(aucs)}),
        "recall": float(np.mean(recalls)),
        "recall_of_seeds": recalls,
        "n_train": len(runs[0][1].indices("train")),
        "n_seeds": len(runs),
        "epochs": runs[0][0].epochs,
        "n_pairs": len(sample.pairs),
        "resampled": sample.unit,
    }
