"""The text encoder that saw the training captions only, against scikit-learn's own pipeline."""

import numpy as np
import pytest
import torch
from coloured import coloured_pictures
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

import clipsim
from clipsim.model import DualEncoder, train
from clipsim.model.encoders import LatentSemantics

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
