"""Do descriptions beat the image's own vector, do they add to it, and does a threshold move along?

The offline profiles' text encoder has learnt from captions of photographs that are among those it
is tested on. So the first question is put to a control, "lsa", which can have seen nothing but the
training captions: trained on all training images as the profile's own model is, retrieved and
scored like it, its descriptions compared in the joint space.
"""

from dataclasses import replace
from itertools import permutations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler, normalize

from clipsim import evaluation
from clipsim.data import caption_pool
from clipsim.figures import JUDGED, PAGE_IN, claim_title, flat_table, interval_points
from clipsim.model import DualEncoder, image_features
from clipsim.studies.encoders_and_language import encoders

CONTROL = "lsa"
EQ4, IMAGE, SUM = "Eq. 4", "image cosine", "weighted sum"
BACKBONE, TFIDF, FEW = "backbone cosine, untrained", "TF-IDF of the descriptions", "Eq. 4, small N"
SHOWN = (EQ4, IMAGE, SUM, BACKBONE, TFIDF)
FEW_DESCRIPTIONS = 10  # where N is not much larger: half of N
WEIGHTS = np.linspace(0, 1, 11)  # of the image cosine in the weighted sum


def compared_scores(profile, images, pairs, models):
    """All that is set against Eq. 4, by the profile's own models and by the control's.

    Parameters
    ----------
    profile : Profile
    images : CaptionedImages
    pairs : LabelledPairs
    models : sequence of DualEncoder
        The profile's own; the first `N_SEEDS` are asked.

    Returns
    -------
    scores : dict of str to dict of str to array of float, shape (S, P)
        By text encoder, the profile's own first; by score (`SHOWN`, and `FEW`), a row for each
        model, of the untrained backbone one row.
    chosen : dict of str to str
        By text encoder, the weight of the image cosine in the weighted sum, and what chose it.
    """
    pool, scores, chosen = caption_pool(profile, images), {}, {}
    words = TfidfVectorizer().fit(pool)
    backbone = backbone_cosine(profile, images, pairs)[None]
    most, kept = encoders.N_SEEDS, profile.work_dir / "control"
    control = replace(profile, text_encoder=CONTROL, vector_space="joint")
    of_control = evaluation.models_of_seeds(control, images, kept, most)
    for own, of_encoder in ((profile, models[:most]), (control, of_control)):
        rows = [_scores(own, model, images, pairs, pool, words) for model in of_encoder]
        found = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        found[SUM], chosen[own.text_encoder] = weighted_sum(pairs, found[EQ4], found[IMAGE])
        scores[own.text_encoder] = found | {BACKBONE: backbone}
    return scores, chosen


