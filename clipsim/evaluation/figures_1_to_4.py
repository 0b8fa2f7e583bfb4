"""The most confident errors of a metric, and the descriptions behind them.

Metrics have scales of their own, so an error is as confident as the share of the test pairs whose
score lies between the pair's and its threshold.

AUC and accuracy of several scores of the same pairs, and their paired differences.

A score may come from several training seeds: its value is the mean over them, its interval
resamples pairs (or images) and holds the models and thresholds fixed, and its spread over the
seeds stands apart.

The four comparisons of the paper (Figures 1–4), picked from the test pairs by a rule.

Figure 1: alike, and CLIP score, SSIM and FSIM all say so. Figure 2: alike, only the CLIP score
says so. Figures 3 and 4: two different pairs, and only the CLIP score says so. Within its class
the pair is taken whose three scores are nearest to the class's medians, by the smallest sum
of rank distances.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from clipsim.evaluation.resampling import ResampledPairs, measured
from clipsim.evaluation.table_1 import METRICS, held_out_thresholds
from clipsim.evaluation.thresholds import held_out_decisions


@dataclass(frozen=True)
class SampledScore:
    """A score's AUC and accuracy, on all evaluated pairs and on every bootstrap sample.

    Attributes
    ----------
    auc, accuracy : array of float, shape (S, 1 + B)
        One row per training seed; column 0 is the value on all pairs. `accuracy` is the
        profile's criterion at held-out thresholds.
    unit : {"pairs", "images"}
        What was resampled.
    n_pairs : int
    """

    auc: np.ndarray
    accuracy: np.ndarray
    unit: str
    n_pairs: int

    @property
    def row(self):
        """`auc` and `accuracy` with `_ci95` and `_of_seeds`, the mean over seeds first."""
        return self._row(self.auc, self.accuracy)

    def difference(self, other):
        """This score's values minus another's on the same samples, as `row`."""
        if (self.n_pairs, self.auc.shape) != (other.n_pairs, other.auc.shape):
            raise ValueError("the two scores are of other pairs, samples or numbers of seeds")
        return self._row(self.auc - other.auc, self.accuracy - other.accuracy)

    def _row(self, auc, accuracy):
        counts = {"n_pairs": self.n_pairs, "n_seeds": len(self.auc), "resampled": self.unit}
        return measured({"auc": auc, "accuracy": accuracy}) | counts


def sampled_score(pairs, scores, profile):
    """Evaluate a score with the bootstrap samples that every score of these pairs gets.

    Parameters
    ----------
    pairs : LabelledPairs
        Of one source, with the validation pairs that thresholds come from.
    scores : sequence of array of float, each of shape (P,)
        One per training seed.
    profile : Profile
        `threshold_criterion`, `n_bootstrap`, `seed`.

    Returns
    -------
    SampledScore
    """
    evaluated, criterion = pairs.split != "val", profile.threshold_criterion
    sample = ResampledPairs.of(pairs.where(evaluated), profile)
    scores = np.stack(scores)
    right = held_out_decisions(pairs, scores, profile)[:, evaluated]
    return SampledScore(
        sample.auc(scores[:, evaluated]),
        sample.accuracy(right, criterion),
        sample.unit,
        sample.n_labelled,
    )


COMPARED = ("clip_score", "ssim", "fsim")


@dataclass(frozen=True)
class Comparison:
    """What a figure of the paper shows, with the paper's numbers.

    Attributes
    ----------
    name : str
    similar : bool
        Whether the two images are alike.
    all_right : bool
        Whether all three metrics are right, or the CLIP score alone.
    place : int
        0 for the most typical pair of its class, 1 for the next.
    paper : dict
        The paper's scores by metric key.
    """

    name: str
    similar: bool
    all_right: bool
    place: int
    paper: dict

    @property
    def meaning(self):
        """What the figure shows, in words."""
        truth = "alike" if self.similar else "different"
        who = "all three metrics say so" if self.all_right else "only the CLIP score says so"
        return f"{truth}; {who}"


COMPARISONS = (
    Comparison("figure_1", True, True, 0, {"fsim": 0.34, "ssim": 0.81, "clip_score": 0.65}),
    Comparison("figure_2", True, False, 0, {"fsim": 0.28, "ssim": 0.69, "clip_score": 0.67}),
    Comparison("figure_3", False, False, 0, {"fsim": 0.34, "ssim": 0.80, "clip_score": 0.21}),
    Comparison("figure_4", False, False, 1, {"fsim": 0.32, "ssim": 0.72, "clip_score": 0.28}),
)


def comparison_class(comparison, similar, tested, called):
    """The pairs that a figure could show.

    Parameters
    ----------
    comparison : Comparison
    similar : array of int8, shape (P,)
        1 similar, 0 not, -1 neither.
    tested : array of bool, shape (P,)
        The pairs that may be shown.
    called : mapping of str to array of bool, shape (P,)
        What each of `COMPARED` calls the pair at its threshold.

    Returns
    -------
    array of int64
        Positions of the pairs.
    """
    truth = comparison.similar
    inside = tested & (similar == int(truth)) & (called["clip_score"] == truth)
    for key in ("ssim", "fsim"):
        inside &= (called[key] == truth) == comparison.all_right
    return np.flatnonzero(inside)


def typical_order(candidates, scores):
    """Candidates by the sum of their rank distances from the medians of the three scores.

    Parameters
    ----------
    candidates : array of int64, shape (K,)
    scores : mapping of str to array of float, shape (P,)

    Returns
    -------
    array of int64, shape (K,)
        The most typical first; equal sums by position.
    """
    middle = (len(candidates) + 1) / 2
    distance = sum(np.abs(rankdata(scores[key][candidates]) - middle) for key in COMPARED)
    return candidates[np.argsort(distance, kind="stable")]


def chosen_pair(comparison, similar, tested, called, scores):
    """Position of the pair that a figure shows, and the size of its class.

    Returns
    -------
    position : int or None
        None where the class has too few pairs.
    class_size : int
    """
    order = typical_order(comparison_class(comparison, similar, tested, called), scores)
    if len(order) <= comparison.place:
        return None, len(order)
    return int(order[comparison.place]), len(order)


def called_similar(pairs, scores, profile):
    """What each metric calls the test pairs at its held-out threshold.

    Where several sources judged the pairs, the first (the experts) counts.

    Returns
    -------
    tested : array of bool, shape (P,)
        The labelled pairs that have a held-out threshold.
    thresholds : dict of str to array of float, shape (P,)
        By metric key; NaN where not tested.
    called : dict of str to array of bool, shape (P,)
    """
    inside = next(iter(pairs.by_source.values()))
    of_source = pairs.where(inside)
    thresholds, called = {}, {}
    for metric in METRICS:
        values = np.asarray(scores[metric.key])
        held_out = np.full(len(pairs), np.nan)
        held_out[inside] = held_out_thresholds(
            of_source, values[inside], profile.threshold_criterion, profile.seed
        )
        thresholds[metric.key] = held_out
        called[metric.key] = values >= held_out
    return ~np.isnan(thresholds["clip_score"]), thresholds, called


FALSE_ALARM, MISS = "false alarm", "miss"
ERRORS = (FALSE_ALARM, MISS)


@dataclass(frozen=True)
class WorstCase:
    """A pair that a metric gets wrong.

    Attributes
    ----------
    metric : str
        Its key.
    error : {"false alarm", "miss"}
        Called alike and is not, or the other way round.
    position : int
        Of the pair.
    score, threshold : float
    margin : float
        Share of the test pairs whose score lies between the two, in [0, 1].
    """

    metric: str
    error: str
    position: int
    score: float
    threshold: float
    margin: float


def errors_by_confidence(metric, similar, scores, thresholds, tested):
    """Every error of a metric, the most confident first.

    Parameters
    ----------
    metric : str
    similar : array of int8, shape (P,)
    scores, thresholds : array of float, shape (P,)
        Held-out thresholds; where pairs are cross-fitted, each has its own.
    tested : array of bool, shape (P,)

    Returns
    -------
    dict of str to list of WorstCase
        By kind of error; equal margins by position.
    """
    scores = np.asarray(scores, dtype=float)
    of_test = np.sort(scores[tested])
    # Where a score would stand among those of the test pairs: 0 lowest, 1 beyond the highest.
    place, of_threshold = (
        np.searchsorted(of_test, values) / len(of_test) for values in (scores, thresholds)
    )
    margin = np.abs(place - of_threshold)
    called = scores >= thresholds
    wrong = {FALSE_ALARM: called & (similar == 0), MISS: ~called & (similar == 1)}
    found = {}
    for error in ERRORS:
        positions = np.flatnonzero(wrong[error] & tested)
        order = positions[np.argsort(-margin[positions], kind="stable")]
        found[error] = [
            WorstCase(
                metric, error, int(p), float(scores[p]), float(thresholds[p]), float(margin[p])
            )
            for p in order
        ]
    return found


def matched_descriptions(vectors_a, vectors_b, n, highest=True):
    """The pairs of descriptions with the highest (or lowest) cosines in Eq. 4's double sum.

    Parameters
    ----------
    vectors_a, vectors_b : array of float, shape (N, d)
    n : int
        How many; fewer where N is smaller.
    highest : bool

    Returns
    -------
    list of (int, int, float)
        Positions of the two descriptions and their cosine, the most extreme first; each
        description once, or one description that all are near would fill the list.
    """
    a, b = (
        np.asarray(v, dtype=float) / np.linalg.norm(v, axis=1, keepdims=True)
        for v in (vectors_a, vectors_b)
    )
    cosines = a @ b.T
    left = cosines if highest else -cosines
    found = []
    for _ in range(min(n, *left.shape)):
        i, k = np.unravel_index(np.argmax(left), left.shape)
        found.append((int(i), int(k), float(cosines[i, k])))
        left[i], left[:, k] = -np.inf, -np.inf
    return found


def described(case, pairs, retrieval, n=3):
    """What to show under the two images of a case.

    Returns
    -------
    list of list of (float, str), length 2
        For the CLIP score the `n` pairs of descriptions that drove Eq. 4: of the highest cosines
        for a false alarm, of the lowest for a miss, each with its cosine. For other metrics, which
        see no description, the first `n` retrieved, with their similarity to the image.
    """
    rows = retrieval.rows([pairs.id_a[case.position], pairs.id_b[case.position]])
    texts = [retrieval.pool[retrieval.ids[row]].tolist() for row in rows]
    if case.metric != "clip_score":
        return [
            list(zip(retrieval.sims[row, :n].tolist(), texts[side][:n], strict=True))
            for side, row in enumerate(rows)
        ]
    vectors = [retrieval.pool_vectors[retrieval.ids[row]] for row in rows]
    matched = matched_descriptions(*vectors, n, highest=case.error == FALSE_ALARM)
    return [[(m[2], texts[side][m[side]]) for m in matched] for side in (0, 1)]


def case_record(case, pairs, descriptions):
    """A worst case for a notebook's results."""
    return {
        "metric": case.metric,
        "error": case.error,
        "pair": [str(pairs.id_a[case.position]), str(pairs.id_b[case.position])],
        "similar": bool(pairs.similar[case.position] == 1),
        "score": case.score,
        "threshold": case.threshold,
        "margin": case.margin,
        "descriptions": [[text for _, text in side] for side in descriptions],
    }
