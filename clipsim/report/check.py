"""`run --check`: the notebooks run again, and what they find is compared with what is committed.

The run writes below runs/check alone. Where notebook 02 is among those that run, it trains again:
no checkpoint, retrieval or score of an earlier run is read. How closely a value must agree, and
why, `clipsim.report.tolerances` says.
"""

import json
import re
import shutil
from collections import Counter
from dataclasses import replace

import pandas as pd

from clipsim.figures import save_table
from clipsim.profile import RUNS, ProfileError, load_profile, relative
from clipsim.report.tolerances import (
    LEFT_OUT,
    SAME_TRAINING,
    Item,
    SeedSpread,
    agree,
    items,
    rule,
    same_training,
)

TRAINING, SEEDS = "02_clip_training", "05_threshold_sweeps"
FOLDER = "check"
MISSING = "missing"
HEADLINES = re.compile(
    r"03_\S+ results\.recall\.\S*@|05_\S+ results\.table1\S*\.(?:threshold|accuracy|auc)$"
    r"|(?<!13_verdicts) results\.findings\S*\.(?:estimate|verdict)$"
)
FAILURES_SHOWN = 30
LABEL_LENGTH = 24
COLUMNS = ["file", "key", "of", "committed", "rerun", "difference", "tolerance", "rule", "ok"]


def prepared(profile, overrides, stems):
    """Make ready for a checked run: nothing that an earlier one left can pass for its own.

    Parameters
    ----------
    profile : str
    overrides : dict
        As every notebook takes them.
    stems : list of str
        The notebooks that are going to run.

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
    for stem in (TRAINING, SEEDS):
        path = asked.results_dir / f"{stem}.json"
        if not path.is_file():
            raise ProfileError(f"--check has nothing to compare with: {relative(path)} is missing")
    overrides = overrides | {"output_root": str(RUNS / FOLDER)}
    run = load_profile(profile, **overrides)
    if TRAINING in stems:
        shutil.rmtree(run.run_dir / "work", ignore_errors=True)
    for stem in stems:
        (run.results_dir / f"{stem}.json").unlink(missing_ok=True)
    return overrides


def report(run, stems):
    """Compare what a checked run wrote with what is committed, and print it.

    Parameters
    ----------
    run : Profile
        With the `output_root` of `prepared`.
    stems : list of str
        The notebooks that ran.

    Returns
    -------
    bool
        Whether all values agree.
    """
    kept = replace(run, output_root=None)
    training = [_record(profile, TRAINING) for profile in (kept, run)]
    is_same = None not in training and same_training(*(one["results"] for one in training))
    spread = SeedSpread.of(_record(kept, SEEDS)["results"])
    table = comparison(
        {stem: _record(kept, stem) for stem in stems},
        {stem: _record(run, stem) for stem in stems},
        is_same,
        spread,
    )
    path = run.run_dir / "check.csv"
    save_table(table, path)
    _print(table, training[0], is_same)
    print(f"\nevery value  {relative(path)}")
    return bool(table.ok.all())


def comparison(committed, rerun, is_same_training, spread):
    """Every value of the committed results beside the rerun's.

    Parameters
    ----------
    committed, rerun : dict of str to dict or None
        By notebook what its results file holds; None without one.
    is_same_training : bool
        See `clipsim.report.tolerances.same_training`.
    spread : SeedSpread

    Returns
    -------
    pandas.DataFrame
        A row per value: `file`, `key`, `of` (what its record is about), `committed`, `rerun`,
        `difference`, `tolerance`, `rule`, `ok`.
    """
    rows = []
    for stem in committed:
        sides = [_items(one[stem], stem) for one in (committed, rerun)]
        for where in dict.fromkeys([*sides[0], *sides[1]]):
            item, other = (side.get(where, Item(where, MISSING, {})) for side in sides)
            which, tolerance = rule(item, is_same_training, spread)
            numbers = [isinstance(one.value, int | float) for one in (item, other)]
            rows.append(
                {
                    "file": stem,
                    "key": where.partition(" ")[2],
                    "of": _label(item.record or other.record),
                    "committed": item.value,
                    "rerun": other.value,
                    "difference": other.value - item.value if all(numbers) else None,
                    "tolerance": tolerance,
                    "rule": which,
                    "ok": agree(item, other, is_same_training, spread),
                }
            )
    return pd.DataFrame(rows, columns=COLUMNS).astype({"ok": bool})


def _record(profile, stem):
    path = profile.results_dir / f"{stem}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _items(record, stem):
    if record is None:
        return {}
    return {item.where: item for item in items(record, stem)}


def _label(record):
    """What a record is about: the first of its texts, where they are short."""
    texts = [value for value in record.values() if isinstance(value, str)]
    return " ".join(text for text in texts[:3] if 0 < len(text) <= LABEL_LENGTH)


def _print(table, committed, is_same):
    made = committed["git_commit"][:10], committed["threads"], committed["device"]
    print("\nChecked against the results of commit {}, {} threads, {}.".format(*made))
    if is_same:
        print("The training is the committed one, loss by loss: numbers must agree to rounding.")
    else:
        print("The training is another one than the committed: what it decides may differ by the")
        print("spread over seeds (clipsim/tolerances.py), everything else to rounding.")
    is_headline = (table.file + " " + table.key).str.contains(HEADLINES)
    failed, others = table[~table.ok], table[~table.ok & ~is_headline]
    parts = pd.concat([table[is_headline], others.head(FAILURES_SHOWN)])
    parts = parts.assign(file=parts.file.str[:2], key=parts.key.str.removeprefix("results."))
    print("\n" + parts.to_string(index=False, na_rep="–", float_format="{:.6g}".format))
    if len(others) > FAILURES_SHOWN:
        print(f"… and {len(others) - FAILURES_SHOWN:,} more that fail")
    counts = Counter(table.rule)
    left_out, chosen = counts.pop(LEFT_OUT, 0), counts.pop(SAME_TRAINING, 0)
    by_rule = ", ".join(f"{n:,} {name}" for name, n in counts.items())
    print(f"\n{counts.total():,} values compared ({by_rule}): {len(failed):,} failed.")
    if chosen:
        print(f"{chosen:,} not compared, since another training chooses others, such as pairs.")
    varying = ", ".join(sorted(set(table[table.rule == LEFT_OUT].key)))
    print(f"{left_out:,} left out, since they differ by nature: {varying}.")
