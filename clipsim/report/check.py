"""`run --check`: the notebooks run again below runs/check, and compared with what is committed.

One rule. Compared are the numbers of a short list, those of docs/reproducing.md (`headlines`), and
every number that no training decides: the data of each notebook, and all of `UNTRAINED`. Counts
and texts must be equal, numbers agree within `ROUNDING`. On a GPU, or with other versions, the
training may be another one, as another seed would give: the losses tell, and a headline that it
decides may then be off by `DEVIATIONS` standard deviations over the committed training seeds.
"""

import math
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd

from clipsim.figures import LABELS, save_table
from clipsim.profile import RUNS, ProfileError, load_profile, relative
from clipsim.record import read_json

DATA, TRAINING, RETRIEVAL, TABLE_1 = (
    "01_data_preparation", "02_clip_training", "03_caption_retrieval", "05_threshold_sweeps",
)  # fmt: skip
UNTRAINED = (DATA, "07_which_ssim_and_fsim")
ROUNDING = 1e-4  # relative where the value is above 1
DEVIATIONS = 3


def headlines(records):
    """The numbers of docs/reproducing.md, each with its deviation over the training seeds.

    Parameters
    ----------
    records : dict of str to dict
        Results files by notebook.

    Returns
    -------
    dict of str to (float, float)
        By what it is, the number and the standard deviation; 0 where no training decides it, NaN
        where the seeds' are not recorded. Empty without notebooks 03 and 05.
    """
    found = {}
    if RETRIEVAL in records:
        recall = records[RETRIEVAL]["results"]["recall"]
        for direction in ("image_to_text", "text_to_image"):
            label = f"R@1, {direction.replace('_', ' ')}"
            found[label] = recall[direction]["R@1"], math.nan
    if TABLE_1 in records:
        results = records[TABLE_1]["results"]
        deviations = {
            (row["metric"], row.get("source"), row["statistic"]): row["sd"] or 0.0
            for row in results["seeds"]
        }
        for row in results["table1"]:
            if row["threshold_from"] == "paper" or row["variant"] == "package":
                continue
            metric = LABELS[row["metric"], row["variant"]]
            who = f" ({row['source']})" if row.get("source") else ""
            for name in ("accuracy", "auc", "threshold"):
                sd = deviations.get((metric.key, row.get("source"), name), 0.0)
                label = f"{metric.label}{who}: {name.replace('auc', 'AUC')}"
                found[label] = row[name], sd
    return found


def prepared(profile, overrides, stems):
    """Make ready for a checked run: nothing that an earlier one left can pass for its own.

    Where notebook 02 is among those that run, it trains again.

    Returns
    -------
    dict
        The overrides that send everything the run writes below runs/check.

    Raises
    ------
    ProfileError
        If there are no committed results of these very settings.
    """
    asked = load_profile(profile, **overrides)
    if not asked.is_pristine or asked.output_root is not None:
        changed = [key for key in overrides if key == "output_root" or key in asked.settings]
        what = " ".join(f"-p {key}=…" for key in changed) or f"--profile {profile}"
        raise ProfileError(f"--check compares with the committed results: leave out {what}")
    for stem in (TRAINING, TABLE_1):
        path = asked.results_dir / f"{stem}.json"
        if not path.is_file():
            raise ProfileError(f"--check has nothing to compare with: {relative(path)} is missing")
    overrides = overrides | {"output_root": str(RUNS / "check")}
    run = load_profile(profile, **overrides)
    if TRAINING in stems:
        shutil.rmtree(run.run_dir / "work", ignore_errors=True)
    for stem in stems:
        (run.results_dir / f"{stem}.json").unlink(missing_ok=True)
    return overrides


def agrees(run, stems):
    """Whether all that a checked run wrote agrees with what is committed; prints what does not."""
    kept = replace(run, output_root=None)
    committed, rerun = (_records(profile, stems) for profile in (kept, run))
    training = [_records(profile, [TRAINING]).get(TRAINING) for profile in (kept, run)]
    is_same = None not in training and _same_training(*training)
    table = comparison(committed, rerun, is_same)
    path = run.run_dir / "check.csv"
    save_table(table, path)
    made = training[0]
    print(f"\nChecked against commit {made['git_commit'][:10]}, {made['threads']} threads.")
    print(f"The training is {'the committed one, loss by loss' if is_same else 'another one'}.")
    shown = table[table.number.str.contains(": |R@1") | ~table.ok]
    print("\n" + shown.to_string(index=False, na_rep="–", float_format="{:.6g}".format))
    print(f"\n{len(table):,} values compared: {(~table.ok).sum()} failed.")
    print(f"every value  {relative(path)}")
    return bool(table.ok.all())


def comparison(committed, rerun, is_same):
    """What is compared of the committed results beside the rerun's.

    Parameters
    ----------
    committed, rerun : dict of str to dict
        Results files by notebook.
    is_same : bool
        Whether both are of one training.

    Returns
    -------
    pandas.DataFrame
        Columns number, committed, rerun, tolerance, ok; a missing notebook or number fails.
    """
    sides = []
    for records in (committed, rerun):
        values = headlines(records)
        for stem, record in records.items():
            values |= {k: (v, 0.0) for k, v in _values(record["data"], f"{stem} data")}
            if stem in UNTRAINED:
                values |= {k: (v, 0.0) for k, v in _values(record["results"], f"{stem} results")}
        sides.append(values | {f"{stem} is there": (True, 0.0) for stem in records})
    rows = []
    for number in dict.fromkeys([*sides[0], *sides[1]]):
        (value, sd), (other, _) = (side.get(number, ("missing", 0.0)) for side in sides)
        allowed = tolerance(value, sd, is_same) if isinstance(value, float) else None
        if allowed is None or not isinstance(other, int | float):
            ok = value == other
        else:
            ok = math.isnan(allowed) or abs(value - other) <= allowed
        rows.append((number, value, other, allowed, ok))
    columns = ["number", "committed", "rerun", "tolerance", "ok"]
    return pd.DataFrame(rows, columns=columns).astype({"ok": bool})


def _records(profile, stems):
    paths = {stem: profile.results_dir / f"{stem}.json" for stem in stems}
    return {
        stem: read_json(path, ProfileError, data=dict, results=dict)
        for stem, path in paths.items()
        if path.is_file()
    }


def _same_training(committed, rerun):
    """Whether two results of notebook 02 are of one training: every loss equal to rounding."""
    losses = [
        [epoch["loss"] for epoch in one["results"]["history"][1:]] for one in (committed, rerun)
    ]
    return len(losses[0]) == len(losses[1]) and np.allclose(*losses, rtol=ROUNDING, atol=0)


def tolerance(value, sd, is_same):
    """How far a rerun's number may be off; NaN where it is not known."""
    rounding = ROUNDING * max(1.0, abs(value))
    if is_same or math.isnan(sd):
        return rounding if is_same else math.nan
    return max(rounding, DEVIATIONS * sd)


def _values(value, key):
    """Every plain value within a value, by where it stands."""
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        yield f"{key} length", len(value)
        for name, item in inner:
            yield from _values(item, f"{key}.{name}")
    elif not key.endswith("_s"):  # seconds differ by nature
        yield key, value
