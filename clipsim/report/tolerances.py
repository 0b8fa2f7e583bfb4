"""How closely a rerun must agree with the committed results: rules by kind, none by number.

A rerun on the same machine with as many threads trains the same model, to the last bit; another
CPU or number of threads changes its last digits. On a GPU, or with other versions, it may be
another model, as another seed would give; the losses tell. Hence the rules:

exact
    Text, counts, settings, fingerprints, lengths of lists, names of keys.
rounding
    Numbers on which no training has a say; all numbers, where the rerun's training was the
    committed one, loss by loss. `ROUNDING`, relative where the value is above 1.
seeds
    Numbers that a training decides, where the rerun's was another one: `DEVIATIONS` standard
    deviations over the training seeds of the committed results. The deviation is that of the
    number's own seeds where its record lists them; else that of its metric and statistic in
    notebook 05, larger for fewer pairs as that of a share is; for what is none of its statistics,
    the largest of them. At least what one pair decides.
same training
    What a training chooses (`CHOSEN`), such as the worst pair: exact where it was the committed
    one, and not compared where it was another.
left out
    What differs by nature (`varies`): what the run ran on, times, and findings on them.
"""

import math
import re
import statistics
from dataclasses import dataclass

from clipsim.evaluation import UNDECIDED, verdict
from clipsim.metrics.compared import METRICS

ROUNDING = 1e-4
DEVIATIONS = 3
EXACT, ROUNDED, SEEDS, SAME_TRAINING, LEFT_OUT = (
    "exact", "rounding", "seeds", "same training", "left out",
)  # fmt: skip

# Patterns of where a value stands, "05_threshold_sweeps results.table1[0].accuracy".
VARYING = re.compile(
    r"\S+ (git_commit|versions\.|device$|threads$)|_s(\[\d+\])*$|12_\S+ results\.timings"
)
TIMED_CLAIM = "retrieval_is_the_cost"
UNTRAINED = re.compile(r"(01|07)_|\S+ (data\.|results\.word_overlap)|\.(learning_rate|region)\b")
CHOSEN = re.compile(
    r"(06|11|14)_\S+ results|12_\S+ results\.recall_of_lists|13_\S+ results\.claims"
    r"|best_epoch|chosen|n_by_|by_claim\.\w+\.n\[|\.count$"
)
MODEL_METRICS = {metric.key for metric in METRICS if metric.matrix is None}
METRIC = re.compile("|".join(metric.key for metric in METRICS))
PART = re.compile(r"(_ci95|_of_seeds|_low|_high)$")
NUMERAL = re.compile(r"\d[\d,.]*")


@dataclass(frozen=True)
class Item:
    """One value of a results file.

    Attributes
    ----------
    where : str
        File and key: "05_threshold_sweeps results.table1[0].accuracy".
    value : str, bool, int, float or None
    record : dict
        The innermost that holds it.
    """

    where: str
    value: object
    record: dict

    @property
    def name(self):
        """The last key of `where`, without the positions in lists that follow it."""
        return re.split(r"[. ]", re.sub(r"(\[\d+\])+$", "", self.where))[-1]


def items(value, where, record=None):
    """All values within a value, lengths of lists included, as `Item`s.

    Parameters
    ----------
    value : dict, list or plain value
        As read from JSON.
    where : str
        What the keys are appended to.
    """
    record = {} if record is None else record
    if isinstance(value, dict):
        joint = "." if " " in where else " "
        for key, inner in value.items():
            yield from items(inner, f"{where}{joint}{key}", value)
    elif isinstance(value, list):
        yield Item(f"{where}.length", len(value), record)
        for position, inner in enumerate(value):
            yield from items(inner, f"{where}[{position}]", record)
    else:
        yield Item(where, value, record)


def same_training(committed, rerun):
    """Whether two results of notebook 02 are of one training: every loss equal to rounding.

    Parameters
    ----------
    committed, rerun : dict
        `results` of 02_clip_training.
    """
    losses = [[epoch["loss"] for epoch in one["history"][1:]] for one in (committed, rerun)]
    return len(losses[0]) == len(losses[1]) and all(
        math.isclose(*pair, rel_tol=ROUNDING) for pair in zip(*losses, strict=True)
    )


