"""The descriptions that a search may pick from."""

from dataclasses import replace

import photograph_folders as folders
import pytest

from clipsim.data import DataError, caption_pool


@pytest.fixture
def images(tmp_path):
    folders.kaggle(tmp_path)
    (tmp_path / "Images" / folders.names()[0]).unlink()
    return folders.read(tmp_path)


def pool(images, **settings):
    return caption_pool(folders.profile("", **({"n_descriptions": 3} | settings)), images)


def captions_of(split):
    return [
        c for n in folders.names() if folders.splits()[n] == split for c in folders.captions(n)
    ]


def test_training_captions_once_each_in_order(images):
    expected = dict.fromkeys(captions_of("train")[5:])
    assert pool(images) == tuple(expected)
    assert len(pool(images)) < len(captions_of("train")[5:])  # "a dog in a field" repeats


def test_captions_of_missing_training_images_but_of_no_held_out_one(images):
    everything = pool(images, pool="all_train_captions")
    assert set(everything) == set(captions_of("train"))
    of_missing = folders.captions(folders.names()[0])
    assert set(everything) - set(pool(images)) == {*of_missing[:2], of_missing[3]}
    numbered = {c for s in ("val", "test") for c in captions_of(s) if any(map(str.isdigit, c))}
    assert numbered
    assert not numbered & {*everything, *pool(images)}


def test_lines_of_a_file(images, tmp_path):
    path = tmp_path / "pool.txt"
    path.write_bytes("a dog\r\n\r\n  a   cat \r\na dog\r\nÜbung".encode())
    assert pool(images, pool="file", pool_file=str(path)) == ("a dog", "a cat", "Übung")


def test_no_training_images_or_fewer_descriptions_than_wanted(images):
    held_out = replace(images.subset(images.indices("test")), absent_captions={})
    with pytest.raises(DataError, match="no training captions to search"):
        pool(held_out)
    with pytest.raises(DataError, match="n_descriptions=5000: the pool has"):
        pool(images, n_descriptions=5000)
