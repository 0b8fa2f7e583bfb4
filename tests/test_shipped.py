"""The model that ships: record and weights belong together, and its limits are what they say."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import norm

import clipsim
from clipsim import load_profile
from clipsim.data import CaptionedImages, class_names, package_photographs
from clipsim.model import CheckpointError, DualEncoder, checkpoint_record, class_weights, widening
from clipsim.model.widening import PER_NAME, widened
from clipsim.pictures import SHIPPED
from clipsim.pictures.chosen_model import least_text_similarity

LARGEST = 4 * 2**20  # bytes of the weights


def test_record_and_weights_belong_together_and_are_small(tmp_path):
    model = DualEncoder.load(SHIPPED)
    record = checkpoint_record(SHIPPED)
    settings = load_profile(SHIPPED / "shipped.yaml").settings
    assert record["profile"] == {"name": "shipped", **settings}
    assert model.profile.pool == "composed"
    assert sum(path.stat().st_size for path in SHIPPED.glob("*.safetensors")) < LARGEST
    for path in SHIPPED.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    with pytest.raises(CheckpointError, match="damaged"):
        DualEncoder.load(tmp_path)


def test_what_its_record_knows_is_in_order():
    known = checkpoint_record(SHIPPED)["known"]
    scores, shares = np.transpose(known["calibration"])
    assert (np.diff(scores) > 0).all()
    assert (np.diff(shares) >= 0).all()
    similarities, chances = np.transpose(known["chance"])
    assert (np.diff(similarities) >= 0).all()
    assert (np.diff(chances) < 0).all()
    limits = [least_text_similarity(known, n) for n in (1, 10, 500, 10**9)]
    assert limits == sorted(limits)


def test_the_least_similarity_of_a_text_is_reached_by_chance_in_one_folder_of_ten():
    shares = np.geomspace(1, 1e-5, 200)
    known = {"chance": np.stack([norm.isf(shares), shares], axis=1)[1:].tolist()}
    drawn = np.random.default_rng(0).normal(size=(4000, 50)).max(axis=1)
    reached = (drawn >= least_text_similarity(known, 50)).mean()
    assert reached == pytest.approx(1 - np.exp(-0.1), abs=0.02)


def test_a_pseudo_example_points_to_its_class_and_is_as_long_as_a_photographs(monkeypatch):
    monkeypatch.setattr(widening, "MIX", 1.0)
    profile = SimpleNamespace(seed=0)
    rng = np.random.default_rng(0)
    features = torch.from_numpy(rng.gamma(2, size=(40, 1280)).astype(np.float32))
    images = CaptionedImages(
        name="forty", image_ids=tuple(map(str, range(40))), captions=(("a",),) * 40,
        split=np.full(40, "train"), read_image=None,
    )  # fmt: skip
    more, made = widened(profile, images, features)
    assert len(more) == len(made) == 40 + PER_NAME * len(set(class_names()))
    torch.testing.assert_close(made[:40], features)
    deviation, mean = torch.std_mean(features, dim=0)
    z = (made[40:] - mean) / deviation
    lengths = ((features - mean) / deviation).norm(dim=1)
    assert (
        lengths.min() * 0.999
        <= z.norm(dim=1).min()
        <= z.norm(dim=1).max()
        <= lengths.max() * 1.001
    )
    gains = z @ (deviation * class_weights()[0]).T  # what each class's logit gains
    for row, (name, captions) in enumerate(
        zip(more.image_ids[40:], more.captions[40:], strict=True)
    ):
        number = int(name.split()[1].rstrip(":"))
        assert gains[row].argmax() == number
        assert all(class_names()[number].lower() in caption.lower() for caption in captions)


def test_three_lines_from_import_to_answer():
    photographs = package_photographs()
    cat = photographs.read_image("chelsea.png")
    first = clipsim.describe(cat, n=3)
    assert len(first) == 3
    assert any("cat" in row["text"] for row in first)
    found = clipsim.compare(cat, np.asarray(photographs.read_image("rocket.jpg").convert("RGB")))
    assert found["alike"] is False
    assert 0 <= found["share_alike"] <= 0.5
    index = clipsim.PictureIndex(photographs)
    assert index.search("a cat")[0]["name"] == "chelsea.png"
    assert index.like(cat)[0]["name"] == "chelsea.png"
    assert index.scores([("chelsea.png", "rocket.jpg")])[0] == pytest.approx(
        found["score"], abs=1e-5
    )
