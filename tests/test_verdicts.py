"""Verdicts come from result files of this very profile and data, and from nothing else."""

import json
from dataclasses import replace

import numpy as np
import pytest

from clipsim.evaluation import claims as verdicts
from clipsim.evaluation.claims import CLAIMS, finding
from clipsim.record import StaleError

STEMS = ("05_threshold_sweeps", "08_number_of_descriptions")


@pytest.fixture
def study(smoke, tmp_path, monkeypatch):
    """Two notebooks with recorded findings, of which one claim has two that disagree."""
    monkeypatch.setattr("clipsim.profile.RUNS", tmp_path)
    monkeypatch.setattr(verdicts, "NOTEBOOKS", tmp_path)
    profile = replace(smoke, seed=77)  # with an override: below runs
    more = {"n_pairs": 40, "n_seeds": 2, "interval": "pairs resampled"}
    recorded = {
        STEMS[0]: [finding("clip_beats_ssim_fsim", "over SSIM", 0.2, (0.1, 0.3), **more)],
        STEMS[1]: [
            finding("n_too_low", "joint", 0.2, (0.1, 0.3), **more),
            finding("n_too_low", "text | own", -0.2, (-0.3, -0.1), **more),
            finding("always_positive", "share", 0.02, (0.01, 0.03), region=(0, 0), **more),
        ],
    }
    for stem, findings in recorded.items():
        (tmp_path / f"{stem}.ipynb").touch()
        write(profile, stem, {"findings": findings})
    return profile


def write(profile, stem, results, **more):
    record = {"profile_hash": profile.hash, "data": {"fingerprint": "these"}, "results": results}
    profile.results_dir.mkdir(parents=True, exist_ok=True)
    path = profile.results_dir / f"{stem}.json"
    path.write_text(json.dumps(record | more), encoding="utf-8")


def test_every_claim_has_a_row_and_a_verdict(study):
    findings = verdicts.gathered_findings(study, "these")
    assert list(dict.fromkeys(findings.claim)) == list(CLAIMS)
    claims = verdicts.claim_verdicts(findings).set_index("claim")
    assert claims.verdict["clip_beats_ssim_fsim"] == "supported"
    assert claims.verdict["always_positive"] == "not supported"
    assert claims.verdict["n_too_low"] == "undecided"  # its findings disagree
    assert claims.loc["n_too_low", ["supported", "not supported"]].tolist() == [1, 1]
    assert claims.verdict["better_encoder"] == "undecided"  # no finding


def test_the_table_has_a_row_per_finding(study):
    text = verdicts.write_verdicts(verdicts.gathered_findings(study, "these"), study)
    rows = text.splitlines()[2:]
    assert len(rows) == 4 + len(CLAIMS) - 3
    assert all(row.count(" | ") == 6 for row in rows)
    assert "| 0.200 [0.100, 0.300] | 40 | 2 | supported |" in rows[0]
    assert (study.figures_dir / "verdicts.md").read_text(encoding="utf-8").strip() == text


def test_data_stand_side_by_side(study):
    claims = verdicts.claim_verdicts(verdicts.gathered_findings(study, "these")).to_dict("records")
    rows = verdicts.claims_markdown({"demo": claims, "photographs": claims}).splitlines()
    assert len(rows) == 2 + len(CLAIMS)
    assert rows[2].endswith("| sec. 5, Table 1 | **supported** | **supported** |")
    assert rows[3].endswith("| undecided (1 supported, 1 not supported) |")
    assert rows[-1].endswith("| **not tested** | **not tested** |")


def test_the_chart_shows_the_tested_ones(study):
    figure, numbers = verdicts.verdict_chart(verdicts.gathered_findings(study, "these"))
    assert numbers.verdict.tolist() == ["supported", "supported", "not supported", "not supported"]
    assert numbers.low.tolist() == [0.1, 0.1, -0.3, 0.01]
    assert len(figure.axes[0].get_yticks()) == 4


def test_an_estimate_without_an_interval_is_shown_and_undecided(study):
    few = finding(
        "n_too_low", "few pairs", 0.4, (np.nan, np.nan), n_pairs=6, n_seeds=2, interval="none"
    )
    few["ci95"] = [None, None]  # as JSON keeps what is no number
    write(study, STEMS[1], {"findings": [few]})
    findings = verdicts.gathered_findings(study, "these")
    _, numbers = verdicts.verdict_chart(findings)
    shown = numbers.set_index("experiment").loc["few pairs"]
    assert (shown.estimate, shown.verdict) == (0.4, "undecided")
    assert np.isnan(shown.low)
    assert "| 0.400 [–] | 6 | 2 | undecided |" in verdicts.write_verdicts(findings, study)


def test_a_finding_of_no_pairs_has_a_dash_for_them(study):
    more = {"n_pairs": None, "n_seeds": 1, "interval": "rounds resampled"}
    write(study, STEMS[1], {"findings": [finding("n_too_low", "saved", 0.5, (0.4, 0.6), **more)]})
    findings = verdicts.gathered_findings(study, "these")
    text = verdicts.write_verdicts(findings, study)
    assert "| saved | 0.500 [0.400, 0.600] | – | 1 | supported |" in text
    assert "| over SSIM | 0.200 [0.100, 0.300] | 40 | 2 | supported |" in text


@pytest.mark.parametrize(
    ("spoiled", "says"),
    [
        ({"profile_hash": "older"}, "from other settings: run notebook 08"),
        ({"data": {"fingerprint": "others"}}, "from other data: run notebook 08"),
    ],
)
def test_what_is_older_is_refused_by_name(study, spoiled, says):
    write(study, STEMS[1], {"findings": []}, **spoiled)
    with pytest.raises(StaleError, match=says):
        verdicts.gathered_findings(study, "these")


def test_what_is_missing_is_named(study):
    (study.results_dir / f"{STEMS[0]}.json").unlink()
    with pytest.raises(StaleError, match=r"05_threshold_sweeps\.json is missing: run notebook 05"):
        verdicts.gathered_findings(study, "these")
