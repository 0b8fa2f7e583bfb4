"""JupyterLab and Chromium for the tests: started with nothing of the user's, and stopped again."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager

PATIENCE_S = 240  # for whatever is waited for; a quiet machine needs a tenth of it
CHROMIUM = "CLIPSIM_CHROMIUM"  # environment variable: the browser to use
CHROMIUM_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
NO_CHROMIUM = (
    "no Chromium or Chrome found: install one (Debian: apt install chromium; macOS: brew install"
    f" --cask chromium), or set {CHROMIUM} to its path"
)
SETTINGS = {"apputils-extension/notification": {"fetchNews": "false"}}  # asks no question


def chromium():
    """Path of the Chromium or Chrome of this machine, or None."""
    names = [os.environ[CHROMIUM]] if os.environ.get(CHROMIUM) else CHROMIUM_NAMES
    return next(filter(None, map(shutil.which, names)), None)


@contextmanager
def running_browser():
    """Chromium without a window and with an empty profile, while the block runs."""
    from playwright.sync_api import sync_playwright

    options = ["--disable-gpu", "--disable-quic", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=options, timeout=PATIENCE_S * 1000
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def running_lab(root, home):
    """JupyterLab on loopback, while the block runs.

    Parameters
    ----------
    root : Path
        Folder that it serves.
    home : Path
        Folder for its settings and its log; the user's own are neither read nor written.

    Yields
    ------
    url, token : str
        Its address, and the secret that opens it.
    """
    for name, settings in SETTINGS.items():
        path = home / f"config/lab/user-settings/@jupyterlab/{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(settings))
    folders = ("JUPYTER_CONFIG_DIR", "config"), ("JUPYTER_DATA_DIR", "data")
    folders += ("JUPYTER_RUNTIME_DIR", "runtime"), ("IPYTHONDIR", "ipython")
    token = secrets.token_hex()
    environment = {name: str(home / folder) for name, folder in folders} | {"JUPYTER_TOKEN": token}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ip=127.0.0.1", "--port=0", f"--ServerApp.root_dir={root}"]
    # Should the tests be killed, it ends by itself.
    command += ["--MappingKernelManager.cull_idle_timeout=300"]
    command += ["--ServerApp.shutdown_no_activity_timeout=300"]
    with (home / "lab.log").open("w") as log:
        lab = subprocess.Popen(
            command, env=os.environ | environment, cwd=home, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        yield _address(lab, home), token
    finally:
        _stop(lab)
    left = [path.name for path in (home / "runtime").glob("*.json")]
    assert not left, f"JupyterLab ended without its kernels: {left}"


def _address(lab, home):
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up and lab.poll() is None:
        for path in (home / "runtime").glob("jpserver-*.json"):
            try:
                return json.loads(path.read_text())["url"]
            except ValueError:
                pass  # half written
        time.sleep(0.1)
    end = "\n".join((home / "lab.log").read_text().splitlines()[-15:])
    raise AssertionError(f"JupyterLab did not start within {PATIENCE_S} s; it said:\n{end}")


def _stop(lab):
    lab.terminate()  # it ends its kernels first
    try:
        lab.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        lab.kill()  # kernels end by themselves when it is gone
        lab.wait()
