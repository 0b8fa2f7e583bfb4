"""Features of texts: as if each were alone and unpadded, however many are encoded together."""

import numpy as np
import pytest
import torch
from torch.nn.functional import linear

import clipsim
from clipsim.model.clip import DualEncoder
from clipsim.model.encoders import OneDnnLinear
from clipsim.model.features import encoded_texts, equal_lengths

OPENINGS = ("a dog", "two small children in red coats", "the old man with a long white beard")
ENDINGS = ("", " runs", " is sitting on a bench, reading", " jumps over a “fence” of wood", " ü")
TEXTS = [f"{opening}{ending}" for opening in OPENINGS for ending in ENDINGS] + [
    "", "?", "dog", "very " * 60 + "long", "word " * 400, "two dogs, " * 20,
]  # fmt: skip


@pytest.fixture(scope="module")
def model():
    """The demo's encoders: MiniLM with its published weights."""
    return DualEncoder(clipsim.load_profile("demo"))


@pytest.fixture(scope="module")
def features(model):
    return encoded_texts(model, TEXTS)


@torch.inference_mode()
def test_each_text_as_if_alone_and_unpadded(model, features):
    """The reference is the network itself: one text at a time, mean over its tokens."""
    tokenizer, network = model.text_backbone.tokens.tokenizer, model.text_backbone.network
    for text, found in zip(TEXTS, features, strict=True):
        tokens = tokenizer(text, return_tensors="pt", truncation=True, max_length=256)
        expected = network(**tokens).last_hidden_state[0].mean(dim=0)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_as_they_were_when_texts_were_padded(model, features):
    """How features were made until texts of one length went together."""
    expected = torch.empty_like(features)
    order = sorted(range(len(TEXTS)), key=lambda i: len(TEXTS[i]))
    for rows in (order[:8], order[8:16], order[16:]):
        expected[rows] = model.text_backbone(model.text_backbone.tokens([TEXTS[i] for i in rows]))
    torch.testing.assert_close(features, expected, atol=1e-5, rtol=0)


def test_the_company_changes_no_bit(model, features):
    if not torch.backends.mkldnn.is_available():
        pytest.skip("without oneDNN the last bits depend on the batch")
    for i in (0, 7, 15, 17, 19):
        assert torch.equal(encoded_texts(model, [TEXTS[i]])[0], features[i])
    assert torch.equal(encoded_texts(model, TEXTS[::-1]), features.flip(0))


def test_equal_texts_give_equal_rows(model):
    vectors = model.encode_texts(["a dog", "a cat on a mat", "a dog"])
    np.testing.assert_array_equal(vectors[0], vectors[2])


def test_cls_pooling_without_a_mask():
    model = DualEncoder(clipsim.load_profile("smoke", text_pooling="cls"))
    with torch.inference_mode():
        expected = model.text_backbone(model.text_backbone.tokens(["a dog", "a dog sleeps"]))
    found = encoded_texts(model, ["a dog", "a dog sleeps"])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_batches_hold_one_length_and_every_text_once():
    lengths = np.random.default_rng(0).integers(1, 9, 100)
    batches = list(equal_lengths([[0] * n for n in lengths], 20))
    assert sorted(i for rows in batches for i in rows) == list(range(100))
    for rows in batches:
        assert len(set(lengths[rows])) == 1
        assert lengths[rows].sum() <= 20
    assert list(equal_lengths([[0] * 30], 20)) == [[0]]  # longer than a batch, it goes alone
    assert not list(equal_lengths([], 20))


def test_linear_layers_by_onednn_are_linear_layers():
    generator = torch.Generator().manual_seed(0)
    inputs, weight = (torch.randn(*s, generator=generator) for s in ((3, 5, 64), (32, 64)))
    bias = torch.randn(32, generator=generator)
    expected = linear(inputs.double(), weight.double(), bias.double())
    with torch.inference_mode(), OneDnnLinear():
        torch.testing.assert_close(
            linear(inputs, weight, bias).double(), expected, atol=1e-5, rtol=0
        )
        without_bias = linear(inputs, weight).double() + bias
        torch.testing.assert_close(without_bias, expected, atol=1e-5, rtol=0)
        assert linear(inputs.double(), weight.double(), bias.double()).dtype == torch.float64


def test_gradients_and_bfloat16_are_left_to_pytorch():
    inputs, weight = torch.randn(4, 8), torch.randn(3, 8, requires_grad=True)
    with OneDnnLinear():
        linear(inputs, weight).sum().backward()
        assert torch.allclose(weight.grad, inputs.sum(dim=0).expand(3, 8))
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            assert linear(inputs, weight).dtype == torch.bfloat16
