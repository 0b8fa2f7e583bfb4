"""The claims of the paper's text, how an interval decides one, and what all experiments say.

Every experiment whose outcome can go either way ends in a `finding`; notebooks record theirs in
their results as `findings`, and notebook 13_verdicts gathers them. No verdict is written by hand,
and a finding counts only if it was recorded for this very profile and these data.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clipsim.record import StaleError, read_record

SUPPORTED, NOT_SUPPORTED, UNDECIDED = "supported", "not supported", "undecided"
VERDICTS = (SUPPORTED, NOT_SUPPORTED, UNDECIDED)
ABOVE_ZERO = (0.0, math.inf)


@dataclass(frozen=True)
class Claim:
    """A statement of the paper, in our words.

    Attributes
    ----------
    key : str
        Its name in the results.
    section : str
        Where the paper says it.
    notebook : str
        Stem of the notebook that tests it.
    text : str
    """

    key: str
    section: str
    notebook: str
    text: str


CLAIMS = {claim.key: claim for claim in (
    Claim("clip_beats_ssim_fsim", "sec. 5, Table 1", "05_threshold_sweeps",
          "The CLIP score tells alike from different more accurately than SSIM and FSIM."),
    Claim("n_too_low", "sec. 3", "08_number_of_descriptions", "N too low misses context."),
    Claim("n_too_high", "sec. 3", "08_number_of_descriptions", "N too high adds noise."),
    Claim("always_positive", "sec. 3", "08_number_of_descriptions", "D > 0 for any pair."),
    Claim("structure_over_meaning", "sec. 6", "09_encoders_and_language",
          "BERT rates sentences of the same structure about different things above sentences of "
          "different structure about the same thing."),
    Claim("better_encoder", "sec. 7", "09_encoders_and_language",
          "A better text or image encoder improves the score."),
    Claim("fine_grained", "sec. 5", "10_beyond_the_training_data",
          "A CLIP score tells “sitting dog” from “dog”, “running” from “walking”."),
    Claim("no_gain_on_training_like", "secs. 5, 6", "10_beyond_the_training_data",
          "There is no gain over SSIM and FSIM on images like the training data."),
    Claim("gain_on_diverse", "secs. 5, 6", "10_beyond_the_training_data",
          "There is a gain over SSIM and FSIM on diverse images."),
    Claim("less_reliable_on_unlike", "sec. 6", "10_beyond_the_training_data",
          "The score is less reliable on images unlike the training data."),
    Claim("pool_must_fit", "sec. 6", "10_beyond_the_training_data",
          "A pool with no fitting description makes the result poor."),
    Claim("retrieval_is_the_cost", "sec. 6", "12_cost_and_scale",
          "Retrieval time is the main cost; cached text vectors, better search and parallel work "
          "reduce it."),
)}  # fmt: skip


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

    Raises
    ------
    KeyError
        If the claim is unknown.
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


def gathered_findings(profile, fingerprint):
    """The findings of all notebooks for a profile and its data.

    Parameters
    ----------
    profile : Profile
    fingerprint : str
        Of the data (`CaptionedImages.fingerprint`).

    Returns
    -------
    pandas.DataFrame
        A row per finding (`finding`) in the order of `CLAIMS`, with `text`,
        `section` and `notebook` of its claim. A claim without a finding has one row, which
        says so, without an estimate and with the verdict "undecided".

    Raises
    ------
    StaleError
        If a notebook's results are missing, or of other settings or data; names it.
    """
    recorded = []
    for stem in dict.fromkeys(claim.notebook for claim in CLAIMS.values()):
        record = read_record(profile, stem)
        if record["data"].get("fingerprint") != fingerprint:
            raise StaleError(
                f"the results of {stem} are from other data: run notebook {stem} again"
            )
        recorded += record["results"]["findings"]
    rows = []
    for claim in CLAIMS.values():
        of_claim = {"text": claim.text, "section": claim.section, "notebook": claim.notebook}
        none = {"claim": claim.key, "experiment": "none with these data", "verdict": UNDECIDED}
        for found in [one for one in recorded if one["claim"] == claim.key] or [none]:
            ends = np.array(found.get("ci95", np.nan), dtype=float)  # JSON has null for NaN
            rows.append(of_claim | found | {"ci95": ends.tolist()})
    return pd.DataFrame(rows)


def claim_verdicts(findings):
    """One verdict per claim: what all its findings say, else "undecided".

    Parameters
    ----------
    findings : pandas.DataFrame
        From `gathered_findings`.

    Returns
    -------
    pandas.DataFrame
        `claim`, `text`, `section`, `verdict`, the number of `experiments`, and how many with an
        estimate there are of each kind.
    """
    rows = []
    for (key, text, section), group in findings.groupby(["claim", "text", "section"], sort=False):
        counts = group.dropna(subset="estimate").verdict.value_counts()
        said = {
            "claim": key,
            "text": text,
            "section": section,
            "verdict": counts.index[0] if len(counts) == 1 else UNDECIDED,
            "experiments": int(group["interval"].notna().sum()),
        }
        rows.append(said | {name: int(counts.get(name, 0)) for name in VERDICTS})
    return pd.DataFrame(rows)


def verdict_words(row):
    """The verdict of a row of `claim_verdicts`, with counts where its experiments disagree.

    Parameters
    ----------
    row : mapping

    Returns
    -------
    str
    """
    counts = [f"{row[name]} {name}" for name in VERDICTS if row[name]]
    if len(counts) > 1:
        return f"{UNDECIDED} ({', '.join(counts)})"
    return row["verdict"] if row["experiments"] else "not tested"
