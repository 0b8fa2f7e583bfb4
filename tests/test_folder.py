"""A user's folder of pictures: what counts as one, in which order, and what does not harm it."""

import os

import numpy as np
import pytest
from PIL import Image

from clipsim.data import DataError
from clipsim.data.photographs.layouts import picture_folder, picture_suffixes
from clipsim.data.pictures import BadImageError


def picture(path, colour="red"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), colour).save(path)


def ids(folder):
    return list(picture_folder(folder).image_ids)


def test_pictures_of_all_folders_in_natural_order(tmp_path):
    for name in ("10.png", "2.png", "b/1.JPG", "a/x10.webp", "a/x9.webp", "a/deep/er/still/y.png"):
        picture(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "film.mpg").write_bytes(b"\0\0\1\xb3")
    images = picture_folder(tmp_path)
    assert list(images.image_ids) == [
        "2.png", "10.png", "a/deep/er/still/y.png", "a/x9.webp", "a/x10.webp", "b/1.JPG",
    ]  # fmt: skip
    assert set(images.captions) == {()}
    assert set(images.split) == {""}
    assert np.array_equal(images.read_image("b/1.JPG"), Image.open(tmp_path / "b" / "1.JPG"))


def test_nothing_is_read(tmp_path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.png").write_text("no picture")
    images = picture_folder(tmp_path)
    assert images.image_ids == ("empty.jpg", "text.png")
    with pytest.raises(BadImageError, match="empty file"):
        images.read_image("empty.jpg")


def test_hidden_files_and_folders_are_left_out(tmp_path):
    for name in ("a.png", ".b.png", ".thumbnails/c.png", "__MACOSX/d.png"):
        picture(tmp_path / name)
    assert ids(tmp_path) == ["a.png"]


def test_loops_of_links_end_and_nothing_comes_twice(tmp_path):
    picture(tmp_path / "photos" / "sub" / "a.png")
    picture(tmp_path / "elsewhere" / "b.png")
    picture(tmp_path / "around.png")
    photos = tmp_path / "photos"
    (photos / "again").symlink_to(photos / "sub")
    (photos / "sub" / "up").symlink_to(photos)
    (photos / "parent").symlink_to(tmp_path)
    (photos / "other").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(photos)
    (photos / "itself").symlink_to(photos / "itself")
    assert ids(photos) == ["other/b.png", "sub/a.png"]


def test_a_link_to_nothing_is_a_picture_that_cannot_be_read(tmp_path):
    picture(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "gone.png")
    os.mkfifo(tmp_path / "pipe.png")  # reading it would wait for ever
    images = picture_folder(tmp_path)
    assert images.image_ids == ("a.png", "b.png")
    with pytest.raises(BadImageError, match=r"b\.png"):
        images.read_image("b.png")


def test_a_folder_that_cannot_be_listed_is_named_with_the_broken(tmp_path, monkeypatch):
    picture(tmp_path / "a.png")
    picture(tmp_path / "locked" / "b.png")
    listed = type(tmp_path).iterdir

    def iterdir(path):
        if path.name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(type(tmp_path), "iterdir", iterdir)
    images = picture_folder(tmp_path)
    assert images.image_ids == ("a.png", "locked")
    with pytest.raises(BadImageError, match="locked: not a readable image"):
        images.read_image("locked")


def test_names_that_are_no_text_or_look_alike(tmp_path):
    picture(tmp_path / "a.png")
    os.rename(tmp_path / "a.png", os.fsencode(tmp_path) + b"/\xff.png")
    for name in ("07.png", "7.png", "Ä 1.png", "٣.png"):
        picture(tmp_path / name)
    images = picture_folder(tmp_path)
    assert set(images.image_ids) == {"07.png", "7.png", "Ä 1.png", "٣.png", r"\xff.png"}
    assert images.read_image(r"\xff.png").size == (8, 8)
    assert "\n".join(images.image_ids).encode()


@pytest.mark.parametrize(
    ("name", "message"),
    [("gone", "no such folder"), ("a.txt", "is a file"), ("empty", "no picture in it")],
)
def test_what_is_no_folder_of_pictures_is_one_line(tmp_path, name, message):
    (tmp_path / "a.txt").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=message) as caught:
        picture_folder(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_suffixes_are_those_that_pillow_decodes():
    assert {".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".avif"} <= picture_suffixes()
    assert not {".mpg", ".pdf", ".h5", ".txt"} & picture_suffixes()
