"""Does a score tell one action from another? People in scenes, dogs in photographs."""

import re
from itertools import combinations, product

import numpy as np

from clipsim.data import LabelledPairs
from clipsim.evaluation import ResampledPairs, finding, finding_of
from clipsim.retrieval import pixel_scores, scores_of_models
from clipsim.studies.beyond_the_training_data.action_pairs import (
    GAITS,
    action_pairs,
    other_actions,
)
from clipsim.studies.beyond_the_training_data.generalisation import group_rows

MOST_EACH = 102  # pairs of scenes per class, a multiple of three actions and three couples
FEWEST_IMAGES = 30  # in a group of photographs, to say anything
MOST_PAIRS = 400  # of photographs, half similar

DOG = re.compile(r"\b(dogs?|pupp(y|ies))\b")
SITTING = re.compile(r"\b(sit|sits|sitting|sat|seated|lie|lies|lying|laying)\b")
MOVING = re.compile(r"\b(run|runs|running|ran|jump|jumps|jumping|leap|leaps|leaping)\b")


def dogs_by_posture(images):
    """Held-out photographs of dogs that people describe as sitting, or as moving.

    A photograph shows a dog where three captions name one; the dog sits (or lies) where at least
    two captions say so and none says that anything runs or jumps, and the reverse.

    Returns
    -------
    dict of str to list of str
        Image ids by "sitting" and "moving".
    """
    groups = {"sitting": [], "moving": []}
    for i in np.flatnonzero(np.isin(images.split, ("val", "test"))):
        captions = [caption.lower() for caption in images.captions[i]]
        dog, sitting, moving = (
            sum(bool(words.search(caption)) for caption in captions)
            for words in (DOG, SITTING, MOVING)
        )
        if dog >= 3 and sitting >= 2 and not moving:
            groups["sitting"].append(images.image_ids[i])
        elif dog >= 3 and moving >= 2 and not sitting:
            groups["moving"].append(images.image_ids[i])
    return groups


def posture_pairs(images, seed):
    """Pairs of dogs in the same posture against pairs in different ones; images recur.

    Returns
    -------
    pairs : LabelledPairs or None
        None where a group has fewer than 30 images. Half of the similar pairs are of either
        posture.
    counts : dict of str to int
        Images in each group.
    """
    groups = dogs_by_posture(images)
    counts = {name: len(ids) for name, ids in groups.items()}
    if min(counts.values()) < FEWEST_IMAGES:
        return None, counts
    rng = np.random.default_rng(seed)
    sitting, moving = groups.values()
    drawn = [
        *_sample(rng, list(combinations(sitting, 2)), MOST_PAIRS // 4),
        *_sample(rng, list(combinations(moving, 2)), MOST_PAIRS // 4),
    ]
    n_same = len(drawn)
    drawn += _sample(rng, list(product(sitting, moving)), n_same)
    similar = np.arange(len(drawn)) < n_same
    return LabelledPairs(
        id_a=np.array([a for a, _ in drawn]),
        id_b=np.array([b for _, b in drawn]),
        similar=similar.astype(np.int8),
        graded=similar.astype(np.float32),
        kind=np.where(similar, "same posture", "sitting / moving"),
        split=np.full(len(drawn), "cross"),
        source=np.full(len(drawn), ""),
    ), counts


def _sample(rng, options, n):
    return [options[i] for i in rng.permutation(len(options))[:n]]


def action_rows(profile, describers):
    """How well each metric tells the actions of people in scenes apart.

    Returns
    -------
    rows : list of dict
        As `group_rows`: all gaits, each two of them, and the other actions. SSIM and FSIM only
        of the gaits.
    finding : dict
        On `fine_grained`: AUC of the CLIP score less 0.5, all gaits.
    """
    n_each = min(MOST_EACH, profile.n_pairs)
    images, pairs = action_pairs(profile.seed, n_each)
    scores = scores_of_models(describers, images, pairs) | pixel_scores(images, pairs)
    rows = _rows("all three", pairs, scores, profile)
    for first, second in combinations(GAITS, 2):
        kinds = (first, second, f"{first} / {second}")
        inside = np.flatnonzero(np.isin(pairs.kind, kinds))
        of_two = {key: values[..., inside] for key, values in scores.items()}
        rows += _rows(kinds[-1], pairs.where(inside), of_two, profile)
    others, other_pairs = action_pairs(profile.seed, n_each, other_actions())
    other_scores = scores_of_models(describers, others, other_pairs)
    rows += _rows("other actions", other_pairs, other_scores, profile)
    sample = ResampledPairs.of(pairs, profile)
    return rows, finding_of(
        "fine_grained",
        f"AUC of the CLIP score less 0.5: scenes that differ in nothing but {', '.join(GAITS)} "
        "against scenes of the same one",
        sample.auc(scores["clip_score"]) - 0.5,
        sample,
    )


def posture_rows(profile, describers, images):
    """How well each metric tells sitting dogs from moving ones in photographs.

    Returns
    -------
    rows : list of dict
        As `group_rows`; empty where a group has fewer than 30 photographs.
    finding : dict
        On `fine_grained`; undecided by rule where there are too few photographs.
    counts : dict of str to int
        Photographs in each group.
    """
    pairs, counts = posture_pairs(images, profile.seed)
    experiment = (
        "AUC of the CLIP score less 0.5: held-out photographs of a sitting and a moving dog "
        f"against two in the same posture ({counts['sitting']} sitting, {counts['moving']} moving)"
    )
    if pairs is None:
        undecided = finding(
            "fine_grained", f"{experiment}: too few, undecided by rule", np.nan, (np.nan, np.nan),
            n_pairs=0, n_seeds=0, interval="none",
        )  # fmt: skip
        return [], undecided, counts
    scores = scores_of_models(describers, images, pairs) | pixel_scores(images, pairs)
    sample = ResampledPairs.of(pairs, profile)
    values = sample.auc(scores["clip_score"]) - 0.5
    outcome = finding_of("fine_grained", experiment, values, sample)
    return _rows("sitting / moving dogs", pairs, scores, profile), outcome, counts


def _rows(name, pairs, scores, profile):
    return group_rows(pairs, scores, np.full(len(pairs), name), profile)
