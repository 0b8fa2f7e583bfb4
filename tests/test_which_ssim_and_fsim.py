"""Notebook 07's tables: the ranges, the ladder from end to end, and what the variants separate."""

import numpy as np
import pytest

from clipsim.metrics import ssim
from clipsim.studies import which_ssim_and_fsim as room


@pytest.fixture(scope="module")
def pixels():
    rng = np.random.default_rng(0)
    waves = rng.integers(0, 256, (5, 3, 6, 6)).repeat(8, axis=2).repeat(8, axis=3)
    return np.clip(waves + rng.normal(0, 9, waves.shape), 0, 255).astype(np.uint8)


def test_the_ladder_goes_from_the_canonical_ssim_to_the_packages(pixels):
    pairs = np.stack(np.triu_indices(5, k=1), axis=1)
    _, table, _ = room.ladders(pixels, pairs)
    rungs = table[table.metric == "ssim"]
    ends = [
        np.array([ssim(pixels[a], pixels[b], variant=variant) for a, b in pairs])
        for variant in ("canonical", "package")
    ]
    medians = [np.median(values) for values in ends]
    assert rungs["median"].iloc[[0, -1]].tolist() == pytest.approx(medians, abs=1e-5)
    assert rungs.moved.sum() == pytest.approx((ends[1] - ends[0]).mean(), abs=1e-5)


def test_shares_count_what_lies_in_the_papers_range():
    # The paper's figures: SSIM .69 to .81, threshold .7; FSIM .28 to .34.
    scores = {"ssim": np.array([0.1, 0.69, 0.75, 0.81, 0.9]), "fsim": np.array([0.3, 0.5])}
    scores |= {"ssim_package": scores["ssim"], "fsim_package": scores["fsim"]}
    table = room.range_table(scores).set_index(["metric", "variant"])
    assert table.loc[("ssim", "canonical"), "share in the paper's range"] == 3 / 5
    assert table.loc[("ssim", "canonical"), "share called alike"] == 3 / 5
    assert table.loc[("fsim", "package"), "share in the paper's range"] == 1 / 2