def _scores(profile, model, images, pairs, pool, words):
    """The scores of one model, by name; `words` weighs the descriptions' words."""
    retrieval = evaluation.retrieval_of(profile, model, images, pool)
    few = retrieval.first(min(FEW_DESCRIPTIONS, max(1, profile.n_descriptions // 2)))
    found = evaluation.description_scores(profile, retrieval, pairs)
    said = words.transform(" ".join(retrieval.pool[ids]) for ids in retrieval.ids)
    a, b = pairs.positions(retrieval.image_ids).T
    return {
        EQ4: found["clip_score"],
        FEW: evaluation.description_scores(profile, few, pairs)["clip_score"],
        IMAGE: found["image_cosine"],
        TFIDF: np.asarray(said[a].multiply(said[b]).sum(axis=1)).ravel(),
    }


def backbone_cosine(profile, images, pairs):
    """Cosine of the image backbone's features, which no training of ours has touched: (P,).

    Each feature is standardised over the training images: none of them is negative, so that as
    they are all images would look alike.
    """
    model = DualEncoder(replace(profile, trainable="projections"))
    splits = np.unique(images.split[np.isin(images.image_ids, pairs.image_ids)])
    parts = {split: images.subset(images.indices(split)) for split in ("train", *splits)}
    features = {split: image_features(model, part).numpy() for split, part in parts.items()}
    scale, of_image = StandardScaler().fit(features["train"]), {}
    for split in splits:
        vectors = normalize(scale.transform(features[split]))
        of_image |= dict(zip(parts[split].image_ids, vectors, strict=True))
    a, b = (np.stack([of_image[i] for i in ids]) for ids in (pairs.id_a, pairs.id_b))
    return (a * b).sum(axis=1)


def weighted_sum(pairs, text, image):
    """A weighted sum of two scores, as z-scores over the pairs that choose settings.

    Parameters
    ----------
    pairs : LabelledPairs
        Those with split "val" give mean and deviation, and choose the weight by the statistic of
        their source; without any, all pairs do the former, and the weight is one half.
    text, image : array of float, shape (S, P)

    Returns
    -------
    array of float, shape (S, P)
    str
        The weight of `image`, and what chose it.
    """
    val = pairs.split == "val"
    of_val = val if val.any() else np.ones(len(pairs), dtype=bool)
    text, image = (StandardScaler().fit(s[:, of_val].T).transform(s.T).T for s in (text, image))
    if not val.any():
        return (text + image) / 2, "0.5, as no pairs are there to choose it"
    sample = evaluation.ResampledPairs(pairs.where(val), np.ones((1, val.sum())), "pairs")
    (name, *_) = encoders.statistics_of(pairs.source[val][0])
    value = {
        w: getattr(sample, name)(((1 - w) * text + w * image)[:, val]).mean() for w in WEIGHTS
    }
    weight = max(value, key=value.get)
    why = f"{weight:.1f} by {encoders.WORDS[name]} on {val.sum():,} pairs that are not reported"
    return (1 - weight) * text + weight * image, why


def text_or_image(profile, pairs, scores):
    """How good each score is on every source, and whether descriptions beat the image's vector.

    Parameters
    ----------
    profile : Profile
    pairs : LabelledPairs
    scores : dict
        From `compared_scores`.

    Returns
    -------
    rows : list of dict
        As `score_rows`, with the text `encoder`.
    findings : list of dict
        On "descriptions beat vectors", by the control alone.
    """
    rows = [
        {"encoder": encoder} | row
        for encoder, found in scores.items()
        for row in encoders.score_rows(profile, pairs, {name: found[name] for name in SHOWN})
    ]
    words = f"Eq. 4 minus that of the image cosine, text encoder {CONTROL}"
    findings = [
        encoders.lead_finding("descriptions_beat_vectors", row, words)
        for row in rows
        if (row["encoder"], row["group"]) == (CONTROL, IMAGE)
    ]
    return rows, findings


def text_and_image_chart(rows, findings, chosen):
    """The compared scores: text encoders down, sources across.

    Parameters
    ----------
    rows, findings : list of dict
        From `text_or_image`.
    chosen : dict of str to str
        From `compared_scores`.

    Returns
    -------
    figure, numbers, caption
    """
    table = pd.DataFrame(rows)
    sources, names = table.source.unique(), table.encoder.unique()
    figure, axes = plt.subplots(
        len(names), len(sources), figsize=(PAGE_IN, 0.5 + 1.6 * len(names)),
        sharex="col", sharey=True, squeeze=False,
    )  # fmt: skip
    for line, encoder in zip(axes, names, strict=True):
        for axis, source in zip(line, sources, strict=True):
            own = [r for r in rows if (r["encoder"], r["source"]) == (encoder, source)]
            interval_points(axis, own, own[0]["statistic"], "group")
            words = encoders.WORDS[own[0]["statistic"]]
            axis.set_xlabel(f"{words}, {own[0]['n_pairs']:,} pairs" if axis in axes[-1] else "")
            axis.set_title(JUDGED[source] if axis in axes[0] else "")
        line[0].set_ylabel(f"{'control' if encoder == CONTROL else 'text encoder'}: {encoder}")
    claim_title(figure, findings)
    weights = "; ".join(f"{encoder}: {why}" for encoder, why in chosen.items())
    units = " or ".join(sorted({row["resampled"] for row in rows}))
    caption = (
        f"Lines: 95 % intervals, {units} resampled, models held fixed; ticks: single models. "
        f"Weight of the image cosine in the sum of z-scores: {weights}."
    )
    return figure, flat_table(rows), caption


def threshold_transfer(profile, pairs, scores):
    """Does a threshold chosen with one model decide as well with another?

    Parameters
    ----------
    profile : Profile
    pairs : LabelledPairs
    scores : dict
        From `compared_scores`.

    Returns
    -------
    list of dict
        On "across models", for every source, between seeds, text encoders, and numbers of
        descriptions: balanced accuracy of Eq. 4 at the other model's held-out threshold minus
        that at its own, of all directions the worst.
    """
    own, control = scores[profile.text_encoder], scores[CONTROL]
    n = len(own[EQ4])
    models = np.concatenate([own[EQ4], control[EQ4], own[FEW]])
    kinds = {
        "of another seed": list(permutations(range(n), 2)),
        "with another text encoder": [two for k in range(n) for two in ((k, n + k), (n + k, k))],
        "with another N": [two for k in range(n) for two in ((k, 2 * n + k), (2 * n + k, k))],
    }
    findings, region = [], (-evaluation.SMALLEST_EFFECT, np.inf)
    for source, inside in pairs.by_source.items():
        judged, of_models = pairs.where(inside), models[:, inside]
        reported, how = judged.split != "val", (profile.threshold_criterion, profile.seed)
        chosen = [evaluation.held_out_thresholds(judged, own, *how)[reported] for own in of_models]
        sample = evaluation.ResampledPairs.of(judged.where(reported), profile)
        # Of model i's scores at the thresholds of model j.
        right = np.array(
            [
                [evaluation.right_decisions(sample.pairs, own, held_out) for held_out in chosen]
                for own in of_models[:, reported]
            ]
        )
        for kind, directions in kinds.items():
            gains = [
                sample.accuracy(right[i, j], "balanced_accuracy")
                - sample.accuracy(right[i, i], "balanced_accuracy")
                for i, j in directions
            ]
            if gains:
                words = (
                    f"balanced accuracy of Eq. 4 at the threshold of a model {kind} minus that at "
                    f"its own, the worst of {len(gains)} directions{encoders.judged_by(source)}"
                )
                worst = min(gains, key=lambda gain: gain[0])
                found = evaluation.finding_of("across_models", words, worst, sample, region=region)
                findings.append(found | {"n_seeds": n})
    return findings
