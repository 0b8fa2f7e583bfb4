"""The claims of the paper's text, and how an interval decides a claim.

Every experiment whose outcome can go either way ends in a `finding`; notebooks record theirs in
their results as `findings`, and notebook 13_verdicts gathers them.
"""

import math
from dataclasses import dataclass

SUPPORTED, NOT_SUPPORTED, UNDECIDED = "supported", "not supported", "undecided"
ABOVE_ZERO = (0.0, math.inf)


@dataclass(frozen=True)
class Claim:
    """A statement of the paper, in our words.

    Attributes
    ----------
    key : str
        Its name in the results.
    text : str
    section : str
        Where the paper says it.
    notebook : str
        Stem of the notebook that tests it.
    """

    key: str
    text: str
    section: str
    notebook: str


CLAIMS = {
    claim.key: claim
    for claim in (
        Claim(
            "clip_beats_ssim_fsim",
            "The CLIP score tells alike from different more accurately than SSIM and FSIM.",
            "sec. 5, Table 1",
            "05_threshold_sweeps",
        ),
        Claim("n_too_low", "N too low misses context.", "sec. 3", "08_number_of_descriptions"),
        Claim("n_too_high", "N too high adds noise.", "sec. 3", "08_number_of_descriptions"),
        Claim("always_positive", "D > 0 for any pair.", "sec. 3", "08_number_of_descriptions"),
        Claim(
            "structure_over_meaning",
            "BERT rates sentences of the same structure about different things above sentences of "
            "different structure about the same thing.",
            "sec. 6",
            "09_encoders_and_language",
        ),
        Claim(
            "better_encoder",
            "A better text or image encoder improves the score.",
            "sec. 7",
            "09_encoders_and_language",
        ),
        Claim(
            "fine_grained",
            "A CLIP score tells “sitting dog” from “dog”, “running” from “walking”.",
            "sec. 5",
            "10_beyond_the_training_data",
        ),
        Claim(
            "no_gain_on_training_like",
            "There is no gain over SSIM and FSIM on images like the training data.",
            "secs. 5, 6",
            "10_beyond_the_training_data",
        ),
        Claim(
            "gain_on_diverse",
            "There is a gain over SSIM and FSIM on diverse images.",
            "secs. 5, 6",
            "10_beyond_the_training_data",
        ),
        Claim(
            "less_reliable_on_unlike",
            "The score is less reliable on images unlike the training data.",
            "sec. 6",
            "10_beyond_the_training_data",
        ),
        Claim(
            "pool_must_fit",
            "A pool with no fitting description makes the result poor.",
            "sec. 6",
            "10_beyond_the_training_data",
        ),
        Claim(
            "retrieval_is_the_cost",
            "Retrieval time is the main cost; cached text vectors, better search and parallel "
            "work reduce it.",
            "sec. 6",
            "12_cost_and_scale",
        ),
    )
}


def verdict(ci95, region):
    """What an interval says of a claim.

    Parameters
    ----------
    ci95 : pair of float
        The 95 % interval of the estimate.
    region : pair of float
        The values, from lowest to highest, for which the claim is true.

    Returns
    -------
    {"supported", "not supported", "undecided"}
        Whether the interval lies inside the region, outside it, or touches its border: no
        difference at all, [0, 0], does not support one above 0.
    """
    (low, high), (region_low, region_high) = ci95, region
    if not (math.isfinite(low) and math.isfinite(high)):
        return UNDECIDED
    if region_low < low and high < region_high:
        return SUPPORTED
    if high < region_low or low > region_high:
        return NOT_SUPPORTED
    return UNDECIDED


def finding(claim, experiment, estimate, ci95, *, n_pairs, n_seeds, interval, region=ABOVE_ZERO):
    """The outcome of an experiment on a claim, for a notebook's results.

    Parameters
    ----------
    claim : str
        A key of `CLAIMS`.
    experiment : str
        What was compared, on what, in one sentence; says what the estimate is.
    estimate : float
    ci95 : pair of float
    n_pairs : int or None
        How many pairs are behind the estimate; None where it is not of pairs.
    n_seeds : int
        How many models trained from different seeds are behind it.
    interval : str
        What the interval resampled, and what it held fixed.
    region : pair of float
        See `verdict`.

    Returns
    -------
    dict
        Plain values; an unbounded end of the region is None.
    """
    return {
        "claim": CLAIMS[claim].key,
        "experiment": experiment,
        "estimate": float(estimate),
        "ci95": [float(end) for end in ci95],
        "interval": interval,
        "region": [float(end) if math.isfinite(end) else None for end in region],
        "n_pairs": None if n_pairs is None else int(n_pairs),
        "n_seeds": int(n_seeds),
        "verdict": verdict(ci95, region),
    }
