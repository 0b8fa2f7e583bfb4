"""An interval decides a claim only where it lies clear of the border."""

import json
import math

import pytest

from clipsim.evaluation.claims import CLAIMS, finding, verdict


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
        ((0.0, 0.0), (0, math.inf), "undecided"),  # no difference is none above 0
        ((0.0, 0.001), (0, 0), "undecided"),  # and no exception is no proof
        ((math.nan, 0.3), (0, math.inf), "undecided"),
    ],
)
def test_verdicts(ci95, region, expected):
    assert verdict(ci95, region) == expected


def test_a_finding_is_json_and_names_a_known_claim():
    found = finding(
        "n_too_low", "AUC at N = 10 less that at N = 1", 0.1, (0.05, 0.15),
        n_pairs=400, n_seeds=5, interval="pairs resampled, models held fixed",
    )  # fmt: skip
    assert found == json.loads(json.dumps(found, allow_nan=False))
    assert found["region"] == [0.0, None]
    assert found["verdict"] == "supported"
    assert CLAIMS[found["claim"]].section == "sec. 3"
    with pytest.raises(KeyError):
        finding("unknown", "", 0, (0, 0), n_pairs=1, n_seeds=1, interval="")


def test_a_finding_need_not_be_of_pairs():
    more = {"n_pairs": None, "n_seeds": 1, "interval": "rounds resampled"}
    found = finding("retrieval_is_the_cost", "share of time saved", 0.5, (0.4, 0.6), **more)
    assert json.loads(json.dumps(found, allow_nan=False))["n_pairs"] is None
