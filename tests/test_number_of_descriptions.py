"""Notebook 08's experiments on planted data, where the answer is known and can be either."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from made_pairs import joined, labelled_pairs
from PIL import Image

from clipsim.data import CaptionedImages
from clipsim.evaluation import NOT_SUPPORTED, SUPPORTED, UNDECIDED
from clipsim.retrieval import Retrieval, score_matrix, score_pairs
from clipsim.studies import number_of_descriptions as room

N_PAIRS, COUNTS = 200, (1, 2, 5, 10, 40)
PROFILE = SimpleNamespace(
    name="planted", vector_space="joint", threshold_criterion="accuracy", seed=0,
    n_bootstrap=200, n_descriptions=5,
)  # fmt: skip
# Noise of an image's descriptions by rank: all alike; the first good; the first ten good.
FLAT = np.full(40, 3.0)
FIRST_GOOD = np.concatenate([[0.3], np.full(39, 12.0)])
TEN_GOOD = np.concatenate([[5.0], np.full(9, 1.5), np.full(30, 90.0)])


def judged_pairs():
    """Validation and test pairs that share no image; every second one is similar."""
    half = N_PAIRS // 2
    similar = np.arange(half) % 2
    return joined(*(labelled_pairs(half, split, similar=similar) for split in ("val", "test")))


def contents(similar, seed=1):
    """Contents of the images of pairs: equal in similar pairs, independent in others."""
    first, second = np.random.default_rng(seed).normal(size=(2, len(similar), 8))
    second = np.where(np.reshape(similar, (-1, 1)) == 1, first, second)
    return np.stack([first, second], axis=1).reshape(-1, 8).astype(np.float32)


def retrieval(content, noise, seed=0):
    """A retrieval where an image's i-th description is its content plus noise[i] of noise."""
    rng = np.random.default_rng(seed)
    scatter = rng.normal(size=(len(content), len(noise), 8)) * np.reshape(noise, (1, -1, 1))
    vectors = (content[:, None] + scatter).reshape(-1, 8).astype(np.float32)
    ids = np.arange(len(vectors)).reshape(len(content), len(noise))
    sims = np.tile(np.linspace(0.9, 0.1, len(noise), dtype=np.float32), (len(content), 1))
    names = np.array([f"{split} {i}" for split in ("val", "test") for i in range(N_PAIRS)])
    return Retrieval(names, content, ids, sims, np.full(len(vectors), ""), vectors)


def study(noise, n_models=3, content=None):
    """A study of several models that differ in their noise alone."""
    pairs = judged_pairs()
    content = contents(pairs.similar) if content is None else content
    found = [retrieval(content, noise, seed) for seed in range(n_models)]
    retrievals = [(one, one.pool_vectors + np.float32(0.3)) for one in found]
    three = room.pairs_of_study(PROFILE, None, pairs)
    return room.scored(PROFILE, *three, COUNTS, retrievals)


@pytest.fixture
def retrieved():
    """Vectors of a pool (any length), ids of 150 images, and 30 pairs of them."""
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(40, 6)) * rng.uniform(0.5, 3, size=(40, 1))).astype(np.float32)
    ids = np.stack([rng.permutation(40)[:20] for _ in range(150)])
    return vectors, ids, rng.integers(150, size=(30, 2))


def test_all_counts_at_once_are_eq_4_of_each(retrieved):
    vectors, ids, pairs = retrieved
    counts = (1, 2, 5, 9, 20)
    means = room.prefix_means(vectors, ids, counts)
    scores, selves = room.pair_scores(means, pairs), room.self_scores(means)
    for k, n in enumerate(counts):
        of_n = vectors[ids[:, :n]]
        np.testing.assert_allclose(scores[k], score_pairs(of_n, pairs), atol=1e-5)
        np.testing.assert_allclose(n * scores[k], score_pairs(of_n, pairs, "paper"), atol=2e-5)
        np.testing.assert_allclose(selves[k], score_matrix(of_n).diagonal(), atol=1e-5)


def test_the_cosine_is_that_of_the_sums(retrieved):
    vectors, ids, pairs = retrieved
    cosines = room.pair_cosines(room.prefix_means(vectors, ids, (3, 20)), pairs)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for n, of_n in zip((3, 20), cosines, strict=True):
        for (a, b), value in zip(pairs, of_n, strict=True):
            x, y = unit[ids[a, :n]].sum(axis=0), unit[ids[b, :n]].sum(axis=0)
            assert value == pytest.approx(x @ y / np.sqrt((x @ x) * (y @ y)), abs=1e-5)


