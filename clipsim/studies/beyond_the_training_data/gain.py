"""The gain of the CLIP score over SSIM and FSIM, on training images and on held-out ones."""

import numpy as np

from clipsim.evaluation import ResampledPairs, finding_of, measured
from clipsim.retrieval import pixel_scores, scores_of_models
from clipsim.studies.beyond_the_training_data.generalisation import ARTWORK, CONCEPT, FAMILIAR
from clipsim.studies.beyond_the_training_data.training_like import (
    photograph_pairs,
    training_scene_pairs,
)

COMPARED = ("clip_score", "ssim", "fsim")
MOST_EACH = 100  # pairs of training images per class
NO_GAIN = (-0.05, 0.05)  # of the AUC


def gain_of(scores, sample):
    """AUC of the CLIP score less the higher one of SSIM and FSIM, in each resample.

    Parameters
    ----------
    scores : mapping of str to array of float, shape (P,) or (S, P)
    sample : ResampledPairs

    Returns
    -------
    array of float, shape (1 + B,) or (S, 1 + B)
    """
    return sample.auc(scores["clip_score"]) - np.maximum(
        sample.auc(scores["ssim"]), sample.auc(scores["fsim"])
    )


def gain_row(name, pairs, scores, profile):
    """The AUC of the three metrics and the gain on some pairs.

    Returns
    -------
    row : dict
        `pairs`, `auc_<metric>` and `gain` as `measured` gives them, `n_pairs`, `resampled`.
    gain : array of float
    sample : ResampledPairs
    """
    sample = ResampledPairs.of(pairs, profile)
    gain = gain_of(scores, sample)
    aucs = {f"auc_{key}": sample.auc(scores[key]) for key in COMPARED}
    counts = {"n_pairs": len(pairs), "resampled": sample.unit}
    return {"pairs": name} | measured({"gain": gain} | aucs) | counts, gain, sample


def gain_rows(profile, describers, images, pairs, scores, groups):
    """Gain over SSIM and FSIM on training images, and on held-out ones.

    Parameters
    ----------
    profile : Profile
    describers : sequence of Describer
    images : CaptionedImages
    pairs : LabelledPairs
        The profile's, of one source, all labelled.
    scores : mapping of str to array of float
        Of these pairs: (S, P) for the CLIP score, (P,) for SSIM and FSIM.
    groups : array of str, shape (P,)
        From `clipsim.studies.beyond_the_training_data.generalisation.novelty_groups`.

    Returns
    -------
    rows : list of dict
        As `gain_row`.
    findings : list of dict
        `no_gain_on_training_like` on the pairs of training images, if there are enough, and
        `gain_on_diverse` on scenes with unseen things, or on photographs as they are labelled.
    details : dict
        Of the pairs of training images; empty if there are too few.
    """
    sets = _scene_sets if images.scenes else _photograph_sets
    trained, held_out = sets(profile, images, pairs, groups)
    measurements = []
    for name, some in trained:
        found = scores_of_models(describers, images, some) | pixel_scores(images, some)
        measurements.append(gain_row(name, some, found, profile))
    for name, inside in held_out:
        found = {key: values[..., inside] for key, values in scores.items()}
        measurements.append(gain_row(name, pairs.where(inside), found, profile))
    outcomes = []
    if trained:
        row, gain, sample = measurements[0]
        outcomes.append(
            finding_of("no_gain_on_training_like", _experiment(row), gain, sample, region=NO_GAIN)
        )
    row, gain, sample = measurements[-1]
    outcomes.append(finding_of("gain_on_diverse", _experiment(row), gain, sample))
    details = trained[0][1].details if trained else {}
    return [row for row, _, _ in measurements], outcomes, details


def _experiment(row):
    return f"AUC of the CLIP score less the higher of SSIM and FSIM (paired): {row['pairs']}"


def _scene_sets(profile, images, pairs, groups):
    """Named pairs to score, the training images' first; named positions among those scored."""
    training = training_scene_pairs(images, min(MOST_EACH, profile.n_pairs), profile.seed)
    familiar, unseen = groups == FAMILIAR, np.isin(groups, (ARTWORK, CONCEPT))
    moved = np.char.endswith(pairs.kind, "other layout")
    return [("training, other layout", training)] if training is not None else [], [
        ("familiar, other layout", np.flatnonzero(familiar & moved)),
        ("unseen, other layout", np.flatnonzero(unseen & moved)),
        ("familiar, any layout", np.flatnonzero(familiar)),
        ("unseen, any layout", np.flatnonzero(unseen)),
    ]


def _photograph_sets(profile, images, pairs, groups):
    n_pairs = 2 * min(MOST_EACH, profile.n_pairs // 2)
    judged = profile.pairs == "human"
    splits = ("train", "test") if judged else ("train",)
    return [
        (f"{split}, captions agree", photograph_pairs(images, profile, n_pairs, split))
        for split in splits
    ], [
        (
            "test, judged" if judged else "test, captions agree",
            np.flatnonzero(pairs.split != "val"),
        )
    ]
