"""The report: every executed notebook as a page, and an index of them, for any browser.

nbconvert makes the pages, with the template in `templates`. Nothing of them is loaded from
elsewhere, so that the folder can be opened as it lies, or mailed: formulas become MathML, which
browsers draw themselves; figures become WebP inside the page.
"""

import base64
import io
import re
from datetime import datetime
from pathlib import Path

import nbformat
from humanize import precisedelta
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from PIL import Image

from clipsim.evaluation import CLAIMS, verdict_words
from clipsim.record import StaleError, atomic_path, read_results
from clipsim.report.run import outline

CHART_COLOURS = 8192  # at most, smoothed edges included
QUALITY = 80  # of other pictures, out of 100
NOTEBOOK_LINK = re.compile(r' href="([^"]+)\.ipynb"')


class _Renderer(IPythonRenderer):
    """Markdown as HTML, with formulas in MathML."""

    def block_math(self, body):
        return f'<span class="formula" tabindex="0">{convert(body, display="block")}</span>'

    def inline_math(self, body):
        return convert(body)


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
    exporter = HTMLExporter(
        template_name="templates", extra_template_basedirs=[str(Path(__file__).parent)]
    )
    markdown = MarkdownWithMath(renderer=_Renderer(escape=False, exclude_anchor_links=True))
    exporter.register_filter("markdown2html", markdown.render)
    exporter.register_filter("webp", webp)
    copies = [path for path in executed.glob("[0-9][0-9]_*.ipynb") if "." not in path.stem]
    try:
        claims = read_results(profile, "13_verdicts")["claims"]
    except StaleError:  # not all notebooks have run yet
        claims = []
    pages = [_page(path, claims) for path in sorted(copies)]
    index = exporter.environment.get_template("contents.html.j2")
    written = {"index.html": index.render(pages=pages, profile=profile.name)}
    stems = {page["stem"] for page in pages}
    row = [None, *pages, None]
    for before, page, after in zip(row, pages, row[2:], strict=False):
        around = {"before": before, "page": page, "after": after, "profile": profile.name}
        text, _ = exporter.from_filename(executed / f"{page['stem']}.ipynb", around)
        # A link to a notebook leads to its page, where the report has one.
        written[f"{page['stem']}.html"] = NOTEBOOK_LINK.sub(
            lambda link: f' href="{link[1]}.html"' if link[1] in stems else "", text
        )
    folder = profile.run_dir / "report"
    for name, text in written.items():
        with atomic_path(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    for path in folder.iterdir():
        if path.name not in written:
            path.unlink()
    return folder / "index.html"


def webp(png):
    """A picture as WebP, both in base64."""
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    # A chart is small without loss, and its words stay sharp; a sheet of pictures is not.
    is_chart = image.getcolors(CHART_COLOURS) is not None
    file = io.BytesIO()
    image.save(file, "WEBP", lossless=is_chart, quality=QUALITY)
    return base64.b64encode(file.getvalue()).decode("ascii")


def _page(path, claims):
    """What the index says of an executed notebook: title, question, verdicts, time."""
    timing = nbformat.read(path, as_version=4).metadata.papermill
    started = datetime.fromisoformat(timing.start_time).astimezone()
    title, question = outline(path)
    own = [row for row in claims if CLAIMS[row["claim"]].notebook == path.stem]
    return {
        "stem": path.stem,
        "title": title,
        "question": question,
        "verdicts": [(row["text"], verdict_words(row)) for row in own],
        "run": f"{precisedelta(round(timing.duration))}, run on {started:%Y-%m-%d %H:%M}",
    }
