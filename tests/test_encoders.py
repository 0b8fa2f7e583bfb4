"""The backbones: pretrained weights that fit, normalisation, pooling, one-line errors."""

import numpy as np
import pytest
import torch
from coloured import coloured_pictures
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from torch.nn.functional import linear

import clipsim
from clipsim.model import DualEncoder, OneDnnLinear, image_backbone, text_backbone, train
from clipsim.model.encoders import LatentSemantics, MissingWeightsError


@pytest.fixture(scope="module")
def minilm():
    return text_backbone("minilm").eval()


def test_minilm_puts_paraphrases_together(minilm):
    texts = ["A dog runs across the grass.", "A puppy is running on a lawn.", "Stocks fell."]
    with torch.inference_mode():
        features = torch.nn.functional.normalize(minilm(minilm.tokens(texts)), dim=1)
    assert features[0] @ features[1] > 0.6 > 0.2 > features[0] @ features[2]


def test_tokens_are_cut_at_the_cap_and_padded_to_the_batch(minilm):
    assert minilm.tokens(["dog"] * 3)["input_ids"].shape == (3, 3)
    assert minilm.tokens(["dog " * 400])["input_ids"].shape == (1, 256)


def test_efficientnet_takes_0_to_255_as_minus_1_to_1():
    backbone = image_backbone("efficientnet_lite0").eval()
    assert backbone.width == 1280
    scaled = []
    backbone.network.register_forward_pre_hook(lambda _, inputs: scaled.append(inputs[0]))
    pixels = torch.stack([torch.zeros(3, 224, 224), torch.full((3, 224, 224), 255)]).byte()
    with torch.inference_mode():
        assert backbone(pixels).shape == (2, 1280)
    assert scaled[0].amin() == -1
    assert scaled[0].amax() == 1


def test_efficientnet_weights_have_their_published_batch_statistics():
    """The wrong sibling (padding and epsilon of PyTorch) would load as well."""
    network = image_backbone("efficientnet_lite0").network
    assert network.bn1.eps == pytest.approx(1e-3)
    assert type(network.conv_stem).__name__ == "Conv2dSame"
    assert network.bn1.running_var.mean() != 1  # not the initial value


def test_an_unknown_image_encoder_is_named():
    with pytest.raises(ValueError, match="'vgg' is unknown; known: resnet50"):
        image_backbone("vgg")


def test_weights_that_cannot_be_fetched_say_where_to_put_them(monkeypatch):
    def unreachable(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", unreachable)
    with pytest.raises(MissingWeightsError, match=r"model\.safetensors.*-p text_encoder=FOLDER"):
        text_backbone("bert-base-uncased")
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", unreachable)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", unreachable)
    with pytest.raises(MissingWeightsError, match=r"resnet50-0676ba61\.pth.*checkpoints"):
        image_backbone("resnet50")


def test_linear_layers_by_onednn_are_those_of_pytorch_in_double_precision():
    torch.manual_seed(0)
    layer = [torch.randn(*shape) for shape in ((3, 5, 64), (32, 64), (32,))]
    with torch.inference_mode(), OneDnnLinear():
        found, expected = linear(*layer), linear(*(value.double() for value in layer))
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)


def gradients(*layer):
    return torch.autograd.grad(linear(*layer).square().mean(), layer)


@pytest.mark.parametrize("shapes", [((16, 64), (32, 64), (32,)), ((16, 64), (16, 64))])
def test_gradients_by_onednn_are_those_of_pytorch_in_double_precision(shapes):
    torch.manual_seed(0)
    layer = [torch.randn(*shape, requires_grad=True) for shape in shapes]
    with OneDnnLinear():
        found = gradients(*layer)
    expected = gradients(*(value.detach().double().requires_grad_() for value in layer))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4, check_dtype=False)
    with OneDnnLinear(), torch.autocast("cpu", torch.bfloat16):
        assert linear(*layer).dtype == torch.bfloat16


CAPTIONS = [c for group in coloured_pictures().captions for c in group] * 2


@pytest.fixture
def backbone():
    backbone = LatentSemantics()
    backbone.fit(CAPTIONS)
    return backbone


def test_features_are_those_of_scikit_learn(backbone):
    texts = ["a red picture", "number 3 is blue", "a red red picture of a cat", "red"]
    pipeline = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        TruncatedSVD(min(384, *TfidfVectorizer(
            ngram_range=(1, 2), min_df=2).fit_transform(CAPTIONS).shape) - 1, random_state=0),
    ).fit(CAPTIONS)  # fmt: skip
    expected = pipeline.transform(texts)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    features = backbone(backbone.tokens(texts)).numpy()[:, : expected.shape[1]]
    np.testing.assert_allclose(features / 384**0.5, expected, atol=1e-5)


def test_padding_changes_nothing_and_unknown_words_are_nothing(backbone):
    alone = backbone(backbone.tokens(["a red picture"]))
    padded = backbone(backbone.tokens(["a red picture", "number 3 is blue picture a red picture"]))
    assert torch.equal(alone[0], padded[0])
    assert backbone(backbone.tokens(["xylophone zebras"])).abs().max() == 0


def test_it_is_trained_and_its_checkpoint_holds_what_it_learnt(tmp_path, coloured):
    profile = clipsim.load_profile("smoke", text_encoder="lsa", epochs=8)
    model = train(profile, coloured, tmp_path, announce=False)
    loaded = DualEncoder.load(tmp_path)
    texts = ["a red picture", "number 3 is blue", "a blue picture"]
    np.testing.assert_array_equal(model.encode_texts(texts), loaded.encode_texts(texts))
    first, last = (model.record["history"][i]["mean_recall"] for i in (0, model.record["epoch"]))
    assert last > first
