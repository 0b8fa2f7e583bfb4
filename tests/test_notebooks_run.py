"""All notebooks from end to end with the `smoke` profile, as `./run_all.sh` runs them."""

import json
import re

import nbformat
import pytest
from page_elements import broken_links, elements, loaded

from clipsim.profile import NOTEBOOKS, REPOSITORY, relative
from clipsim.report.run import WIDGET

STEMS = [path.stem for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))]
METRICS = {"ssim", "fsim", "clip_score", "image_cosine"}

pytestmark = pytest.mark.notebooks


@pytest.fixture
def results(smoke_run):
    profile, _ = smoke_run
    paths = profile.results_dir.glob("*.json")
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def test_every_notebook_leaves_its_executed_copy(smoke_run):
    profile, _ = smoke_run
    copies = {path.name for path in (profile.run_dir / "notebooks").iterdir()}
    assert copies == {f"{stem}.ipynb" for stem in STEMS}


def outputs(profile):
    """Every output of the executed copies: notebook, cell, outputs of that cell, position."""
    for stem in STEMS:
        copy = nbformat.read(profile.run_dir / "notebooks" / f"{stem}.ipynb", as_version=4)
        for cell in copy.cells:
            for position, output in enumerate(cell.get("outputs", [])):
                yield f"{stem}, {cell.id}", cell.outputs[position:], output


def test_executed_copies_hold_nothing_that_a_reader_cannot_use(smoke_run):
    profile, _ = smoke_run
    for where, _, output in outputs(profile):
        assert output.get("name") != "stderr", f"{where}: {output.text}"
        assert "%|" not in str(output.get("data", {}).get("text/plain")), where
        assert WIDGET in output.get("data", {}) or str(REPOSITORY) not in str(output), where


def test_every_figure_stands_above_its_caption(smoke_run):
    profile, _ = smoke_run
    for where, following, output in outputs(profile):
        if "image/png" in output.get("data", {}):
            captions = [o.data.get("text/markdown", "") for o in following[1:2] if "data" in o]
            assert captions, where
            assert captions[0].startswith("*"), where


def test_the_report_has_every_notebook_and_loads_nothing(smoke_run):
    profile, printed = smoke_run
    pages = sorted((profile.run_dir / "report").iterdir())
    assert [page.stem for page in pages] == [*STEMS, "index"]
    assert f"report     {relative(profile.run_dir / 'report' / 'index.html')}" in printed
    assert sum(page.stat().st_size for page in pages) < 10e6
    assert "The controls here move in JupyterLab." in pages[-2].read_text(encoding="utf-8")
    for page in pages:
        assert loaded(page) == [], page.name
        assert broken_links(page) == [], page.name
        body = page.read_text(encoding="utf-8").partition("<body>")[2]
        assert not re.search(r"\$|interactive\(", body), page.name


def test_every_picture_of_the_report_has_words_of_its_own(smoke_run):
    profile, _ = smoke_run
    for page in (profile.run_dir / "report").iterdir():
        words = [image.get("alt", "") for image in elements(page, "img")]
        assert all(len(text) > 10 and "Figure size" not in text for text in words), page.name
        assert len(set(words)) == len(words), page.name


def test_ends_by_printing_table_1(smoke_run):
    profile, printed = smoke_run
    table = (profile.figures_dir / "table_1.md").read_text(encoding="utf-8").strip()
    assert table in printed
    assert (profile.figures_dir / "table_1.csv").is_file()


def test_results_say_where_they_come_from(results):
    assert results
    for stem, result in results.items():
        assert stem in STEMS
        assert (result["profile"], result["seed"]) == ("smoke", 1), stem


def test_table_1(results):
    rows = results["05_threshold_sweeps"]["results"]["table1"]
    assert {row["metric"] for row in rows} >= METRICS
    assert {row["threshold_from"] for row in rows} == {"validation", "paper"}
    for row in rows:
        low, high = row["accuracy_ci95"]
        assert 0 <= low <= row["accuracy"] <= high <= 1
        assert {"variant", "threshold", "balanced_accuracy", "auc", "n_pairs"} <= row.keys()
    assert results["05_threshold_sweeps"]["results"]["by_kind"]


def test_retrieval(results):
    recall = results["03_caption_retrieval"]["results"]["recall"]
    for direction in ("image_to_text", "text_to_image"):
        values = [recall[direction][f"R@{n}"] for n in (1, 5, 10)]
        assert values == sorted(values)
        assert 0 <= values[0] <= values[-1] <= 1
    assert recall["pool_size"] >= 1
    assert recall["n_images"] >= 1
