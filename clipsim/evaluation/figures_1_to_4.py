"""Which pairs Figures 1–4 show, and which pairs each metric gets most wrong.

The four comparisons of the paper are picked by a rule. Figure 1, of training images: alike, and
CLIP score, SSIM and FSIM all say so. Figure 2, as the others of test images: alike, only the CLIP
score says so. Figures 3 and 4: two different pairs, and only the CLIP score says so. Within its
class the pair is taken whose three scores are nearest to the medians, by the smallest sum of
rank distances.

The worst cases are a metric's most confident errors. As metrics have scales of their own, an error
is as confident as the share of test pairs whose score lies between the pair's and its threshold.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.linalg import norm
from scipy.stats import rankdata

from clipsim.data import LabelledPairs, caption_pairs_of, caption_pool
from clipsim.evaluation.thresholds import held_out_thresholds
from clipsim.metrics import METRICS, pixel_scores
from clipsim.retrieval import Describer, Retrieval, description_scores

# The definitions that the paper is inferred to have used (notebook 07).
PIXELS = ("ssim_package", "fsim_package")
COMPARED = ("clip_score", *PIXELS)
N_TRAINING = 60  # pairs of training images from which Figure 1 is chosen
FALSE_ALARM, MISS = "false alarm", "miss"
ERRORS = (FALSE_ALARM, MISS)


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


@dataclass(frozen=True, eq=False)
class Candidates:
    """Pairs that a figure may show, with their descriptions and scores.

    Attributes
    ----------
    pairs : LabelledPairs
    retrieval : Retrieval
    scores, thresholds : dict of str to array of float, shape (P,)
        By metric key. Held-out thresholds; NaN where a pair may not be shown.
    """

    pairs: LabelledPairs
    retrieval: Retrieval
    scores: dict
    thresholds: dict

    @property
    def tested(self):
        """Which pairs may be shown: bool, shape (P,)."""
        return ~np.isnan(self.thresholds["clip_score"])

    def choice(self, comparison):
        """The pair that a figure shows, and how many are of its class.

        Returns
        -------
        position : int or None
            None where the class has too few pairs.
        class_size : int
        """
        called = {key: values >= self.thresholds[key] for key, values in self.scores.items()}
        inside = comparison_class(comparison, self.pairs.similar, self.tested, called)
        order = typical_order(inside, self.scores)
        if len(order) <= comparison.place:
            return None, len(order)
        return int(order[comparison.place]), len(order)


def tested_candidates(profile, pairs, retrieval, scores):
    """The test pairs with their held-out thresholds.

    Where several sources judged the pairs, the first (the experts) counts.

    Parameters
    ----------
    profile : Profile
    pairs : LabelledPairs
    retrieval : Retrieval
    scores : mapping of str to array of float, shape (P,)
        By metric key.

    Returns
    -------
    Candidates
    """
    inside, how = next(iter(pairs.by_source.values())), profile.threshold_criterion
    of_source, thresholds = pairs.where(inside), {}
    for key in scores:
        thresholds[key] = np.full(len(pairs), np.nan)
        held_out = held_out_thresholds(of_source, scores[key][inside], how, profile.seed)
        thresholds[key][inside] = held_out
    return Candidates(pairs, retrieval, dict(scores), thresholds)


def training_candidates(profile, model, images, tested):
    """Alike pairs of training photographs: the paper's Figure 1 is of images that the model knows.

    Those whose captions agree most; their own captions are in the pool. Of scenes the tested pairs
    serve: no two training scenes share a layout, so that SSIM and FSIM call none of them alike.

    Parameters
    ----------
    profile : Profile
    model : DualEncoder
    images : CaptionedImages
    tested : Candidates
        Whose thresholds count, their median.

    Returns
    -------
    Candidates
    """
    if images.scenes:
        return tested
    pairs = caption_pairs_of(images, profile, 2 * N_TRAINING, "train")
    pairs = pairs.where(pairs.similar == 1)
    pairs = replace(pairs, kind=np.full(len(pairs), "training images"))
    describer = Describer.of(profile, model, caption_pool(profile, images))
    retrieval = describer.retrieval(images, pairs.image_ids)
    scores = description_scores(profile, retrieval, pairs)
    scores |= pixel_scores(images, pairs, ("canonical", "package"))
    thresholds = {
        key: np.full(len(pairs), np.nanmedian(values)) for key, values in tested.thresholds.items()
    }
    return Candidates(pairs, retrieval, scores, thresholds)


def margins_in_the_paper():
    """How far the paper's own scores of Figures 1–4 lie from its own thresholds.

    Returns
    -------
    pandas.DataFrame
        A row per figure and metric: `figure`, `shows`, `metric`, `score`, `threshold`, `margin`
        (score minus threshold), and `right`: whether that calls the pair what the figure says.
    """
    thresholds = {m.name: m.paper_threshold for m in METRICS if m.paper_threshold is not None}
    rows = [
        {"figure": c.name, "shows": c.meaning, "metric": name, "score": score}
        | {"threshold": thresholds[name], "margin": round(score - thresholds[name], 3)}
        | {"right": (score >= thresholds[name]) == c.similar}
        for c in COMPARISONS
        for name, score in c.paper.items()
    ]
    return pd.DataFrame(rows)


def comparison_class(comparison, similar, tested, called):
    """Positions of the pairs that a figure could show, by what each metric calls them."""
    truth = comparison.similar
    inside = tested & (similar == int(truth)) & (called["clip_score"] == truth)
    for key in PIXELS:
        inside &= (called[key] == truth) == comparison.all_right
    return np.flatnonzero(inside)


def typical_order(candidates, scores):
    """Positions by the sum of their rank distances from the medians of the three scores."""
    middle = (len(candidates) + 1) / 2
    distance = sum(np.abs(rankdata(scores[key][candidates]) - middle) for key in COMPARED)
    return candidates[np.argsort(distance, kind="stable")]


def errors_by_confidence(candidates, key):
    """Every error of a metric on the pairs that may be shown, the most confident first.

    Parameters
    ----------
    candidates : Candidates
    key : str
        Of the metric.

    Returns
    -------
    pandas.DataFrame
        False alarms (called alike, and are not), then misses; equal margins by position. Columns
        metric, error, id_a, id_b, score, threshold, `margin`, the share of the pairs whose score
        lies between the two, and clip_score.
    """
    pairs, thresholds = candidates.pairs, candidates.thresholds[key]
    scores = np.asarray(candidates.scores[key], dtype=float)
    called, of_test = scores >= thresholds, np.sort(scores[candidates.tested])
    # Where a score would stand among those of the test pairs: 0 lowest, 1 beyond the highest.
    places = [np.searchsorted(of_test, values) / len(of_test) for values in (scores, thresholds)]
    columns = {"metric": key, "error": np.where(called, FALSE_ALARM, MISS)}
    columns |= {"id_a": pairs.id_a, "id_b": pairs.id_b, "score": scores, "threshold": thresholds}
    columns |= {"margin": np.abs(np.subtract(*places))}
    table = pd.DataFrame(columns | {"clip_score": candidates.scores["clip_score"]})
    wrong = table[candidates.tested & (called != (pairs.similar == 1))]
    return wrong.sort_values(["error", "margin"], ascending=[True, False])


def described(case, retrieval, n=3):
    """What to show under the two images of a case.

    Parameters
    ----------
    case : row of `errors_by_confidence`
    retrieval : Retrieval
    n : int

    Returns
    -------
    list of list of (float, str), length 2
        For the CLIP score the `n` pairs of descriptions that drove Eq. 4: of the highest cosines
        for a false alarm, of the lowest for a miss, each with its cosine. For other metrics, which
        see no description, the first `n` retrieved, with their similarity to the image.
    """
    rows = retrieval.rows([case.id_a, case.id_b])
    texts = [retrieval.pool[retrieval.ids[row]].tolist() for row in rows]
    if case.metric != "clip_score":
        return [
            list(zip(retrieval.sims[row, :n].tolist(), texts[side][:n], strict=True))
            for side, row in enumerate(rows)
        ]
    vectors = [retrieval.pool_vectors[retrieval.ids[row]] for row in rows]
    matched = matched_descriptions(*vectors, n, highest=case.error == FALSE_ALARM)
    return [[(m[2], texts[side][m[side]]) for m in matched] for side in (0, 1)]


def matched_descriptions(vectors_a, vectors_b, n, highest=True):
    """The n description pairs, (i, k, cosine), of the highest or lowest cosines in Eq. 4's sum.

    The most extreme first; each description once, or one that all are near would fill the list.
    """
    both = vectors_a, vectors_b
    a, b = (np.asarray(v, dtype=float) / norm(v, axis=1, keepdims=True) for v in both)
    cosines = a @ b.T
    left = cosines if highest else -cosines
    found = []
    for _ in range(min(n, *left.shape)):
        i, k = np.unravel_index(np.argmax(left), left.shape)
        found.append((int(i), int(k), float(cosines[i, k])))
        left[i], left[:, k] = -np.inf, -np.inf
    return found
