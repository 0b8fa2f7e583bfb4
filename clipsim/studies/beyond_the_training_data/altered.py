"""What the score is worth once pictures, or the data of the training, are altered.

`robustness` cuts, blurs, mirrors, compresses or darkens one picture of a pair. `training_data`
trains on fewer images, on few kinds of content, and with captions of other images.
"""

import io
from collections import Counter
from dataclasses import replace
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from scipy.stats import spearmanr
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import TfidfVectorizer

from clipsim.data import CROPPED, RESIZED, CaptionedImages, jpeg
from clipsim.evaluation import finding_of, measured, not_testable, train_or_load
from clipsim.figures import PAGE_IN, claim_title, finding_sentence, flat_table, heat_map
from clipsim.metrics import METRIC_LABELS
from clipsim.retrieval import Describer, scores_of_models
from clipsim.studies.beyond_the_training_data.experiments import COMPARED, PIXELS, auc_rows, less

EACH = 50  # pairs of either class whose first picture is altered
LEAST = 8  # training images
EPOCHS = 10  # at most, of a training on altered data; on fewer images as many more
VALIDATION = 100  # images that select its epoch: enough, and quick
SIZES = {"half of the images": 2, "a tenth of the images": 10}  # one in so many
NARROW = "a tenth, of few kinds of content"
NOISE = {"a quarter of the captions shuffled": 0.25, "half of the captions shuffled": 0.5}
CLUSTERS = 30  # kinds of content of photographs


def _cropped(picture, kept):
    return ImageOps.fit(picture, picture.size, bleed=(1 - kept) / 2)


def _blurred(picture, sd):
    return picture.filter(ImageFilter.GaussianBlur(sd))


def _compressed(picture, quality):
    return Image.open(io.BytesIO(jpeg(picture, quality))).convert("RGB")


def _darker(picture, factor):
    return ImageEnhance.Brightness(picture).enhance(factor)


ALTERATIONS = {
    **{f"crop to {kept:.0%} of a side": partial(_cropped, kept=kept) for kept in (0.9, 0.75, 0.5)},
    **{f"blur, σ = {sd} pixels": partial(_blurred, sd=sd) for sd in (1, 2, 4)},
    "flip": ImageOps.mirror,
    **{f"JPEG, quality {q}": partial(_compressed, quality=q) for q in (50, 20, 5)},
    **{f"brightness × {factor}": partial(_darker, factor=factor) for factor in (0.75, 0.5, 0.25)},
}