@dataclass(frozen=True)
class SeedSpread:
    """The spread over training seeds that notebook 05 recorded.

    Attributes
    ----------
    deviations : dict of (str, str) to float
        Standard deviation over seeds by metric and statistic, the largest of the sources.
    n_pairs : int
        Behind each of them.
    """

    deviations: dict
    n_pairs: int

    @classmethod
    def of(cls, results):
        """The spread in the `results` of 05_threshold_sweeps."""
        deviations = {}
        for row in results["seeds"]:
            name = row["metric"], row["statistic"]
            deviations[name] = max(deviations.get(name, 0.0), row["sd"] or 0.0)
        return cls(deviations, min(row["n_pairs"] for row in results["table1"]))

    def tolerance(self, item):
        """How far a number that a training decides may be from the committed `item`."""
        n_pairs = min(item.record.get("n_pairs") or self.n_pairs, self.n_pairs)
        deviation = _own_deviation(item)
        if deviation is None:
            deviation = self._by_statistic(item) * (self.n_pairs / n_pairs) ** 0.5
        return DEVIATIONS * max(deviation, 1 / n_pairs) * max(1.0, abs(item.value))

    def _by_statistic(self, item):
        # A finding says in words what its estimate is.
        said = f"{item.name} {item.record.get('statistic', '')}".lower()
        if item.name in ("estimate", "ci95"):
            said = item.record.get("experiment", "").lower()
        known = self.deviations
        of_metric = {k: v for k, v in known.items() if k[0] == item.record.get("metric")} or known
        named = [sd for (_, statistic), sd in of_metric.items() if statistic in said]
        return max(named or known.values())


def _own_deviation(item):
    """The standard deviation over the seeds that the record of a number lists, or None."""
    name = PART.sub("", item.name)
    for key in (f"{name}_of_seeds", "of_seeds", "by_seed", "values"):
        values = item.record.get(key) or []
        if len(values) > 1 and (key != "of_seeds" or name in ("estimate", "ci95", key)):
            return statistics.stdev(values)
    return None


def rule(item, is_same_training, spread):
    """Which rule a committed value falls under, and its tolerance.

    Parameters
    ----------
    item : Item
    is_same_training : bool
        See `same_training`.
    spread : SeedSpread

    Returns
    -------
    (str, float or None)
        One of the rules above, and how far the rerun's number may be off; None without one.
    """
    if varies(item):
        return LEFT_OUT, None
    if CHOSEN.search(item.where) and not is_same_training:
        return SAME_TRAINING, None
    if not isinstance(item.value, float) or item.name.startswith("n_"):
        return EXACT, None
    if is_same_training or not _trained(item):
        return ROUNDED, ROUNDING * max(1.0, abs(item.value))
    return SEEDS, spread.tolerance(item)


def agree(committed, rerun, is_same_training, spread):
    """Whether a rerun's value is the committed one within its rule.

    Parameters
    ----------
    committed, rerun : Item
    is_same_training, spread
        As `rule`.
    """
    which, tolerance = rule(committed, is_same_training, spread)
    if which in (LEFT_OUT, SAME_TRAINING):
        return True
    if tolerance is not None:
        is_number = isinstance(rerun.value, int | float) and not isinstance(rerun.value, bool)
        return is_number and abs(rerun.value - committed.value) <= tolerance
    if is_same_training:
        return committed.value == rerun.value
    if committed.name == "verdict":
        return rerun.value in _verdicts_within(committed, spread)
    if committed.name == "experiment":  # says what the training chose, such as N
        return NUMERAL.sub("#", committed.value) == NUMERAL.sub("#", rerun.value)
    return committed.value == rerun.value


def varies(item):
    """Whether a value differs by nature: what the run ran on, times, and what they decide."""
    timed = item.record.get("claim") == TIMED_CLAIM and item.name not in ("claim", "region")
    return timed or bool(VARYING.search(item.where))


def _trained(item):
    """Whether a training has a say in a number: not in those of pixels and data."""
    key = item.where.partition(" ")[2]
    named = {*METRIC.findall(key), *map(str, item.record.values())} & {m.key for m in METRICS}
    if named:
        return bool(named & MODEL_METRICS)
    return not UNTRAINED.search(item.where)


def _verdicts_within(item, spread):
    """The verdicts of a finding's interval when it moves as far as a training may move it."""
    ends = item.record.get("ci95")
    if not ends or None in ends:
        return {item.value}
    low, high = ends
    region_low, region_high = item.record["region"]
    region = (-math.inf if region_low is None else region_low,
              math.inf if region_high is None else region_high)  # fmt: skip
    where = item.where.removesuffix("verdict") + "ci95"
    by = spread.tolerance(Item(where, low, item.record))
    found = {verdict((low + step, high + step), region) for step in (-by, 0.0, by)}
    return found if len(found) == 1 else found | {UNDECIDED}
