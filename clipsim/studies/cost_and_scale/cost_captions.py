"""What the figures of notebook 12 show, in words, from their numbers."""

import math

import numpy as np

from clipsim.record import time_taken
from clipsim.studies.cost_and_scale.cost_breakdown import ANEW, ENCODE, FSIM, SSIM
from clipsim.studies.cost_and_scale.cost_study import (
    ALL_PAIRS,
    EXACT,
    PAIR_BY_PAIR,
    machine_limits,
)


def breakdown_caption(stages, shares):
    """The shares of retrieval, and what SSIM and FSIM take.

    Parameters
    ----------
    stages : dict of str to array
        From `clipsim.studies.cost_and_scale.cost_breakdown.pair_seconds`.
    shares : list of dict
        From `clipsim.studies.cost_and_scale.cost_findings.share_rows`.
    """
    retrieval = []
    for row in shares:
        low, high = row["share_ci95"]
        retrieval.append(f"{row['way']}, {row['share']:.1%} [{low:.1%}, {high:.1%}]")
    ssim, fsim = (time_taken(np.median(stages[name])) for name in (SSIM, FSIM))
    return (
        f"Medians of {shares[0]['rounds']} pairs; left, lines are quartiles. Share of retrieval "
        f"in a comparison: {'; '.join(retrieval)} (95 %, rounds resampled). SSIM of two pictures "
        f"that have been read takes {ssim}, FSIM {fsim}."
    )


def pool_caption(rows, n_own):
    """Where the limits lie, and when an approximate index has paid for itself.

    Parameters
    ----------
    rows : list of dict
        From `clipsim.studies.cost_and_scale.cost_study.pool_rows`.
    n_own : int
        Size of the profile's own pool.
    """
    largest = max(row["pool"] for row in rows)
    exact = {row["queries"]: row for row in _of(rows, largest) if row["search"] == EXACT}
    one, several = exact[1], exact[max(exact)]
    limits = machine_limits(rows)
    words = [
        f"Medians of {one['rounds']} rounds; bands are quartiles. Above {n_own:,} descriptions "
        f"the vectors are sampled around the real ones. With {largest:,}, exact search of one "
        f"image takes {time_taken(one['median_s'])}, {one['median_s'] / one['limit_s']:.1f} times "
        f"as long as reading the pool once ({limits['read_bytes_per_s'] / 1e9:.3g} GB/s); of "
        f"{several['queries']:,} at once {time_taken(several['median_s'])} each, "
        f"{several['median_s'] / several['limit_s']:.1f} times as long as their arithmetic "
        f"({limits['flop_per_s'] / 1e9:.3g} GFLOP/s)."
    ]
    for row in _of(rows, largest):
        if row["search"] != EXACT and row["queries"] == 1:
            words.append(
                f"{row['factory']} ({row['effort']}): {time_taken(row['median_s'])}, recall "
                f"{row['recall']:.2f}, built in {time_taken(row['build_s'])}, "
                f"{_pays(row['build_s'], one['median_s'] - row['median_s'])}."
            )
    return " ".join(words)


def images_caption(rows, stages):
    """What encoding the pool anew compares with, and what the factorisation gains.

    Parameters
    ----------
    rows : list of dict
        From `clipsim.studies.cost_and_scale.cost_study.image_rows`.
    stages : dict of str to array
        From `clipsim.studies.cost_and_scale.cost_breakdown.pair_seconds`.
    """
    most = max(row["images"] for row in rows)
    seconds = {row["work"]: row["median_s"] for row in rows if row["images"] == most}
    pictures = np.median(stages[ANEW]) / (np.median(stages[ENCODE]) / 2)
    return (
        f"Medians of {rows[0]['rounds']} rounds; right, bands are quartiles. Encoding the pool "
        f"anew takes as long as encoding {pictures:,.0f} pictures. Eq. 4 of all "
        f"{most * (most - 1) // 2:,} pairs of {most:,} images takes "
        f"{time_taken(seconds[ALL_PAIRS])} as one product of matrices, and would take "
        f"{time_taken(seconds[PAIR_BY_PAIR])} pair by pair (multiplied up from some)."
    )


def savings_caption(savings, findings):
    """How the ways are timed, and what the claim's findings say.

    Parameters
    ----------
    savings : list of dict
        From `clipsim.studies.cost_and_scale.cost_findings.saving_rows`.
    findings : list of dict
        From `clipsim.studies.cost_and_scale.cost_findings.cost_findings`.
    """
    rounds = [row["rounds"] for row in savings]
    verdicts = [found["verdict"] for found in findings]
    counts = ", ".join(f"{verdicts.count(name)} {name}" for name in dict.fromkeys(verdicts))
    return (
        f"Medians with 95 % intervals; {min(rounds)} to {max(rounds)} rounds resampled, in "
        f"which both took turns. Of the claim's {len(findings)} findings: {counts}."
    )


def _of(rows, size):
    return [row for row in rows if row["pool"] == size]


def _pays(build_s, saved_s):
    """After how many images building an index has saved more time than it took."""
    if saved_s <= 0:
        return "which saves nothing"
    return f"which pays after {math.ceil(build_s / saved_s):,} images"
