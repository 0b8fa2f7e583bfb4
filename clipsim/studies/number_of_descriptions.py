"""How N and the normalisation change the score of Eq. 4: the experiments of notebook 08.

Every model of `n_seeds` trainings retrieves once, with the largest N: the N best descriptions are
the first N of any longer list. Pairs of validation images choose N, the test pairs report. A
difference is the mean over the models; its interval resamples the test pairs (or images) with the
models and the chosen settings held fixed, and each seed's own value stands beside.
"""

from collections import defaultdict
from dataclasses import dataclass, replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from scipy.stats import spearmanr

from clipsim import evaluation
from clipsim.data import LabelledPairs, caption_pairs, caption_pool
from clipsim.figures import IDENTITY, INK, PAGE_IN
from clipsim.profile import Profile

# Values of N, about even on a logarithmic axis.
COUNTS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200)
CANDIDATES = (1, 2, 3, 5, 10, 20, 50, 100)  # for a profile's N: a store grows with it
BLOCK = 128  # images whose descriptions are in memory at once
COLOURS = {"joint": IDENTITY["clip_score"]["color"], "text": "#8a3b8f"}  # by vector space
SHARED = "; pairs share images and are taken as independent"
PAPERS = next(m.paper_threshold for m in evaluation.METRICS if m.key == "clip_score")

# --- Eq. 4 at every N, and divided by the self-scores --------------------------------------------


def prefix_means(vectors, ids, counts):
    """The mean of the unit vectors of each image's first N descriptions, for several N.

    Parameters
    ----------
    vectors : array of float32, shape (C, d)
        Vectors of the pool; any non-zero length.
    ids : array of int, shape (M, L)
        Positions in the pool of each image's descriptions, the most similar first.
    counts : sequence of int, length K
        Values of N, increasing, in 1…L.

    Returns
    -------
    array of float32, shape (K, M, d)
    """
    # Sums from one N to the next, then running sums; in float64, as they grow long.
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    starts, n = [0, *counts[:-1]], np.reshape(counts, (-1, 1))
    means = [
        np.add.reduceat(unit[some], starts, axis=1, dtype=float).cumsum(axis=1) / n
        for some in np.split(ids[:, : counts[-1]], range(BLOCK, len(ids), BLOCK))
    ]
    return np.ascontiguousarray(np.concatenate(means).swapaxes(0, 1), dtype=np.float32)


def pair_scores(means, index_pairs):
    """Dot products of the pairs' vectors, Eq. 4 as a mean: float32, shape (K, P)."""
    a, b = index_pairs.T
    return np.stack([np.einsum("pd,pd->p", mean[a], mean[b]) for mean in means])


def self_scores(means):
    """Each image's score with itself, ‖mean û‖²: float32, shape (K, M), in [0, 1]."""
    return np.einsum("kmd,kmd->km", means, means)


def pair_cosines(means, index_pairs):
    """Eq. 4 over the geometric mean of the two self-scores; 0 with a vector of zero length."""
    lengths = np.linalg.norm(means, axis=2, keepdims=True)
    return pair_scores(means / np.where(lengths > 0, lengths, 1), index_pairs)


# --- pairs and models ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Study:
    """The pairs that choose, those that report, and what the models say of them.

    Attributes
    ----------
    profile : Profile
    judged : LabelledPairs
        P pairs of the first source (experts before crowd); thresholds are held out among them.
    choosing : LabelledPairs
        Q pairs that choose N and are not reported.
    chosen_on : str
        What `choosing` are, in words.
    sample : ResampledPairs
        The judged pairs that report, with their bootstrap samples.
    counts : tuple of int, length K
        Values of N.
    scores : dict of str to (array of float32, array of float32), shapes (S, K, P) and (S, K, Q)
        Of the judged pairs, and of those that choose, by S models at every N: Eq. 4 in the "joint"
        and the "text" space, and in the profile's space the "cosine" of the sums. The profile's
        own model comes first.
    means : dict of str to array of float32, shape (K, M, d)
        By vector space: what stands for the test pairs' images at every N, by that first model.
    image_cosine : array of float, shape (S, P)
    """

    profile: Profile
    judged: LabelledPairs
    choosing: LabelledPairs
    chosen_on: str
    sample: evaluation.ResampledPairs
    counts: tuple
    scores: dict
    means: dict
    image_cosine: np.ndarray

    @property
    def evaluated(self):
        """Which of the judged pairs report: bool, shape (P,)."""
        return self.judged.split != "val"

    @property
    def eq4(self):
        """Eq. 4 of the judged pairs at every N in the profile's vector space: (S, K, P)."""
        return self.scores[self.profile.vector_space][0]

    def auc(self, scores):
        """AUC of scores by every model, (S, P), on the pairs that report: shape (S, 1 + B)."""
        return self.sample.auc(scores[:, self.evaluated])

    def quality(self, scores):
        """What chooses N, of scores (Q,): ρ with people's ratings, or AUC of labelled pairs."""
        if (self.choosing.similar < 0).any():
            return float(spearmanr(scores, self.choosing.graded).statistic)
        return evaluation.auc(self.choosing.similar == 1, scores)

    def best(self, name, allowed=None):
        """Each model's scores at its N of the best `quality` on the choosing pairs.

        Of equals the first counts; `allowed` limits N to some positions.

        Returns
        -------
        scores : array of float32, shape (S, P)
        chosen : list of int, length S
        """
        judged, choosing = self.scores[name]
        places = allowed or range(len(self.counts))
        best = [max(places, key=lambda k: self.quality(own[k])) for own in choosing]
        return judged[range(len(best)), best], [self.counts[k] for k in best]


