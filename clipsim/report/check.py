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
from functools import partial

import numpy as np
import pandas as pd

from clipsim.figures import LABELS
from clipsim.profile import RUNS, ProfileError, load_profile, relative
from clipsim.record import read_json

TRAINING, RETRIEVAL, TABLE_1 = "02_clip_training", "03_caption_retrieval", "05_threshold_sweeps"
UNTRAINED = ("01_data_preparation", "07_which_ssim_and_fsim")
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
    found, deviations = {}, {}
    results = {stem: record["results"] for stem, record in records.items()}
    for direction in ("image_to_text", "text_to_image") if RETRIEVAL in results else ():
        recall = results[RETRIEVAL]["recall"][direction]["R@1"]
        found[f"R@1, {direction.replace('_', ' ')}"] = recall, math.nan
    table_1 = results.get(TABLE_1, {"seeds": [], "table1": []})
    for row in table_1["seeds"]:
        deviations[row["metric"], row.get("source"), row["statistic"]] = row["sd"] or 0.0
    for row in table_1["table1"]:
        if row["threshold_from"] == "paper" or row["variant"] == "package":
            continue
        metric, source = LABELS[row["metric"], row["variant"]], row.get("source")
        for name in ("accuracy", "auc", "threshold"):
            label = f"{metric.label}{f' ({source})' if source else ''}: {name}"
            sd = deviations.get((metric.key, source, name), 0.0)
            found[label.replace("auc", "AUC")] = row[name], sd
    return found


def prepared(profile, overrides, stems):
    """The overrides that send a run below runs/check, where nothing is left to pass for its own.

    Where notebook 02 is among those that run, it trains again.

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
    path = asked.results_dir / f"{TRAINING}.json"
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
    made, trained = (_records(one, [TRAINING]).get(TRAINING) for one in (kept, run))
    is_same = trained is not None and _same_training(made, trained)
    table = comparison(_records(kept, stems), _records(run, stems), is_same)
    print(f"\nChecked against commit {made['git_commit'][:10]}, {made['threads']} threads.")
    print(f"The training is {'the committed one, loss by loss' if is_same else 'another one'}.")
    shown = table[table.number.str.contains(": |R@1") | ~table.ok]
    print("\n" + shown.to_string(index=False, na_rep="–", float_format="{:.6g}".format))
    print(f"\n{len(table):,} values compared: {(~table.ok).sum()} failed.")
    return bool(table.ok.all())


def comparison(committed, rerun, is_same):
    """What is compared of two runs' results files by notebook, as a table.

    Columns number, committed, rerun, tolerance, ok; what either lacks fails. `is_same`: whether
    both are of one training.
    """
    sides, rows = [_compared(records) for records in (committed, rerun)], []
    for number in sides[0] | sides[1]:
        (value, sd), (other, _) = (side.get(number, ("missing", 0.0)) for side in sides)
        allowed = tolerance(value, sd, is_same) if isinstance(value, float) else None
        ok = value == other
        if allowed is not None and isinstance(other, int | float):
            ok = not abs(value - other) > allowed  # whatever the number, where that is NaN
        rows.append((number, value, other, allowed, ok))
    columns = ["number", "committed", "rerun", "tolerance", "ok"]
    return pd.DataFrame(rows, columns=columns).astype({"ok": bool})


def tolerance(value, sd, is_same):
    """How far a rerun's number may be off; NaN where it is not known."""
    rounding = ROUNDING * max(1.0, abs(value))
    return rounding if is_same else float(np.maximum(rounding, DEVIATIONS * sd))


def _compared(records):
    """Every number that the rule names, with its deviation, by where it stands."""
    values = headlines(records)
    for stem, record in records.items():
        for part in ("data", "results") if stem in UNTRAINED else ("data",):
            values |= {key: (v, 0.0) for key, v in _plain(record[part], f"{stem} {part}")}
    return values


def _plain(value, key):
    """Every plain value within a value, by where it stands."""
    if isinstance(value, dict | list):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _plain(item, f"{key}.{name}")
    elif not key.endswith("_s"):  # seconds differ by nature
        yield key, value


def _same_training(*records):
    """Whether results of notebook 02 are of one training: every loss equal to rounding."""
    losses = [[e["loss"] for e in record["results"]["history"][1:]] for record in records]
    return len(losses[0]) == len(losses[1]) and np.allclose(*losses, rtol=ROUNDING, atol=0)


def _records(profile, stems):
    paths = [profile.results_dir / f"{stem}.json" for stem in stems]
    read = partial(read_json, error=ProfileError, data=dict, results=dict)
    return {path.stem: read(path) for path in paths if path.is_file()}
