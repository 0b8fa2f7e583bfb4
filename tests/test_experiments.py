"""Experiments beyond the training data: what they find is what was planted."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from made_pairs import labelled_pairs
from planted import seeing_and_blind
from sklearn.metrics import roc_auc_score

from clipsim.data import CaptionedImages, DataError
from clipsim.retrieval import Describer, caption_score
from clipsim.studies.beyond_the_training_data import ScoredPairs, experiments


@pytest.fixture(scope="module")
def scored():
    """Scenes and scores of a model that sees them, and of one that is blind."""
    profile, images, pairs, describers = seeing_and_blind()
    noise, found = np.random.default_rng(0), {}
    for name, describer in describers.items():
        scores = {key: np.stack([v] * 2) for key, v in describer.scores(images, pairs).items()}
        scores |= {key: noise.random(len(pairs)) for key in ("ssim", "fsim")}
        found[name] = ScoredPairs(profile, images, [describer] * 2, pairs, scores)
    return found


def test_rows_hold_each_groups_own_auc(scored):
    of_all = scored["blind"]
    labels = experiments.novelty(of_all.images, of_all.pairs)
    rows, _ = experiments.unseen_things(of_all)
    assert sum(row["n_pairs"] for row in rows if row["metric"] == "ssim") == len(of_all.pairs)
    for row in rows:
        inside = labels == row["group"]
        scores = np.atleast_2d(of_all.scores[row["metric"]])[:, inside]
        expected = [roc_auc_score(of_all.pairs.similar[inside], of_model) for of_model in scores]
        assert row["auc"] == pytest.approx(np.mean(expected))
        assert row["auc_ci95"][0] <= row["auc"] <= row["auc_ci95"][1]


def test_gain_is_over_the_better_of_the_two(scored):
    pairs = scored["seeing"].pairs
    rng = np.random.default_rng(0)
    good, fair, noise = (rng.random(len(pairs)) + w * pairs.similar for w in (2, 0.5, 0))
    scores = {"clip_score": good, "ssim": noise, "fsim": fair}
    gain = replace(scored["seeing"], scores=scores).gain
    aucs = [roc_auc_score(pairs.similar, values) for values in (good, noise, fair)]
    assert gain[0] == pytest.approx(aucs[0] - max(aucs[1:]))
    assert not replace(scored["seeing"], scores=scores | {"ssim": good}).gain.any()


@pytest.mark.parametrize(
    ("good_on", "expected"),
    [("familiar", "supported"), ("unseen", "not supported"), ("nothing", "undecided")],
)
def test_less_reliable_where_it_is(scored, good_on, expected):
    of_all = scored["seeing"]
    familiar = experiments.novelty(of_all.images, of_all.pairs) == "familiar"
    good = {"familiar": familiar, "unseen": ~familiar, "nothing": 0}[good_on]
    noise = np.random.default_rng(1).standard_normal((2, len(of_all.pairs)))
    scores = {"clip_score": noise + 10 * good * of_all.pairs.similar}
    _, (found,) = experiments.unseen_things(replace(of_all, scores=scores))
    assert found["verdict"] == expected


@pytest.mark.parametrize("other", ["seeing", "blind"])
def test_another_domains_model_is_worse_only_if_it_is(scored, other):
    own = (scored["seeing"].describers[0].model, scored["seeing"].pool)
    others = (scored[other].describers[0].model, scored[other].pool)
    rows, findings = experiments.crossed_domains(scored["seeing"], own, others)
    auc = {row["group"].split(": ")[1]: row["auc"] for row in rows}
    assert auc["own model, own pool"] == auc["own model, other pool"] > 0.9  # equal pools
    less, pool = findings
    difference = auc["own model, own pool"] - auc["other model, own pool"]
    assert less["estimate"] == pytest.approx(difference, abs=1e-6)
    assert less["verdict"] == "supported" if other == "blind" else less["estimate"] == 0
    assert pool["estimate"] == 0
    assert experiments.another_domain(scored["seeing"]) == ([], [])  # scenes alone


@pytest.fixture(scope="module")
def fits(scored):
    of_all = scored["seeing"]
    return experiments.fitting_descriptions(of_all.images, of_all.pairs, of_all.pool)


def test_a_description_fits_if_one_of_its_scenes_shares_a_concept(scored, fits):
    images, pairs, pool = (getattr(scored["seeing"], name) for name in ("images", "pairs", "pool"))
    concepts = {}
    for i in images.indices("train"):
        for caption in images.captions[i]:
            concepts.setdefault(caption, set()).update(images.scenes[images.image_ids[i]].content)
    for row in range(0, len(pairs), 17):
        shown = {c for ids in (pairs.id_a, pairs.id_b) for c in images.scenes[ids[row]].content}
        expected = [bool(concepts[description] & shown) for description in pool]
        np.testing.assert_array_equal(fits[row], expected)


def test_photographs_fit_by_the_words_of_people():
    captions = (("a dog runs on grass", "the dog plays"), ("a man climbs a rock", "a climber"))
    photographs = CaptionedImages(
        "photographs", ("one", "two"), captions, np.array(["test", "test"]), read_image=None
    )
    pool = ("A dog jumps.", "A man on a mountain.", "Two boats at sea.")
    pairs = replace(labelled_pairs(1, "test"), id_a=np.array(["one"]), id_b=np.array(["two"]))
    found = experiments.fitting_descriptions(photographs, pairs, pool)
    assert found.tolist() == [[True, True, False]]


def test_removal_is_nested_and_the_control_as_small(fits):
    n = 5
    order = np.random.default_rng(0).random(fits.shape[1])
    *steps, control = experiments.allowed_descriptions(fits, order, n)
    assert steps[0].all()
    for more, fewer in pairwise(steps):
        assert not (fewer & ~more).any()
    np.testing.assert_array_equal(steps[-1], ~fits)
    assert (~steps[2]).sum() / fits.sum() == pytest.approx(experiments.SHARES[2], abs=0.05)
    assert control[fits].all()
    n_fitting = fits.sum(axis=1)
    most = np.minimum(n_fitting, fits.shape[1] - n_fitting - n)
    np.testing.assert_array_equal((~control).sum(axis=1), most)


def test_scores_of_a_smaller_pool_are_eq_4_of_what_is_left(scored, fits):
    of_all, describer = scored["seeing"], scored["seeing"].describers[0]
    pairs, n = of_all.pairs, of_all.profile.n_descriptions
    order = np.random.default_rng(0).random(fits.shape[1])
    scores = experiments.pool_scores(describer, of_all, fits, order)
    np.testing.assert_allclose(scores[0], of_all.scores["clip_score"][0], atol=1e-5)
    half = list(experiments.allowed_descriptions(fits, order, n))[2]
    texts, position = describer.model.encode_texts(of_all.pool), of_all.images.position()
    for row in (0, len(pairs) - 1):
        left, sets = np.flatnonzero(half[row]), []
        for ids in (pairs.id_a, pairs.id_b):
            image = of_all.images.subset([position[ids[row]]])
            (vector,) = describer.model.encode_images(image)
            sets.append(texts[left[np.argsort(-(texts[left] @ vector))[:n]]])
        assert scores[2, row] == pytest.approx(caption_score(*sets), abs=1e-5)


@pytest.mark.parametrize("model", ["seeing", "blind"])
def test_the_pool_matters_only_to_a_model_that_sees(scored, model):
    rows, (found,) = experiments.no_fitting_description(scored[model])
    *_, empty, control = (row["auc"] for row in rows)
    assert found["n_seeds"] == 2
    assert found["estimate"] == pytest.approx(rows[0]["auc"] - empty)
    assert (found["verdict"] == "supported") == (model == "seeing")
    if model == "seeing":
        assert control > 0.9 > empty


def test_no_pair_with_enough_left_is_an_error(scored, fits):
    of_all, describer = scored["seeing"], scored["seeing"].describers[0]
    mentioned = [text for text, of_first in zip(of_all.pool, fits[0], strict=True) if of_first]
    small = Describer.of(of_all.profile, describer.model, mentioned)
    with pytest.raises(DataError, match="choose a smaller N"):
        experiments.no_fitting_description(replace(of_all.where([0]), describers=[small]))


@pytest.mark.parametrize("model", ["seeing", "blind"])
def test_a_model_that_sees_actions_tells_them_apart(scored, model):
    profile = replace(scored[model].profile, n_pairs=24)
    rows, (found,) = experiments.fine_grained(replace(scored[model], profile=profile))
    assert found["verdict"] == ("supported" if model == "seeing" else "undecided")
    assert found["n_pairs"] == 48
    of_group = {row["group"]: row for row in rows if row["metric"] == "clip_score"}
    assert of_group["running / walking"]["n_pairs"] == 24
    assert found["estimate"] == pytest.approx(of_group["all actions"]["auc"] - 0.5)


@pytest.mark.parametrize(("good_on", "expected"), [("all", "supported"), ("one", "not supported")])
def test_several_objects_are_as_good_only_if_they_are(scored, good_on, expected):
    of_all = scored["seeing"]
    several = [len(of_all.images.scenes[i].objects) > 1 for i in of_all.pairs.id_b.tolist()]
    good = ~np.array(several) | (good_on == "all")
    noise = np.random.default_rng(1).standard_normal((2, len(of_all.pairs)))
    scores = {"clip_score": noise + 10 * good * of_all.pairs.similar}
    rows, (found,) = experiments.several_objects(replace(of_all, scores=scores))
    assert found["verdict"] == expected
    assert sum(row["n_pairs"] for row in rows) == len(of_all.pairs)
    assert found["estimate"] == pytest.approx(rows[1]["auc"] - rows[0]["auc"])


@pytest.mark.parametrize("model", ["seeing", "blind"])
def test_gain_follows_the_model(scored, model):
    of_all = replace(scored[model], profile=replace(scored[model].profile, n_pairs=48))
    rows, findings = experiments.gain_over_pixels(of_all)
    *alike, diverse = findings
    assert [found["claim"] for found in alike] == ["no_gain_on_training_like"] * 2
    verdicts = {found["verdict"] for found in alike}
    assert verdicts == {"not supported"} if model == "seeing" else "not supported" not in verdicts
    assert (diverse["claim"], diverse["verdict"]) == ("gain_on_diverse", "by design")
    gains = [row["gain"] for row in rows if "gain" in row]
    assert gains == pytest.approx([found["estimate"] for found in findings])
