"""Encoders compared alike: the same data, random weights that stay the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from clipsim.data import load, load_pairs
from clipsim.model.clip import DualEncoder
from clipsim.model.encoders import image_backbone
from clipsim.studies.encoders_and_language import encoder_study
from clipsim.studies.encoders_and_language.encoder_plots import (
    encoder_chart,
    grades_chart,
    probe_chart,
)
from clipsim.studies.encoders_and_language.language_probe import (
    cosines,
    lexical_encoders,
    probe_rows,
)
from clipsim.studies.encoders_and_language.sentence_quadruples import sentence_quadruples


@pytest.fixture
def nowhere(monkeypatch):
    """A machine without the paper's weights."""
    monkeypatch.setattr(encoder_study, "has_local_weights", lambda modality: False)


def test_a_random_encoder_is_its_draw_whatever_came_before():
    name = encoder_study.random_image_encoder("tiny", 3)
    pixels = torch.randint(256, (2, 3, 224, 224), dtype=torch.uint8)
    first = image_backbone(name)(pixels)
    torch.rand(5)
    assert torch.equal(first, image_backbone(name)(pixels))
    other = image_backbone(encoder_study.random_image_encoder("tiny", 4))(pixels)
    assert not torch.equal(first, other)


def test_only_the_named_side_is_random(smoke):
    text = encoder_study.random_text_encoder("minilm", 0)
    profile = replace(smoke, image_encoder="efficientnet_lite0", text_encoder=text)
    mixed = DualEncoder(profile)
    own = DualEncoder(replace(profile, text_encoder="minilm"))
    for name, weight in own.image_backbone.state_dict().items():
        assert torch.equal(weight, mixed.image_backbone.state_dict()[name])
    embedding = "network.embeddings.word_embeddings.weight"
    weights = [model.text_backbone.state_dict()[embedding] for model in (own, mixed)]
    assert weights[0].shape == weights[1].shape
    assert not torch.equal(*weights)


def test_encoders_of_the_paper_only_where_their_weights_are(smoke, nowhere, monkeypatch):
    four = encoder_study.compared_encoders(smoke)
    assert next(iter(four.values())) == ("tiny", "tiny")
    assert len(four) == 4
    monkeypatch.setattr(encoder_study, "has_local_weights", lambda modality: modality == "text")
    more = encoder_study.compared_encoders(smoke)
    assert set(more.values()) - set(four.values()) == {("tiny", "bert-base-uncased")}


def test_local_weights_are_looked_for_without_fetching(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    assert not encoder_study.has_local_weights("image")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "resnet50-0676ba61.pth").touch()
    assert encoder_study.has_local_weights("image")


def test_the_comparison_keeps_every_test_pair(smoke, monkeypatch):
    images = load(smoke)
    pairs = load_pairs(smoke, images)
    monkeypatch.setattr(encoder_study, "N_TRAIN", 20)
    monkeypatch.setattr(encoder_study, "N_VAL_PAIRS", 6)
    few, kept = encoder_study.study_data(smoke, images, pairs)
    assert len(few.indices("train")) == 20
    assert (kept.split == "val").sum() == 6
    assert (kept.split == "test").sum() == (pairs.split == "test").sum()
    assert set(kept.image_ids) == set(few.image_ids) - set(np.array(few.image_ids)[:20])


def test_scores_of_both_sides_and_spaces(smoke, nowhere, tmp_path, monkeypatch):
    monkeypatch.setattr("clipsim.model.features.CACHE", tmp_path / "cache")
    monkeypatch.setattr("clipsim.profile.RUNS", tmp_path)
    images = load(smoke)
    pairs = load_pairs(smoke, images)
    few, kept = encoder_study.study_data(smoke, images, pairs)
    for encoders in list(encoder_study.compared_encoders(smoke).values())[::3]:
        scores = encoder_study.encoder_scores(smoke, few, kept, encoders)
        assert {name: len(of_seeds) for name, of_seeds in scores.items()} == {
            "clip_score": 2,
            "image_cosine": 2,
        }
        again = encoder_study.encoder_scores(smoke, few, kept, encoders)  # from its checkpoints
        np.testing.assert_array_equal(scores["clip_score"], again["clip_score"])
    spaces = encoder_study.space_scores(smoke, DualEncoder(smoke), images, pairs)
    joint, text = spaces["Eq. 4, joint space"], spaces["Eq. 4, text space"]
    assert joint.shape == text.shape == (len(pairs),)
    assert not np.allclose(joint, text)


def test_charts_show_every_space_and_pair_of_encoders(smoke):
    quadruples = sentence_quadruples(0, 30)
    runs = {n: [cosines(quadruples, encode)] for n, encode in lexical_encoders().items()}
    rows = [row for n, r in runs.items() for row in probe_rows(n, r, quadruples, smoke)]
    figure, numbers = probe_chart(rows)
    assert len(numbers) == len(rows)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == list(runs)
    _, numbers = grades_chart(runs)
    assert set(numbers.space) == set(runs)
    row = {"auc": 0.7, "auc_ci95": [0.6, 0.8], "auc_of_seeds": [0.69, 0.71]}
    scores = ("clip_score", "image_cosine")
    rows = [{"encoders": e, "score": s} | row for e in ("a", "b", "c") for s in scores]
    figure, numbers = encoder_chart(rows)
    assert len(numbers) == 6
