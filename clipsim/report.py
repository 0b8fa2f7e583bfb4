"""The report: every executed notebook as a page, and an index of them, for any browser.

Nothing of it is loaded from elsewhere, so that the folder can be opened as it lies, or mailed.
"""

import json
import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import jinja2
import nbformat
import pandas as pd

from clipsim.claims import CLAIMS
from clipsim.notebooks import outline
from clipsim.report_page import Figure, data_uri, page_cells
from clipsim.verdicts import claim_verdicts, verdict_words
from clipsim.wording import duration

THUMBNAIL = 640  # pixels, shown at half that width


@dataclass(frozen=True)
class Page:
    """An executed notebook in the report.

    Attributes
    ----------
    stem, title, question : str
    cells : list of Cell
    figure : Figure or None
        The first one, which stands for the notebook in the index.
    verdicts : list of (str, str)
        The claims that it tests, and what its findings say of each.
    runtime, started : str
        How long it took, and when it was run, in words.
    provenance : str
        What its numbers come from; empty where it records none.
    """

    stem: str
    title: str
    question: str
    cells: list
    figure: Figure | None
    verdicts: list
    runtime: str
    started: str
    provenance: str


def write_report(profile, executed):
    """Write `runs/<profile>/report`, in place of an earlier one.

    Parameters
    ----------
    profile : Profile
    executed : Path
        Folder of the executed notebooks. The report has those that are there, whenever they
        were run.

    Returns
    -------
    Path
        The index.
    """
    copies = [path for path in executed.glob("[0-9][0-9]_*.ipynb") if "." not in path.stem]
    stems = sorted(path.stem for path in copies)
    pages = [_page(executed / f"{stem}.ipynb", profile, stems) for stem in stems]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("clipsim", "report_templates"),
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters["data_uri"] = data_uri
    environment.globals |= {"profile": profile.name, "thumbnail": THUMBNAIL}
    written = {"index.html": environment.get_template("index.html.j2").render(pages=pages)}
    template = environment.get_template("page.html.j2")
    row = [None, *pages, None]
    for (before, page), (_, after) in pairwise(pairwise(row)):
        text = template.render(page=page, before=before, after=after)
        written[f"{page.stem}.html"] = text
    return _replace_folder(profile.run_dir / "report", written) / "index.html"


def _page(path, profile, stems):
    notebook = nbformat.read(path, as_version=4)
    title, question = outline(path)
    cells = page_cells(notebook, stems)
    outputs = [output for cell in cells for output in cell.outputs]
    record = _record(profile, path.stem)
    timing = notebook.metadata.papermill
    started = datetime.fromisoformat(timing.start_time).astimezone()
    return Page(
        stem=path.stem,
        title=title,
        question=question,
        cells=cells,
        figure=next((output for output in outputs if isinstance(output, Figure)), None),
        verdicts=_verdicts(path.stem, record.get("results", {}).get("findings", [])),
        runtime=duration(timing.duration),
        started=f"{started:%Y-%m-%d %H:%M}",
        provenance=_provenance(record),
    )


def _record(profile, stem):
    """What the notebook recorded for this very profile; empty if it did not."""
    path = profile.results_dir / f"{stem}.json"
    record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return record if record.get("profile_hash") == profile.hash else {}


def _verdicts(stem, findings):
    claims = {key: claim for key, claim in CLAIMS.items() if claim.notebook == stem}
    rows = [
        found | {"text": claims[found["claim"]].text, "section": claims[found["claim"]].section}
        for found in findings
        if found["claim"] in claims
    ]
    if not rows:
        return []
    table = claim_verdicts(pd.DataFrame(rows))
    return [(row["text"], verdict_words(row)) for row in table.to_dict("records")]


def _provenance(record):
    if not record:
        return ""
    commit, mark, changes = record["git_commit"].partition("+")
    parts = [f"seed {record['seed']}", f"code {commit[:8]}{mark}{changes}" if commit else ""]
    parts += [f"{record['device']}, {record['threads']} threads"]
    parts += [f"Python {record['versions']['python']}, torch {record['versions']['torch']}"]
    return "; ".join(filter(None, parts))


def _replace_folder(folder, texts):
    """A folder of text files instead of what is there, when all of them are written."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".report-") as temporary:
        whole = Path(temporary) / folder.name
        whole.mkdir()
        for name, text in texts.items():
            (whole / name).write_text(text, encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        whole.rename(folder)
    return folder
