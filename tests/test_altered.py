"""Altered pictures and altered trainings: what they cost is what was planted."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from planted import PlantedModel, seeing_and_blind
from scipy.stats import spearmanr

from clipsim.evaluation.thresholds import best_threshold
from clipsim.metrics import ssim
from clipsim.studies.beyond_the_training_data import ScoredPairs, altered, experiments


@pytest.fixture(scope="module")
def scored():
    """Scenes and scores of a model that sees what they show, and of one that is blind."""
    profile, images, pairs, describers = seeing_and_blind()
    pairs, found = pairs.where(np.s_[:12]), {}
    for name, describer in describers.items():
        one = ScoredPairs(profile, images, [describer], pairs, {}).of_others(images, pairs)
        thresholds = {
            key: np.full(len(pairs), best_threshold(np.ravel(values), pairs.similar))
            for key, values in one.scores.items()
        }
        found[name] = replace(one, thresholds=thresholds)
    return found


def test_pictures_are_altered_as_their_names_say(scored):
    images, pairs = scored["seeing"].images, scored["seeing"].pairs.where(np.s_[:2])
    made, repeated = altered.altered_pairs(images, pairs)
    assert Counter(repeated.kind.tolist()) == dict.fromkeys(["", *altered.ALTERATIONS], 2)
    assert set(repeated.id_b.tolist()) == set(pairs.id_b.tolist())
    own = images.pixels(pairs.id_a[0])
    first = {kind: made.pixels(repeated.id_a[2 * i]) for i, kind in enumerate(repeated.kind[::2])}
    np.testing.assert_array_equal(first[""], own)
    np.testing.assert_array_equal(first["flip"], own[:, :, ::-1])
    for kind, pixels in first.items():
        assert pixels.shape == own.shape
        if kind.startswith("brightness"):
            expected = own * float(kind.rpartition(" ")[2])
            assert np.abs(pixels - expected).max() <= 1
    for name in ("crop", "blur", "JPEG", "brightness"):
        kept = [ssim(own, pixels) for kind, pixels in first.items() if kind.startswith(name)]
        assert 1 > kept[0] > kept[1] > kept[2], name


def test_decisions_are_kept_by_a_model_that_minds_nothing(scored):
    rows, (found,) = altered.robustness(scored["seeing"])
    of_metric = {
        key: [row for row in rows if row["metric"] == key] for key in experiments.COMPARED
    }
    assert all(row["decision_kept"] == 1 for row in of_metric["clip_score"])
    means = {key: np.mean([r["decision_kept"] for r in of]) for key, of in of_metric.items()}
    assert found["estimate"] == pytest.approx(1 - max(means["ssim"], means["fsim"]))
    assert found["estimate"] > 0


def test_what_is_kept_is_counted_pair_by_pair(scored):
    one = scored["blind"]
    rows, (found,) = altered.robustness(one)
    assert found["estimate"] < 0.05
    images, pairs = one.images, one.pairs
    threshold = one.thresholds["ssim"][0]
    pixels = {i: images.pixels(i) for i in pairs.image_ids}
    couples = list(zip(pairs.id_a.tolist(), pairs.id_b.tolist(), strict=True))
    before = np.array([ssim(pixels[a], pixels[b]) for a, b in couples])
    after = np.array([ssim(pixels[a][:, :, ::-1].copy(), pixels[b]) for a, b in couples])
    (row,) = [r for r in rows if (r["alteration"], r["metric"]) == ("flip", "ssim")]
    assert row["score_kept"] == pytest.approx(spearmanr(before, after).statistic, abs=0.02)
    kept = np.mean((before >= threshold) == (after >= threshold))
    assert row["decision_kept"] == pytest.approx(kept, abs=1.01 / len(pairs))


def test_shuffled_captions_are_all_of_another_image(scored):
    images = scored["seeing"].images
    noisy, training = altered.noisy_captions(images, 0.25, seed=3), images.indices("train")
    changed = [i for i in range(len(images)) if noisy.captions[i] is not images.captions[i]]
    assert len(changed) == len(training) // 4
    assert set(changed) <= set(training)
    assert sorted(noisy.captions) == sorted(images.captions)


def test_few_kinds_of_content_are_fewer_than_drawn_at_random(scored):
    images = scored["seeing"].images
    training = images.indices("train")

    def n_concepts(positions):
        return len({c for i in positions for c in images.scenes[images.image_ids[i]].content})

    narrow = altered.few_kinds(images, 60, seed=0)
    assert len(set(narrow) & set(training)) == 60
    assert n_concepts(narrow) < n_concepts(training[:60]) / 2


def test_training_data_matter_only_where_they_do(scored, monkeypatch):
    trained = {}

    def planted(profile, images, folder):
        trained[folder.name] = profile.epochs, len(images.indices("train"))
        return PlantedModel(scored["seeing"].images, blind="half_of_the_captions" in folder.name)

    monkeypatch.setattr(altered, "train_or_load", planted)
    rows, findings = altered.training_data(scored["seeing"])
    (noisy,) = [found for found in findings if found["estimate"] > 0.2]
    assert "half of the captions" in noisy["experiment"]
    assert all(found["estimate"] == 0 for found in findings if found is not noisy)
    assert [row["n_train"] for row in rows] == [600, 300, 60, 60, 600, 600]
    assert len({epochs * n for epochs, n in trained.values()}) == 1
