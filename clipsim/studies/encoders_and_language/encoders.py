"""Which encoder, and which vector space? Secs. 3 and 7 of the paper.

Encoders are compared on fewer images than the study's model sees, the same for every encoder:
backbones frozen, projections trained, the floor random weights. A random backbone has a seed of
its own, so that it stays the same over the training seeds of its projections.
"""

from dataclasses import replace
from itertools import product

import numpy as np
import torch

from clipsim import evaluation
from clipsim.data import caption_pool, load, load_pairs
from clipsim.model import IMAGE_BACKBONES, TEXT_BACKBONES, image_backbone, text_backbone
from clipsim.retrieval import score_pairs

# What a comparison costs: a minute for two random backbones and twelve trainings on two cores.
N_TRAIN, N_VAL_PAIRS, N_SEEDS, BATCH, EPOCHS = 500, 100, 3, 64, 20
# What a source is reported by; the first one decides. Ratings from 0 to 5 are ranked, not cut.
STATISTICS = {"vsts": ("spearman", "auc")}
WORDS = {"auc": "AUC", "spearman": "Spearman's ρ"}


def data_and_models(profile):
    """The images and pairs of a profile, and its models of all seeds, the profile's own first."""
    images = load(profile)
    return images, load_pairs(profile, images), list(evaluation.models_of_seeds(profile, images))


def random_encoder(registry, name, draw=0):
    """The name of an encoder's architecture with random weights, fixed by `draw`.

    The name works wherever one of the registry does, `IMAGE_BACKBONES` or `TEXT_BACKBONES`.
    """

    def build(pretrained):  # which has no meaning here
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(draw)
            if registry is IMAGE_BACKBONES:
                return image_backbone(name, pretrained=False)
            backbone = text_backbone(name, pretrained=False)
            return backbone.network, backbone.tokens.tokenizer

    registry[f"random {name} {draw}"] = build
    return f"random {name} {draw}"


def compared_encoders(profile):
    """The (image, text) encoders to compare, by what they are.

    Returns
    -------
    dict of str to tuple of str
        The profile's own first; each side, and both, with random weights.
    """
    image, text = profile.image_encoder, profile.text_encoder
    images = {image: image, f"random {image}": random_encoder(IMAGE_BACKBONES, image)}
    texts = {text: text, f"random {text}": random_encoder(TEXT_BACKBONES, text)}
    return {f"{a} + {b}": (images[a], texts[b]) for b, a in product(texts, images)}


def comparison_data(profile, images, pairs):
    """The images and pairs of the comparison: fewer to train on, every test pair.

    Returns
    -------
    images : CaptionedImages
        `N_TRAIN` training images, drawn with the profile's seed, and the images of the pairs.
    pairs : LabelledPairs
        All but the validation pairs, of which `N_VAL_PAIRS` remain.
    """
    rng = np.random.default_rng(profile.seed)
    validation = rng.permutation(np.flatnonzero(pairs.split == "val"))[:N_VAL_PAIRS]
    tested = np.flatnonzero(pairs.split != "val")
    pairs = pairs.where(np.sort(np.concatenate([tested, validation])))
    training = rng.permutation(images.indices("train"))[:N_TRAIN]
    position = images.position()
    paired = [position[image_id] for image_id in pairs.image_ids]
    if not {*paired} & {*images.indices("val")}:
        # Judged pairs are of test images only: epochs still need images to choose by.
        paired += images.indices("val")[: 2 * N_VAL_PAIRS].tolist()
    return images.subset(np.unique([*training, *paired])), pairs


def encoder_scores(profile, images, pairs, encoders):
    """Eq. 4 and the image cosine of the pairs, with projections trained on these encoders.

    Parameters
    ----------
    profile : Profile
    images, pairs
        From `comparison_data`.
    encoders : tuple of str
        Names of an image and a text encoder.

    Returns
    -------
    dict of str to array of float32, shape (S, P)
        `clip_score` and `image_cosine`, a row for each training seed.
    """
    alike = {"image_encoder": encoders[0], "text_encoder": encoders[1]}
    alike |= {"trainable": "projections", "pool": "train", "pool_file": None}
    alike |= {"batch_size": min(BATCH, profile.batch_size), "epochs": min(EPOCHS, profile.epochs)}
    scores, altered = [], replace(profile, **alike)
    folder, pool = profile.work_dir / "encoders" / altered.hash[:8], caption_pool(altered, images)
    for model in evaluation.models_of_seeds(altered, images, folder, N_SEEDS):
        retrieval = evaluation.retrieval_of(altered, model, images, pool)
        scores.append(evaluation.description_scores(altered, retrieval, pairs))
    return {name: np.stack([of_seed[name] for of_seed in scores]) for name in scores[0]}


