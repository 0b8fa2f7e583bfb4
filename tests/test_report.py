"""The pages of hand-made executed notebooks: HTML, and Markdown."""

import base64
import html
import io
import json
from dataclasses import replace

import nbformat
import numpy as np
import pytest
from page_elements import broken_links, elements
from PIL import Image

from clipsim.figures import found
from clipsim.profile import REPOSITORY, Profile
from clipsim.report.pages import write_pages, write_report

RESULTS = REPOSITORY / "results" / "demo"
FIRST, LAST = "03_caption_retrieval", "05_threshold_sweeps"
FORMULA = r"""With $\hat u_i$ the vectors of a picture,

$$D = \frac{1}{N^2}\sum_i \cos(u_i, w_k)$$"""
TITLE = "# 05 · Sweeps\n\n**How accurate?** (sec. 5)"
ALT = "Chart, accuracy against threshold."


def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


CHART = np.full((40, 60, 3), 255, np.uint8)
CHART[10:20] = (1, 115, 178)
PICTURE = np.random.default_rng(0).integers(0, 256, (120, 120, 3), np.uint8)


def shown(**data):
    """A displayed output, such as `text_html="<p>…"`."""
    named = {name.replace("_", "/"): value for name, value in data.items()}
    return nbformat.v4.new_output("display_data", named)


def figure(array, alt=ALT, name="n_sweep"):
    output = shown(image_png=png(array))
    output.metadata = {"image/png": {"width": 30, "height": 20, "alt": alt, "figure": name}}
    return output


def write_copy(folder, stem, *cells):
    """An executed copy of a notebook."""
    notebook = nbformat.v4.new_notebook(cells=[prose(TITLE), *cells])
    notebook.metadata.papermill = {"start_time": "2026-03-01T10:00:00+00:00", "duration": 61.2}
    state = {"box": {"model_name": "VBoxModel", "state": {}}}
    notebook.metadata.widgets = {"application/vnd.jupyter.widget-state+json": {"state": state}}
    folder.mkdir(exist_ok=True)
    nbformat.write(notebook, folder / f"{stem}.ipynb")


def code(*outputs, source="score(x)"):
    return nbformat.v4.new_code_cell(source, outputs=list(outputs))


def prose(text):
    return nbformat.v4.new_markdown_cell(text)


@pytest.fixture
def report(smoke, tmp_path, monkeypatch):
    """Writes copies (stem to cells) and results of 03, then the report; returns its folder."""
    monkeypatch.setattr(Profile, "run_dir", tmp_path / "run")
    monkeypatch.setattr(Profile, "results_dir", tmp_path / "results")
    (tmp_path / "results").mkdir()

    def write(copies, results=None, profile_hash=smoke.hash):
        for stem, cells in copies.items():
            write_copy(tmp_path / "copies", stem, *cells)
        if results:
            record = {"profile_hash": profile_hash, "data": {}, "results": results}
            (tmp_path / "results" / f"{FIRST}.json").write_text(json.dumps(record))
        index = write_report(smoke, tmp_path / "copies")
        assert index == tmp_path / "run" / "report" / "index.html"
        return index.parent

    return write


def text(folder, name):
    return (folder / f"{name}.html").read_text(encoding="utf-8")


class TestPages:
    def test_formulas_are_drawn_by_the_browser(self, report):
        page = text(report({FIRST: [prose(FORMULA)]}), FIRST)
        assert page.count("<math") == 2
        assert "<mfrac>" in page
        assert "$" not in page

    def test_links_to_notebooks_of_the_report_lead_to_its_pages(self, report):
        said = "**Next:** [05_threshold_sweeps](05_threshold_sweeps.ipynb), then "
        folder = report({FIRST: [prose(said + "[06_figures](06_figures.ipynb).")], LAST: []})
        page = text(folder, FIRST)
        assert f'<a href="{LAST}.html">05_threshold_sweeps</a>, then <a>06_figures</a>.' in page
        assert broken_links(folder / f"{FIRST}.html") == []

    def test_a_figure_has_its_alternative_text_and_size(self, report):
        folder = report({FIRST: [code(figure(CHART), shown(text_markdown="*Of 9 pairs.*"))]})
        (image,) = elements(folder / f"{FIRST}.html", "img")
        assert (image["alt"], image["width"], image["height"]) == (ALT, "30", "20")
        assert "<p><em>Of 9 pairs.</em></p>" in text(folder, FIRST)

    def test_charts_keep_every_pixel_and_pictures_shrink(self, report):
        folder = report({FIRST: [code(figure(CHART), figure(PICTURE, "1 picture."))]})
        images = [
            base64.b64decode(image["src"].partition("base64,")[2])
            for image in elements(folder / f"{FIRST}.html", "img")
        ]
        chart = np.asarray(Image.open(io.BytesIO(images[0])).convert("RGB"))
        np.testing.assert_array_equal(chart, CHART)
        assert len(images[1]) < 0.7 * PICTURE.size


