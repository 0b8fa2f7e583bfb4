"""Notebooks in JupyterLab, in a real browser, as a reader has them: opened, run, a slider moved.

Lab serves copies in a folder of their own, since it saves what it runs, and has nothing of the
user's; screenshots are left in runs/browser.
"""

import json
import os
import secrets
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import nbformat
import pytest
from conftest import PATIENCE_S

from clipsim.profile import NOTEBOOKS, RUNS
from clipsim.report.run import notebook_paths

OVERVIEW, FIGURES, OWN = "00_overview", "06_figures_1_to_4", "14_your_images"
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
DRAWN = f"() => {IMAGES}.every(image => image.complete && image.naturalWidth > 0)"
ANOTHER = f"""before => {IMAGES}.length === before.length
    && {IMAGES}.some((image, i) => image.src !== before[i])"""

pytestmark = [pytest.mark.browser, pytest.mark.kernel]


@pytest.fixture(scope="module")
def lab(smoke_run, tmp_path_factory):
    """Copies of the notebooks, set to the smoke run; address and secret of a Lab serving them."""
    profile, _ = smoke_run
    root, home = (tmp_path_factory.mktemp(name) for name in ("a reader's folder", "lab"))
    values = f'profile = "{profile.name}"\noverrides = {{"seed": {profile.seed}}}'
    for path in notebook_paths(NOTEBOOKS):
        notebook = nbformat.read(path, as_version=4)
        (cell,) = (c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
        cell.source = values
        nbformat.write(notebook, root / path.name)
    asks_nothing = home / "config/lab/user-settings/@jupyterlab/apputils-extension"
    asks_nothing.mkdir(parents=True)
    (asks_nothing / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    names = {"CONFIG": "config", "DATA": "data", "RUNTIME": "runtime"}
    own = {f"JUPYTER_{name}_DIR": str(home / folder) for name, folder in names.items()}
    own |= {"IPYTHONDIR": str(home / "ipython"), "JUPYTER_TOKEN": secrets.token_hex()}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ip=127.0.0.1", "--port=0", f"--ServerApp.root_dir={root}"]
    # Should the tests be killed, it ends by itself.
    command += ["--MappingKernelManager.cull_idle_timeout=300"]
    command += ["--ServerApp.shutdown_no_activity_timeout=300"]
    with (home / "lab.log").open("w") as log:
        server = subprocess.Popen(
            command, env=os.environ | own, cwd=home, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        yield root, address(server, home), own["JUPYTER_TOKEN"]
    finally:
        server.terminate()  # it ends its kernels first
        server.wait(PATIENCE_S)


def address(server, home):
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up and server.poll() is None:
        for path in (home / "runtime").glob("jpserver-*.json"):
            with suppress(ValueError):  # while it is half written
                return json.loads(path.read_text())["url"]
        time.sleep(0.1)
    raise AssertionError(f"JupyterLab did not start: {(home / 'lab.log').read_text()[-2000:]}")


@contextmanager
def executed(stem, browser, lab):
    """The page of a notebook that was opened and whose cells were all run, by Lab's menu."""
    root, url, token = lab
    cells = nbformat.read(root / f"{stem}.ipynb", as_version=4).cells
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE_S * 1000)
    try:
        page.goto(f"{url}lab/workspaces/{stem}/tree/{stem}.ipynb?token={token}")
        page.get_by_text("Python 3 (ipykernel) | Idle").first.wait_for()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        page.wait_for_function(HAS_RUN, arg=sum(cell.cell_type == "code" for cell in cells))
        assert not page.locator(COMPLAINT).all_text_contents()
        yield page
        assert not page.locator(COMPLAINT).all_text_contents()
    finally:
        page.set_viewport_size({"width": 1280, "height": 8000})  # all of it is in view
        page.evaluate('document.querySelector(".jp-WindowedPanel-outer")?.scrollTo(0, 0)')
        page.wait_for_timeout(1000)
        page.screenshot(path=RUNS / "browser" / f"{stem}.png")
        page.close()


def sources(page):
    """What the images in the outputs show, in order; waits until they are all drawn."""
    page.wait_for_function(DRAWN)
    return page.evaluate(f"() => {IMAGES}.map(image => image.src)")


@pytest.mark.parametrize("stem", [OVERVIEW, FIGURES])
def test_shows_what_the_run_showed(smoke_run, browser, lab, stem):
    profile, _ = smoke_run
    run = nbformat.read(profile.run_dir / "notebooks" / f"{stem}.ipynb", as_version=4)
    outputs = [output.get("data", {}) for cell in run.cells for output in cell.get("outputs", [])]
    figures = sum("image/png" in data for data in outputs)
    tables = sum(data.get("text/html", "").count("<table") for data in outputs)
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
        page.wait_for_function(ANOTHER, arg=before)  # another figure follows the slider
        threshold.press("Home")
        page.get_by_text("N = 1, τ = -1.00").wait_for()
        assert len(sources(page)) == len(before)
