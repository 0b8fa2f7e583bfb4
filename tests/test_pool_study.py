"""Fitting descriptions leave the pool step by step, and the finding follows what they carry."""

from itertools import pairwise

import numpy as np
import pytest
from planted import PlantedModel, scenes

from clipsim.data import CaptionedImages, DataError, LabelledPairs
from clipsim.data.pool import caption_pool
from clipsim.retrieval.caption_index import Describer
from clipsim.retrieval.score import caption_score
from clipsim.studies.beyond_the_training_data.pool_study import (
    SHARES,
    PoolStudy,
    fitting_descriptions,
    pool_rows,
    restricted_scores,
)


@pytest.fixture(scope="module")
def study():
    profile, images, pairs = scenes(n_train_scenes=400)
    pool = caption_pool(profile, images)
    return profile, images, pool, PoolStudy.of(profile, images, pairs, pool)


def test_a_description_fits_if_one_of_its_scenes_shares_a_concept(study):
    _, images, pool, found = study
    concepts = {}
    for i in images.indices("train"):
        for caption in images.captions[i]:
            concepts.setdefault(caption, set()).update(images.scenes[images.image_ids[i]].content)
    for row in range(0, len(found.pairs), 17):
        shown = {
            concept
            for ids in (found.pairs.id_a, found.pairs.id_b)
            for concept in images.scenes[ids[row]].content
        }
        expected = [bool(concepts[description] & shown) for description in pool]
        np.testing.assert_array_equal(found.fits[row], expected)


def test_removal_is_nested_and_ends_with_nothing_that_fits(study):
    _, _, _, found = study
    rows = np.arange(len(found.pairs))
    masks = [found.allowed(rows, share) for share in SHARES]
    assert masks[0].all()
    for more, fewer in pairwise(masks):
        assert not (fewer & ~more).any()
    np.testing.assert_array_equal(masks[-1], ~found.fits)
    half = (~found.allowed(rows, 0.5)).sum() / found.fits.sum()
    assert half == pytest.approx(0.5, abs=0.05)


def test_the_control_is_as_small_and_keeps_what_fits(study):
    profile, _, pool, found = study
    rows = np.arange(len(found.pairs))
    kept = found.thinned(rows, profile.n_descriptions)
    assert kept[found.fits].all()
    removed, n_fitting = (~kept).sum(axis=1), found.fits.sum(axis=1)
    most = len(pool) - n_fitting - profile.n_descriptions
    np.testing.assert_array_equal(removed, np.minimum(n_fitting, most))


def test_restricted_scores_are_eq_4_of_what_is_allowed(study):
    profile, images, pool, found = study
    model = PlantedModel(images)
    describer = Describer.of(profile, model, pool)
    rng = np.random.default_rng(0)
    allowed = rng.random((len(found.pairs), len(pool))) < 0.3
    everything = np.ones_like(allowed)
    scores = restricted_scores(
        describer, images, found.pairs, lambda rows: [everything[rows], allowed[rows]]
    )
    whole = describer.scores(images, found.pairs)["clip_score"]
    np.testing.assert_allclose(scores[0], whole, atol=1e-5)
    texts, position = model.encode_texts(pool), images.position()
    for row in (0, len(found.pairs) - 1):
        sets = []
        for ids in (found.pairs.id_a, found.pairs.id_b):
            (vector,) = model.encode_images(images.subset([position[ids[row]]]))
            left = np.flatnonzero(allowed[row])
            sets.append(texts[left[np.argsort(-(texts[left] @ vector))[: profile.n_descriptions]]])
        assert scores[1, row] == pytest.approx(caption_score(*sets), abs=1e-5)


@pytest.mark.parametrize("blind", [False, True])
def test_the_pool_matters_only_to_a_model_that_sees(study, blind):
    profile, images, pool, found = study
    describer = Describer.of(profile, PlantedModel(images, blind), pool)
    rows, outcome = pool_rows(profile, [describer, describer], images, found)
    auc = {row["removed"]: row["auc"] for row in rows}
    left = [row["left"] for row in rows]
    assert left[:-1] == sorted(left[:-1], reverse=True)
    assert left[-1] == pytest.approx(left[-2], rel=0.05)
    assert outcome["n_seeds"] == 2
    if blind:
        assert outcome["verdict"] != "supported"
    else:
        assert outcome["verdict"] == "supported"
        assert auc["as many others"] > 0.9 > auc["100%"]
    assert outcome["estimate"] == pytest.approx(auc["0%"] - auc["100%"])


def test_no_pair_with_enough_left_is_an_error(study):
    profile, images, pool, found = study
    mentioned = [text for text, fits in zip(pool, found.fits[0], strict=True) if fits]
    with pytest.raises(DataError, match="choose a smaller N"):
        PoolStudy.of(profile, images, found.pairs.where([0]), mentioned)


def test_photographs_fit_by_the_words_of_people():
    captions = (("a dog runs on grass", "the dog plays"), ("a man climbs a rock", "a climber"))
    photographs = CaptionedImages(
        "photographs", ("one", "two"), captions, np.array(["test", "test"]), read_image=None
    )
    pool = ("A dog jumps.", "A man on a mountain.", "Two boats at sea.")
    pairs = LabelledPairs(
        *(np.array([v]) for v in ("one", "two")),
        **{"similar": np.array([0], dtype=np.int8), "graded": np.zeros(1, dtype=np.float32)},
        **{name: np.array([""]) for name in ("kind", "split", "source")},
    )
    assert fitting_descriptions(photographs, pairs, pool).tolist() == [[True, True, False]]
