"""Contact sheets: which pictures they show, and what they say where there is nothing to show."""

from types import SimpleNamespace

import numpy as np
import pytest
from made_pairs import SCORES, TESTED, described_pairs
from matplotlib.text import Text

from clipsim.evaluation import COMPARISONS, FALSE_ALARM, METRICS, Candidates, errors_by_confidence
from clipsim.figures import (
    comparison_figure,
    image_sheet,
    pair_sheet,
    retrieval_sheet,
    worst_case_sheet,
)

THRESHOLDS = np.where(TESTED, 0.5, np.nan)
PAIRS, RETRIEVAL = described_pairs()
KEYS = [metric.key for metric in METRICS]


@pytest.fixture
def images():
    pixels = np.zeros((3, 224, 224), dtype=np.uint8)
    return SimpleNamespace(pixels={image_id: pixels for image_id in PAIRS.image_ids}.__getitem__)


def pictures(figure):
    return [axis for axis in figure.get_axes() if axis.images]


def words_on(figure):
    return " ".join(" ".join(text.get_text() for text in figure.findobj(Text)).split())


def test_images_are_of_the_training_split(coloured):
    figure, numbers, _ = image_sheet(coloured, seed=3)
    train = {coloured.image_ids[i] for i in coloured.indices("train")}
    assert set(numbers.image_id) <= train
    assert len(numbers) == len(pictures(figure)) == len(set(numbers.image_id)) == 8


def test_pairs_are_the_first_of_each_kind_and_label(images):
    figure, numbers, _ = pair_sheet(images, PAIRS, n=1)
    assert numbers.id_a.tolist() == ["test 8", "test 0", "test 6", "test 2"]
    assert len(pictures(figure)) == 8
    titles = words_on(figure)
    assert "even: similar" in titles
    assert "odd: not similar" in titles


def test_retrieved_descriptions_stand_under_their_image(images):
    ids = RETRIEVAL.image_ids.tolist()
    images.image_ids, images.captions = ids, [[f"own caption of {name}"] for name in ids]
    images.indices = lambda split: [4, 9] if split == "test" else []
    figure, numbers, _ = retrieval_sheet(images, RETRIEVAL, seed=0, n_shown=3)
    assert len(pictures(figure)) == 2
    assert set(numbers.image_id) == {ids[4], ids[9]}
    for image_id, of_image in numbers.groupby("image_id"):
        assert of_image.description.tolist() == RETRIEVAL.descriptions(image_id)
        assert of_image["rank"].tolist() == [1, 2, 3, 4]
    assert f"own caption of {ids[4]}" in words_on(figure)


@pytest.mark.parametrize("choice", [5, None])
def test_a_figure_of_the_paper_or_that_there_is_none(choice, images):
    scores, thresholds = dict.fromkeys(KEYS, SCORES), dict.fromkeys(KEYS, THRESHOLDS)
    if choice is None:
        scores |= {"ssim_package": np.zeros(8)}  # which calls no pair alike
    candidates = Candidates(PAIRS, RETRIEVAL, scores, thresholds)
    figure, numbers, _ = comparison_figure(COMPARISONS[0], candidates, images)
    if choice is None:
        assert not pictures(figure)
        assert "hold 0" in words_on(figure)
        assert numbers.class_size.tolist() == [0]
    else:
        assert len(pictures(figure)) == 2
        assert numbers.metric.tolist() == KEYS
        assert set(numbers.says) == {"alike"}
        assert numbers.set_index("metric").paper_score["ssim"] == 0.81  # Figure 1 of the paper
        assert "CLIP score 0.80: alike" in words_on(figure)


def test_worst_cases_are_shown_and_it_is_said_where_there_is_none(images):
    (metric,) = (metric for metric in METRICS if metric.key == "ssim")
    scores, thresholds = dict.fromkeys(KEYS, SCORES), dict.fromkeys(KEYS, THRESHOLDS)
    found = errors_by_confidence(Candidates(PAIRS, RETRIEVAL, scores, thresholds), "ssim")
    figure, numbers, _ = worst_case_sheet(metric, found, images, RETRIEVAL)
    assert numbers.error.tolist() == ["false alarm"] * 2 + ["miss"] * 2
    assert numbers.id_a.tolist() == ["test 0", "test 2", "test 6", "test 8"]
    assert len(pictures(figure)) == 8
    assert "SSIM: the worst of 2 × false alarm and 2 × miss" in words_on(figure)
    figure, numbers, _ = worst_case_sheet(
        metric, found[found.error == FALSE_ALARM], images, RETRIEVAL
    )
    assert len(pictures(figure)) == 4
    assert "no miss among the test pairs" in words_on(figure)
    figure, numbers, _ = worst_case_sheet(metric, found[:0], images, RETRIEVAL)
    assert len(numbers) == 0
    assert "no false alarm among the test pairs" in words_on(figure)