def pairs_of_study(profile, images, pairs):
    """`judged`, `choosing` and `chosen_on` of a `Study`.

    The pairs with the split "val" choose: labelled validation pairs, or half of those that people
    rated side by side. Where there are none, pairs of development images whose captions agree most
    and least.
    """
    judged = pairs.where(next(iter(pairs.by_source.values())))
    choosing, chosen_on = pairs.where(pairs.split == "val"), "validation pairs"
    if "vsts" in choosing.source:
        return judged, choosing, "pairs rated side by side"
    if len(choosing) == 0:
        choosing, chosen_on = caption_pairs(images, profile), "caption-agreement pairs"
        choosing = choosing.where(choosing.split == "val")
    return judged, choosing.where(choosing.similar >= 0), chosen_on


def study_of(profile, images, pairs):
    """Score pairs by the descriptions that the models of all seeds retrieve.

    Parameters
    ----------
    profile : Profile
    images : CaptionedImages
    pairs : LabelledPairs

    Returns
    -------
    Study
    """
    pool = caption_pool(profile, images)
    counts = tuple(sorted({n for n in COUNTS if n <= len(pool)} | {profile.n_descriptions}))
    # One retrieval serves every N: its pool in the joint space, that in the text space beside it.
    wide = replace(profile, n_descriptions=max(counts), vector_space="joint")
    retrievals = (
        (evaluation.retrieval_of(wide, model, images, pool), model.encode_texts(pool, "text"))
        for model in evaluation.models_of_seeds(profile, images)
    )
    return scored(profile, *pairs_of_study(profile, images, pairs), counts, retrievals)


def scored(profile, judged, choosing, chosen_on, counts, retrievals):
    """The `Study` of retrievals, each with the pool's vectors in the text encoder's own space."""
    tested = judged.where(judged.split != "val")
    scores, means, image_cosines = defaultdict(list), {}, []
    for found, text_vectors in retrievals:
        vectors = {"joint": found.pool_vectors, "text": text_vectors}
        own = {space: prefix_means(vectors[space], found.ids, counts) for space in vectors}
        rows = [part.positions(found.image_ids) for part in (judged, choosing)]
        for space in own:
            scores[space].append([pair_scores(own[space], index_pairs) for index_pairs in rows])
        scores["cosine"].append([pair_cosines(own[profile.vector_space], of) for of in rows])
        image_cosines.append(np.prod(found.image_vectors[rows[0]], axis=1).sum(axis=1))
        in_test = np.isin(found.image_ids, tested.image_ids)
        means = means or {space: own[space][:, in_test] for space in own}  # of the first model
    scores = {name: [*map(np.stack, zip(*own, strict=True))] for name, own in scores.items()}
    sample, cosines = evaluation.ResampledPairs.of(tested, profile), np.stack(image_cosines)
    return Study(profile, judged, choosing, chosen_on, sample, counts, scores, means, cosines)


# --- N ------------------------------------------------------------------------------------------


def statistics_by_n(study):
    """AUC, ρ and accuracy of Eq. 4 at every N in both vector spaces, mean over the models.

    Parameters
    ----------
    study : Study

    Returns
    -------
    pandas.DataFrame
        Columns space, n, chosen (by how many models), auc, spearman, accuracy and
        balanced_accuracy (at held-out thresholds), and over_image_cosine (AUC less that of the
        image cosine), each with `_ci95` and `_of_seeds`.
    """
    rows, image_cosine = [], study.auc(study.image_cosine)
    for space in COLOURS:
        judged, chosen = study.scores[space][0], study.best(space)[1]
        for n, scores in zip(study.counts, judged.swapaxes(0, 1), strict=True):
            right = evaluation.held_out_decisions(study.judged, scores, study.profile)
            tested, right = scores[:, study.evaluated], right[:, study.evaluated]
            found = {"auc": study.sample.auc(tested), "spearman": study.sample.spearman(tested)}
            found |= {name: study.sample.accuracy(right, name) for name in evaluation.DECISION}
            found["over_image_cosine"] = found["auc"] - image_cosine
            row = {"space": space, "n": n, "chosen": chosen.count(n)}
            rows.append(row | evaluation.measured(found))
    return pd.DataFrame(rows)


