"""What CONTRIBUTING.md says can be added in one place goes all the way from there."""

import sys

import numpy as np
import photograph_folders as folders
from torch import nn

import clipsim
from clipsim.data import load
from clipsim.data.photographs import caption_files
from clipsim.data.photographs import folders as picture_folders
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


def test_a_data_set_in_another_layout_becomes_images(tmp_path, monkeypatch):
    def tab_separated(path):
        captions = {}
        for line in caption_files.file_text(path).splitlines():
            name, caption = line.split("\t")
            captions.setdefault(name, []).append(caption)
        return caption_files.CaptionTable(
            "tab separated", {k: tuple(v) for k, v in captions.items()}
        )

    monkeypatch.setattr(
        picture_folders, "READERS", (*caption_files.READERS, (r"captions\.tsv", tab_separated))
    )
    monkeypatch.setattr("clipsim.data.pictures.CACHE", tmp_path / "cache")
    names = [f"{1000 + i}_{i:08x}ab.jpg" for i in range(100)]
    folders.write_pictures(tmp_path / "pictures", names)
    lines = [f"{name}\t{caption}\n" for name in names for caption in folders.captions(name)]
    (tmp_path / "captions.tsv").write_text("".join(lines), encoding="utf-8")
    profile = clipsim.load_profile("flickr8k", pairs="captions", data_root=str(tmp_path))
    images = load(profile)
    assert list(images.image_ids) == names
    assert images.captions[0] == tuple(folders.captions(names[0]))
    assert images.details["layout"] == "tab separated"
    assert images.details["split"] == {"train": 80, "val": 10, "test": 10, "unsplit": 0}
