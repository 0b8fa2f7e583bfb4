"""The model and its checkpoints: what trains, what is written, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from own_pictures import tiny_checkpoint

from clipsim import DualEncoder
from clipsim.model import CheckpointError


def test_a_checkpoint_is_what_was_saved(tmp_path):
    model = tiny_checkpoint(tmp_path, head="residual")
    texts = ["a red picture", "a dog"]
    again = DualEncoder.load(tmp_path)
    np.testing.assert_array_equal(again.encode_texts(texts), model.encode_texts(texts))
    assert again.fingerprint == model.fingerprint
    assert (again.profile, again.training) == (model.profile, False)


def test_a_checkpoint_of_another_profile_says_how_they_differ(smoke, tmp_path):
    tiny_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="embedding_dim: 16 there, 8 here") as caught:
        DualEncoder.load(tmp_path, replace(smoke, embedding_dim=8, head="residual"))
    assert "head: 'linear' there, 'residual' here" in str(caught.value)


def test_missing_and_damaged_checkpoints_are_named(tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint there"):
        DualEncoder.load(tmp_path)
    tiny_checkpoint(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged"):
        DualEncoder.load(tmp_path)
    (tmp_path / "checkpoint.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"checkpoint\.json is damaged"):
        DualEncoder.load(tmp_path)


@pytest.mark.parametrize("batch_norm", ["frozen", "train"])
def test_batch_statistics_move_only_where_the_profile_lets_them(smoke, batch_norm):
    model = DualEncoder(replace(smoke, trainable="all", batch_norm=batch_norm))
    layer = torch.nn.BatchNorm2d(3)
    model.image_backbone.network = torch.nn.Sequential(layer, model.image_backbone.network)
    model.train()
    pixels = torch.randint(0, 255, (5, 3, 224, 224), dtype=torch.uint8)
    model.image_backbone(pixels).sum().backward()
    assert torch.equal(layer.running_mean, torch.zeros(3)) == (batch_norm == "frozen")
    assert layer.weight.grad.abs().sum() > 0  # its own weights train either way
