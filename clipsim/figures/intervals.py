"""Values whose intervals are known (`clipsim.evaluation.measured`): drawn, in tables, in words."""

from textwrap import wrap

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from clipsim.evaluation import CLAIMS
from clipsim.figures.style import IDENTITY, PAGE_IN
from clipsim.metrics import METRIC_LABELS

TITLE_WIDTH = 92  # characters in 7 inches
NO_METRIC = {"color": "#222222", "marker": "o"}


def interval_points(axis, rows, value, by):
    """Draw values by group and metric: a point, its 95 % interval, a tick for each model.

    Parameters
    ----------
    axis : matplotlib Axes
        Gets the values along x, the groups down y.
    rows : sequence of dict
        `value`, `value`_ci95 and, where several models gave it, `value`_of_seeds; `metric` is a
        key of `IDENTITY`. Rows without one are drawn in black.
    value, by : str
        Names in the rows: of the value, and of its group.
    """
    looks, points, seeds = {}, [], []
    for row in rows:
        key = row.get("metric")
        label = METRIC_LABELS.get(key, "")
        looks[label] = IDENTITY.get(key, NO_METRIC)
        named = {by: row[by], "metric": label}
        points += [named | {value: end} for end in (row[value], *row[f"{value}_ci95"])]
        seeds += [named | {value: of_seed} for of_seed in row.get(f"{value}_of_seeds", ())]
    palette = {label: look["color"] for label, look in looks.items()}
    placed = {"x": value, "y": by, "hue": "metric", "hue_order": list(looks), "palette": palette}
    # Of the three numbers of a point the first is its value, and all span its interval.
    sns.pointplot(
        pd.DataFrame(points), ax=axis, **placed,
        estimator=lambda three: three.iloc[0], errorbar=("pi", 100), err_kws={"linewidth": 1},
        markers=[look["marker"] for look in looks.values()], markersize=4.5, linestyle="none",
        dodge=0.8 - 0.8 / len(looks), legend=len(looks) > 1,
    )  # fmt: skip
    if seeds:
        sns.stripplot(
            pd.DataFrame(seeds), ax=axis, **placed, marker="|", size=6, linewidth=1, alpha=0.5,
            dodge=True, jitter=False, legend=False,
        )  # fmt: skip
    axis.set_ylabel("")
    if len(looks) > 1:
        sns.move_legend(axis, "upper left", bbox_to_anchor=(1, 1), title="")


def auc_chart(rows, findings, data):
    """The AUC of every metric in groups of pairs, and what it says of the claims.

    Parameters
    ----------
    rows : list of dict
        `group`, `metric`, `auc` as `measured` gives it, `n_pairs`, `resampled`; `source` where
        several judged the pairs.
    findings : list of dict
        Of the same experiment: the title, and the caption.
    data : str
        What the images are.

    Returns
    -------
    figure, numbers, caption
        Without rows, where the data cannot answer, no figure.
    """
    numbers, words = flat_table(rows), [finding_sentence(found) for found in findings]
    if not rows:
        return None, numbers, " ".join(words or ["These data cannot answer this."])
    labelled = []
    for row in rows:
        counted = f"{row['n_pairs']:,} {row.get('source', '')}".strip()
        labelled.append(row | {"at": f"{row['group']}\n{counted} pairs"})
    n_groups, n_metrics = len({row["at"] for row in labelled}), numbers.metric.nunique()
    figure, axis = plt.subplots(figsize=(PAGE_IN, 1 + n_groups * max(0.36, 0.14 * n_metrics)))
    interval_points(axis, labelled, "auc", "at")
    axis.axvline(0.5, color="#bbbbbb", linewidth=0.8, zorder=0)
    axis.set_xlabel(f"AUC, {data} (0.5: chance)")
    claim_title(figure, findings)
    words.append(f"Lines: 95 % intervals, {rows[0]['resampled']} resampled; ticks: single models.")
    return figure, numbers, " ".join(words)


def flat_table(rows):
    """Rows as a table; of an interval, and of the values of seeds, the lowest and the highest."""
    flat = []
    for row in rows:
        flat.append({})
        for name, value in row.items():
            if isinstance(value, list):
                name = name.replace("_of_seeds", "_seeds")
                flat[-1] |= {f"{name}_low": min(value), f"{name}_high": max(value)}
            else:
                flat[-1][name] = value
    return pd.DataFrame(flat)


def finding_sentence(found):
    """A finding in words: the experiment, its number with the interval, and what it rests on."""
    low, high = found["ci95"]
    if not np.isfinite([low, high]).all():
        return f"{found['experiment']}."
    return (
        f"{found['experiment']}: {found['estimate']:+.2f} [{low:+.2f}, {high:+.2f}] "
        f"({found['n_pairs']:,} pairs, trainings: {found['n_seeds']}; {found['interval']})."
    )


def claim_title(figure, findings):
    """Give a figure the claims that it tests, with what the findings say of each, as its title."""
    verdicts = {}
    for found in findings:
        verdicts.setdefault(found["claim"], {})[found["verdict"]] = None
    said = [f"{CLAIMS[claim].text[:-1]}: {', '.join(of)}" for claim, of in verdicts.items()]
    lines = [line for words in said for line in wrap(words, TITLE_WIDTH)]
    figure.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=9, weight="bold")
