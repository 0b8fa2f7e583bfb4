"""A trained, retrieved and scored run of the smoke profile, in a folder of its own."""

import pytest

from clipsim import load_profile
from clipsim import profile as config
from clipsim.data import load, load_pairs
from clipsim.evaluation import retrieve, score_all_metrics, train_or_load


def scored_scenes(folder, **settings):
    """Yields profile, images, pairs, model, retrieval and scores; for a fixture to go on with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, "RUNS", folder)
        patch.setattr("clipsim.model.features.CACHE", folder / "cache")
        profile = load_profile("smoke", epochs=1, **settings)
        images = load(profile)
        pairs = load_pairs(profile, images)
        model = train_or_load(profile, images)
        retrieval = retrieve(profile, model, images)
        scores = score_all_metrics(profile, images, pairs, retrieval)
        yield profile, images, pairs, model, retrieval, scores
