"""Shared fixtures: a small profile, a data set of plain pictures, a run of all notebooks."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from coloured import coloured_pictures
from filelock import FileLock

import clipsim

PATIENCE_S = 240  # for whatever is waited for; a quiet machine needs a tenth of it
NAMES = (
    os.environ.get("CLIPSIM_CHROMIUM"), "chromium", "chromium-browser", "google-chrome",
    "google-chrome-stable", "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)  # fmt: skip
CHROMIUM = next(filter(None, map(shutil.which, filter(None, NAMES))), None)


def pytest_collection_modifyitems(items):
    """The run of all notebooks first: one worker waits for it while the other goes on."""
    items.sort(key=lambda item: "smoke_run" not in item.fixturenames)


@pytest.fixture(autouse=True)
def no_figure_left():
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


@pytest.fixture(scope="module")
def browser():
    """Chromium, by playwright; the test is skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium: set CLIPSIM_CHROMIUM to its path")
    from playwright.sync_api import sync_playwright

    options = ["--disable-gpu", "--disable-quic", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=options, timeout=PATIENCE_S * 1000
        )
        yield browser
        browser.close()


@pytest.fixture
def smoke():
    """The smoke profile: tiny random encoders."""
    return clipsim.load_profile("smoke")


@pytest.fixture
def coloured(tmp_path, monkeypatch):
    """Pictures of one colour (`coloured_pictures`), with a feature cache of their own."""
    monkeypatch.setattr("clipsim.model.features.CACHE", tmp_path / "cache")
    return coloured_pictures()


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory):
    """All notebooks run once as `./run_all.sh` runs them, from a folder elsewhere.

    Returns
    -------
    profile : Profile
        `smoke` with an override, so that everything is under runs/.
    printed : str
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # the workers share it: whoever comes second waits, and reads
    said = folder / "smoke_run.json"
    with FileLock(f"{said}.lock"):
        if not said.is_file():
            done = subprocess.run(
                [sys.executable, "-m", "clipsim", "run", "--profile", "smoke", "-p", "seed=1"],
                cwd=tmp_path_factory.mktemp("elsewhere"),
                capture_output=True,
                text=True,
            )
            said.write_text(json.dumps([done.returncode, done.stdout, done.stderr]))
    status, printed, complaints = json.loads(said.read_text())
    assert status == 0, printed + complaints
    return clipsim.load_profile("smoke", seed=1), printed