@pytest.mark.parametrize(
    ("noise", "too_low", "too_high"),
    [
        (FLAT, SUPPORTED, NOT_SUPPORTED),  # of one quality: more help, and never hurt
        (FIRST_GOOD, NOT_SUPPORTED, SUPPORTED),
        (TEN_GOOD, SUPPORTED, SUPPORTED),
    ],
)
def test_the_claims_about_n_are_as_planted(noise, too_low, too_high):
    by_claim, findings = room.claims_about_n(study(noise))
    assert [one["verdict"] for one in findings] == [too_low, too_high]
    assert {(one["n_pairs"], one["n_seeds"]) for one in findings} == {(N_PAIRS // 2, 3)}
    if noise is TEN_GOOD:
        assert set(by_claim["n_too_high"]["n"]) == {10}


def test_the_setting_is_chosen_on_validation_and_not_on_test():
    one = replace(study(FLAT, 1), counts=(1, 2))
    # Right on test and wrong on validation, and the reverse.
    right_on_test = np.where(one.evaluated, one.judged.similar, 1 - one.judged.similar)
    judged = np.stack([right_on_test, 1 - right_on_test])[None]
    choosing = judged[:, :, ~one.evaluated]
    one.scores.update(told=(judged, choosing), equal=(judged, 0 * choosing))
    assert one.best("told")[1] == [2]
    assert one.best("told", [0])[1] == [1]
    assert one.best("equal")[1] == [1]


def test_as_printed_eq_4_is_n_times_the_mean_at_the_papers_threshold():
    one = study(TEN_GOOD, 1)
    scores, similar = one.eq4[0][:, one.evaluated], one.sample.pairs.similar == 1
    found = room.accuracy_at_the_papers_threshold(one).accuracy
    factored = [*scores, *(scores * np.reshape(COUNTS, (-1, 1)))]
    assert found.tolist() == pytest.approx([np.mean((s >= 0.5) == similar) for s in factored])


@pytest.mark.parametrize(
    ("flipped", "verdict", "count", "n_pairs"),
    [
        (0, UNDECIDED, 0, N_PAIRS * (N_PAIRS - 1) // 2),
        (1, NOT_SUPPORTED, 1, N_PAIRS // 2),
        # Both images of a pair: no test pair shows it, all pairs of their images do.
        (2, NOT_SUPPORTED, 2 * (N_PAIRS - 2), N_PAIRS * (N_PAIRS - 1) // 2),
    ],
)
def test_one_exception_refutes_that_d_is_positive_and_none_proves_nothing(
    flipped, verdict, count, n_pairs
):
    content = np.abs(contents(judged_pairs().similar)) + 1
    content[len(content) - flipped :] *= -1
    one = study(np.full(40, 0.01), 1, content)
    found = room.sign_findings(one)[0]
    assert (found["verdict"], found["n_pairs"]) == (verdict, n_pairs)
    assert found["estimate"] == pytest.approx(count / n_pairs)
    assert ("taken as independent" in found["interval"]) == (n_pairs > N_PAIRS)


def test_where_test_images_alone_are_judged_development_images_choose(smoke):
    topics = ("dog beach", "boat river", "child swing", "horse field", "bike street", "snow hill")
    images = CaptionedImages(
        name="photographs",
        image_ids=tuple(f"{split} {i}" for split in ("val", "test") for i in range(60)),
        captions=tuple((f"{topics[i % 6]} number{i % 12}",) for i in range(120)),
        split=np.repeat(["val", "test"], 60),
        read_image=lambda _: Image.new("RGB", (8, 8)),
    )
    pairs = labelled_pairs(N_PAIRS, "test", n_images=60)
    source = np.repeat(["crowd", "expert"], N_PAIRS // 2)
    judged = replace(pairs, split=np.full(N_PAIRS, "cross"), source=source)
    judged, choosing, chosen_on = room.pairs_of_study(smoke, images, judged)
    assert set(judged.source) == {"expert"}
    assert chosen_on == "caption-agreement pairs"
    assert all(i.startswith("val") for i in choosing.image_ids)
