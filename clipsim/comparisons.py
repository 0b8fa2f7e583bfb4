"""The four comparisons of the paper (Figures 1–4), picked from the test pairs by a rule.

Figure 1: alike, and CLIP score, SSIM and FSIM all say so. Figure 2: alike, only the CLIP score
says so. Figures 3 and 4: two different pairs, and only the CLIP score says so. Within its class
the pair is taken whose three scores are nearest to the class's medians, by the smallest sum
of rank distances.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from clipsim.evaluation import METRICS, held_out_thresholds

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
