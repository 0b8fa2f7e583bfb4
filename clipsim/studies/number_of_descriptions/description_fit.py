"""Which N the paper's numbers fit: inference from its threshold and the scores it prints.

At one N the printed 1/N and the mean 1/N² rank pairs alike; they differ where a threshold is
fixed. The paper fixes 0.5, and its Figures 1–4 print four scores.
"""

import numpy as np
import pandas as pd

from clipsim.evaluation import (
    COMPARISONS,
    DECISION,
    METRICS,
    ResampledPairs,
    decision_statistics,
    interval,
)
from clipsim.retrieval import NORMALISATIONS
from clipsim.studies.number_of_descriptions.description_tables import interval_columns

PAPER_THRESHOLD = next(m.paper_threshold for m in METRICS if m.key == "clip_score")


def paper_clip_scores():
    """The CLIP scores of the paper's figures: dict of "alike" and "different" to array."""
    return {
        name: np.array([c.paper["clip_score"] for c in COMPARISONS if c.similar == similar])
        for name, similar in (("alike", True), ("different", False))
    }


def normalised(scores, n, normalisation):
    """Eq. 4 under a normalisation, from scores that are means: times N for "paper"."""
    return scores * (n if normalisation == "paper" else 1)


def fixed_threshold_table(model, pairs, threshold=PAPER_THRESHOLD):
    """Accuracy at a fixed threshold and typical scores, by vector space, normalisation and N.

    Parameters
    ----------
    model : ModelScores
    pairs : StudyPairs
    threshold : float

    Returns
    -------
    pandas.DataFrame
        Columns space, normalisation, n; accuracy and balanced accuracy of the test pairs with
        intervals, and of the choosing pairs (`choosing_`); the median score of alike and of
        different test pairs, and `misfit`, the root mean square distance of those medians from
        the paper's four scores.
    """
    rows = []
    for space in model.means:
        kernel = model.kernels[f"eq4 {space}"]
        for normalisation in NORMALISATIONS:
            for k, n in enumerate(kernel.settings):
                judged, choosing = (
                    normalised(scores[k], n, normalisation)
                    for scores in (kernel.judged, kernel.choosing)
                )
                rows.append(
                    {"space": space, "normalisation": normalisation, "n": n}
                    | _row(judged[pairs.evaluated], choosing, pairs, threshold)
                )
    return pd.DataFrame(rows)


def _row(scores, choosing, pairs, threshold):
    at_threshold = decision_statistics(pairs.sample, scores, threshold)
    chosen = decision_statistics(ResampledPairs.none_of(pairs.choosing), choosing, threshold)
    medians = typical_scores(scores[None], pairs.test.similar)
    return (
        interval_columns(at_threshold)
        | {f"choosing_{name}": float(chosen[name][0]) for name in DECISION}
        | {name: float(value[0]) for name, value in medians.items()}
        | {"misfit": float(misfit(medians)[0])}
    )


def typical_scores(scores, similar):
    """Median score of alike and of different pairs.

    Parameters
    ----------
    scores : array of float, shape (K, P)
    similar : array of int8, shape (P,)

    Returns
    -------
    dict
        "alike" and "different", arrays of shape (K,).
    """
    return {
        "alike": np.median(scores[:, similar == 1], axis=1),
        "different": np.median(scores[:, similar == 0], axis=1),
    }


def misfit(medians):
    """Root mean square distance of typical scores from the paper's four: shape (K,)."""
    paper = paper_clip_scores()
    squares = np.concatenate([(medians[name][None] - paper[name][:, None]) ** 2 for name in paper])
    return np.sqrt(squares.mean(axis=0))


def fitted_counts(model, pairs, table, criterion):
    """The N that the paper's threshold fits, and the N that its printed scores fit.

    Parameters
    ----------
    model : ModelScores
    pairs : StudyPairs
    table : pandas.DataFrame
        From `fixed_threshold_table`.
    criterion : {"accuracy", "balanced_accuracy"}

    Returns
    -------
    pandas.DataFrame
        Per space and normalisation: `n_by_threshold`, best on the choosing pairs, with its
        accuracy on the test pairs; `n_by_scores`, of the least misfit on the test pairs, with
        the range of N that holds 95 % of the bootstrap samples.
    """
    rows = []
    for (space, normalisation), part in table.groupby(["space", "normalisation"], sort=False):
        best = part.loc[part[f"choosing_{criterion}"].idxmax()]
        nearest = part.loc[part.misfit.idxmin()]
        kernel = model.kernels[f"eq4 {space}"]
        factors = [normalised(1, n, normalisation) for n in kernel.settings]
        scores = kernel.judged[:, pairs.evaluated] * np.array(factors)[:, None]
        low, high = interval(_least_misfits(scores, kernel.settings, pairs))
        rows.append(
            {
                "space": space,
                "normalisation": normalisation,
                "n_by_threshold": int(best.n),
                criterion: best[criterion],
                "low": best[f"{criterion}_low"],
                "high": best[f"{criterion}_high"],
                "n_by_scores": int(nearest.n),
                "n_by_scores_95": f"{low:g}–{high:g}",
                "misfit": nearest.misfit,
                "alike": nearest.alike,
                "different": nearest.different,
            }
        )
    return pd.DataFrame(rows)


def _least_misfits(scores, counts, pairs):
    similar, best = pairs.test.similar, []
    for weights in pairs.sample.weights[1:].astype(int):
        index = np.repeat(np.arange(len(similar)), weights)
        labels = similar[index]
        if (labels == 1).any() and (labels == 0).any():
            distances = misfit(typical_scores(scores[:, index], labels))
            best.append(counts[int(distances.argmin())])
    return best
