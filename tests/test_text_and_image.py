"""What is set against Eq. 4; weights chosen on other pairs; thresholds that move along or not."""

from dataclasses import replace

import numpy as np
import pytest
from made_pairs import joined, labelled_pairs
from scipy.stats import spearmanr
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from clipsim.data import caption_pool, load, load_pairs
from clipsim.evaluation import retrieval_of
from clipsim.model import DualEncoder, image_features
from clipsim.studies.encoders_and_language import text_and_image as study

RNG = np.random.default_rng(0)


def rated(n=300):
    """Pairs rated side by side: half of them choose, half are reported."""
    pairs = joined(labelled_pairs(n, "val", 1), labelled_pairs(n, "cross", 2))
    graded = RNG.uniform(size=2 * n)
    return replace(pairs, graded=graded, source=np.full(2 * n, "vsts"))


def test_the_weight_is_the_best_on_the_pairs_that_choose():
    pairs = rated()
    val = pairs.split == "val"
    text, image = (10 * i + pairs.graded + RNG.normal(0, 0.3, (2, len(pairs))) for i in (1, 5))

    def of_weight(w):
        both = [
            (v - v[:, val].mean(1)[:, None]) / v[:, val].std(1)[:, None] for v in (text, image)
        ]
        return (1 - w) * both[0] + w * both[1]

    graded = pairs.graded[val]
    values = {
        round(w, 1): np.mean([spearmanr(graded, v[val]).statistic for v in of_weight(w)])
        for w in np.linspace(0, 1, 11)
    }
    best = max(values, key=values.get)
    assert 0 < best < 1
    found, why = study.weighted_sum(pairs, text, image)
    assert why.startswith(f"{best} by")
    np.testing.assert_allclose(found, of_weight(best))
    image[:, ~val] = RNG.normal(size=image[:, ~val].shape)  # what is reported has no say
    assert study.weighted_sum(pairs, text, image)[1] == why
    assert study.weighted_sum(pairs.where(~val), text[:, ~val], image[:, ~val])[1].startswith(
        "0.5"
    )


@pytest.mark.parametrize(("shift", "verdict"), [(0, "supported"), (3, "not supported")])
def test_a_threshold_moves_along_where_scores_have_one_scale(smoke, shift, verdict):
    pairs = joined(labelled_pairs(400, "val", 3), labelled_pairs(400, "test", 4))
    own = pairs.similar + 0.2 * RNG.normal(size=(2, 800))
    control = pairs.similar + shift + 0.2 * RNG.normal(size=(2, 800))
    scores = {smoke.text_encoder: {study.EQ4: own, study.FEW: own}, "lsa": {study.EQ4: control}}
    seed, encoder, n = study.threshold_transfer(smoke, pairs, scores)
    assert (seed["verdict"], encoder["verdict"]) == ("supported", verdict)
    assert (n["estimate"], n["n_pairs"]) == (0, 400)
    if shift:  # one answer for all
        assert encoder["estimate"] == pytest.approx(-0.5, abs=0.03)


def test_scores_against_their_definition_and_findings_of_the_control(smoke, tmp_path, monkeypatch):
    monkeypatch.setattr("clipsim.model.features.CACHE", tmp_path / "cache")
    monkeypatch.setattr("clipsim.profile.RUNS", tmp_path)
    images = load(smoke)
    pairs, model = load_pairs(smoke, images), DualEncoder(smoke)
    scores, chosen = study.compared_scores(smoke, images, pairs, [model])
    assert list(scores) == list(chosen) == ["tiny", "lsa"]
    assert [scores[e][study.EQ4].shape for e in scores] == [(1, len(pairs)), (2, len(pairs))]
    pool = caption_pool(smoke, images)
    retrieval = retrieval_of(smoke, model, images, pool)
    two = [pairs.id_a[0], pairs.id_b[0]]
    said = [" ".join(retrieval.descriptions(i)) for i in two]
    expected = cosine_similarity(TfidfVectorizer().fit(pool).transform(said))[0, 1]
    assert scores["tiny"][study.TFIDF][0, 0] == pytest.approx(expected)
    known = image_features(model, images.subset(images.indices("train"))).numpy()
    features = image_features(model, images.pixel_batch(two)).numpy() - known.mean(axis=0)
    features /= np.where(known.std(axis=0) > 0, known.std(axis=0), 1)
    expected = cosine_similarity(features)[0, 1]
    assert scores["tiny"][study.BACKBONE][0, 0] == pytest.approx(expected, abs=1e-4)
    assert not np.allclose(scores["tiny"][study.FEW], scores["tiny"][study.EQ4])
    rows, findings = study.text_or_image(smoke, pairs, scores)
    assert len(rows) == 2 * len(study.SHOWN)
    (row,) = [r for r in rows if (r["encoder"], r["group"]) == ("lsa", study.IMAGE)]
    assert [found["estimate"] for found in findings] == [row["auc_first_minus_this"]]
    assert row["n_seeds"] == 2
