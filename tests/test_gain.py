"""The gain over SSIM and FSIM is what it is planted to be."""

import numpy as np
import pytest
from planted import PlantedModel, scenes
from sklearn.metrics import roc_auc_score

from clipsim.data.pool import caption_pool
from clipsim.evaluation.claims import verdict
from clipsim.retrieval.caption_index import Describer
from clipsim.studies.beyond_the_training_data.gain import NO_GAIN, gain_row, gain_rows
from clipsim.studies.beyond_the_training_data.generalisation import novelty_groups


@pytest.fixture(scope="module")
def study():
    return scenes(n_train_scenes=500)


def test_gain_is_over_the_better_of_the_two(study):
    profile, _, pairs = study
    rng = np.random.default_rng(0)
    good, fair, noise = (rng.random(len(pairs)) + w * pairs.similar for w in (2, 0.5, 0))
    row, gain, _ = gain_row("", pairs, {"clip_score": good, "ssim": noise, "fsim": fair}, profile)
    aucs = [roc_auc_score(pairs.similar, scores) for scores in (good, noise, fair)]
    assert row["gain"] == pytest.approx(aucs[0] - max(aucs[1:]))
    assert verdict(row["gain_ci95"], NO_GAIN) == "not supported"
    assert len(gain) == 1 + profile.n_bootstrap
    equal, _, _ = gain_row("", pairs, {"clip_score": good, "ssim": good, "fsim": noise}, profile)
    assert equal["gain"] == 0
    assert verdict(equal["gain_ci95"], NO_GAIN) == "supported"


@pytest.mark.parametrize("blind", [False, True])
def test_findings_follow_the_model(study, blind):
    profile, images, pairs = study
    describer = Describer.of(profile, PlantedModel(images, blind), caption_pool(profile, images))
    rng = np.random.default_rng(0)
    scores = describer.scores(images, pairs)
    scores |= {key: rng.random(len(pairs)) for key in ("ssim", "fsim")}
    groups = novelty_groups(images, pairs)
    rows, findings, details = gain_rows(profile, [describer], images, pairs, scores, groups)
    claims = {outcome["claim"]: outcome["verdict"] for outcome in findings}
    assert list(claims) == ["no_gain_on_training_like", "gain_on_diverse"]
    assert (claims["no_gain_on_training_like"] == "not supported") != blind
    assert (claims["gain_on_diverse"] == "supported") != blind
    assert [row["n_pairs"] for row in rows][1:3] == [
        sum(np.char.endswith(pairs.kind[inside], "other layout"))
        for inside in (groups == "familiar", np.char.startswith(groups, "unseen"))
    ]
    assert details["same content"]["pairs"] == rows[0]["n_pairs"] / 2
