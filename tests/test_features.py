"""Features: of a text as if it were alone and unpadded; cached, and not encoded again."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import clipsim
from clipsim.data import load, preprocessed
from clipsim.model import DualEncoder, encoded_texts, features, image_features

OPENINGS = ("a dog", "two small children in red coats", "the old man with a long white beard")
ENDINGS = ("", " runs", " is sitting on a bench, reading", " jumps over a “fence” of wood", " ü")
TEXTS = [f"{opening}{ending}" for opening in OPENINGS for ending in ENDINGS] + [
    "", "?", "dog", "very " * 60 + "long", "word " * 400, "two dogs, " * 20,
]  # fmt: skip


@pytest.fixture(scope="module")
def demo():
    """The demo's encoders: MiniLM with its published weights."""
    return DualEncoder(clipsim.load_profile("demo"))


@torch.inference_mode()
def test_each_text_as_if_alone_and_unpadded(demo):
    """The reference is the network itself: one text at a time, mean over its tokens."""
    tokenizer, network = demo.text_backbone.tokens.tokenizer, demo.text_backbone.network
    for text, found in zip(TEXTS, encoded_texts(demo, TEXTS), strict=True):
        tokens = tokenizer(text, return_tensors="pt", truncation=True, max_length=256)
        expected = network(**tokens).last_hidden_state[0].mean(dim=0)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_the_company_changes_no_bit(demo):
    if not torch.backends.mkldnn.is_available():
        pytest.skip("without oneDNN the last bits depend on the batch")
    together = encoded_texts(demo, TEXTS)
    for i in (0, 7, 15, 17, 19):
        assert torch.equal(encoded_texts(demo, [TEXTS[i]])[0], together[i])
    assert torch.equal(encoded_texts(demo, TEXTS[::-1]), together.flip(0))


def test_cls_pooling_without_a_mask():
    model = DualEncoder(clipsim.load_profile("smoke", text_pooling="cls"))
    with torch.inference_mode():
        expected = model.text_backbone(model.text_backbone.tokens(["a dog", "a dog sleeps"]))
    found = encoded_texts(model, ["a dog", "a dog sleeps"])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_encoding_does_not_depend_on_the_batch_and_gives_unit_vectors(smoke, coloured):
    model = DualEncoder(smoke)
    pixels = np.stack([preprocessed(coloured.read_image(i)) for i in coloured.image_ids])
    together = model.encode_images(pixels)
    for _ in range(2):  # the second time from the cache
        np.testing.assert_allclose(model.encode_images(coloured), together, atol=1e-6)
    alone = np.concatenate([model.encode_images(pixels[i : i + 1]) for i in range(len(pixels))])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    vectors = model.encode_texts(["a dog", "a much longer sentence about a cat", "a dog"])
    np.testing.assert_array_equal(vectors[0], vectors[2])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert model.encode_texts(["a dog"], space="text").shape == (1, 32)


def test_scenes_drawn_in_another_process_have_the_same_features(smoke, monkeypatch):
    images, model = replace(load(smoke), pixels_key=""), DualEncoder(smoke)  # no key: no cache
    expected, random = image_features(model, images), torch.get_rng_state()
    monkeypatch.setattr(features, "FEW", 1)
    monkeypatch.setattr(features, "_read_ahead", None)
    assert torch.equal(image_features(model, images), expected)
    assert torch.equal(torch.get_rng_state(), random)


def test_features_of_a_subset_come_from_the_whole(smoke, coloured, monkeypatch):
    model = DualEncoder(smoke)
    texts = sorted({caption for group in coloured.captions for caption in group})
    whole = image_features(model, coloured), features.text_features(model, texts)

    def encoding(*_):
        raise AssertionError("encoded again")

    monkeypatch.setattr(model.image_backbone, "forward", encoding)
    monkeypatch.setattr(model.text_backbone, "forward", encoding)
    assert torch.equal(image_features(model, coloured.subset([7, 2, 30])), whole[0][[7, 2, 30]])
    assert torch.equal(features.text_features(model, texts[5:2:-1]), whole[1][[5, 4, 3]])
    with pytest.raises(AssertionError, match="encoded again"):
        features.text_features(model, ["a text that was not encoded"])
