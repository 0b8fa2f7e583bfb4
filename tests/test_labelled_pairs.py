"""`LabelledPairs`: where its images are, and who judged it."""

from dataclasses import replace

import numpy as np
import pytest

from clipsim import load_profile
from clipsim.data import load_pairs


@pytest.fixture
def pairs():
    return load_pairs(load_profile("smoke", n_pairs=8))


def test_pairs_know_where_their_images_are(pairs):
    ids = pairs.image_ids[::-1]
    for (a, b), first, second in zip(pairs.positions(ids), pairs.id_a, pairs.id_b, strict=True):
        assert (ids[a], ids[b]) == (first, second)
    with pytest.raises(KeyError):
        pairs.positions(ids[1:])


def test_experts_come_before_the_crowd(pairs):
    judged = replace(pairs, source=np.where(np.arange(len(pairs)) % 3, "crowd", "expert"))
    assert list(judged.by_source) == ["expert", "crowd"]
    np.testing.assert_array_equal(judged.by_source["expert"], judged.source == "expert")
    assert list(pairs.by_source) == [""]
