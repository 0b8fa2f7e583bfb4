"""Every picture is looked at once: bad ones are errors, or left out and named."""

import os

import photograph_folders as folders
import pytest

from clipsim.data import BadImageError
from clipsim.data import pictures as module
from clipsim.data.photographs.flickr import photographs
from clipsim.data.pictures import checked


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CACHE", tmp_path / "cache")


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    folders.kaggle(root)
    return root


def truncated(root, *names):
    for name in names:
        path = root / "Images" / name
        path.write_bytes(path.read_bytes()[:-300])


def images(root):
    return photographs(folders.profile(root))


def test_good_pictures_all_stay(root):
    before = images(root)
    after = checked(before, "error")
    assert after.fingerprint == before.fingerprint
    assert after.details["bad_images"] == {"count": 0, "first": []}


def test_a_truncated_picture_is_an_error_that_names_it(root):
    truncated(root, folders.names()[4])
    with pytest.raises(BadImageError, match=folders.names()[4]) as error:
        checked(images(root), "error")
    assert "-p on_bad_image=skip" in str(error.value)
    assert "and 1 more" not in str(error.value)
    assert "\n" not in str(error.value)


def test_bad_pictures_are_counted_and_left_out(root):
    train, test = folders.names()[4], folders.names()[-1]
    truncated(root, train)
    (root / "Images" / test).write_bytes(b"")
    with pytest.raises(BadImageError, match=r" \(and 1 more\); mend it"):
        checked(images(root), "error")
    kept = checked(images(root), "skip")
    assert set(folders.names()) - set(kept.image_ids) == {train, test}
    assert kept.details["bad_images"] == {"count": 2, "first": [train, test]}
    assert kept.absent_captions == {train: tuple(folders.captions(train))}


def test_a_link_to_nothing_is_a_bad_picture(root):
    path = root / "Images" / folders.names()[4]
    path.unlink()
    path.symlink_to(root / "gone.jpg")
    assert checked(images(root), "skip").details["bad_images"]["first"] == [path.name]


def test_pictures_are_decoded_once(root, monkeypatch):
    truncated(root, folders.names()[4])
    checked(images(root), "skip")
    with monkeypatch.context() as patch:
        patch.setattr(module, "read_picture", None)
        assert checked(images(root), "skip").details["bad_images"]["count"] == 1
    folders.write_picture(root / "Images" / folders.names()[4])
    os.utime(root / "Images" / folders.names()[4], ns=(0, 0))
    assert checked(images(root), "skip").details["bad_images"]["count"] == 0


def test_a_saved_data_set_is_decoded_once(tmp_path, monkeypatch):
    folders.hugging_face(tmp_path / "saved")
    checked(images(tmp_path / "saved"), "error")
    monkeypatch.setattr(module, "read_picture", None)
    assert len(checked(images(tmp_path / "saved"), "error")) == folders.N_IMAGES


def test_an_interrupted_check_leaves_nothing(root, monkeypatch, tmp_path):
    def interrupted(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "read_picture", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checked(images(root), "error")
    assert not list((tmp_path / "cache").rglob("*"))