def choice(study):
    """What the choosing pairs say of every N and vector space: the profile's settings are its top.

    Parameters
    ----------
    study : Study

    Returns
    -------
    table : pandas.DataFrame
        Columns space, n and quality (`Study.quality`, mean over the models), the best first.
    chosen : dict
        `vector_space` and `n_descriptions` of the best with N among `CANDIDATES`.
    """
    rows = [
        {"space": space, "n": n, "quality": float(np.mean([study.quality(s) for s in of_models]))}
        for space in COLOURS
        for n, of_models in zip(study.counts, study.scores[space][1].swapaxes(0, 1), strict=True)
    ]
    table = pd.DataFrame(rows).sort_values("quality", ascending=False, ignore_index=True)
    best = table[table.n.isin(CANDIDATES)].iloc[0]
    return table, {"vector_space": best.space, "n_descriptions": int(best.n)}


def n_sweep(study, table):
    """AUC against N in both vector spaces, and how surely it differs from the image cosine's.

    Parameters
    ----------
    study : Study
    table : pandas.DataFrame
        From `statistics_by_n`.

    Returns
    -------
    figure : matplotlib Figure
    numbers : pandas.DataFrame
        Columns space, n, chosen, auc, over_image_cosine, and low and high: the image cosine's AUC
        plus the ends of that difference's interval.
    caption : str
    """
    numbers = table[["space", "n", "chosen", "auc", "over_image_cosine"]].copy()
    cosine = numbers.auc[0] - numbers.over_image_cosine[0]
    numbers[["low", "high"]] = cosine + np.array(table.over_image_cosine_ci95.tolist())
    figure, axis = plt.subplots(figsize=(PAGE_IN, 2.8))
    look = {"palette": list(COLOURS.values()), "markers": ["o", "v"], "ax": axis}
    vectors = numbers.space + " vectors"
    sns.lineplot(numbers, x="n", y="auc", hue=vectors, style=vectors, **look)
    for space, part in numbers.groupby("space"):
        band = {"color": COLOURS[space], "alpha": 0.15, "lw": 0}
        axis.fill_between("n", "low", "high", data=part, label=f"{space}, band", **band)
    ring = {"s": 70, "facecolors": "none", "edgecolors": INK, "label": "chosen N"}
    axis.scatter("n", "auc", data=numbers[numbers.chosen > 0], zorder=3, **ring)
    axis.axhline(cosine, color=IDENTITY["image_cosine"]["color"], ls="-.", label="image cosine")
    title = "bands: 95 % interval of\nthe lead on the cosine"
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), title=title)
    top = numbers.loc[numbers[numbers.space == study.profile.vector_space].auc.idxmax()]
    best = f"Eq. 4 ({top.space} vectors) is best at N = {top.n}: AUC {top.auc:.3f}"
    figure.suptitle(f"{best}, the image cosine's {cosine:.3f}", x=0.01, ha="left")
    judged = evaluation.JUDGES[study.judged.source[0]]
    axis.set(xscale="log", xlabel="N, number of descriptions", ylabel=f"AUC of {judged}")
    axis.set_xticks([1, 3, 10, 30, 100], [1, 3, 10, 30, 100])
    axis.minorticks_off()
    caption = (
        f"Mean of {len(study.eq4)} training seeds; bands: test {study.sample.unit} resampled, "
        f"models held fixed. Ringed: what {study.chosen_on} chose for one seed or more."
    )
    return figure, numbers, caption


def claims_about_n(study):
    """The chosen N against N = 1 and against the largest, in the profile's vector space.

    N is chosen per model, among those above 1 and among those below the largest: the difference
    can have either sign.

    Parameters
    ----------
    study : Study

    Returns
    -------
    by_claim : dict of str to dict
        Mean AUC of the `first` and the `second` and their `difference`, each with `_ci95` and
        `_of_seeds`; `n` (chosen, per model) and `against`.
    findings : list of dict
        See `clipsim.evaluation.finding`.
    """
    by_claim, findings, last = {}, [], len(study.counts) - 1
    for claim, words, allowed, against in (
        ("n_too_low", "larger", range(1, last + 1), 0),
        ("n_too_high", "smaller", range(last), last),
    ):
        scores, chosen = study.best(study.profile.vector_space, allowed)
        aucs = {"first": study.auc(scores), "second": study.auc(study.eq4[:, against])}
        aucs["difference"] = aucs["first"] - aucs["second"]
        other, n = study.counts[against], " or ".join(map(str, sorted(set(chosen))))
        by_claim[claim] = evaluation.measured(aucs) | {"n": chosen, "against": other}
        experiment = (
            f"AUC of Eq. 4 ({study.profile.vector_space} vectors) at the best {words} N on "
            f"{study.chosen_on} (N = {n}) minus AUC at N = {other}; test pairs, mean over models"
        )
        findings.append(evaluation.finding_of(claim, experiment, aucs["difference"], study.sample))
    return by_claim, findings


