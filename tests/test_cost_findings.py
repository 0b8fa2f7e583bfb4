"""The claim on costs can be supported and refuted, and texts say what was timed."""

import json

import numpy as np
import pytest

from clipsim import load_profile
from clipsim.studies.cost_and_scale.cost_breakdown import (
    ANEW,
    ENCODE,
    FILED,
    FSIM,
    READ,
    SCORE,
    SEARCH,
    SSIM,
)
from clipsim.studies.cost_and_scale.cost_captions import (
    breakdown_caption,
    images_caption,
    pool_caption,
    savings_caption,
)
from clipsim.studies.cost_and_scale.cost_findings import cost_findings, saving_rows, share_rows
from clipsim.studies.cost_and_scale.cost_plots import (
    breakdown_chart,
    images_chart,
    pool_chart,
    savings_chart,
)
from clipsim.studies.cost_and_scale.cost_study import ALL_PAIRS, EXACT, PAIR_BY_PAIR
from clipsim.studies.cost_and_scale.timing import saving

OWN, ROUNDS = 200, 7


@pytest.fixture(scope="module")
def profile():
    return load_profile("smoke", n_bootstrap=100)


def rounds(seconds):
    """Seven rounds with a little noise."""
    return seconds * np.random.default_rng(0).uniform(0.9, 1.1, ROUNDS)


def stages(anew, filed=0.01, pictures=1.0):
    seconds = {READ: 0.01, ENCODE: pictures, ANEW: anew, FILED: filed, SEARCH: 0.02, SCORE: 0.001}
    return {name: rounds(value) for name, value in (seconds | {SSIM: 0.1, FSIM: 0.2}).items()}


def timed(median_s, per=1):
    shown = {"low_s": 0.9 * median_s, "median_s": median_s, "high_s": 1.1 * median_s}
    return {name: value / per for name, value in shown.items()} | {"rounds": ROUNDS}


def pool_rows(approximate_s, recall=0.97):
    rows = []
    for pool in (20, OWN, 1000):
        for queries in (1, 50):
            known = {"pool": pool, "queries": queries, "dimensions": 8}
            rows.append(known | {"search": EXACT, "limit_s": 0.001} | timed(0.02, queries))
            gain = saving(rounds(0.02), rounds(approximate_s)[::-1], 100, 0)
            for name, effort in (("HNSW32", "efSearch=32"), ("IVF", "nprobe=4")):
                factory = name if name == "HNSW32" else "IVF16,Flat"
                about = {"search": name, "factory": factory, "effort": effort, "recall": recall}
                times = timed(approximate_s, queries) | gain | {"build_s": 3.0}
                rows.append(known | about | times)
    return rows


def process_rows(two_s):
    gain = saving(rounds(1.0), rounds(two_s)[::-1], 100, 0)
    seconds = {"one": timed(1.0), "two": timed(two_s)}
    return [
        {"work": work, "amount": 256, "seconds": seconds} | gain
        for work in ("encoding", "searching")
    ]


def findings_of(profile, seconds, pools, processes):
    shares = share_rows(profile, seconds)
    savings = saving_rows(profile, seconds, pools, processes, OWN)
    return cost_findings(shares, savings, OWN)


def test_the_claim_can_hold(profile):
    seconds = stages(anew=100, filed=9.0, pictures=1.0)
    found = findings_of(profile, seconds, pool_rows(0.001), process_rows(0.55))
    assert [f["verdict"] for f in found] == ["supported"] * 7
    assert found == json.loads(json.dumps(found, allow_nan=False))


def test_the_claim_can_fail(profile):
    seconds = stages(anew=0.01, filed=0.5, pictures=5.0)
    found = findings_of(profile, seconds, pool_rows(0.05), process_rows(1.6))
    assert [f["verdict"] for f in found] == ["not supported"] * 7
    assert all(-1 < f["estimate"] < 1 for f in found)


def test_the_estimates(profile):
    found = findings_of(profile, stages(100), pool_rows(0.005), process_rows(0.5))
    anew, filed, caching, graph, lists, *parallel = (f["estimate"] for f in found)
    assert anew == pytest.approx(100.02 / 101.031, abs=1e-6)
    assert filed == pytest.approx(0.03 / 1.041, abs=1e-6)
    assert caching == pytest.approx(1 - 0.03 / 100.02, abs=1e-6)
    assert graph == lists == pytest.approx(0.75, abs=0.05)
    assert parallel == pytest.approx([0.5, 0.5], abs=0.05)
    assert [f["region"][0] for f in found] == [0.5, 0.5, 0, 0, 0, 0, 0]


def test_the_findings_say_what_was_timed(profile):
    found = findings_of(profile, stages(100), pool_rows(0.005), process_rows(0.5))
    texts = [f["experiment"] for f in found]
    assert "retrieval from 200 descriptions takes, captions encoded anew" in texts[0]
    assert "HNSW32 (efSearch=32, recall 0.970) instead of exact search" in texts[3]
    assert texts[5].endswith("two single-threaded processes instead of one: encoding 256 captions")
    assert texts[6].endswith("searching 200 descriptions for 256 images")
    assert [f["n_pairs"] for f in found] == [ROUNDS] * 3 + [None] * 4
    assert all("rounds resampled" in f["interval"] for f in found)


def test_fast_search_that_finds_too_little_decides_nothing(profile):
    found = findings_of(profile, stages(100), pool_rows(0.001, recall=0.9), process_rows(0.5))
    for f in found[3:5]:
        assert np.isnan(f["estimate"])
        assert f["verdict"] == "undecided"
        assert f["experiment"].endswith("it does not reach a recall of 0.95")


def test_charts_show_the_numbers_and_captions_say_them(profile):
    seconds, pools = stages(100), pool_rows(0.005)
    images = [
        {"images": m, "work": work} | timed(m * s) | limit
        for m in (10, 64)
        for work, s, limit in (
            (SEARCH, 0.01, {}),
            (ALL_PAIRS, 0.001, {"limit_s": 1e-5}),
            (PAIR_BY_PAIR, 1.0, {}),
        )
    ]
    shares = share_rows(profile, seconds)
    savings = saving_rows(profile, seconds, pools, process_rows(0.5), OWN)
    findings = cost_findings(shares, savings, OWN)
    _, numbers = breakdown_chart(seconds)
    by_way = numbers.dropna(subset="way").groupby("way").share.sum()
    np.testing.assert_allclose(by_way, 1)
    assert len(pool_chart(pools)[1]) == len(pools)
    assert savings_chart(savings)[1].ratio.tolist() == [row["ratio"] for row in savings]
    described = images_chart(images, seconds)[1].set_index("work").median_s
    anew = described["captions encoded anew, and search"].tolist()
    assert anew == pytest.approx([np.median(seconds[ANEW]) + 0.1, np.median(seconds[ANEW]) + 0.64])
    assert "captions encoded anew, 99.0%" in breakdown_caption(seconds, shares)
    assert "which pays after 200 images" in pool_caption(pools, OWN)
    assert "which saves nothing" in pool_caption(pool_rows(0.03), OWN)
    assert "all 2,016 pairs of 64 images takes 64 ms" in images_caption(images, seconds)
    assert "7 findings: 6 supported, 1 not supported" in savings_caption(savings, findings)
