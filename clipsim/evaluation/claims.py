"""The claims of the paper's text, how an interval decides one, and what all experiments say.

Every experiment whose outcome can go either way ends in a `finding`; notebooks record theirs in
their results as `findings`, and notebook 13_verdicts gathers them. No verdict is written by hand,
and a finding counts only if it was recorded for this very profile and these data.
"""

import math
from collections import Counter
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
import pandas as pd
import yaml

from clipsim.record import StaleError, read_record

SUPPORTED, NOT_SUPPORTED, UNDECIDED = "supported", "not supported", "undecided"
BY_DESIGN, NOT_TESTABLE = "by design", "not testable here"
VERDICTS = (SUPPORTED, NOT_SUPPORTED, UNDECIDED, BY_DESIGN, NOT_TESTABLE)
# The smallest effect that counts: .05 in AUC, accuracy or a correlation. A difference that is
# surely above zero and surely below this supports nothing.
SMALLEST_EFFECT = 0.05
WORTHWHILE = (SMALLEST_EFFECT, math.inf)


@dataclass(frozen=True)
class Claim:
    """A statement of the paper.

    Attributes
    ----------
    key : str
        Its name in the results.
    section : str
        Where the paper says it.
    notebook : str
        Stem of the notebook that tests it.
    text : str
        What is tested, in our words.
    quote : str
        The paper's words, verbatim; "" where we have only a summary of them.
    """

    key: str
    section: str
    notebook: str
    text: str
    quote: str = ""

    @property
    def words(self):
        """The paper's words in quotation marks, and ours after them."""
        return f"“{self.quote}”: {self.text}" if self.quote else self.text


ROWS = yaml.safe_load(files(__package__).joinpath("claims.yaml").read_text(encoding="utf-8"))
CLAIMS = {key: Claim(key, **row) for key, row in ROWS.items()}


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
        Whether the interval lies inside the region, outside it, or touches its border.
    """
    (low, high), (region_low, region_high) = ci95, region
    if not (math.isfinite(low) and math.isfinite(high)):
        return UNDECIDED
    if region_low < low and high < region_high:
        return SUPPORTED
    if high < region_low or low > region_high:
        return NOT_SUPPORTED
    return UNDECIDED


def finding(
    claim, experiment, estimate, ci95, *, n_pairs, n_seeds, interval,
    region=WORTHWHILE, by_design=False,
):  # fmt: skip
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
        See `verdict`; without, all differences of at least `SMALLEST_EFFECT`.
    by_design : bool
        The pairs were made so that the outcome could not go the other way: no evidence.

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
        "verdict": BY_DESIGN if by_design else verdict(ci95, region),
    }


def not_testable(claim, why):
    """As `finding`, of a claim that cannot be tested with what is at hand; says why."""
    return {"claim": CLAIMS[claim].key, "experiment": why, "verdict": NOT_TESTABLE}


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
        A row per finding (`finding`) in the order of `CLAIMS`, with `text` (`Claim.words`),
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
            raise StaleError(f"{stem} is from other data: run notebook {stem} again")
        recorded += record["results"]["findings"]
    claims = [
        {"claim": one.key, "text": one.words, "section": one.section, "notebook": one.notebook}
        for one in CLAIMS.values()
    ]
    found = pd.DataFrame(claims).merge(pd.DataFrame(recorded), how="left", on="claim")
    found["ci95"] = [np.array(ends, dtype=float).tolist() for ends in found.ci95]  # null is NaN
    return found.fillna({"experiment": "none with these data", "verdict": UNDECIDED})


def claim_verdicts(findings):
    """One verdict per claim: what all its findings say that could say either, else "undecided".

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
    by = ["claim", "text", "section"]
    return pd.DataFrame(
        dict(zip(by, names, strict=True)) | claim_of(own.to_dict("records"))
        for names, own in findings.groupby(by, sort=False)
    )


def claim_of(findings):
    """What the findings on one claim say together.

    Parameters
    ----------
    findings : list of dict

    Returns
    -------
    dict
        `verdict`, the number of `experiments`, and how many there are of each verdict. What is so
        by design, or cannot be tested, does not count where something else was tested.
    """
    counts = Counter(one["verdict"] for one in findings)
    open_ended = [v for v in (SUPPORTED, NOT_SUPPORTED, UNDECIDED) if counts[v]]
    either = open_ended or [v for v in (BY_DESIGN, NOT_TESTABLE) if counts[v]]
    said = {
        "verdict": either[0] if len(either) == 1 else UNDECIDED,
        "experiments": sum(not pd.isna(one.get("estimate", np.nan)) for one in findings),
    }
    return said | {name: counts[name] for name in VERDICTS}


def verdict_words(row):
    """The verdict of a row of `claim_verdicts`, with counts where its experiments disagree.

    Parameters
    ----------
    row : mapping

    Returns
    -------
    str
    """
    counts = [f"{row[name]} {name}" for name in VERDICTS[:3] if row[name]]
    if len(counts) > 1:
        return f"{UNDECIDED} ({', '.join(counts)})"
    is_tested = row["experiments"] or row["verdict"] == NOT_TESTABLE
    return row["verdict"] if is_tested else "not tested"
