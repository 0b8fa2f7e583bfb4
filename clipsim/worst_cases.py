"""The most confident errors of a metric, and the descriptions behind them.

Metrics have scales of their own, so an error is as confident as the share of the test pairs whose
score lies between the pair's and its threshold.
"""

from dataclasses import dataclass

import numpy as np

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
