"""Every executed notebook as a page, and an index: HTML to open or mail, Markdown to commit.

nbconvert makes the pages, with the templates in `templates`. Nothing of the HTML is loaded from
elsewhere, so that the folder can be opened as it lies: formulas become MathML, which browsers draw
themselves; figures become WebP inside the page. The Markdown is read where a repository is shown:
it links to the figures that are committed, and has neither photographs nor their captions.
"""

import base64
import hashlib
import io
import re
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import nbformat
from humanize import precisedelta
from latex2mathml.converter import convert
from nbconvert import HTMLExporter, MarkdownExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import TagRemovePreprocessor
from PIL import Image

from clipsim.figures import found
from clipsim.profile import NOTEBOOKS
from clipsim.record import StaleError, atomic_path, read_record, read_results
from clipsim.report.run import notebook_paths, outline

CHART_COLOURS = 8192  # at most, smoothed edges included
QUALITY = 80  # of other pictures, out of 100
NOTEBOOK_LINK = re.compile(r' href="([^"]+)\.ipynb"')
TEMPLATES = {"template_name": "templates", "extra_template_basedirs": [str(Path(__file__).parent)]}
PARAMETER_TAGS = {"parameters", "injected-parameters"}  # of one machine; the title has the profile
OWN_PICTURES = "14_your_images"  # whatever it shows is its reader's
STYLING = re.compile(r'<style.*?</style>\s*| (?:id|class|scope|style)="[^"]*"', re.DOTALL)
PATHS = re.compile(r"^(figure|results): .*\n?", re.MULTILINE)  # a page has them already


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
    exporter = HTMLExporter(**TEMPLATES)
    markdown = MarkdownWithMath(renderer=_Renderer(escape=False, exclude_anchor_links=True))
    exporter.register_filter("markdown2html", markdown.render)
    exporter.register_filter("webp", webp)
    pages = [_page(path, profile) for path in notebook_paths(executed)]
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


def write_pages(profile, executed):
    """Write the executed notebooks as Markdown to the profile's `pages_dir`.

    Parameters
    ----------
    profile : Profile
        Of photographs: what is named `figure_*` or `sheet_*`, and what cells tagged "quotes" show,
        is left out, and so is the notebook of one's own pictures.
    executed : Path
        Folder of the executed notebooks. Pages of others stay as they are.

    Returns
    -------
    Path
        The index, README.md.
    """
    folder, hides, up = profile.pages_dir, profile.dataset == "photographs", "../../"
    exporter = MarkdownExporter(**TEMPLATES)
    exporter.register_preprocessor(
        TagRemovePreprocessor(remove_cell_tags=PARAMETER_TAGS, enabled=True)
    )
    exporter.register_filter("plain_table", lambda html: STYLING.sub("", html).strip())
    exporter.register_filter("without_paths", lambda said: PATHS.sub("", said).strip())
    for path in notebook_paths(executed):
        if hides and path.stem == OWN_PICTURES:
            continue
        about = {"hides": hides, "figures": f"{up}figures/{profile.name}"}
        text, _ = exporter.from_filename(path, about | {"made_of": made_of(profile, path.stem)})
        text = re.sub(r"\]\((\d\d_\w+)\.ipynb\)", r"](\1.md)", text)
        text = re.sub(r"\n{3,}", "\n\n", re.sub(r"\]\(\.\./(?!\.\.)", f"]({up}", text))
        with atomic_path(folder / f"{path.stem}.md") as temporary:
            temporary.write_text(text.strip() + "\n", encoding="utf-8")
    with atomic_path(folder / "README.md") as temporary:
        temporary.write_text(_contents(profile), encoding="utf-8")
    return folder / "README.md"


def made_of(profile, stem):
    """The line at the foot of a Markdown page: which results it tells of, and their hash."""
    path = profile.results_dir / f"{stem}.json"
    if not path.is_file():
        return "This notebook records no results."
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    commit = read_record(profile, stem)["git_commit"][:10]
    link = f"../../results/{profile.name}/{path.name}"
    return f"From [{path.name}]({link}), commit {commit} <!-- {digest} -->"


def _contents(profile):
    """The index of the Markdown pages: each question, what was found, and a figure."""
    lines = [
        f"# The notebooks, as they ran with the profile {profile.name}",
        "Each with its question, what it found, and its first figure. A title leads to the whole "
        "page. Numbers are written from the results.",
    ]
    for notebook in notebook_paths(NOTEBOOKS):
        page = profile.pages_dir / f"{notebook.stem}.md"
        if not page.is_file():
            continue
        title, question = outline(notebook)
        lines += [f"## [{title}]({page.name})", f"**{question}**"]
        lines.append("\n".join(f"* {sentence}" for sentence in _found(profile, notebook.stem)))
        figure = re.search(r"<img [^>]*>", page.read_text(encoding="utf-8"))
        lines += [figure[0]] if figure else []
    return "\n\n".join(lines) + "\n"


def webp(png):
    """A picture as WebP, both in base64."""
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    # A chart is small without loss, and its words stay sharp; a sheet of pictures is not.
    is_chart = image.getcolors(CHART_COLOURS) is not None
    file = io.BytesIO()
    image.save(file, "WEBP", lossless=is_chart, quality=QUALITY)
    return base64.b64encode(file.getvalue()).decode("ascii")


def _page(path, profile):
    """What the index says of an executed notebook: title, question, what was found, time."""
    timing = nbformat.read(path, as_version=4).metadata.papermill
    started = datetime.fromisoformat(timing.start_time).astimezone()
    title, question = outline(path)
    return {
        "stem": path.stem,
        "title": title,
        "question": question,
        "found": _found(profile, path.stem),
        "run": f"{precisedelta(round(timing.duration))}, run on {started:%Y-%m-%d %H:%M}",
    }


def _found(profile, stem):
    """The sentences of a notebook; none where it has recorded no results for this profile."""
    with suppress(StaleError):
        return found(stem, read_results(profile, stem))
    return []
