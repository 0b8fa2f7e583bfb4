"""What CONTRIBUTING.md says can be added in one place goes all the way from there."""

import sys

import numpy as np
from torch import nn

import clipsim
from clipsim.data import load
from clipsim.evaluation import evaluations, table_1_rows
from clipsim.metrics import compared, pixel_scores
from clipsim.model import encoders, train


def test_an_encoder_is_trained_and_loaded_again(smoke, coloured, tmp_path, monkeypatch):
    def colours(pretrained):
        network = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten())
        return encoders.ImageBackbone(network, 48, *encoders.HALVES)

    monkeypatch.setitem(encoders.IMAGE_BACKBONES, "colours", colours)
    profile = clipsim.load_profile("smoke", image_encoder="colours", epochs=1)
    vectors = train(profile, coloured, tmp_path).encode_images(coloured)
    assert vectors.shape == (len(coloured), profile.embedding_dim)
    again = clipsim.DualEncoder.load(tmp_path)
    assert again.image_backbone.width == 48
    np.testing.assert_array_equal(again.encode_images(coloured), vectors)


def test_a_metric_is_scored_and_stands_in_table_1(smoke, monkeypatch):
    def colour_matrix(pixels, variant, pairs):
        a, b = (pixels[rows].mean(axis=(2, 3)) for rows in pairs.T)
        return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)

    look = compared.look("#cc78bc", "-", "P")
    metric = compared.Metric(
        "colour", "colour", "canonical", "mean colour", look, matrix=colour_matrix
    )
    shared = compared.METRICS
    for module in [m for m in sys.modules.values() if getattr(m, "METRICS", None) is shared]:
        monkeypatch.setattr(module, "METRICS", (metric,))
    images = load(smoke)
    pairs = clipsim.data.load_pairs(smoke, images)
    scores = pixel_scores(images, pairs)
    rows = table_1_rows(evaluations(pairs, scores, smoke))
    assert [row["metric"] for row in rows] == ["colour"]
    assert 0 <= rows[0]["auc"] <= 1
