"""What the costs say of the claim that retrieval is the main one, and that it can be reduced."""

import numpy as np

from clipsim.claims import finding
from clipsim.cost_breakdown import ANEW, FILED, SEARCH, WAYS, retrieval_share
from clipsim.cost_study import EXACT, RECALL
from clipsim.timing import saving

CLAIM = "retrieval_is_the_cost"
MAIN = (0.5, np.inf)  # more than all the rest together
INTERVAL = "{rounds} rounds resampled; machine, model and inputs held fixed"


def cost_findings(profile, stages, pool_rows, process_rows, n_pool):
    """The findings on the claim, any of which can go either way.

    Parameters
    ----------
    profile : Profile
    stages : dict of str to array
        From `clipsim.cost_breakdown.pair_seconds`.
    pool_rows : list of dict
        From `clipsim.cost_study.pool_rows`.
    process_rows : list of dict
        From `clipsim.cost_processes.process_rows`.
    n_pool : int
        Size of the profile's own pool.

    Returns
    -------
    list of dict
        Whether retrieval takes more than half of a comparison, and what is saved by cached
        vectors, by better search, and by parallel work.
    """
    return [
        *share_findings(profile, stages, n_pool),
        caching_finding(profile, stages, n_pool),
        *search_findings(pool_rows, n_pool),
        *parallel_findings(process_rows),
    ]


def share_findings(profile, stages, n_pool):
    """Whether retrieval is the main cost: captions encoded anew, and vectors from their file."""
    found = []
    for way in list(WAYS)[:2]:
        row = retrieval_share(stages, way, profile.n_bootstrap, profile.seed)
        experiment = (
            f"share of the time of comparing two new images that retrieval from {n_pool:,} "
            f"descriptions takes, {way}"
        )
        found.append(
            finding(
                CLAIM, experiment, row["share"], row["share_ci95"], n_pairs=row["rounds"],
                n_seeds=1, interval=INTERVAL.format_map(row), region=MAIN,
            )
        )  # fmt: skip
    return found


def caching_finding(profile, stages, n_pool):
    """What vectors from their file save of retrieval's time."""
    anew, filed = (stages[stage] + stages[SEARCH] for stage in (ANEW, FILED))
    row = saving(anew, filed, profile.n_bootstrap, profile.seed)
    experiment = (
        f"share of the time of retrieval from {n_pool:,} descriptions for two images that vectors "
        "from a file save, against encoding the captions anew"
    )
    return _saving_finding(experiment, row, n_pairs=len(anew), rounds=len(anew))


def search_findings(rows, n_pool):
    """What approximate search saves of exact search's time, for one image and the own pool.

    Without `RECALL` it is no answer to the claim: the finding has no estimate then.
    """
    found = []
    for row in rows:
        if (row["pool"], row["queries"]) != (n_pool, 1) or row["search"] == EXACT:
            continue
        experiment = (
            f"share of the time of searching {n_pool:,} descriptions for one image that "
            f"{row['factory']} ({row['effort']}, recall {row['recall']:.3f}) saves against exact "
            "search"
        )
        if row["recall"] < RECALL:
            row = row | {"saved": np.nan, "saved_ci95": [np.nan, np.nan]}
            experiment += f"; it does not reach a recall of {RECALL}"
        found.append(_saving_finding(experiment, row, None, row["rounds"]))
    return found


def parallel_findings(rows):
    """What two single-threaded processes save of one's time."""
    return [
        _saving_finding(
            f"share of the time of {row['work']} ({row['amount']:,} {row['unit']}) that two "
            "single-threaded processes save against one",
            row,
            None,
            row["seconds"]["one"]["rounds"],
        )
        for row in rows
    ]


def _saving_finding(experiment, row, n_pairs, rounds):
    return finding(
        CLAIM, experiment, row["saved"], row["saved_ci95"],
        n_pairs=n_pairs, n_seeds=1, interval=INTERVAL.format(rounds=rounds),
    )  # fmt: skip
