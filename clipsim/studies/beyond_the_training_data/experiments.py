"""The experiments of notebook 10, from `ScoredPairs` to rows of AUC and findings on the claims.

Unseen things, another domain, a pool with no fitting description, several objects, actions, images
like the training data. Data that cannot answer give no rows.

AUC is the chance that a similar pair scores above another one: no threshold is in it. Where
several models give a score, its AUC is their mean, its interval resamples pairs (or images, where
pairs share them) and holds the models fixed, and their spread stands apart.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations, product

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import MultiLabelBinarizer

from clipsim import data, evaluation
from clipsim.metrics import pixel_scores
from clipsim.profile import Profile, load_profile
from clipsim.retrieval import Describer, description_sums, scores_of_models
from clipsim.studies.beyond_the_training_data import drawn_pairs

# The package's SSIM and FSIM stand beside the canonical ones in notebook 07.
COMPARED = [metric.key for metric in evaluation.METRICS if metric.variant != "package"]
PIXELS = ("ssim", "fsim")
FAMILIAR, ARTWORK, CONCEPT = "familiar", "unseen artwork", "unseen concept"
SCENES = "demo"  # the profile whose scenes are the other domain of photographs
SHARES = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)  # of the fitting descriptions, removed
AKIN = 0.1  # TF-IDF cosine from which a description fits a photograph
BLOCK = 128  # pairs whose similarities with the whole pool are in memory at once
MOST_ACTIONS = 102  # pairs per class: a multiple of three actions and three couples
MOST_ALIKE = 100  # pairs per class of images like the training data
NO_GAIN = (-np.inf, evaluation.SMALLEST_EFFECT)  # of the AUC
AS_GOOD = (-evaluation.SMALLEST_EFFECT, np.inf)


@dataclass(frozen=True, eq=False)
class ScoredPairs:
    """Pairs to evaluate, scored by every metric and by the models of all seeds.

    Attributes
    ----------
    profile : Profile
    images : CaptionedImages
    describers : sequence of Describer
        One per model, all of the same pool; the profile's own first.
    pairs : LabelledPairs
    scores : mapping of str to array of float, shape (P,) or (S, P)
        By metric key; of S models where trained.
    stream : int
        Of the bootstrap; groups that shall be independent have different ones.
    thresholds : mapping of str to array of float, shape (P,)
        By metric key, those of Table 1 for the profile's own model; none of drawn pairs.
    """

    profile: Profile
    images: data.CaptionedImages
    describers: list
    pairs: data.LabelledPairs
    scores: dict
    stream: int = 0
    thresholds: dict = field(default_factory=dict)

    @classmethod
    def of(cls, profile):
        """The test pairs of a profile; reads the scores of notebook 04, trains what is missing.

        Raises
        ------
        StaleError
            If the pair scores are missing, or of other data, pairs or weights.
        """
        images = data.load(profile)
        pairs, pool = data.load_pairs(profile, images), data.caption_pool(profile, images)
        scores, counted = evaluation.load_scores(profile, images, pairs), evaluated(pairs)
        models = evaluation.models_of_seeds(profile, images)
        describers = [Describer.of(profile, model, pool) for model in models]
        headline = evaluation.tested_candidates(profile, pairs, None, scores).thresholds
        thresholds = {key: headline[key][counted] for key in COMPARED}
        of_pixels = {key: scores[key][counted] for key in PIXELS}
        pairs = pairs.where(counted)
        scores = of_pixels | scores_of_models(describers, images, pairs)
        return cls(profile, images, describers, pairs, scores, thresholds=thresholds)

    def of_others(self, images, pairs):
        """Other pairs, scored by the same models and by the metrics of pixels."""
        scores = scores_of_models(self.describers, images, pairs) | pixel_scores(images, pairs)
        return replace(self, images=images, pairs=pairs, scores=scores, thresholds={})

    def where(self, mask, stream=0):
        """Some of the pairs."""
        kept = {
            name: {key: values[..., mask] for key, values in getattr(self, name).items()}
            for name in ("scores", "thresholds")
        }
        return replace(self, pairs=self.pairs.where(mask), stream=stream, **kept)

    @cached_property
    def sample(self):
        """The pairs with their bootstrap samples."""
        return evaluation.ResampledPairs.of(self.pairs, self.profile, self.stream)

    def auc(self, *metrics):
        """AUC of the best of some metrics in each sample: shape (1 + B,) or (S, 1 + B)."""
        return np.max([self.sample.auc(self.scores[key]) for key in metrics], axis=0)

    @property
    def gain(self):
        """AUC of the CLIP score minus the higher one of SSIM and FSIM, as `auc`."""
        return self.auc("clip_score") - self.auc(*PIXELS)

    @property
    def name(self):
        """What the pairs are, for a figure."""
        return f"{self.images.name}, {evaluation.JUDGES[str(self.pairs.source[0])]}"

    @property
    def pool(self):
        """The descriptions that are searched."""
        return self.describers[0].index.captions


def auc_rows(groups, metrics=COMPARED):
    """The AUC of each metric in each group of pairs.

    Parameters
    ----------
    groups : mapping of str to ScoredPairs
    metrics : sequence of str
        Keys; where a group has no scores of one, it has no row.

    Returns
    -------
    list of dict
        `group`, `metric`, `auc` as `measured` gives it, `n_pairs`, `n_similar`, `resampled`.
    """
    rows = []
    for metric, (name, group) in product(metrics, groups.items()):
        if metric in group.scores:
            named = {"group": name, "metric": metric} | group.sample.counts
            rows.append(named | evaluation.measured({"auc": group.auc(metric)}))
    return rows


def less(claim, words, one, other, **region):
    """The finding on the AUC of the CLIP score in one group of pairs minus that in another.

    The difference is paired where both are of the same pairs.
    """
    is_paired = one.pairs is other.pairs
    return evaluation.finding_of(
        claim,
        f"AUC of the CLIP score{words}",
        one.auc("clip_score") - other.auc("clip_score"),
        one.sample if is_paired else [one.sample, other.sample],
        **region,
    )


def evaluated(pairs):
    """Mask of the pairs that count, without those that thresholds are chosen on."""
    return pairs.counted & (pairs.split != "val")


def novelty(images, pairs):
    """What training has not shown of pairs of scenes.

    Returns
    -------
    array of str, shape (P,)
        "unseen concept" where either scene has one, else "unseen artwork" where either has
        held-out artwork of a known concept, else "familiar".
    """
    both = [[images.scenes[i] for i in ids.tolist()] for ids in (pairs.id_a, pairs.id_b)]
    concept = np.any([[s.has_unseen_concept for s in side] for side in both], axis=0)
    artwork = np.any([[s.has_unseen_variant for s in side] for side in both], axis=0)
    return np.select([concept, artwork], [CONCEPT, ARTWORK], FAMILIAR)


def unseen_things(scored):
    """Is the score less reliable on scenes with artwork or concepts that training never shows?

    Parameters
    ----------
    scored : ScoredPairs
        Nobody knows what training has shown of photographs: they give nothing.

    Returns
    -------
    rows, findings : list of dict
        A group for each label of `novelty`; on `less_reliable_on_unlike`.
    """
    if not scored.images.scenes:
        return [], []
    labels = novelty(scored.images, scored.pairs)
    familiar, unseen = scored.where(labels == FAMILIAR), scored.where(labels != FAMILIAR, stream=1)
    words = " on scenes of familiar things minus that on scenes with unseen artwork or concepts"
    found = less("less_reliable_on_unlike", f"{words} (independent groups)", familiar, unseen)
    groups = {
        name: scored.where(labels == name, stream)
        for stream, name in enumerate(sorted(set(labels.tolist())), start=1)
    }
    return auc_rows(groups), [found]


def another_domain(scored):
    """Is the score less reliable on photographs described by the scenes' model, and the reverse?

    Parameters
    ----------
    scored : ScoredPairs
        Of photographs; scenes give nothing, as nothing says where photographs are.

    Returns
    -------
    rows, findings : list of dict
        As `crossed_domains`, of the photographs and of the scenes of `SCENES`.
    """
    if scored.images.scenes:
        return [], []
    profile = load_profile(SCENES)
    scenes = data.load(profile)
    pairs = data.load_pairs(profile, scenes)
    drawn = replace(scored, profile=profile, images=scenes, pairs=pairs.where(evaluated(pairs)))
    own = (scored.describers[0].model, scored.pool)
    other = (evaluation.train_or_load(profile, scenes), data.caption_pool(profile, scenes))
    both = crossed_domains(scored, own, other), crossed_domains(drawn, other, own)
    return tuple(map(sum, zip(*both, strict=True), ([], [])))


def crossed_domains(scored, own, other):
    """Own and other model, crossed with own and other pool, on the pairs of one domain.

    Parameters
    ----------
    scored : ScoredPairs
        Of this domain; its profile's N and vector space count for all four.
    own, other : pair of (DualEncoder, sequence of str)
        The model and the pool of this domain, and of the other one.

    Returns
    -------
    rows, findings : list of dict
        On `less_reliable_on_unlike`, own minus other model with the own pool, and on
        `pool_must_fit`, own minus other pool with the own model; paired.
    """
    domains, groups, name = {"own": own, "other": other}, {}, scored.images.name
    for model_of, pool_of in product(domains, repeat=2):
        describer = Describer.of(scored.profile, domains[model_of][0], domains[pool_of][1])
        scores = describer.scores(scored.images, scored.pairs)
        groups[f"{name}: {model_of} model, {pool_of} pool"] = replace(scored, scores=scores)
    own_both, own_model, own_pool, _ = groups.values()
    compared = (
        ("less_reliable_on_unlike", own_pool, "the model trained on the other domain"),
        ("pool_must_fit", own_model, "its own model searching the other domain's pool"),
    )
    return auc_rows(groups, ["clip_score"]), [
        less(claim, f" on pairs of {name} minus that of {what} (paired)", own_both, changed)
        for claim, changed, what in compared
    ]


def fitting_descriptions(images, pairs, pool):
    """Which descriptions of the pool fit one of the two images of each pair.

    Scenes: the description was written for a training scene that shares a concept with either
    scene. Photographs: the TF-IDF cosine (as for `clipsim.data.caption_pairs`, stop words left
    out) of the description and the joined captions that people wrote for either image is at
    least 0.1. Neither asks the model.

    Parameters
    ----------
    images : CaptionedImages
    pairs : LabelledPairs
    pool : sequence of str, length C

    Returns
    -------
    array of bool, shape (P, C)
    """
    ids, position = pairs.image_ids, images.position()
    if images.scenes:
        shown = {description: set() for description in pool}
        for i in images.indices("train"):
            for description in shown.keys() & {*images.captions[i]}:
                shown[description] |= images.scenes[images.image_ids[i]].content.keys()
        concepts = MultiLabelBinarizer(classes=[*data.concept_table()], sparse_output=True).fit([])
        of_pool = concepts.transform(shown.values())
        of_image, least = concepts.transform([images.scenes[i].content for i in ids]), 1
    else:
        words = TfidfVectorizer(stop_words="english", sublinear_tf=True, dtype=np.float32)
        of_pool, least = words.fit_transform(pool), AKIN
        of_image = words.transform([" ".join(images.captions[position[i]]) for i in ids])
    fits = (of_image @ of_pool.T).toarray() >= least
    a, b = pairs.positions(ids).T
    return fits[a] | fits[b]


def no_fitting_description(scored):
    """Is the result poor when no description of the pool fits?

    Both images of a pair search the same pool. Were it each image's own, what is missing would
    itself tell whether the two show the same thing. What fits is removed step by step, each step
    with what the one before removed; the control loses as many others instead.

    Parameters
    ----------
    scored : ScoredPairs

    Returns
    -------
    rows, findings : list of dict
        A group for each step; on `pool_must_fit`. `fitting` is the share of the pool that fits a
        pair; pairs for which nothing fits, or fewer than N would be left, are left out.

    Raises
    ------
    DataError
        If no pair has both a description that fits and N that do not.
    """
    fits, n = fitting_descriptions(scored.images, scored.pairs, scored.pool), len(scored.pool)
    n_fitting, n_kept = fits.sum(axis=1), scored.profile.n_descriptions
    kept = (n_fitting > 0) & (n - n_fitting >= n_kept)
    if not kept.any():
        raise data.DataError(
            f"in the pool of {n:,} no pair has both a description that fits and n_descriptions="
            f"{n_kept} that do not; choose a smaller N, or a larger pool"
        )
    scored, fits = scored.where(kept), fits[kept]
    order = np.random.default_rng(scored.profile.seed).random(n)
    levels = [pool_scores(one, scored, fits, order) for one in scored.describers]
    names = [*(f"{share:.0%} of what fits removed" for share in SHARES), "as many others removed"]
    groups = {
        name: replace(scored, scores={"clip_score": of_level})
        for name, of_level in zip(names, np.stack(levels, axis=1), strict=True)
    }
    words = " with the full pool minus that with every description removed that fits one of the "
    full, *_, empty, _ = groups.values()
    found = less("pool_must_fit", f"{words}two images (paired)", full, empty)
    more = {"fitting": float(fits.mean()), "pairs_left_out": int((~kept).sum())}
    return [row | more for row in auc_rows(groups)], [found]


def allowed_descriptions(fits, order, n):
    """What pairs may retrieve at each of `SHARES`, and in the control.

    Parameters
    ----------
    fits : array of bool, shape (P, C)
    order : array of float, shape (C,)
        Uniform numbers: a fitting description is gone once the share removed exceeds its.
    n : int
        Descriptions that the control keeps at least.

    Yields
    ------
    array of bool, shape (P, C)
        The last one keeps all that fits, and is as small as if none of it were kept.
    """
    for share in SHARES:
        yield ~(fits & (order < share))
    n_fitting = fits.sum(axis=1, keepdims=True)
    n_removed = np.minimum(n_fitting, fits.shape[1] - n_fitting - n)
    by_turn = np.argsort(-order)
    others = ~fits[:, by_turn]
    gone = np.empty_like(fits)
    gone[:, by_turn] = others & (others.cumsum(axis=1) <= n_removed)
    yield ~gone


def pool_scores(describer, scored, fits, order):
    """Eq. 4 where both images of a pair search what `allowed_descriptions` leaves: (L, P)."""
    ids, n = scored.pairs.image_ids, describer.profile.n_descriptions
    vectors = torch.from_numpy(describer.image_vectors(scored.images, ids))
    sides, pool = scored.pairs.positions(ids).T, torch.from_numpy(describer.index.vectors)
    blocks = []
    for start in range(0, len(fits), BLOCK):
        rows, of_levels = slice(start, start + BLOCK), []
        sims = [vectors[side[rows]] @ pool.T for side in sides]
        for allowed in allowed_descriptions(fits[rows], order, n):
            left = [side.masked_fill(torch.from_numpy(~allowed), -torch.inf) for side in sims]
            found = [describer.compared[side.topk(n, dim=1).indices.numpy()] for side in left]
            sums = [description_sums(v, describer.profile.normalisation) for v in found]
            of_levels.append((sums[0] * sums[1]).sum(axis=1))
        blocks.append(of_levels)
    return np.concatenate(blocks, axis=1)


def several_objects(scored):
    """Does the score tell scenes of several things apart as well as scenes of one?

    Parameters
    ----------
    scored : ScoredPairs
        Both scenes of a pair show equally many things. How many a photograph shows nobody knows.

    Returns
    -------
    rows, findings : list of dict
        One thing, and two or three; on `several_objects`.
    """
    if not scored.images.scenes:
        why = "how many things a photograph shows is not known"
        return [], [evaluation.not_testable("several_objects", why)]
    scenes = [scored.images.scenes[image_id] for image_id in scored.pairs.id_a.tolist()]
    several = np.array([len(scene.objects) > 1 for scene in scenes])
    one, more = scored.where(~several), scored.where(several, stream=1)
    words = " on scenes of two or three things minus that on scenes of one (independent groups)"
    found = less("several_objects", words, more, one, region=AS_GOOD)
    return auc_rows({"one thing": one, "two or three things": more}), [found]


def fine_grained(scored):
    """Does the score tell the actions of people apart?

    Parameters
    ----------
    scored : ScoredPairs

    Returns
    -------
    rows, findings : list of dict
        Scenes that differ in an action alone, or held-out photographs by what their captions say
        that people do: all together, and each two actions; on `fine_grained`.
    """
    images, seed, n_each = scored.images, scored.profile.seed, scored.profile.n_pairs
    if images.scenes:
        whole = scored.of_others(*drawn_pairs.action_pairs(seed, min(MOST_ACTIONS, n_each)))
        actions, what = drawn_pairs.GAITS, "scenes that differ in nothing but the action"
    else:
        shown = drawn_pairs.photographs_by_action(images)
        actions, what = [*shown], "photographs of two actions (by the words of their captions)"
        if len(actions) < 2:
            why = f"fewer than two actions with {drawn_pairs.FEWEST_IMAGES} held-out photographs"
            return [], [evaluation.not_testable("fine_grained", why)]
        whole = scored.of_others(images, drawn_pairs.photographed_action_pairs(shown, seed))
    groups = {"all actions": whole}
    for couple in combinations(actions, 2):
        name = " / ".join(couple)
        groups[name] = whole.where(np.isin(whole.pairs.kind, (*couple, name)))
    found = evaluation.finding_of(
        "fine_grained",
        f"AUC of the CLIP score minus 0.5: {what} against those of the same one; "
        f"{', '.join(actions)}",
        whole.auc("clip_score") - 0.5,
        whole.sample,
    )
    return auc_rows(groups), [found]


def gain_over_pixels(scored):
    """Is there a gain over SSIM and FSIM on images like the training data, and on diverse ones?

    Like the training data: training images and held-out ones, in pairs that are made the same
    way, scenes by their content, photographs by the agreement of their captions. Diverse ones:
    scenes with unseen things, or photographs as they are labelled.

    Parameters
    ----------
    scored : ScoredPairs

    Returns
    -------
    rows, findings : list of dict
        The rows of the CLIP score have `gain`, too. On `no_gain_on_training_like`, where there are
        enough such images, and on `gain_on_diverse`; by design where pairs of scenes are
        crossed with layout, so that SSIM and FSIM cannot win.
    """
    n_each, images = min(MOST_ALIKE, scored.profile.n_pairs // 2), scored.images
    alike, label = {}, "by content"
    for split in ("train", "test"):
        if images.scenes:
            pairs = drawn_pairs.scene_pairs_of(images, split, n_each, scored.profile.seed)
        else:
            label = "captions agree (labels made of captions)"
            pairs = data.caption_pairs_of(images, scored.profile, 2 * n_each, split)
        if pairs is not None:
            alike[f"{split} images, {label}"] = scored.of_others(images, pairs)
    diverse = {"test pairs, as labelled": scored}
    if images.scenes:
        unseen = scored.where(novelty(images, scored.pairs) != FAMILIAR)
        diverse = {"unseen things, crossed with layout": unseen}
    findings = [
        evaluation.finding_of(
            claim,
            f"AUC of the CLIP score minus the higher of SSIM and FSIM (paired): {name}",
            group.gain,
            group.sample,
            **how,
        )
        for claim, groups, how in (
            ("no_gain_on_training_like", alike, {"region": NO_GAIN}),
            ("gain_on_diverse", diverse, {"by_design": bool(images.scenes)}),
        )
        for name, group in groups.items()
    ]
    groups = alike | diverse
    rows = auc_rows(groups, ["clip_score", *PIXELS])
    for row, group in zip(rows, groups.values(), strict=False):  # the CLIP score's come first
        row |= evaluation.measured({"gain": group.gain})
    return rows, findings
