"""One comparison, stage by stage: nothing left out, the pool's captions multiplied up."""

from dataclasses import replace

import numpy as np
import pytest
from clocks import Ticking

from clipsim.data import LabelledPairs
from clipsim.model.clip import DualEncoder
from clipsim.retrieval.caption_index import Describer
from clipsim.studies.cost_and_scale.cost_breakdown import (
    ANEW,
    ENCODE,
    FILED,
    FSIM,
    READ,
    SCORE,
    SEARCH,
    SSIM,
    caption_samples,
    comparison_seconds,
    image_vectors,
    pair_seconds,
    retrieval_share,
    text_vectors,
)

CAPTIONS = [" ".join(["word"] * (i % 17 + 1)) + f" {i}" for i in range(1000)]


@pytest.fixture
def describer(smoke, coloured):
    model = DualEncoder(replace(smoke, n_descriptions=3))
    model.record = {"sha256": "untrained"}
    return Describer.of(model.profile, model, CAPTIONS)


def pairs_of(images):
    ids = np.array(images.image_ids)
    none = np.full(16, "")
    columns = {"kind": none, "split": none, "source": none, "graded": np.zeros(16)}
    return LabelledPairs(ids[:16], ids[16:], similar=np.zeros(16, dtype=np.int8), **columns)


def test_every_stage_is_timed_and_the_pool_multiplied_up(describer, coloured):
    seconds = pair_seconds(describer, coloured, pairs_of(coloured), n_rounds=2, clock=Ticking())
    assert list(seconds) == [READ, ENCODE, ANEW, FILED, SEARCH, SCORE, SSIM, FSIM]
    times = [sample.times for sample in caption_samples(describer.model, CAPTIONS, 3)]
    assert min(times) > 1
    for name, values in seconds.items():
        assert values.tolist() == (times[1:] if name == ANEW else [1, 1])


def stages(**seconds):
    given = {READ: 1.0, ENCODE: 2.0, SEARCH: 3.0, SCORE: 4.0, ANEW: 90.0, FILED: 10.0}
    return {name: np.full(6, value) for name, value in (given | seconds).items()}


def test_a_comparison_is_the_sum_of_its_stages():
    for way, retrieval in (
        ("captions encoded anew", 93.0),
        ("vectors from their file", 13.0),
        ("vectors in memory", 3.0),
    ):
        whole, part = comparison_seconds(stages(), way)
        assert whole.tolist() == [retrieval + 7] * 6
        assert part.tolist() == [retrieval] * 6


def test_the_share_of_retrieval_is_the_median_of_rounds():
    seconds = stages()
    seconds[SEARCH] = np.array([3.0, 3, 3, 3, 3, 1000])  # one round was disturbed
    row = retrieval_share(seconds, "vectors in memory", 100, seed=0)
    assert row["share"] == pytest.approx(0.3)
    assert row["share_ci95"][0] == pytest.approx(0.3)
    assert row["rounds"] == 6


def n_tokens(model, texts):
    return np.array([len(tokens) for tokens in model.text_backbone.tokens.unpadded(texts)])


def test_samples_stand_for_the_pool(describer):
    whole, seen = n_tokens(describer.model, CAPTIONS), set()
    samples = caption_samples(describer.model, CAPTIONS, 20, n_batches=4)
    for sample in samples:
        assert {*sample.captions} <= {*CAPTIONS}
        assert len({*sample.captions}) == len(sample.captions)
        lengths = n_tokens(describer.model, sample.captions)
        assert len({*lengths}) == 4  # of this pool all texts of a length are one batch
        assert sample.times == pytest.approx(whole.sum() / lengths.sum())
        seen |= {*sample.captions}
    assert len(seen) > 0.9 * len(CAPTIONS)


def test_a_small_pool_is_encoded_whole(describer):
    few = CAPTIONS[:3]
    for sample in caption_samples(describer.model, few, 2):
        assert sorted(sample.captions) == sorted(few)
        assert sample.times == 1


def test_what_is_timed_is_the_models_encoding(describer, coloured):
    model = describer.model
    texts = CAPTIONS[:100]
    np.testing.assert_allclose(text_vectors(model, texts), model.encode_texts(texts), atol=1e-5)
    pixels = coloured.pixel_batch(coloured.image_ids[:2])
    np.testing.assert_allclose(
        image_vectors(model, pixels), model.encode_images(pixels), atol=1e-5
    )
