"""Pairs labelled by the agreement of captions."""

from collections import Counter
from dataclasses import replace

import numpy as np
import photograph_folders as folders
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from clipsim import load_profile
from clipsim.data import CaptionedImages, DataError, load, load_pairs
from clipsim.data.pairs import caption_pairs

TOPICS = ("dog grass", "surfer wave", "rock face", "cyclist street", "child swing", "band stage")


def described(n_each, seed=0):
    """Images of six topics, `n_each` of them in validation and test each."""
    rng = np.random.default_rng(seed)
    names = [f"{i:05d}.jpg" for i in range(2 * n_each)]
    captions = [
        tuple(
            f"a {TOPICS[i % 6]} {rng.choice(['red', 'blue', 'green'])} number{rng.integers(40)}"
            for _ in range(5)
        )
        for i in range(2 * n_each)
    ]
    split = np.array(["val", "test"]).repeat(n_each)
    return CaptionedImages("topics", tuple(names), tuple(captions), split, read_image=None)


def pairs_of(images, n_pairs=40, **settings):
    return caption_pairs(images, folders.profile("", n_pairs=n_pairs, **settings))


@pytest.fixture(scope="module")
def images():
    return described(120)


@pytest.fixture(scope="module")
def pairs(images):
    return pairs_of(images)


def test_pairs_are_balanced_named_and_within_their_split(images, pairs):
    counts = Counter(zip(pairs.split.tolist(), pairs.similar.tolist(), strict=True))
    assert counts == {("val", 1): 20, ("val", 0): 20, ("test", 1): 20, ("test", 0): 20}
    assert set(pairs.kind[pairs.similar == 1]) == {"captions agree"}
    assert set(pairs.kind[pairs.similar == 0]) == {"captions disagree"}
    assert "not people's judgments" in pairs.details["made_of"]
    for column in (pairs.id_a, pairs.id_b):
        position = images.position()
        assert [images.split[position[i]] for i in column.tolist()] == pairs.split.tolist()


def test_pairs_know_where_their_images_are_and_who_judged_them(pairs):
    ids = pairs.image_ids[::-1]
    for (a, b), first, second in zip(pairs.positions(ids), pairs.id_a, pairs.id_b, strict=True):
        assert (ids[a], ids[b]) == (first, second)
    with pytest.raises(KeyError):
        pairs.positions(ids[1:])
    judged = replace(pairs, source=np.where(np.arange(len(pairs)) % 3, "crowd", "expert"))
    assert list(judged.by_source) == ["expert", "crowd"]
    np.testing.assert_array_equal(judged.by_source["expert"], judged.source == "expert")


def test_similar_pairs_share_their_topic(images, pairs):
    position = images.position()
    topics = [[position[i] % 6 for i in column.tolist()] for column in (pairs.id_a, pairs.id_b)]
    assert (np.equal(*topics) == (pairs.similar == 1)).all()


def test_no_image_in_two_pairs_where_there_are_enough(pairs):
    uses = Counter([*pairs.id_a.tolist(), *pairs.id_b.tolist()])
    assert set(uses.values()) == {1}
    assert pairs.details["val"]["most_pairs_of_one_image"] == 1


def test_the_graded_score_is_the_cosine_and_the_seed_decides(images, pairs):
    texts = [" ".join(captions) for captions in images.captions]
    vectors = TfidfVectorizer(stop_words="english", sublinear_tf=True).fit_transform(texts)
    position = images.position()
    a, b = ([position[i] for i in column.tolist()] for column in (pairs.id_a, pairs.id_b))
    cosines = np.asarray(vectors[a].multiply(vectors[b]).sum(axis=1)).ravel()
    np.testing.assert_allclose(pairs.graded, cosines.clip(0, 1), atol=1e-6)
    assert pairs.graded.dtype == np.float32
    assert pairs_of(images).id_a.tolist() == pairs.id_a.tolist()
    assert pairs_of(images, seed=1).id_a.tolist() != pairs.id_a.tolist()
    assert pairs.graded[pairs.similar == 1].min() > pairs.graded[pairs.similar == 0].max()


def test_few_images_are_used_again_and_it_is_said():
    pairs = pairs_of(described(30))
    details = pairs.details["test"]
    assert details["pairs"] == 40
    assert details["most_pairs_of_one_image"] >= 2
    once = {frozenset(p) for p in zip(pairs.id_a.tolist(), pairs.id_b.tolist(), strict=True)}
    assert len(once) == len(pairs)


def test_fewer_pairs_than_wanted_stay_balanced_and_many_images_are_sampled(images, monkeypatch):
    details = pairs_of(described(12), n_pairs=400).details["test"]
    assert details["pairs"] < 400
    assert details["pairs"] % 2 == 0
    monkeypatch.setattr("clipsim.data.pairs.COMPARED_AT_MOST", 90)
    assert len(pairs_of(images)) == 80


@pytest.mark.parametrize("n_test", [0, 1, 9])
def test_too_few_images(images, n_test):
    kept = [*images.indices("val"), *images.indices("test")[:n_test]]
    with pytest.raises(DataError, match=f"the test split has {n_test} images"):
        pairs_of(images.subset(kept))


def test_captions_that_are_all_alike(images):
    alike = CaptionedImages(
        "alike", images.image_ids, (("a dog",),) * len(images), images.split, read_image=None
    )
    with pytest.raises(DataError, match="pairs=captions needs 5 pairs of each class"):
        pairs_of(alike)


def test_ids_that_repeat_and_an_image_paired_with_itself_are_refused():
    images = load(load_profile("smoke"))
    with pytest.raises(DataError, match="image ids repeat"):
        images.subset([0, 0])
    pairs = load_pairs(load_profile("smoke", n_pairs=8))
    with pytest.raises(DataError, match="paired with itself"):
        replace(pairs, id_b=pairs.id_a)
    with pytest.raises(DataError, match="differ in length"):
        replace(pairs, kind=pairs.kind[1:])
