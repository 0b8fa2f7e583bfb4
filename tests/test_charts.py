"""The charts of notebooks 02–04: their numbers against slow counts, what they say against both."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from clipsim import DualEncoder
from clipsim.figures import alignment, score_distributions, similarity_by_rank, training_curves


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def epoch(number, mean_recall):
    recall = {f"R@{k}": mean_recall for k in (1, 5, 10)}
    return {
        "epoch": number, "loss": 5.0 - number, "gradient_norm": 1.0, "learning_rate": 1e-3,
        "temperature": 0.07, "mean_recall": mean_recall, "images_per_s": 100.0 * number,
        "recall": {"image_to_text": recall, "text_to_image": recall, "n_images": 50},
    }  # fmt: skip


def test_training_curves_say_what_training_gained():
    history = [epoch(0, 0.9), epoch(1, 0.2), epoch(2, 0.5), epoch(3, 0.4)]
    figure, numbers, caption = training_curves(history)
    assert "from 0.900 before training to 0.500 in epoch 2" in caption
    assert "about 0.200 either way" in caption
    assert numbers.loss.tolist() == [5.0, 4.0, 3.0, 2.0]
    assert "images_per_s" not in numbers  # no two runs are equally fast
    (grey,) = (line for line in figure.axes[1].lines if line.get_color() == "#bbbbbb")
    assert grey.get_xdata()[0] == 2


def test_alignment_is_the_mean_cosine_of_matching_less_that_of_other_pairs(smoke, coloured):
    model = DualEncoder(smoke)
    validation = coloured.subset(coloured.indices("val"))
    image_vectors = model.encode_images(validation)
    text_vectors = model.encode_texts([captions[0] for captions in validation.captions])
    matching, other = [], []
    for i, image in enumerate(image_vectors):
        for k, text in enumerate(text_vectors):
            (matching if i == k else other).append(float(image @ text))
    _, numbers, caption = alignment({"before": model, "after": model}, coloured)
    gap = np.mean(matching) - np.mean(other)
    assert numbers.gap.tolist() == pytest.approx([gap] * len(numbers), abs=1e-6)
    assert f"{gap:+.3f} to {gap:+.3f}" in caption
    shares = numbers.groupby(["training", "pairs"]).share.sum()
    assert shares.tolist() == pytest.approx([1] * 4)


def test_similarity_by_rank_holds_the_middle_of_the_images():
    sims = -np.sort(-np.random.default_rng(0).random((101, 5)), axis=1)
    figure, numbers, caption = similarity_by_rank(sims)
    assert numbers["rank"].tolist() == [1, 2, 3, 4, 5]
    for rank, row in enumerate(numbers.itertuples()):
        ordered = sorted(sims[:, rank])
        assert [row.low, row.median, row.high] == pytest.approx([ordered[i] for i in (10, 50, 90)])
    (drawn,) = figure.axes[0].lines
    assert drawn.get_ydata() == pytest.approx(numbers["median"])
    assert f"{numbers['median'][0]:.2f} at rank 1" in caption


def test_score_distributions_leave_pairs_without_a_label_out():
    similar = np.array([1, 1, 0, 0, 0, -1])
    scores = {
        "ssim": np.array([0.8, 0.4, 0.5, 0.2, 0.3, 99]),
        "clip_score": np.array([0.8, 0.9, 0.5, 0.2, 0.3, -99]),
    }
    figure, numbers, caption = score_distributions(scores, similar)
    assert numbers.high.max() == 0.9
    of_ssim = numbers[(numbers.metric == "ssim") & (numbers.pairs == "similar")]
    assert of_ssim[of_ssim.share > 0].share.tolist() == [0.5, 0.5]
    assert numbers.groupby(["metric", "pairs"]).share.sum().tolist() == pytest.approx([1] * 4)
    assert figure.get_suptitle().startswith("CLIP score sets")
    assert "5 labelled pairs, 2 similar" in caption
