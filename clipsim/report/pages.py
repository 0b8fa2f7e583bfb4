"""The report: every executed notebook as a page, and an index of them, for any browser.

Nothing of it is loaded from elsewhere, so that the folder can be opened as it lies, or mailed:
formulas become MathML, which browsers draw themselves; figures become WebP inside the page. Code
is folded away; a link to another notebook leads to its page.
"""

import base64
import io
import json
import re
import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime
from html import escape
from itertools import pairwise
from pathlib import Path

import jinja2
import nbformat
import pandas as pd
from humanize import precisedelta
from latex2mathml.converter import convert
from nbconvert.filters import Highlight2HTML, ansi2html
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from PIL import Image

from clipsim.evaluation import CLAIMS, claim_verdicts, verdict_words
from clipsim.report.notebooks import outline, still_outputs

CHART_COLOURS = 8192  # at most, smoothed edges included
QUALITY = 80  # of other pictures, out of 100
INTERVAL = re.compile(r" \[([^\s,\]]+), (?=[^\s,\]]+\])")  # stays on one line
WIDE = '<div class="wide" role="group" aria-label="Table" tabindex="0">{}</div>\n'


@dataclass(frozen=True)
class Figure:
    """A figure of a notebook: PNG bytes, size in CSS pixels, and what is said of it (HTML)."""

    png: bytes
    width: int
    height: int
    alt: str
    caption: str


@dataclass(frozen=True)
class Cell:
    """A cell as HTML: its prose, or its code and outputs."""

    prose: str = ""
    code: str = ""
    outputs: tuple = ()


def page_cells(notebook, stems):
    """The cells of an executed notebook, in order.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
    stems : collection of str
        The notebooks that the report holds.

    Returns
    -------
    list of Cell
        An output is HTML (str) or a `Figure`, whose caption is the emphasised Markdown that
        follows it.
    """
    markdown = MarkdownWithMath(renderer=_Renderer(stems)).render
    highlighted = Highlight2HTML(pygments_lexer="python")
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cells.append(Cell(prose=markdown(cell.source)))
        elif cell.cell_type == "code" and cell.source.strip():
            outputs = [seen for output in cell.outputs for seen in still_outputs(output, notebook)]
            shown = tuple(_shown_outputs(outputs, markdown))
            code = highlighted(cell.source)
            if cells and cells[-1].code and not cells[-1].outputs:
                code = cells.pop().code + code  # one fold for cells that show nothing between
            cells.append(Cell(code=code, outputs=shown))
    return cells


def data_uri(figure, width=None):
    """A figure as WebP in a `data:` URI.

    Parameters
    ----------
    figure : Figure
    width : int, optional
        Pixels that it is reduced to.
    """
    with Image.open(io.BytesIO(figure.png)) as opened:
        image = opened.convert("RGB")
    # A chart is small without loss, and its words stay sharp; a sheet of pictures is not.
    is_chart = image.getcolors(CHART_COLOURS) is not None
    if width is not None and width < image.width:
        image = image.resize((width, round(image.height * width / image.width)), Image.LANCZOS)
    file = io.BytesIO()
    image.save(file, "WEBP", lossless=is_chart, quality=QUALITY)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _shown_outputs(outputs, markdown):
    """Figures with their captions, and everything else as HTML."""
    waiting = list(outputs)
    while waiting:
        output = waiting.pop(0)
        data = output.get("data", {})
        if "image/png" in data:
            is_captioned = waiting and _is_caption(waiting[0])
            caption = markdown(waiting.pop(0)["data"]["text/markdown"]) if is_captioned else ""
            known = output["metadata"].get("image/png", {})
            png = base64.b64decode(data["image/png"])
            size = [known.get(side, 0) for side in ("width", "height")]
            yield Figure(png, *size, known.get("alt", ""), caption)
        elif "text/html" in data:
            yield WIDE.format(data["text/html"])
        elif "text/markdown" in data:
            yield INTERVAL.sub("\u00a0[\\1,\u00a0", markdown(data["text/markdown"]))
        elif text := output.get("text") or data.get("text/plain"):
            yield f"<pre>{ansi2html(text.rstrip())}</pre>"


def _is_caption(output):
    text = output.get("data", {}).get("text/markdown", "")
    return text.startswith("*") and not text.startswith(("**", "* "))


class _Renderer(IPythonRenderer):
    """Markdown as HTML, with formulas in MathML and links within the report."""

    def __init__(self, stems):
        super().__init__(escape=False, exclude_anchor_links=True)
        self.stems = stems

    def heading(self, text, level, **_):
        plain = re.sub(r"<[^>]*>", "", text).lower()
        name = "-".join(re.findall(r"\w+", plain))
        return f'<h{level} id="{name}">{text}</h{level}>\n'

    def link(self, text, url, title=None):
        stem = url.removesuffix(".ipynb")
        if stem == url:
            return super().link(text, url, title)
        return f'<a href="{escape(stem)}.html">{text}</a>' if stem in self.stems else text

    def table(self, text):
        return WIDE.format(f"<table>\n{text}</table>")

    def table_cell(self, text, align=None, head=False):
        return f'<th scope="col">{text}</th>' if head else f"<td>{text}</td>"

    def block_math(self, body):
        return f'<span class="formula" tabindex="0">{convert(body, display="block")}</span>'

    def inline_math(self, body):
        return convert(body)


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
        loader=jinja2.PackageLoader("clipsim.report", "templates"),
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
        runtime=precisedelta(round(timing.duration)),
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
