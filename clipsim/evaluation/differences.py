"""Paired differences between the CLIP score and every other metric, and what they say.

All metrics are resampled together, so that a difference has an interval of its own, narrower
than two separate intervals suggest. P-values are of the decisions: McNemar's exact test where no
image is in two pairs; where images repeat, the pairs are not independent, and the bootstrap over
images gives the p-value. All comparisons of a run are one family (Holm 1979).
"""

import numpy as np
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from clipsim.evaluation.claims import finding
from clipsim.evaluation.resampling import measured

COMPARED_STATISTICS = ("accuracy", "balanced_accuracy", "auc", "average_precision")
PIXEL_METRICS = ("ssim", "fsim")
JUDGES = {
    "": "the test pairs",
    "expert": "pairs caption-judged by experts",
    "crowd": "pairs caption-judged by a crowd",
    "vsts": "pairs rated side by side",
}


def mcnemar_p(right_a, right_b):
    """McNemar's exact p-value of two metrics' decisions (bool, (P,)) on the same pairs."""
    counts = [[int((a & b).sum()) for b in (right_b, ~right_b)] for a in (right_a, ~right_a)]
    return float(mcnemar(counts, exact=True).pvalue)


def bootstrap_p(differences):
    """Two-sided p-value of a difference of zero, from its bootstrap values.

    Twice the share of values on the far side of zero, with one added to count and number
    (Davison & Hinkley 1997, sec. 4.2), so that it is never zero; it is below .05 about where the
    95 % percentile interval leaves out zero. Values that are not numbers are left out.
    """
    differences = np.asarray(differences, dtype=float)
    differences = differences[~np.isnan(differences)]
    beyond = min((differences <= 0).sum(), (differences >= 0).sum())
    return float(min(1.0, 2 * (1 + beyond) / (1 + len(differences))))


def metric_differences(evaluated, criterion):
    """The CLIP score against every other metric, source by source.

    Parameters
    ----------
    evaluated : list of Evaluation
        From `evaluations`.
    criterion : {"accuracy", "balanced_accuracy"}
        What the bootstrap's p-value is of.

    Returns
    -------
    list of dict
        `metric`, `baseline`, `baseline_variant`; the CLIP score's accuracy, balanced accuracy,
        AUC and average precision less the baseline's as `difference_…` and `…_ci95`;
        `mcnemar_p` (None where images repeat), `p`, `p_is_bound` (it is only known to be smaller:
        no bootstrap sample lies beyond zero), `p_of` and `p_holm` over all rows;
        `n_pairs`, `resampled`, and `source` where there are several.
    """
    rows = []
    for clip, other in _compared(evaluated):
        less = {
            f"difference_{name}": clip.statistics[name] - other.statistics[name]
            for name in COMPARED_STATISTICS
        }
        if clip.sample.unit == "pairs":
            p_value = exact = mcnemar_p(clip.right, other.right)
            p_of, is_bound = "McNemar, accuracy", False
        else:
            drawn = less[f"difference_{criterion}"][1:]
            p_value, exact = bootstrap_p(drawn), None
            is_bound = bool((drawn > 0).all() or (drawn < 0).all())
            p_of = f"bootstrap, {criterion}"
        names = {"metric": clip.metric.name, "baseline": other.metric.name}
        names |= {"baseline_variant": other.metric.variant}
        tests = {"mcnemar_p": exact, "p": p_value, "p_is_bound": is_bound, "p_of": p_of}
        rows.append(names | measured(less) | tests | clip.counts)
    adjusted = multipletests([row["p"] for row in rows], method="holm")[1]
    return [row | {"p_holm": float(p)} for row, p in zip(rows, adjusted, strict=True)]


def clip_findings(evaluated, differences, profile):
    """What the differences say of "the CLIP score is more accurate than SSIM and FSIM".

    Parameters
    ----------
    evaluated : list of Evaluation
    differences : list of dict
        From `metric_differences` of these evaluations.
    profile : Profile
        `threshold_criterion`; `pairs: scenes` are crossed with layout by design, so that SSIM and
        FSIM cannot win on them.

    Returns
    -------
    list of dict
        A finding per source and variant of SSIM and FSIM. The estimate is the CLIP score's mean
        over the seeds, less the baseline; the interval resamples what the differences resample.
        `p_holm` is that of the profile's own model, `of_seeds` has each seed's difference.
    """
    criterion, findings = profile.threshold_criterion, []
    for (clip, other), row in zip(_compared(evaluated), differences, strict=True):
        if other.metric.name not in PIXEL_METRICS:
            continue
        less = [s.statistics[criterion] - other.statistics[criterion] for s in clip.seeds.values()]
        estimate = measured({"value": np.stack(less)})
        found = finding(
            "clip_beats_ssim_fsim",
            f"{criterion.replace('_', ' ')} of the CLIP score (mean of {len(less)} seeds) minus "
            f"that of {other.metric.label} on {JUDGES.get(clip.source, clip.source)}, at "
            "held-out thresholds",
            estimate["value"],
            estimate["value_ci95"],
            n_pairs=len(clip.right),
            n_seeds=len(less),
            interval=f"{clip.sample.unit} resampled, models and thresholds held fixed",
            by_design=profile.pairs == "scenes",
        )
        findings.append(found | {"p_holm": row["p_holm"], "of_seeds": estimate["value_of_seeds"]})
    return findings


def _compared(evaluated):
    """The CLIP score's evaluation with every other of its source."""
    clip = {one.source: one for one in evaluated if one.metric.key == "clip_score"}
    others = [one for one in evaluated if one.metric.key != "clip_score"]
    return [(clip[other.source], other) for other in others]
