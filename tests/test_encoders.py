"""The backbones: pretrained weights that fit, normalisation, pooling, one-line errors."""

import numpy as np
import pytest
import torch

from clipsim.data.pictures import preprocessed
from clipsim.model import encoders, features
from clipsim.model.clip import DualEncoder
from clipsim.model.encoders import MissingWeightsError, image_backbone, text_backbone


@pytest.fixture(scope="module")
def minilm():
    return text_backbone("minilm").eval()


def test_minilm_puts_paraphrases_together(minilm):
    texts = ["A dog runs across the grass.", "A puppy is running on a lawn.", "Stocks fell."]
    with torch.inference_mode():
        features = torch.nn.functional.normalize(minilm(minilm.tokens(texts)), dim=1)
    assert features[0] @ features[1] > 0.6 > 0.2 > features[0] @ features[2]


def test_mean_pooling_ignores_padding(minilm):
    short, long = "a dog", "two children climb a red wooden ladder in a quiet garden"
    with torch.inference_mode():
        alone = minilm(minilm.tokens([short]))[0]
        padded = minilm(minilm.tokens([short, long]))[0]
    torch.testing.assert_close(alone, padded, atol=1e-5, rtol=0)


def test_tokens_are_cut_at_the_cap_and_padded_to_the_batch(minilm):
    assert minilm.tokens(["dog"] * 3)["input_ids"].shape == (3, 3)
    assert minilm.tokens(["dog " * 400])["input_ids"].shape == (1, 256)


def test_efficientnet_recognises_what_is_drawn():
    """A constant picture and a noise picture must differ; normalisation maps 0…255 to ±1."""
    backbone = image_backbone("efficientnet_lite0").eval()
    assert backbone.width == 1280
    scaled = []
    backbone.network.register_forward_pre_hook(lambda _, inputs: scaled.append(inputs[0]))
    pixels = torch.stack([torch.zeros(3, 224, 224), torch.full((3, 224, 224), 255)]).byte()
    with torch.inference_mode():
        features = backbone(pixels)
    assert features.shape == (2, 1280)
    assert scaled[0].amin() == -1
    assert scaled[0].amax() == 1


def test_efficientnet_weights_have_their_published_batch_statistics():
    """The wrong sibling (padding and epsilon of PyTorch) would load as well."""
    network = image_backbone("efficientnet_lite0").network
    assert network.bn1.eps == pytest.approx(1e-3)
    assert type(network.conv_stem).__name__ == "Conv2dSame"
    assert network.bn1.running_var.mean() != 1  # not the initial value


def test_cls_pooling_takes_the_first_token():
    backbone = text_backbone("tiny", pooling="cls").eval()
    tokens = backbone.tokens(["a dog", "a cat on a mat"])
    with torch.inference_mode():
        hidden = backbone.network(**tokens).last_hidden_state
        torch.testing.assert_close(backbone(tokens), hidden[:, 0])


def test_resnet50_and_bert_have_their_shapes_without_weights():
    assert image_backbone("resnet50", pretrained=False).width == 2048
    bert = text_backbone("bert-base-uncased", pretrained=False)
    assert (bert.width, bert.network.config.num_hidden_layers) == (768, 12)


def test_an_unknown_image_encoder_is_named():
    with pytest.raises(ValueError, match="'vgg' is unknown; known: resnet50"):
        image_backbone("vgg")


def test_weights_that_cannot_be_fetched_say_where_to_put_them(monkeypatch):
    def unreachable(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(encoders.huggingface_hub, "snapshot_download", unreachable)
    monkeypatch.setattr(encoders.huggingface_hub.HfApi, "model_info", unreachable)
    with pytest.raises(MissingWeightsError, match=r"model\.safetensors.*-p text_encoder=FOLDER"):
        text_backbone("bert-base-uncased")
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", unreachable)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", unreachable)
    with pytest.raises(MissingWeightsError, match=r"resnet50-0676ba61\.pth.*checkpoints"):
        image_backbone("resnet50")


def test_encoding_does_not_depend_on_the_batch_and_gives_unit_vectors(smoke, coloured):
    model = DualEncoder(smoke)
    pixels = coloured.pixel_batch(coloured.image_ids)
    together = model.encode_images(pixels)
    alone = np.concatenate([model.encode_images(pixels[i : i + 1]) for i in range(len(pixels))])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    texts = ["a dog", "a much longer sentence about a cat on a mat", "a dog"]
    vectors = model.encode_texts(texts)
    np.testing.assert_array_equal(vectors[0], vectors[2])
    np.testing.assert_allclose(vectors[:1], model.encode_texts(texts[:1]), atol=1e-5)
    assert model.encode_texts(texts, space="text").shape == (3, 32)


def test_features_are_cached_and_equal(smoke, coloured, tmp_path):
    model = DualEncoder(smoke)
    first = model.encode_images(coloured)
    assert list((tmp_path / "cache").glob("image-features-*.safetensors"))
    np.testing.assert_array_equal(model.encode_images(coloured), first)
    pixels = np.stack([preprocessed(coloured.read_image(i)) for i in coloured.image_ids])
    np.testing.assert_allclose(model.encode_images(pixels), first, atol=1e-6)


def test_features_of_a_subset_come_from_the_whole(smoke, coloured, monkeypatch):
    model = DualEncoder(smoke)
    texts = sorted({caption for group in coloured.captions for caption in group})
    whole = features.image_features(model, coloured), features.text_features(model, texts)

    def encoding(*_):
        raise AssertionError("encoded again")

    monkeypatch.setattr(features, "_encoded_images", encoding)
    monkeypatch.setattr(features, "encoded_texts", encoding)
    some = features.image_features(model, coloured.subset([7, 2, 30]))
    assert torch.equal(some, whole[0][[7, 2, 30]])
    assert torch.equal(features.text_features(model, texts[5:2:-1]), whole[1][[5, 4, 3]])
    with pytest.raises(AssertionError, match="encoded again"):
        features.text_features(model, ["a text that was not encoded"])
