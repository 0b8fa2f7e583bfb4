""" "D > 0 for any pair" (sec. 3): how often Eq. 4 is not above zero.

The sign does not depend on the normalisation. One exception refutes the claim, however many
pairs agree with it; without any it stays undecided.
"""

import numpy as np
import pandas as pd

from clipsim.evaluation import exact_interval, finding


def sign_table(model, pairs):
    """Pairs with D ≤ 0 by vector space and N: test pairs, and all pairs of their images.

    Parameters
    ----------
    model : ModelScores
    pairs : StudyPairs

    Returns
    -------
    pandas.DataFrame
        Columns space, n, pairs ("test pairs" or "all pairs"), n_pairs, count, share, low and
        high (Clopper–Pearson, which takes the pairs as independent), and share_images.
    """
    test = pairs.test
    present = np.flatnonzero(np.isin(model.image_ids, test.image_ids))
    rows = []
    for space, means in model.means.items():
        kernel = model.kernels[f"eq4 {space}"]
        for n, scores, mean in zip(kernel.settings, kernel.judged, means, strict=True):
            everything = mean[present] @ mean[present].T
            groups = {
                "test pairs": (scores[pairs.evaluated], pairs.unit != "pairs"),
                "all pairs": (everything[np.triu_indices(len(present), 1)], True),
            }
            for name, (values, share_images) in groups.items():
                count = int((values <= 0).sum())
                low, high = exact_interval(count, len(values))
                rows.append(
                    {
                        "space": space, "n": n, "pairs": name, "n_pairs": len(values),
                        "count": count, "share": count / len(values), "low": low, "high": high,
                        "share_images": share_images,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def sign_findings(table, n):
    """What the signs at one N say of the claim, for each vector space.

    The test pairs count where there is an exception among them, else all pairs of their
    images: the claim is about any pair, and the larger set is where exceptions would be.

    Parameters
    ----------
    table : pandas.DataFrame
        From `sign_table`.
    n : int

    Returns
    -------
    list of dict
    """
    findings = []
    for space, of_space in table[table.n == n].groupby("space", sort=False):
        by_pairs = of_space.set_index("pairs")
        counted = "test pairs" if by_pairs.loc["test pairs", "count"] else "all pairs"
        row = by_pairs.loc[counted]
        where = counted if counted == "test pairs" else "all pairs of the test pairs' images"
        shared = "; pairs share images and are taken as independent" if row.share_images else ""
        findings.append(
            finding(
                "always_positive",
                f"share of {where} with D ≤ 0 (Eq. 4, {space} vectors, N = {n}): "
                f"{row['count']:,} of {row.n_pairs:,}",
                row.share,
                [row.low, row.high],
                n_pairs=row.n_pairs,
                n_seeds=1,
                interval=f"exact (Clopper–Pearson); model held fixed{shared}",
                region=(0.0, 0.0),
            )
        )
    return findings


def seed_shares(models, pairs, space, n):
    """The share of test pairs with D ≤ 0 at one N, for each model."""
    shares = []
    for model in models:
        kernel = model.kernels[f"eq4 {space}"]
        scores = kernel.judged[kernel.settings.index(n)][pairs.evaluated]
        shares.append(float((scores <= 0).mean()))
    return shares
