"""Where Eq. 4 and the image cosine agree with the graded similarity: in which pairs, at which N.

AUC asks for similar above other pairs; Spearman's ρ also for the order within each of the two.
"""

import numpy as np
import pandas as pd

from clipsim.evaluation import auc, measured, rank_correlation

LAYOUTS = ("same layout", "other layout")


def pair_groups(test):
    """Groups of pairs within which the graded similarity varies: name to bool mask.

    All pairs; the similar and the other ones; and, where kinds are "content, layout", those of
    each layout.
    """
    kinds = test.kind.astype(str)
    groups = {
        "all": np.ones(len(test), dtype=bool),
        "similar": test.similar == 1,
        "other": test.similar == 0,
    }
    for layout in LAYOUTS:
        groups[layout] = np.char.endswith(kinds, f", {layout}")
    return {
        name: inside for name, inside in groups.items() if len(np.unique(test.graded[inside])) > 1
    }


def contrasts(test):
    """Kinds of pairs to tell apart: name to two bool masks, that which should score higher first.

    Similar from other pairs; and, where kinds are "content, layout", the same within each
    layout, against the layout, and the layouts of similar pairs.
    """
    similar, other = test.similar == 1, test.similar == 0
    found = {"similar : other": (similar, other)}
    kinds = test.kind.astype(str)
    same, apart = (np.char.endswith(kinds, f", {layout}") for layout in LAYOUTS)
    if same.any() and apart.any():
        found |= {
            "similar : other, in the same layout": (similar & same, other & same),
            "similar : other, in another layout": (similar & apart, other & apart),
            "similar in another : other in the same layout": (similar & apart, other & same),
            "same : another layout, similar pairs": (similar & same, similar & apart),
        }
    return found


def contrasts_by_count(model, pairs, name):
    """AUC of each of `contrasts` for the image cosine and every N; as `agreement_by_count`."""
    rows = []
    for contrast, (higher, lower) in contrasts(pairs.test).items():
        inside = higher | lower
        row = {"contrast": contrast, "n_pairs": int(inside.sum())}
        for label, scores in _columns(model, name).items():
            row[label] = auc(higher[inside], scores[pairs.evaluated][inside])
        rows.append(row)
    return pd.DataFrame(rows)


def agreement_by_count(model, pairs, name):
    """Spearman's ρ with the graded similarity in each group, for the image cosine and every N.

    Parameters
    ----------
    model : ModelScores
    pairs : StudyPairs
    name : str
        A key of `model.kernels` whose settings are N.

    Returns
    -------
    pandas.DataFrame
        A row per group: pairs, n_pairs, image cosine, and a column per N.
    """
    test, rows = pairs.test, []
    for group, inside in pair_groups(test).items():
        row = {"pairs": group, "n_pairs": int(inside.sum())}
        for label, scores in _columns(model, name).items():
            own = scores[pairs.evaluated][inside]
            row[label] = rank_correlation(own, test.graded[inside])
        rows.append(row)
    return pd.DataFrame(rows)


def agreement_differences(model, pairs, scores):
    """ρ of some scores minus ρ of the image cosine in each group, paired, with interval.

    Parameters
    ----------
    model : ModelScores
    pairs : StudyPairs
    scores : array of float, shape (P,)
        Of `pairs.judged`.

    Returns
    -------
    pandas.DataFrame
        A row per group: pairs, n_pairs, rho, rho_cosine, difference, low and high.
    """
    test, rows = pairs.test, []
    own, cosine = scores[pairs.evaluated], model.image_cosine[pairs.evaluated]
    for group, inside in pair_groups(test).items():
        sample = pairs.sample.where(inside)
        rho, rho_cosine = (sample.spearman(s[inside]) for s in (own, cosine))
        row = measured({"difference": rho - rho_cosine})
        low, high = row["difference_ci95"]
        rows.append(
            {
                "pairs": group,
                "n_pairs": int(inside.sum()),
                "rho": float(rho[0]),
                "rho_cosine": float(rho_cosine[0]),
                "difference": row["difference"],
                "low": low,
                "high": high,
            }
        )
    return pd.DataFrame(rows)


def _columns(model, name):
    kernel = model.kernels[name]
    by_count = zip(kernel.settings, kernel.judged, strict=True)
    return {"image cosine": model.image_cosine} | {f"N = {n}": scores for n, scores in by_count}
