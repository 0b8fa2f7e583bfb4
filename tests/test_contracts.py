"""What DESIGN.md promises by name, from the package's front door."""

import numpy as np
import pytest

import clipsim
import clipsim.data
import clipsim.metrics


def test_the_way_of_the_data_with_the_contracts_names(smoke, coloured, tmp_path):
    from clipsim.model import train

    train(smoke, coloured, tmp_path)
    model = clipsim.DualEncoder.load(tmp_path)
    captions = sorted({caption for group in coloured.captions for caption in group})
    image_vectors, text_vectors = model.encode_images(coloured), model.encode_texts(captions)
    for vectors, n in ((image_vectors, len(coloured)), (text_vectors, len(captions))):
        assert vectors.shape == (n, smoke.embedding_dim)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    ids, sims = clipsim.CaptionIndex.build(text_vectors, captions).search(image_vectors, 4)
    assert ids.shape == sims.shape == (len(coloured), 4)
    described = text_vectors[ids]
    matrix = clipsim.score_matrix(described)
    pairs = clipsim.score_pairs(described, [[0, 1], [2, 3]])
    assert matrix.shape == (len(coloured), len(coloured))
    assert pairs == pytest.approx([matrix[0, 1], matrix[2, 3]], abs=1e-5)
    one = clipsim.caption_score(described[0], described[1], normalisation="mean")
    assert one == pytest.approx(matrix[0, 1], abs=1e-5)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'encode'"):
        _ = clipsim.encode
