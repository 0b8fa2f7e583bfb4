"""Shared fixtures: a small profile, a data set of plain pictures, a run of all notebooks."""

import subprocess
import sys

import pytest
from coloured import coloured_pictures

import clipsim


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
    done = subprocess.run(
        [sys.executable, "-m", "clipsim", "run", "--profile", "smoke", "-p", "seed=1"],
        cwd=tmp_path_factory.mktemp("elsewhere"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return clipsim.load_profile("smoke", seed=1), done.stdout
