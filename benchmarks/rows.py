"""Rows that every benchmark writes alike: a case, ours beside the other's, their ratio."""

import json
from importlib.metadata import version

from machine import machine

from clipsim.record import atomic_path

OURS_BY_PEER, PEER_BY_OURS = "ours / peer", "peer / ours"


def row(case, ours, peer, unit, medians, ratio_of, target=None):
    """A row of the table.

    Parameters
    ----------
    case, ours, peer : str
        What was measured, and whose work it was.
    unit : str
        Of both medians.
    medians : pair of float
        Ours, and the other's, or the bound that ours must keep.
    ratio_of : {"ours / peer", "peer / ours"}
    target : str, optional
        What the ratio should be: "≤ 1.3", "≥ 10".
    """
    ours_median, peer_median = (float(f"{median:.4g}") for median in medians)
    ratio = medians[0] / medians[1]
    if ratio_of == PEER_BY_OURS:
        ratio = 1 / ratio
    return {
        "case": case,
        "ours": ours,
        "peer": peer,
        "unit": unit,
        "ours_median": ours_median,
        "peer_median": peer_median,
        "ratio": float(f"{ratio:.3g}"),
        "ratio_of": ratio_of,
        "target": target,
        "met": None if target is None else holds(ratio, target),
    }


def holds(ratio, target):
    """Whether a ratio is what a target such as "≤ 1.3" asks for."""
    sign, bound = target.split()
    return bool(ratio <= float(bound) if sign == "≤" else ratio >= float(bound))


def write(path, benchmark, rows, packages, **rest):
    """Write a benchmark's JSON, print its table, and say whether every target is met."""
    record = {
        "benchmark": benchmark,
        "machine": machine(),
        "versions": {package: version(package) for package in packages},
        "rows": rows,
        **rest,
    }
    with atomic_path(path) as temporary:
        text = json.dumps(record, indent=2, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    print(f"{section(path.stem, record)}\n")
    return all(row["met"] is not False for row in rows)


def section(name, record):
    """A benchmark's part of the table for people, in Markdown."""
    made_on = record["machine"]
    processor = made_on.get("processor", "processor not recorded")
    versions = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    where = f"{processor}, {made_on['cores']} cores, Python {made_on['python']}"
    lines = [f"## {name}", "", f"{record['benchmark']}. {where}; {versions}.", ""]
    lines += ["| case | ours | the other | ours | the other's | ratio | target | met |"]
    lines += ["| --- | --- | --- | --- | --- | --- | --- | --- |"]
    return "\n".join(lines + [_line(row) for row in record["rows"]])


def _line(row):
    unit = row["unit"]
    cells = [row["case"], row["ours"], row["peer"]]
    cells += [f"{_number(row[side])} {unit}" for side in ("ours_median", "peer_median")]
    cells += [f"{_number(row['ratio'])} ({row['ratio_of']})", row["target"] or "–"]
    cells += [{None: "–", True: "yes", False: "**no**"}[row["met"]]]
    return f"| {' | '.join(cells)} |"


def _number(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:g}"
