"""Shared fixtures: a small profile, and a data set of plain pictures with captions."""

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