class TestIndex:
    def test_says_what_was_asked_and_found(self, report):
        results = json.loads((RESULTS / f"{FIRST}.json").read_text(encoding="utf-8"))["results"]
        index = text(report({FIRST: []}, results), "index")
        assert f'<a href="{FIRST}.html">05 · Sweeps</a>' in index
        assert "How accurate? (sec. 5)" in index
        for sentence in found(FIRST, results):
            assert f"<li>{sentence}</li>" in html.unescape(index)
        assert "<li>" not in text(report({FIRST: []}, results, profile_hash="x"), "index")

    def test_has_the_copies_that_are_there_and_no_others(self, report, tmp_path):
        folder = report({FIRST: [], LAST: []})
        assert {page.stem for page in folder.iterdir()} == {"index", FIRST, LAST}
        (tmp_path / "copies" / f"{FIRST}.ipynb").rename(
            tmp_path / "copies" / f"{FIRST}.failed.ipynb"
        )
        folder = report({LAST: []})
        assert {page.stem for page in folder.iterdir()} == {"index", LAST}
        assert [path.name for path in folder.parent.iterdir()] == ["report"]


class TestMarkdown:
    """What a code host shows."""

    @pytest.fixture
    def pages(self, smoke, tmp_path, monkeypatch):
        """Writes the cells of notebook 03 for scenes or photographs; returns page and index."""
        monkeypatch.setattr(Profile, "pages_dir", tmp_path / "pages")
        monkeypatch.setattr(Profile, "results_dir", tmp_path / "results")

        def write(*cells, dataset="openmoji", pairs="scenes"):
            write_copy(tmp_path / "copies", FIRST, *cells)
            profile = replace(smoke, dataset=dataset, pairs=pairs)
            index = write_pages(profile, tmp_path / "copies")
            return [
                path.read_text(encoding="utf-8")
                for path in (tmp_path / f"pages/{FIRST}.md", index)
            ]

        return write

    def test_figures_are_links_and_code_is_folded(self, pages, tmp_path):
        said = nbformat.v4.new_output("stream", text="9 pairs\nfigure: a.png\n")
        link = prose("See [Table 1](05_threshold_sweeps.ipynb) and [names](../docs/names.md).")
        page, index = pages(link, code(said, figure(CHART)))
        assert f'<img src="../../figures/smoke/n_sweep.png" alt="{ALT}" width="30">' in page
        assert "<summary>Code</summary>\n\n```python\nscore(x)\n```\n\n</details>" in page
        assert "```\n9 pairs\n```" in page
        assert "[Table 1](05_threshold_sweeps.md) and [names](../../docs/names.md)" in page
        assert f"]({FIRST}.md)" in index
        assert "n_sweep.png" in index
        assert f"]({LAST}.md)" not in index

    def test_tables_keep_their_words_and_lose_their_style(self, pages):
        html = '<style>#T_1 th {}</style><table id="T_1"><td class="a b">ρ &lt; 1</td></table>'
        page, _ = pages(code(shown(text_html=html, text_plain="ρ")))
        assert "<table><td>ρ &lt; 1</td></table>" in page

    @pytest.mark.parametrize(
        ("dataset", "pairs"), [("openmoji", "scenes"), ("photographs", "human")]
    )
    def test_photographs_and_their_captions_stay_away(self, pages, dataset, pairs):
        quoting = code(shown(text_plain="a dog runs"))
        quoting.metadata.tags = ["quotes"]
        sheet = code(figure(PICTURE, name="sheet_pairs"))
        page, _ = pages(quoting, sheet, dataset=dataset, pairs=pairs)
        is_shown = dataset == "openmoji"
        assert ("a dog runs" in page, "sheet_pairs.png" in page) == (is_shown, is_shown)

    def test_neither_parameters_nor_paths_of_one_machine(self, pages):
        given = code(source='overrides = {"data_root": "/home/me/flickr8k"}')
        given.metadata.tags = ["injected-parameters"]
        assert "/home/me" not in pages(given)[0]
