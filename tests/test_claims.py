"""An interval decides a claim; verdicts are of this very profile and data, and nothing else."""

import json
import math
from dataclasses import replace

import pytest

from clipsim.evaluation.claims import (
    CLAIMS,
    claim_verdicts,
    finding,
    gathered_findings,
    not_testable,
    verdict,
    verdict_words,
)
from clipsim.record import StaleError

MORE = {"n_pairs": 40, "n_seeds": 2, "interval": "pairs resampled"}


@pytest.mark.parametrize(
    ("ci95", "region", "expected"),
    [
        ((0.1, 0.3), (0, math.inf), "supported"),
        ((-0.1, 0.3), (0, math.inf), "undecided"),
        ((-0.3, -0.1), (0, math.inf), "not supported"),
        ((-0.02, 0.03), (-0.05, 0.05), "supported"),  # equivalence within a margin
        ((0.02, 0.08), (-0.05, 0.05), "undecided"),
        ((0.06, 0.08), (-0.05, 0.05), "not supported"),
        ((0.0001, 0.01), (0, 0), "not supported"),  # one exception refutes "for any pair"
        ((0.0, 0.001), (0, 0), "undecided"),  # and no exception is no proof
        ((math.nan, 0.3), (0, math.inf), "undecided"),
    ],
)
def test_verdicts(ci95, region, expected):
    assert verdict(ci95, region) == expected


@pytest.fixture
def profile(smoke, tmp_path, monkeypatch):
    """A profile with recorded findings, of which one claim has two that disagree."""
    monkeypatch.setattr("clipsim.profile.RUNS", tmp_path)
    profile = replace(smoke, seed=77)  # with an override: below runs
    findings = [
        finding("clip_beats_ssim_fsim", "over SSIM", 0.2, (0.1, 0.3), **MORE),
        finding("n_too_low", "joint", 0.2, (0.1, 0.3), **MORE | {"n_pairs": None, "n_seeds": 1}),
        finding("n_too_low", "text | own", -0.2, (-0.3, -0.1), **MORE),
        finding("n_too_high", "few", 0.4, (math.nan,) * 2, **MORE) | {"ci95": [None, None]},
        finding("several_objects", "scenes", 0.4, (0.3, 0.5), by_design=True, **MORE),
        not_testable("structure_over_meaning", "BERT's weights are not here"),
        finding("robustness", "scenes", 0.4, (0.3, 0.5), by_design=True, **MORE),
        finding("robustness", "photographs", 0.007, (0.001, 0.02), **MORE),
        finding("always_positive", "share", 0.02, (0.01, 0.03), region=(0, 0), **MORE),
    ]
    for stem in {claim.notebook for claim in CLAIMS.values()}:
        write(profile, stem, [f for f in findings if CLAIMS[f["claim"]].notebook == stem])
    return profile


def write(profile, stem, findings, **more):
    record = {"profile_hash": profile.hash, "data": {"fingerprint": "these"}}
    record |= {"results": {"findings": findings}}
    path = profile.results_dir / f"{stem}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record | more), encoding="utf-8")


def test_every_claim_has_a_row_and_a_verdict(profile):
    findings = gathered_findings(profile, "these")
    assert list(dict.fromkeys(findings.claim)) == list(CLAIMS)
    claims = claim_verdicts(findings).set_index("claim")
    words = {key: verdict_words(row) for key, row in claims.iterrows()}
    assert words["clip_beats_ssim_fsim"] == "supported"
    assert words["always_positive"] == "not supported"
    assert words["n_too_low"] == "undecided (1 supported, 1 not supported)"
    assert words["n_too_high"] == "undecided"
    assert words["several_objects"] == "by design"
    assert words["structure_over_meaning"] == "not testable here"
    assert words["robustness"] == "not supported"  # too small to count; the design proves nothing
    assert words["better_encoder"] == "not tested"
    assert claims.verdict["better_encoder"] == "undecided"


def test_what_is_older_or_missing_is_refused_by_name(profile):
    with pytest.raises(StaleError, match="from other data: run notebook 05"):
        gathered_findings(profile, "others")
    write(profile, "08_number_of_descriptions", [], profile_hash="older")
    with pytest.raises(StaleError, match="from other settings: run notebook 08"):
        gathered_findings(profile, "these")
    (profile.results_dir / "05_threshold_sweeps.json").unlink()
    with pytest.raises(StaleError, match=r"05_threshold_sweeps\.json is missing: run notebook 05"):
        gathered_findings(profile, "these")