def score_rows(profile, pairs, scores):
    """How good several scores of the same pairs are, and how much better the first one is.

    Parameters
    ----------
    profile : Profile
    pairs : LabelledPairs
    scores : mapping of str to array of float, shape (S, P)
        By name; a row for each training seed.

    Returns
    -------
    list of dict
        By source (experts' pairs first) and name: `source`, `group` (the name), `statistic`
        ("auc", or "spearman" of pairs rated side by side, which have both), each statistic and
        its `…_first_minus_this` (paired) as `measured` gives them, `n_pairs` (behind the
        statistic), `n_seeds`, `resampled`.
    """
    rows = []
    for source, of_source in pairs.by_source.items():
        inside = of_source & (pairs.split != "val")
        sample = evaluation.ResampledPairs.of(pairs.where(inside), profile)
        statistics = statistics_of(source)
        n_pairs = len(sample.pairs) if statistics[0] == "spearman" else sample.n_labelled
        first = {}
        for name, values in scores.items():
            found = {s: getattr(sample, s)(values[:, inside]) for s in statistics}
            first = first or found
            found |= {f"{s}_first_minus_this": first[s] - found[s] for s in statistics}
            named = {"source": source, "group": name, "statistic": statistics[0]}
            counts = {"n_pairs": n_pairs, "n_seeds": len(values), "resampled": sample.unit}
            rows.append(named | evaluation.measured(found) | counts)
    return rows


def statistics_of(source):
    """Names of the statistics that a source is reported by, the deciding one first."""
    return STATISTICS.get(source, ("auc",))


def judged_by(source):
    """Who judged the pairs, as the end of a sentence, where several did."""
    return f", {evaluation.JUDGES[source]}" if source else ""


def lead_finding(claim, row, words):
    """The finding of how much better the first score is than that of a row of `score_rows`."""
    name = f"{row['statistic']}_first_minus_this"
    return evaluation.finding(
        claim,
        f"{WORDS[row['statistic']]} of {words}{judged_by(row['source'])}",
        row[name],
        row[f"{name}_ci95"],
        n_pairs=row["n_pairs"],
        n_seeds=row["n_seeds"],
        interval=f"{row['resampled']} resampled, models held fixed",
    )


def encoder_comparison(profile, images, pairs):
    """What each pair of encoders is worth.

    Parameters
    ----------
    profile : Profile
    images : CaptionedImages
    pairs : LabelledPairs

    Returns
    -------
    rows : list of dict
        As `score_rows`, the names being the encoders', for each `metric` ("clip_score",
        "image_cosine").
    findings : list of dict
        On "a better encoder improves the score", for either side and each source.
    """
    images, pairs = comparison_data(profile, images, pairs)
    encoders = compared_encoders(profile)
    scores = {
        name: encoder_scores(profile, images, pairs, pair) for name, pair in encoders.items()
    }
    own, random_image, random_text, _ = encoders
    sides, rows = {random_image: "image", random_text: "text"}, []
    for metric in scores[own]:
        of_metric = {name: scores_of[metric] for name, scores_of in scores.items()}
        rows += [{"metric": metric} | row for row in score_rows(profile, pairs, of_metric)]
    findings = [
        lead_finding(
            "better_encoder",
            row,
            f"Eq. 4 with {own} minus that with {row['group']} ({sides[row['group']]} side), "
            "projections trained alike",
        )
        for row in rows
        if row["metric"] == "clip_score" and row["group"] in sides
    ]
    return rows, findings


def space_scores(profile, models, images, pairs):
    """Eq. 4 with description vectors of either space, and the image cosine.

    The descriptions are the same N: images are searched for in the joint space.

    Parameters
    ----------
    profile : Profile
    models : sequence of DualEncoder
    images : CaptionedImages
    pairs : LabelledPairs

    Returns
    -------
    dict of str to array of float32, shape (S, P)
        "Eq. 4, joint space", "Eq. 4, text space", "image cosine"; a row for each model.
    """
    joint, pool = replace(profile, vector_space="joint"), caption_pool(profile, images)
    scores = []
    for model in models:
        retrieval = evaluation.retrieval_of(joint, model, images, pool)
        found = evaluation.description_scores(profile, retrieval, pairs)
        index_pairs = pairs.positions(retrieval.image_ids)
        own = model.encode_texts(retrieval.pool.tolist(), space="text")[retrieval.ids]
        of_text = score_pairs(own, index_pairs, profile.normalisation)
        scores.append([found["clip_score"], of_text, found["image_cosine"]])
    names = ("Eq. 4, joint space", "Eq. 4, text space", "image cosine")
    return dict(zip(names, np.stack(scores, axis=1), strict=True))
