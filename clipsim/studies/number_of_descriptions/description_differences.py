"""One kernel against another, and the paper's claims about N.

A difference is the mean over the models of all seeds; its interval resamples the test pairs (or
images) with the models and the chosen settings held fixed. Each seed's own value stands beside.
"""

import numpy as np
import pandas as pd

from clipsim.evaluation import finding, measured


def auc_difference(pairs, first, second):
    """AUC of the first scores minus that of the second: the mean over models, and each.

    Parameters
    ----------
    pairs : StudyPairs
    first, second : list of array of float, shape (P,)
        Scores of `pairs.judged`, one array per model.

    Returns
    -------
    dict
        `first`, `second` (mean AUCs), `difference`, `difference_ci95` (test pairs or images
        resampled, models and settings held fixed) and `by_seed`.
    """
    aucs = [pairs.sample.auc(np.stack(side)[:, pairs.evaluated]) for side in (first, second)]
    difference = measured({"difference": aucs[0] - aucs[1]})
    return {
        "first": float(aucs[0][:, 0].mean()),
        "second": float(aucs[1][:, 0].mean()),
        "difference": difference["difference"],
        "difference_ci95": difference["difference_ci95"],
        "by_seed": difference["difference_of_seeds"],
    }


def count_differences(models, pairs, profile):
    """The chosen N against N = 1 and against the largest, in the profile's vector space.

    N is chosen on validation, per model, among those above 1, and among those below the
    largest: the difference can have either sign.

    Returns
    -------
    dict
        "n_too_low" and "n_too_high", as `auc_difference` with `n` (chosen, per model) and
        `against`.
    """
    name = f"eq4 {profile.vector_space}"
    last = len(models[0].kernels[name].settings) - 1
    comparisons = {
        "n_too_low": (range(1, last + 1), 0),
        "n_too_high": (range(last), last),
    }
    differences = {}
    for claim, (allowed, against) in comparisons.items():
        kernels = [model.kernels[name] for model in models]
        chosen = [kernel.chosen(pairs, allowed) for kernel in kernels]
        differences[claim] = auc_difference(
            pairs,
            [kernel.judged[k] for kernel, k in zip(kernels, chosen, strict=True)],
            [kernel.judged[against] for kernel in kernels],
        ) | {
            "n": [kernels[0].settings[k] for k in chosen],
            "against": kernels[0].settings[against],
        }
    return differences


def count_findings(differences, pairs, profile):
    """What `count_differences` say of the paper's two claims about N."""
    words = {"n_too_low": "larger N", "n_too_high": "smaller N"}
    return [
        finding(
            claim,
            f"AUC of Eq. 4 ({profile.vector_space} vectors) at the best {words[claim]} on "
            f"{pairs.chosen_on} ({counted(result['n'])}) minus AUC at N = {result['against']}; "
            f"test pairs, mean over models",
            result["difference"],
            result["difference_ci95"],
            n_pairs=pairs.sample.n_labelled,
            n_seeds=len(result["by_seed"]),
            interval=f"resamples test {pairs.unit}; models and chosen N held fixed",
        )
        for claim, result in differences.items()
    ]


def counted(values):
    """Settings in words, each once: "N = 70 or 100"."""
    return "N = " + " or ".join(f"{value:g}" for value in sorted(set(values)))


def kernel_table(models, pairs, profile):
    """Eq. 4 on the top N against other kernels, each with its setting chosen on validation.

    Returns
    -------
    pandas.DataFrame
        A row per kernel: the settings chosen, its mean AUC, its difference from Eq. 4 with
        interval, and the lowest and highest difference of a seed.
    """
    space = profile.vector_space
    names = {
        "top N, Eq. 4": f"eq4 {space}",
        "top N, cosine of the sums": f"cosine {space}",
        "softmax weights, Eq. 4": "softmax",
        "softmax weights, cosine of the sums": "softmax cosine",
    }
    scores, rows = {}, []
    for label, name in names.items():
        kernels = [model.kernels[name] for model in models]
        chosen = [kernel.chosen(pairs) for kernel in kernels]
        scores[label] = [kernel.judged[k] for kernel, k in zip(kernels, chosen, strict=True)]
        result = auc_difference(pairs, scores[label], next(iter(scores.values())))
        low, high = result["difference_ci95"]
        rows.append(
            {
                "kernel": label,
                "chosen": sorted({kernels[0].settings[k] for k in chosen}),
                "auc": result["first"],
                "difference": result["difference"],
                "low": low,
                "high": high,
                "lowest_seed": min(result["by_seed"]),
                "highest_seed": max(result["by_seed"]),
            }
        )
    return pd.DataFrame(rows)
