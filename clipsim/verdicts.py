"""Every claim of the paper with its experiments, gathered from the notebooks' results.

Nothing is written by hand: a finding counts only if it was recorded for this very profile and
these data, and what is older is refused by name.
"""

import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from clipsim.claims import CLAIMS, NOT_SUPPORTED, SUPPORTED, UNDECIDED
from clipsim.paths import NOTEBOOKS, relative
from clipsim.results import StaleError, atomic_path
from clipsim.style import OTHER, PAGE_IN, SIMILAR

LOOK = {SUPPORTED: (SIMILAR, "o"), NOT_SUPPORTED: ("#d55e00", "X"), UNDECIDED: (OTHER, "D")}


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
        A row per finding (`clipsim.claims.finding`) in the order of `CLAIMS`, with `text`,
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
                **{name: int(counts.get(name, 0)) for name in LOOK},
            }
        )
    return pd.DataFrame(rows)


def verdict_words(row):
    """The verdict of a row of `claim_verdicts`, with counts where its experiments disagree."""
    counts = [f"{row[name]} {name}" for name in LOOK if row[name]]
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


def verdict_chart(findings):
    """Every finding's estimate and interval, against the values for which its claim holds.

    The shaded stretch of a line is the claim's region; colour and marker give the verdict.

    Parameters
    ----------
    findings : pandas.DataFrame
        From `gathered_findings`.
    """
    tested = findings.dropna(subset="estimate").iloc[::-1].reset_index(drop=True)
    ends = np.array([*tested.ci95, *tested.estimate.map(lambda value: [value, value])])
    left, right = np.nanmin(ends) - 0.05, np.nanmax(ends) + 0.05
    figure, axis = plt.subplots(figsize=(PAGE_IN, 0.8 + 0.22 * len(tested)))
    for height, row in tested.iterrows():
        low, high = row.region
        low, high = left if low is None else low, right if high is None else high
        axis.barh(height, high - low, 0.8, left=low, color="#e0eae0", zorder=0)
        axis.vlines(row.region[0] or 0, height - 0.4, height + 0.4, color="#bbbbbb", linewidth=0.8)
        colour, marker = LOOK[row.verdict]
        axis.plot(row.ci95, [height, height], color=colour)
        axis.plot(row.estimate, height, marker, color=colour, markersize=5)
    for name, (colour, marker) in LOOK.items():
        axis.plot([], [], marker, color=colour, label=name)
    # From the bottom up: a claim's name stands beside the first of its findings.
    named = tested.claim.where(tested.claim != tested.claim.shift(-1), "")
    axis.set_yticks(range(len(tested)), named.str.replace("_", " "), fontsize=7)
    axis.set(xlim=(left, right), ylim=(-0.6, len(tested) - 0.4))
    axis.set_xlabel("estimate with its 95 % interval; shaded: where the claim holds")
    figure.legend(loc="outside lower center", ncols=3)
    columns = ["claim", "experiment", "estimate", "n_pairs", "n_seeds", "verdict", "notebook"]
    numbers = tested[columns].iloc[::-1].reset_index(drop=True)
    low, high = np.array(tested.ci95.tolist()).T
    return figure, numbers.assign(low=low[::-1], high=high[::-1])


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