# --- normalisation, self-scores, signs -----------------------------------------------------------


def accuracy_at_the_papers_threshold(study):
    """Accuracy at the paper's threshold by N, for the mean 1/N² and for the printed 1/N.

    At one N the two differ by a factor: they rank pairs alike, and a held-out threshold moves
    along. They differ where a threshold is fixed, as the paper's is.

    Parameters
    ----------
    study : Study

    Returns
    -------
    pandas.DataFrame
        Columns normalisation, n, and the profile's criterion with `_ci95`, by its own model.
    """
    criterion, rows = study.profile.threshold_criterion, []
    for words, power in (("mean, 1/N²", 0), ("as printed, 1/N", 1)):
        for n, mean in zip(study.counts, study.eq4[0][:, study.evaluated], strict=True):
            # Eq. 4 as printed is N times the mean.
            found = evaluation.decision_statistics(study.sample, mean * n**power, PAPERS)
            row = evaluation.measured({criterion: found[criterion]})
            rows.append({"normalisation": words, "n": n} | row)
    return pd.DataFrame(rows)


def own_scores(study):
    """Eq. 4 of the test pairs' images with themselves, ‖mean û‖², and with each other.

    By the profile's own model.

    Parameters
    ----------
    study : Study

    Returns
    -------
    pandas.DataFrame
        Columns space, n, the self-scores' median, low and high (the middle 80 % of the images),
        and not_positive: the share of all pairs of the images with D ≤ 0. The sign does not depend
        on the normalisation.
    """
    rows = []
    for space, means in study.means.items():
        for n, mean, own in zip(study.counts, means, self_scores(means), strict=True):
            low, median, high = np.quantile(own, [0.1, 0.5, 0.9])
            row = {"space": space, "n": n, "median": median, "low": low, "high": high}
            rows.append(row | {"not_positive": float((_all_pairs(mean) <= 0).mean())})
    return pd.DataFrame(rows)


def _all_pairs(mean):
    return (mean @ mean.T)[np.triu_indices(len(mean), 1)]


def cosine_of_the_sums(study):
    """Eq. 4 over the geometric mean of the two self-scores, each at the N that was chosen for it.

    Parameters
    ----------
    study : Study

    Returns
    -------
    pandas.DataFrame
        A row: chosen (N of any model), and auc and difference (from Eq. 4's AUC), each with
        `_ci95` and `_of_seeds`.
    """
    scores, chosen = study.best("cosine")
    aucs, eq4 = study.auc(scores), study.auc(study.best(study.profile.vector_space)[0])
    row = evaluation.measured({"auc": aucs, "difference": aucs - eq4})
    return pd.DataFrame([{"chosen": sorted(set(chosen))} | row])


def sign_findings(study):
    """What the signs at the profile's N say of "D > 0 for any pair", for each vector space.

    One exception refutes the claim; without any it stays undecided. The test pairs count where
    there is one among them, else all pairs of their images.

    Parameters
    ----------
    study : Study

    Returns
    -------
    list of dict
        See `clipsim.evaluation.finding`.
    """
    findings, n = [], study.profile.n_descriptions
    place = study.counts.index(n)
    for space in sorted(study.means, key=study.profile.vector_space.__ne__):  # its own first
        scores, where = study.scores[space][0][0, place, study.evaluated], "test pairs"
        is_one = (scores <= 0).any()
        if not is_one:
            scores = _all_pairs(study.means[space][place])
            where = "all pairs of the test pairs' images"
        shared = "" if is_one and study.sample.unit == "pairs" else SHARED
        count, n_pairs = int((scores <= 0).sum()), len(scores)
        words = f"share of {where} with D ≤ 0 (Eq. 4, {space} vectors, N = {n}): {count:,} of"
        found = evaluation.finding(
            "always_positive", f"{words} {n_pairs:,}", count / n_pairs,
            evaluation.exact_interval(count, n_pairs), n_pairs=n_pairs, n_seeds=1,
            interval=f"exact (Clopper–Pearson); model held fixed{shared}", region=(0.0, 0.0),
        )  # fmt: skip
        findings.append(found)
    return findings
