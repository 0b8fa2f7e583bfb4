"""Every claim of the paper with its experiments, gathered from the notebooks' results.

Nothing is written by hand: a finding counts only if it was recorded for this very profile and
these data, and what is older is refused by name.

The claims of the paper's text, and how an interval decides a claim.

Every experiment whose outcome can go either way ends in a `finding`; notebooks record theirs in
their results as `findings`, and notebook 13_verdicts gathers them.
"""

import json
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clipsim.profile import NOTEBOOKS, relative
from clipsim.record import StaleError, atomic_path

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


VERDICTS = (SUPPORTED, NOT_SUPPORTED, UNDECIDED)


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
        says why, without an estimate and with the verdict "undecided".

    Raises
    ------
    StaleError
        If a notebook's results are missing, or of other settings or data; names it.
    """
    recorded = {}
    for stem in dict.fromkeys(claim.notebook for claim in CLAIMS.values()):
        if (NOTEBOOKS / f"{stem}.ipynb").is_file():
            for found in _findings(profile, fingerprint, stem):
                ends = np.array(found["ci95"], dtype=float).tolist()  # JSON has null for NaN
                recorded.setdefault(found["claim"], []).append(found | {"ci95": ends})
    rows = []
    for claim in CLAIMS.values():
        known = {"text": claim.text, "section": claim.section, "notebook": claim.notebook}
        is_there = (NOTEBOOKS / f"{claim.notebook}.ipynb").is_file()
        reason = "none with these data" if is_there else "not tested yet"
        none = {"claim": claim.key, "experiment": reason, "verdict": UNDECIDED}
        rows += [known | found for found in recorded.get(claim.key, [none])]
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
        interval there are of each kind.
    """
    rows = []
    for (key, text, section), group in findings.groupby(["claim", "text", "section"], sort=False):
        counts = group.dropna(subset="estimate").verdict.value_counts()
        unanimous = len(counts) == 1
        rows.append(
            {
                "claim": key,
                "text": text,
                "section": section,
                "verdict": counts.index[0] if unanimous else UNDECIDED,
                "experiments": int(group["interval"].notna().sum()),
                **{name: int(counts.get(name, 0)) for name in VERDICTS},
            }
        )
    return pd.DataFrame(rows)


def verdict_words(row):
    """The verdict of a row of `claim_verdicts`, with counts where its experiments disagree."""
    counts = [f"{row[name]} {name}" for name in VERDICTS if row[name]]
    if len(counts) > 1:
        return f"{UNDECIDED} ({', '.join(counts)})"
    return row["verdict"] if row["experiments"] else "not tested"


def claims_markdown(claims_by_data):
    """The verdicts on every claim, the data side by side, as Markdown.

    Parameters
    ----------
    claims_by_data : dict of str to list of dict
        By the name of the data, the rows of `claim_verdicts`.
    """
    head = ["claim", "in the paper", *claims_by_data]
    lines = [head, ["---"] * len(head)]
    for rows in zip(*claims_by_data.values(), strict=True):
        cells = [rows[0]["text"], rows[0]["section"]]
        words = [verdict_words(row) for row in rows]
        lines.append(cells + [said if "(" in said else f"**{said}**" for said in words])
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def write_verdicts(findings, profile):
    """Write `verdicts.md` among the figures.

    Returns
    -------
    str
        The Markdown: a row per finding.
    """
    head = ["claim", "in the paper", "experiment", "estimate [95 %]", "pairs", "seeds", "verdict"]
    lines = [head, ["---"] * len(head)]
    shown = ""
    for row in findings.to_dict("records"):
        tested = not pd.isna(row.get("estimate", np.nan))
        interval = "–"
        if tested:
            low, high = row["ci95"]
            interval = f"{row['estimate']:.3f}"
            interval += f" [{low:.3f}, {high:.3f}]" if np.isfinite([low, high]).all() else " [–]"
        counts = [row.get(name, np.nan) for name in ("n_pairs", "n_seeds")]
        counts = ["–" if pd.isna(count) else f"{count:,.0f}" for count in counts]
        named = row["text"] if row["text"] != shown else "″"
        shown = row["text"]
        cells = [named, row["section"], row["experiment"], interval, *counts, row["verdict"]]
        lines.append([cell.replace("|", "∣") for cell in cells])
    text = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    with atomic_path(profile.figures_dir / "verdicts.md") as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return text


def _findings(profile, fingerprint, stem):
    path = profile.results_dir / f"{stem}.json"
    if not path.is_file():
        raise StaleError(f"{relative(path)} is missing: run notebook {stem} first")
    record = json.loads(path.read_text(encoding="utf-8"))
    same = record["profile_hash"] == profile.hash
    if not same or record["data"].get("fingerprint") != fingerprint:
        what = "data" if same else "settings"
        raise StaleError(f"{relative(path)} is from other {what}: run notebook {stem} again")
    return record["results"]["findings"]
