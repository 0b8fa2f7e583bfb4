"""Contact sheets: which pictures they show, and what they say where there is nothing to show."""

from types import SimpleNamespace

import numpy as np
import pytest
from made_pairs import SCORES, SIMILAR, TESTED, described_pairs
from matplotlib.text import Text

from clipsim import figures
from clipsim.evaluation import COMPARISONS, METRICS, Candidates, errors_by_confidence

KEYS = [metric.key for metric in METRICS]
PAIRS, RETRIEVAL = described_pairs()
IDS = RETRIEVAL.image_ids.tolist()
IMAGES = SimpleNamespace(
    pixels=dict.fromkeys(IDS, np.zeros((3, 224, 224), dtype=np.uint8)).__getitem__,
    image_ids=IDS,
    captions=[[f"own caption of {name}"] for name in IDS],
    indices=lambda split: [4, 9] if split == "test" else [],
)


def n_pictures(figure):
    return sum(bool(axis.images) for axis in figure.get_axes())


def words_on(figure):
    return " ".join(" ".join(text.get_text() for text in figure.findobj(Text)).split())


def test_images_are_of_the_training_split(coloured):
    figure, numbers, _ = figures.image_sheet(coloured, seed=3)
    train = {coloured.image_ids[i] for i in coloured.indices("train")}
    assert set(numbers.image_id) <= train
    assert len(numbers) == n_pictures(figure) == len(set(numbers.image_id)) == 8


def test_pairs_are_the_first_of_each_kind_and_label():
    figure, numbers, _ = figures.pair_sheet(IMAGES, PAIRS, n=1)
    assert numbers.id_a.tolist() == PAIRS.id_a[[4, 0, 3, 1]].tolist()
    assert n_pictures(figure) == 8


def test_retrieved_descriptions_stand_under_their_image():
    figure, numbers, _ = figures.retrieval_sheet(IMAGES, RETRIEVAL, seed=0, n_shown=3)
    assert n_pictures(figure) == 2
    assert set(numbers.image_id) == {IDS[4], IDS[9]}
    for image_id, of_image in numbers.groupby("image_id"):
        assert of_image.description.tolist() == RETRIEVAL.descriptions(image_id)
    assert f"own caption of {IDS[4]}" in words_on(figure)


@pytest.mark.parametrize("is_there", [True, False])
def test_a_figure_of_the_paper_or_that_there_is_none(is_there):
    thresholds = dict.fromkeys(KEYS, np.where(TESTED, 0.5, np.nan))
    scores = dict.fromkeys(KEYS, SCORES)
    if not is_there:
        scores["ssim_package"] = np.zeros(8)  # which calls no pair alike
    candidates = Candidates(PAIRS, RETRIEVAL, scores, thresholds)
    figure, numbers, caption = figures.comparison_figure(COMPARISONS[0], candidates, IMAGES)
    assert n_pictures(figure) == 2 * is_there
    if is_there:
        assert set(numbers.says) == {"alike"}
        assert numbers.set_index("metric").paper_score["ssim"] == 0.81  # Figure 1 of the paper
    else:
        assert caption == "No such pair among the test pairs."


def test_worst_cases_are_shown_and_it_is_said_where_there_is_none():
    (metric,) = (metric for metric in METRICS if metric.key == "ssim")
    found = errors_by_confidence("ssim", SIMILAR, SCORES, np.full(8, 0.5), TESTED)
    given = (IMAGES, PAIRS, RETRIEVAL, SCORES)
    figure, numbers, _ = figures.worst_case_sheet(metric, found, *given)
    assert numbers.error.tolist() == ["false alarm"] * 2 + ["miss"] * 2
    assert numbers.id_a.tolist() == PAIRS.id_a[[0, 1, 3, 4]].tolist()
    assert n_pictures(figure) == 8
    figure, *_ = figures.worst_case_sheet(metric, found | {"miss": []}, *given)
    assert n_pictures(figure) == 4
    assert "no miss among the test pairs" in words_on(figure)
