"""Notebook 07's tables: the ranges, the ladder from end to end, and SSIM's terms."""

import numpy as np
import pytest

from clipsim.metrics import PACKAGE, ssim
from clipsim.studies import which_ssim_and_fsim as variants


@pytest.fixture(scope="module")
def pixels():
    rng = np.random.default_rng(0)
    waves = rng.integers(0, 256, (5, 3, 6, 6)).repeat(8, axis=2).repeat(8, axis=3)
    return np.clip(waves + rng.normal(0, 9, waves.shape), 0, 255).astype(np.uint8)


def test_random_pairs_are_distinct_and_of_different_images():
    pairs = variants.random_pairs(10, 30, seed=0)
    assert len({tuple(pair) for pair in pairs.tolist()}) == 30
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert len(variants.random_pairs(4, 100, seed=0)) == 6  # all there are


def test_the_ladder_starts_canonical_and_ends_at_the_package(pixels):
    pairs = variants.random_pairs(5, 10, seed=0)
    table = variants.ladder_table("ssim", pixels, pairs)
    for rung, variant in ((0, "canonical"), (-1, "package")):
        expected = [ssim(pixels[a], pixels[b], variant=variant) for a, b in pairs]
        assert table["median"].iloc[rung] == pytest.approx(np.median(expected), abs=1e-5)
    means = [
        np.mean([ssim(pixels[a], pixels[b], v) for a, b in pairs])
        for v in ("canonical", "package")
    ]
    assert table.moved.sum() == pytest.approx(means[1] - means[0], abs=1e-5)


def test_shares_count_what_lies_in_the_papers_range():
    scores = {"ssim": np.array([0.1, 0.69, 0.75, 0.81, 0.9]), "fsim": np.array([0.3, 0.5])}
    table = variants.range_table(scores).set_index("metric")
    assert table.loc["ssim", "share in the paper's range"] == pytest.approx(3 / 5)
    assert table.loc["ssim", "share called alike"] == pytest.approx(3 / 5)
    assert table.loc["fsim", "share in the paper's range"] == pytest.approx(1 / 2)


def test_structure_is_all_that_the_package_drops(pixels):
    assert PACKAGE["ssim"].data_range == 4095
    table = variants.structure_table(pixels, variants.random_pairs(5, 10, seed=0))
    structure = table[table.terms == "structure"].set_index("variant")["median"]
    assert structure["package"] > structure["canonical"]
    whole = table.groupby("variant").first()
    assert whole["ρ with SSIM"].tolist() == [1, 1]


def test_separation_at_a_threshold_that_calls_everything_alike():
    keys = ("clip_score", "ssim", "fsim", "ssim_package", "fsim_package")
    similar = np.array([1, 0, 1, 0])
    scores = {key: np.array([0.9, 0.8, 0.95, 0.85]) for key in keys}
    table = variants.separation_table(scores, similar)
    assert (table["called alike there"] == 1).all()
    assert (table["balanced accuracy there"] == 0.5).all()
    assert (table.auc == 1).all()
