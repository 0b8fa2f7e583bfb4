"""Notebooks in JupyterLab, in a real browser, as a reader has them: opened, run, a slider moved.

Lab serves copies in a folder of their own, since it saves what it runs; their screenshots are
left in runs/browser.
"""

import math
from contextlib import contextmanager

import nbformat
import pytest
from lab import NO_CHROMIUM, PATIENCE_S, chromium, running_browser, running_lab
from playwright.sync_api import TimeoutError as NotInTime

from clipsim.profile import NOTEBOOKS, RUNS
from clipsim.report.run import notebook_paths

OVERVIEW, FIGURES, OWN = "00_overview", "06_figures_1_to_4", "14_your_images"
SCREENSHOTS = RUNS / "browser"
# Lab shows a traceback as it shows what is written to stderr.
COMPLAINT = '[data-mime-type="application/vnd.jupyter.stderr"]'
HAS_RUN = f"""n_cells => {{
    const cells = Array.from(document.querySelectorAll(".jp-CodeCell .jp-InputPrompt"));
    const prompts = cells.map(prompt => prompt.textContent);
    const ended = prompts.filter(prompt => /^\\[\\d+\\]:$/.test(prompt)).length;
    const stopped = document.querySelector('{COMPLAINT}') && !prompts.includes("[*]:");
    return ended === n_cells || (ended > 0 && stopped);
}}"""
IMAGES = 'Array.from(document.querySelectorAll(".jp-OutputArea-output img"))'
ANOTHER = f"""before => {IMAGES}.length === before.length
    && {IMAGES}.some((image, i) => image.src !== before[i])"""
WHOLE_HEIGHT = """() => {
    const bottom = element => element.getBoundingClientRect().bottom;
    const panel = document.querySelector(".jp-WindowedPanel-outer");
    const cells = panel ? Array.from(panel.querySelectorAll(".jp-Cell")) : [];
    if (!cells.length) return innerHeight;
    panel.scrollTop = 0;
    return Math.max(900, innerHeight + bottom(cells.at(-1)) - bottom(panel) + 20);
}"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.kernel,
    pytest.mark.skipif(chromium() is None, reason=NO_CHROMIUM),
]


@pytest.fixture(scope="module")
def browser():
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def lab(smoke_run, tmp_path_factory):
    """Copies of the notebooks, set to the smoke run, and a JupyterLab that serves them."""
    profile, _ = smoke_run
    root = tmp_path_factory.mktemp("a reader's folder")
    values = f'profile = "{profile.name}"\noverrides = {{"seed": {profile.seed}}}'
    for path in notebook_paths(NOTEBOOKS):
        notebook = nbformat.read(path, as_version=4)
        (cell,) = (c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
        cell.source = values
        nbformat.write(notebook, root / path.name)
    with running_lab(root, tmp_path_factory.mktemp("lab")) as address:
        yield root, *address


def wait(page, what, condition, argument=None):
    """Wait until a condition, a function in JavaScript, holds in the page."""
    try:
        page.wait_for_function(condition, arg=argument, timeout=PATIENCE_S * 1000)
    except NotInTime:
        raise AssertionError(f"{what}: not within {PATIENCE_S} s") from None


@contextmanager
def executed(stem, browser, lab):
    """The page of a notebook that was opened and whose cells were all run, by Lab's menu."""
    root, url, token = lab
    cells = nbformat.read(root / f"{stem}.ipynb", as_version=4).cells
    n_cells = sum(cell.cell_type == "code" for cell in cells)
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE_S * 1000)
    try:
        page.goto(f"{url}lab/workspaces/{stem}/tree/{stem}.ipynb?token={token}")
        page.get_by_text("Python 3 (ipykernel) | Idle").first.wait_for()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        wait(page, f"all {n_cells} code cells of {stem} have run", HAS_RUN, n_cells)
        assert not complaints(page)
        yield page
        assert not complaints(page)
    finally:
        screenshot(page, SCREENSHOTS / f"{stem}.png")
        page.close()


def complaints(page):
    """What cells that failed, or libraries, say in red."""
    return page.locator(COMPLAINT).all_text_contents()


def screenshot(page, path):
    """A picture of the window, made so high that the notebook is in view to its last cell."""
    for _ in range(2):  # what comes into view gets its true height
        height = min(math.ceil(page.evaluate(WHOLE_HEIGHT)), 16_000)
        page.set_viewport_size(page.viewport_size | {"height": height})
    page.screenshot(path=path)


def sources(page):
    """What the images in the outputs show, in order; waits until they are all drawn."""
    drawn = f"() => {IMAGES}.every(image => image.complete && image.naturalWidth > 0)"
    wait(page, "every image is drawn", drawn)
    return page.evaluate(f"() => {IMAGES}.map(image => image.src)")


def shown(notebook):
    """Numbers of figures and tables in the outputs of an executed notebook."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    data = [output.get("data", {}) for cell in cells for output in cell.outputs]
    return (
        sum("image/png" in datum for datum in data),
        sum(datum.get("text/html", "").count("<table") for datum in data),
    )


@pytest.mark.parametrize("stem", [OVERVIEW, FIGURES])
def test_shows_what_the_run_showed(smoke_run, browser, lab, stem):
    profile, _ = smoke_run
    path = profile.run_dir / "notebooks" / f"{stem}.ipynb"
    figures, tables = shown(nbformat.read(path, as_version=4))
    assert tables
    assert figures or stem == OVERVIEW
    with executed(stem, browser, lab) as page:
        assert len(sources(page)) == figures
        assert page.locator(".jp-OutputArea-output table").count() == tables


def test_sliders_draw_the_clusters_anew(browser, lab):
    with executed(OWN, browser, lab) as page:
        n, threshold = page.locator(".widget-slider [role=slider]").all()
        before = sources(page)
        assert before
        n.press("Home")
        wait(page, "another figure follows the slider", ANOTHER, before)
        threshold.press("Home")
        page.get_by_text("N = 1, τ = -1.00").wait_for()
        assert len(sources(page)) == len(before)
