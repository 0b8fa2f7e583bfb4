"""Groups of pairs by what training has shown of them, and models applied to another domain."""

import numpy as np

from clipsim.data import caption_pool, load, load_pairs
from clipsim.evaluation import (
    METRICS,
    ResampledPairs,
    finding_of,
    held_out_decisions,
    measured,
    train_or_load,
)
from clipsim.profile import load_profile
from clipsim.retrieval import Describer

FAMILIAR, ARTWORK, CONCEPT = "familiar", "unseen artwork", "unseen concept"


def primary(pairs):
    """Mask of the labelled pairs that count: of the first source (experts), where several are."""
    return (pairs.similar >= 0) & next(iter(pairs.by_source.values()))


def novelty_groups(images, pairs):
    """What training has not shown of a pair of scenes.

    Returns
    -------
    array of str, shape (P,)
        "unseen concept" where either scene has one, else "unseen artwork" where either has
        held-out artwork of a known concept, else "familiar"; "" for pairs that are not
        evaluated, and everywhere if the images are no scenes.
    """
    groups = np.full(len(pairs), "", dtype="U20")
    if not images.scenes:
        return groups
    for row in np.flatnonzero(pairs.split != "val"):
        scenes = [images.scenes[str(ids[row])] for ids in (pairs.id_a, pairs.id_b)]
        if any(scene.has_unseen_concept for scene in scenes):
            groups[row] = CONCEPT
        elif any(scene.has_unseen_variant for scene in scenes):
            groups[row] = ARTWORK
        else:
            groups[row] = FAMILIAR
    return groups


def object_groups(images, pairs):
    """How many objects the first scene of each evaluated pair has: "1", "2", "3", else ""."""
    return np.array(
        [
            str(len(images.scenes[image_id].objects)) if images.scenes and split != "val" else ""
            for image_id, split in zip(pairs.id_a.tolist(), pairs.split.tolist(), strict=True)
        ],
        dtype="U2",
    )


def group_rows(pairs, scores, groups, profile):
    """Accuracy and AUC of each metric in each group of pairs.

    Parameters
    ----------
    pairs : LabelledPairs
        With the validation pairs that thresholds are chosen on; all of one source.
    scores : mapping of str to array of float, shape (P,) or (S, P)
        By metric key; of S models where trained.
    groups : array of str, shape (P,)
        "" leaves a pair out.
    profile : Profile

    Returns
    -------
    list of dict
        `group`, `metric`, the profile's criterion and `auc` as `measured` gives them,
        `n_pairs`, `n_similar`, `resampled`.
    """
    rows, criterion = [], profile.threshold_criterion
    inside = {name: np.flatnonzero(groups == name) for name in dict.fromkeys(sorted(groups))}
    samples = {
        name: ResampledPairs.of(pairs.where(index), profile, stream)
        for stream, (name, index) in enumerate(inside.items())
        if name
    }
    for metric in METRICS:
        if metric.key not in scores:
            continue
        values = np.asarray(scores[metric.key])
        right = held_out_decisions(pairs, values, profile)
        for name, sample in samples.items():
            index = inside[name]
            rows.append(
                {
                    "group": name,
                    "metric": metric.key,
                    **measured(
                        {
                            criterion: sample.accuracy(right[..., index], criterion),
                            "auc": sample.auc(values[..., index]),
                        }
                    ),
                    "n_pairs": len(index),
                    "n_similar": int((sample.pairs.similar == 1).sum()),
                    "resampled": sample.unit,
                }
            )
    return rows


def familiarity_finding(pairs, clip_scores, groups, profile):
    """The finding on `less_reliable_on_unlike` by familiar against unseen content.

    Parameters
    ----------
    clip_scores : array of float, shape (S, P)
    groups : array of str, shape (P,)
        From `novelty_groups`.
    """
    parts = [groups == FAMILIAR, np.isin(groups, (ARTWORK, CONCEPT))]
    samples = [
        ResampledPairs.of(pairs.where(part), profile, stream) for stream, part in enumerate(parts)
    ]
    familiar, unseen = (
        sample.auc(clip_scores[:, part]) for sample, part in zip(samples, parts, strict=True)
    )
    return finding_of(
        "less_reliable_on_unlike",
        "AUC of the CLIP score on scenes of familiar things less that on scenes with unseen "
        "artwork or concepts (independent groups)",
        familiar - unseen,
        samples,
    )


def cross_domain(profile, images, pairs, own, scenes_profile="demo"):
    """Photographs described by the scenes' model and pool, and the reverse.

    Parameters
    ----------
    profile : Profile
        Of the photographs.
    images : CaptionedImages
    pairs : LabelledPairs
        Of the photographs, of one source, all labelled.
    own : pair of (DualEncoder, sequence of str)
        The photographs' model and pool.
    scenes_profile : str
        The profile whose scenes, pairs and training are the other domain.

    Returns
    -------
    rows, findings : list of dict
        As `domain_rows`, for both domains; empty where the profile's images are scenes, as
        nothing says where photographs are.
    """
    if images.scenes:
        return [], []
    drawn = load_profile(scenes_profile)
    scenes = load(drawn)
    other = (train_or_load(drawn, scenes), caption_pool(drawn, scenes))
    rows, findings = domain_rows(own, other, images, pairs, profile, images.name)
    of_scenes = domain_rows(other, own, scenes, load_pairs(drawn, scenes), drawn, scenes.name)
    return rows + of_scenes[0], findings + of_scenes[1]


def domain_rows(own, other, images, pairs, profile, domain):
    """Own and other model, crossed with own and other pool, on the pairs of one domain.

    Parameters
    ----------
    own, other : pair of (DualEncoder, sequence of str)
        The model and the pool of this domain, and of the other one.
    images : CaptionedImages
    pairs : LabelledPairs
        Of this domain, of one source, all labelled.
    profile : Profile
        Of this domain; its N, vector space and criterion count for all four.
    domain : str
        Names the rows.

    Returns
    -------
    rows : list of dict
    findings : list of dict
        `less_reliable_on_unlike`, own less other model with the own pool, and `pool_must_fit`,
        own less other pool with the own model; paired.
    """
    evaluated = pairs.split != "val"
    sample = ResampledPairs.of(pairs.where(evaluated), profile)
    rows, aucs, criterion = [], {}, profile.threshold_criterion
    for model_of, (model, _) in (("own", own), ("other", other)):
        for pool_of, (_, pool) in (("own", own), ("other", other)):
            values = Describer.of(profile, model, pool).scores(images, pairs)["clip_score"]
            right = held_out_decisions(pairs, values, profile)[evaluated]
            aucs[model_of, pool_of] = sample.auc(values[evaluated])
            rows.append(
                {
                    "pairs": domain,
                    "model": model_of,
                    "pool": pool_of,
                    **measured(
                        {
                            criterion: sample.accuracy(right, criterion),
                            "auc": aucs[model_of, pool_of],
                        }
                    ),
                    "n_pairs": len(sample.pairs),
                    "resampled": sample.unit,
                }
            )
    compared = {
        "less_reliable_on_unlike": ("other", "own", "the model trained on the other domain"),
        "pool_must_fit": ("own", "other", "its own model searching the other domain's pool"),
    }
    findings = [
        finding_of(
            claim,
            f"AUC of the CLIP score on pairs of {domain} less that of {what} (paired)",
            aucs["own", "own"] - aucs[model_of, pool_of],
            sample,
        )
        for claim, (model_of, pool_of, what) in compared.items()
    ]
    return rows, findings
