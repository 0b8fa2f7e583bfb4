"""What the costs say of the claim that retrieval is the main one, and that three ways reduce it.

Every outcome can go either way: retrieval may take less than half of a comparison, and a way that
should be cheaper may take longer.
"""

import numpy as np

from clipsim.evaluation import finding
from clipsim.studies.cost_and_scale import cost_breakdown, cost_processes
from clipsim.studies.cost_and_scale.cost_breakdown import ANEW, FILED, WAYS, retrieval_share
from clipsim.studies.cost_and_scale.cost_study import EXACT, RECALL
from clipsim.studies.cost_and_scale.timing import saving

CLAIM = "retrieval_is_the_cost"
MAIN = (0.5, np.inf)  # more than all the rest together
CACHED, BETTER, PARALLEL = "cached vectors", "better search", "two processes"


def share_rows(profile, stages):
    """Share of a comparison that retrieval takes, in each of `WAYS`.

    Parameters
    ----------
    profile : Profile
    stages : dict of str to array
        From `clipsim.studies.cost_and_scale.cost_breakdown.pair_seconds`.

    Returns
    -------
    list of dict
        From `clipsim.studies.cost_and_scale.cost_breakdown.retrieval_share`.
    """
    return [retrieval_share(stages, way, profile.n_bootstrap, profile.seed) for way in WAYS]


def saving_rows(profile, stages, pool_rows, process_rows, n_pool):
    """What cached vectors, better search and parallel work save.

    Parameters
    ----------
    profile, stages
        As in `share_rows`.
    pool_rows : list of dict
        From `clipsim.studies.cost_and_scale.cost_study.pool_rows`.
    process_rows : list of dict
        From `clipsim.studies.cost_and_scale.cost_processes.process_rows`.
    n_pool : int
        Size of the profile's own pool.

    Returns
    -------
    list of dict
        `way`, `what` it is, the `work` that was timed, `n_pairs` (None where none were),
        `rounds`, and as `timing.saving`: NaN where approximate search does not reach the
        recall.
    """
    anew, filed = (stages[stage] + stages[cost_breakdown.SEARCH] for stage in (ANEW, FILED))
    rows = [
        {
            "way": CACHED,
            "what": "vectors from a file instead of captions encoded anew",
            "work": f"retrieval from {n_pool:,} descriptions for two images",
            "n_pairs": len(anew),
            "rounds": len(anew),
        }
        | saving(anew, filed, profile.n_bootstrap, profile.seed)
    ]
    for row in pool_rows:
        if (row["pool"], row["queries"]) == (n_pool, 1) and row["search"] != EXACT:
            found = f"{row['factory']} ({row['effort']}, recall {row['recall']:.3f})"
            rows.append(
                _saved(row if row["recall"] >= RECALL else row | _UNKNOWN)
                | {"way": BETTER, "what": f"{found} instead of exact search"}
                | {"work": f"searching {n_pool:,} descriptions for one image"}
                | {"n_pairs": None, "rounds": row["rounds"]}
            )
    work = {
        cost_processes.ENCODE: "encoding {:,} captions",
        cost_processes.SEARCH: f"searching {n_pool:,} descriptions for {{:,}} images",
    }
    for row in process_rows:
        rows.append(
            _saved(row)
            | {"way": PARALLEL, "what": "two single-threaded processes instead of one"}
            | {"work": work[row["work"]].format(row["amount"])}
            | {"n_pairs": None, "rounds": row["seconds"]["one"]["rounds"]}
        )
    return rows


def cost_findings(shares, savings, n_pool):
    """The findings on the claim.

    Whether retrieval takes more than half of a comparison is asked twice, with the captions
    encoded anew and with vectors from their file; every row of `savings` is a finding.

    Parameters
    ----------
    shares : list of dict
        From `share_rows`.
    savings : list of dict
        From `saving_rows`.
    n_pool : int
    """
    found = [
        finding(
            CLAIM,
            f"share of the time of comparing two new images that retrieval from {n_pool:,} "
            f"descriptions takes, {row['way']}",
            row["share"], row["share_ci95"], n_pairs=row["rounds"], n_seeds=1,
            interval=_interval(row), region=MAIN,
        )
        for row in shares[:2]
    ]  # fmt: skip
    for row in savings:
        short = "" if np.isfinite(row["saved"]) else f"; it does not reach a recall of {RECALL}"
        found.append(
            finding(
                CLAIM, f"share of the time saved by {row['what']}: {row['work']}{short}",
                row["saved"], row["saved_ci95"], n_pairs=row["n_pairs"], n_seeds=1,
                interval=_interval(row),
            )
        )  # fmt: skip
    return found


_UNKNOWN = {name: np.nan for name in ("ratio", "saved")} | {
    f"{name}_ci95": [np.nan, np.nan] for name in ("ratio", "saved")
}


def _saved(row):
    return {name: row[name] for name in _UNKNOWN}


def _interval(row):
    return f"{row['rounds']} rounds resampled; machine, model and inputs held fixed"