def altered_pairs(images, pairs):
    """Pairs as they are, and once more for each of `ALTERATIONS` of their first picture.

    Parameters
    ----------
    images : CaptionedImages
    pairs : LabelledPairs
        P pairs.

    Returns
    -------
    images : CaptionedImages
        The preprocessed pictures of the pairs, and the altered ones; nothing of them is cached.
    pairs : LabelledPairs
        P as they are, then P for each alteration in turn, which `kind` names.
    """
    n, ids = len(pairs), pairs.image_ids
    pictures = [Image.fromarray(p) for p in images.pixel_batch(ids).transpose(0, 2, 3, 1)]
    pictures = dict(zip(ids, pictures, strict=True))
    kinds = np.repeat(["", *ALTERATIONS], n)
    repeated = pairs.where(np.tile(np.arange(n), 1 + len(ALTERATIONS)))
    own = repeated.id_a.tolist()
    names = [f"{kind}: {i}" if kind else i for kind, i in zip(kinds, own, strict=True)]
    made = {i: (i, "") for i in ids} | dict(zip(names, zip(own, kinds, strict=True), strict=True))

    def read_image(image_id):
        own, kind = made[image_id]
        picture = ALTERATIONS[kind](pictures[own]) if kind else pictures[own]
        # In a frame that the preprocessing cuts off again.
        return ImageOps.expand(picture, (RESIZED - CROPPED) // 2)

    found = CaptionedImages(
        name=images.name,
        image_ids=tuple(made),
        captions=((),) * len(made),
        split=np.full(len(made), "test"),
        read_image=read_image,
        scenes={i: images.scenes[own] for i, (own, _) in made.items() if own in images.scenes},
    )
    return found, replace(repeated, id_a=np.array(names), kind=kinds)


def robustness(scored):
    """Do scores and decisions survive an altered picture, more often than those of SSIM and FSIM?

    Parameters
    ----------
    scored : ScoredPairs
        With the held-out `thresholds` of Table 1. Of each class at most 50 pairs are drawn
        that share no image; the profile's own model scores them.

    Returns
    -------
    rows, findings : list of dict
        For each alteration and metric `score_kept`, Spearman's ρ with the scores of the pairs as
        they are, and `decision_kept`, the share of pairs decided as before; on `robustness`.
    """
    chosen = scored.where(_without_common_images(scored.pairs, scored.profile.seed))
    altered = replace(chosen, describers=chosen.describers[:1]).of_others(
        *altered_pairs(chosen.images, chosen.pairs)
    )
    rows, means = [], {}
    for key in COMPARED:
        before, *after = altered.scores[key].reshape(-1, len(chosen.pairs))
        threshold, shares = chosen.thresholds[key], []
        for name, scores in zip(ALTERATIONS, after, strict=True):
            same = (scores >= threshold) == (before >= threshold)
            shares.append(chosen.sample.accuracy(same))
            kept = {"score_kept": float(spearmanr(before, scores).statistic)}
            row = {"alteration": name, "metric": key, "n_pairs": len(same)}
            rows.append(row | kept | measured({"decision_kept": shares[-1]}))
        means[key] = np.mean(shares, axis=0)
    found = finding_of(
        "robustness",
        f"share of decisions that stay when one picture is altered, mean over {len(ALTERATIONS)} "
        "alterations: CLIP score minus the better of SSIM and FSIM (paired)",
        means["clip_score"] - np.max([means[key] for key in PIXELS], axis=0),
        chosen.sample,
    )
    return rows, [found]


def _without_common_images(pairs, seed):
    """Positions of pairs drawn of either class, no two of which share an image."""
    rng, used, kept = np.random.default_rng(seed), set(), {1: [], 0: []}
    for label, of_class in kept.items():
        for i in rng.permutation(np.flatnonzero(pairs.similar == label)).tolist():
            both = {pairs.id_a[i], pairs.id_b[i]}
            if len(of_class) < EACH and not both & used:
                of_class.append(i)
                used |= both
    return np.sort(kept[1] + kept[0])


def robustness_chart(rows, findings):
    """Scores and decisions kept, alteration against metric.

    Parameters
    ----------
    rows, findings : list of dict
        From `robustness`.

    Returns
    -------
    figure : matplotlib Figure
    numbers : pandas.DataFrame
    caption : str
    """
    table = pd.DataFrame(rows).replace({"metric": METRIC_LABELS})
    figure, axes = plt.subplots(1, 2, figsize=(PAGE_IN, 4.2), sharey=True)
    titles = {"score_kept": "Score kept (Spearman's ρ)", "decision_kept": "Decisions kept (share)"}
    for axis, (value, title) in zip(axes, titles.items(), strict=True):
        shown = table.pivot(index="alteration", columns="metric", values=value)
        heat_map(axis, shown.loc[[*ALTERATIONS], table.metric.unique()])
        axis.set_title(title)
    claim_title(figure, findings)
    caption = f"{' '.join(map(finding_sentence, findings))} One model, {rows[0]['n_pairs']} pairs."
    return figure, flat_table(rows), caption


def training_data(scored):
    """Is the score worse after a training on fewer images, few kinds of content, wrong captions?

    The pool and the pairs stay whole: what differs is the training. On fewer images it takes as
    many steps as on all. Its seed is the profile's.

    Parameters
    ----------
    scored : ScoredPairs

    Returns
    -------
    rows, findings : list of dict
        A group for each training, with `n_train`; on `training_data`, each compared with the
        training on all images, but few kinds of content with as many images drawn at random.
    """
    if scored.profile.trainable != "projections":
        why = "each training would take as long as that of notebook 02"
        return [], [not_testable("training_data", why)]
    images, profile = scored.images, scored.profile
    drawn = np.random.default_rng(profile.seed).permutation(images.indices("train"))
    kept = {"all": drawn} | {name: drawn[: len(drawn) // n] for name, n in SIZES.items()}
    baseline = list(SIZES)[-1]
    kept[NARROW] = few_kinds(images, len(kept[baseline]), profile.seed)
    runs = {name: (images, rows) for name, rows in kept.items() if len(rows) >= LEAST}
    for name, share in NOISE.items():
        runs[name] = (noisy_captions(images, share, profile.seed), drawn)
    groups = {name: _trained(scored, name, *run) for name, run in runs.items()}
    against = dict.fromkeys(groups, "all") | {NARROW: baseline}
    findings = [
        less("training_data", f", training on {base} minus {name} (paired)", groups[base], group)
        for name, group in groups.items()
        for base in [against[name]]
        if name != "all"
    ]
    rows = auc_rows(groups, ["clip_score"])
    return [row | {"n_train": len(runs[row["group"]][1])} for row in rows], findings


def _trained(scored, name, images, training):
    """The pairs, scored by a model that is trained on some of the images."""
    validation, profile = images.indices("val"), scored.profile
    validation = validation[:: -(-len(validation) // VALIDATION)]
    epochs = min(profile.epochs, EPOCHS) * len(images.indices("train")) // len(training)
    folder = profile.work_dir / "altered" / name.replace(" ", "_")
    data = images.subset(np.sort(np.concatenate([training, validation])))
    altered = replace(profile, epochs=epochs, batch_size=min(profile.batch_size, len(training)))
    model = train_or_load(altered, data, folder)
    describer = Describer.of(profile, model, scored.pool)
    return replace(scored, scores=scores_of_models([describer], scored.images, scored.pairs))


def few_kinds(images, n, seed):
    """Positions of n training images that show few kinds of content.

    Scenes: of the fewest, and most frequent, concepts. Photographs: whole clusters (k-means of
    the TF-IDF vectors of their captions), the smallest and so the most alike first.
    """
    training = images.indices("train")
    if images.scenes:
        shown = [images.scenes[images.image_ids[i]].content for i in training]
        concepts = Counter(concept for content in shown for concept in content).most_common()
        rank = {concept: place for place, (concept, _) in enumerate(concepts)}
        kinds = [max(rank[concept] for concept in content) for content in shown]
    else:
        texts = [" ".join(images.captions[i]) for i in training]
        vectors = TfidfVectorizer(stop_words="english", sublinear_tf=True).fit_transform(texts)
        found = KMeans(min(CLUSTERS, len(texts)), random_state=seed).fit_predict(vectors)
        kinds = np.argsort(np.argsort(np.bincount(found)))[found]
    return training[np.argsort(kinds, kind="stable")[:n]]


def noisy_captions(images, share, seed):
    """The same images, a share of those in training with the captions of another one.

    The chosen images hand their captions on in a circle: none keeps its own, and the set of
    captions stays what it is.
    """
    training = images.indices("train")
    chosen = np.random.default_rng(seed).permutation(training)[: round(share * len(training))]
    captions = list(images.captions)
    for image, giver in zip(chosen, np.roll(chosen, 1), strict=True):
        captions[image] = images.captions[giver]
    return replace(images, captions=tuple(captions))
