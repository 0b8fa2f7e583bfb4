"""Folders of photographs: splits, missing pictures, two data sets merged, the cap; any folder."""

import os
import unicodedata
from pathlib import Path

import numpy as np
import photograph_folders as folders
import pytest
from PIL import Image

from clipsim.data import BadImageError, DataError, picture_folder
from clipsim.data.photographs.folders import collection, folder_captions, photo_id, seeded_split
from clipsim.profile import REPOSITORY

FLICKR8K = REPOSITORY.parent / "shared" / "flickr8k"


@pytest.fixture
def kaggle(tmp_path):
    return folders.kaggle(tmp_path / "data")


read = folders.read


def splits_of(images):
    return dict(zip(images.image_ids, images.split.tolist(), strict=True))


# --- one data set ----------------------------------------------------------------------------


def test_missing_pictures_are_reported_and_only_training_captions_kept(kaggle):
    by_split = {split: name for name, split in folders.splits().items()}
    for name in by_split.values():
        (kaggle / "Images" / name).unlink()
    folders.write_picture(kaggle / "Images" / "extra.png")
    images = read(kaggle)
    missing = images.details["missing"]
    assert missing["split"] == {"train": 1, "val": 1, "test": 1, "unsplit": 0}
    assert sorted(missing["first"]) == sorted(by_split.values())
    assert images.absent_captions == {
        by_split["train"]: tuple(folders.captions(by_split["train"]))
    }
    assert images.details["pictures_without_captions"] == 1
    assert "extra.png" not in images.image_ids


def test_without_published_splits_a_seed_decides(kaggle):
    path = kaggle / "Flickr_8k.trainImages.txt"
    path.write_text("\n".join(path.read_text().split()[1:]))
    assert splits_of(read(kaggle))[folders.names()[0]] == ""  # in no list, in no split
    for path in kaggle.glob("*Images.txt"):
        path.unlink()
    images = read(kaggle)
    assert images.details["split"] == {"train": 24, "val": 3, "test": 3, "unsplit": 0}
    assert "seeded" in images.details["split_source"]
    assert read(kaggle).fingerprint == images.fingerprint != read(kaggle, seed=1).fingerprint
    assert seeded_split(folders.names()[::-1], 3) == seeded_split(folders.names(), 3)


@pytest.mark.parametrize("published", [False, True])
def test_where_pictures_are_missing(kaggle, capsys, published):
    for name in [*folders.names()[:3], *folders.names()[-2:]]:
        (kaggle / "Images" / name).unlink()
    for path in kaggle.glob("*Images.txt") if not published else ():
        path.unlink()
    expected = (17, 5, 3) if published else (21, 2, 2)  # seeded ones are of the pictures here
    found = read(kaggle).details["split"]
    assert tuple(found.values())[:3] == expected
    said = "warning: pictures are missing, 3 of 20 in train, 2 of 5 in test\n"
    assert capsys.readouterr().err == (said if published else "")


FORMS = {
    "Unicode": (unicodedata.normalize("NFD", "café.jpg"), "café.jpg"),
    "case": ("A.JPG", "a.jpg"),
    "here": ("Images/a.jpg", "./Images/a.jpg"),
    "Windows": ("Images/a.jpg", r"Images\a.jpg"),
    "absolute": ("Images/a.jpg", "{root}/Images/a.jpg"),
}


@pytest.mark.parametrize("kind", FORMS)
def test_names_in_another_form_are_matched(tmp_path, kind):
    on_disk, written = FORMS[kind]
    folders.write_picture(tmp_path / on_disk)
    rows = [(written.format(root=tmp_path), "a dog"), (on_disk.rpartition("/")[2], "a cat")]
    folders.write_csv(tmp_path / "captions.csv", [("image", "caption"), *rows])
    images = read(tmp_path)
    assert images.captions == (("a dog", "a cat"),)  # one picture, whatever it is called
    assert images.read_image(images.image_ids[0]).size == (8, 8)


def test_karpathys_splits_serve_captions_that_have_none(tmp_path):
    folders.karpathy(tmp_path)
    rows = [(n, k, c) for n in folders.names() for k, c in enumerate(folders.captions(n))]
    folders.flickr30k_results(tmp_path, rows)
    images = read(tmp_path)
    assert images.details["split_source"] == "Karpathy's"
    assert images.details["layout"] == "Flickr30k's results.csv"
    assert splits_of(images) == folders.splits()


def test_names_may_repeat_in_other_folders(tmp_path):
    for seed, folder in enumerate(("one", "two", "two/two")):
        folders.write_picture(tmp_path / folder / "a.jpg", min(seed, 1))  # archives nest copies
    rows = [("image", "caption"), ("one/a.jpg", "a cat"), ("two/a.jpg", "a dog")]
    folders.write_csv(tmp_path / "captions.csv", rows)
    images = read(tmp_path)
    assert images.image_ids == ("one/a.jpg", "two/a.jpg")
    assert images.read_image("one/a.jpg").tobytes() != images.read_image("two/a.jpg").tobytes()


def test_lists_that_contradict_each_other_or_belong_elsewhere(kaggle):
    with (kaggle / "Flickr_8k.testImages.txt").open("a") as file:
        file.write(folders.names()[0])
    with pytest.raises(DataError, match="also listed as train"):
        read(kaggle)
    for path in kaggle.glob("*Images.txt"):
        path.write_text(f"{path.name[:15]}.jpg\n")
    with pytest.raises(DataError, match="name none of the captioned images"):
        read(kaggle)


def test_the_real_photographs():
    if not FLICKR8K.is_dir():
        pytest.skip("shared/flickr8k is not beside the repository")
    details = read(FLICKR8K).details
    assert details["split"] == {"train": 5999, "val": 1000, "test": 500, "unsplit": 0}
    assert details["images_with_captions"] == 8091
    assert details["missing"]["split"] == {"train": 0, "val": 0, "test": 500, "unsplit": 92}
    assert details["repairs"] == []


# --- Flickr8k and Flickr30k ------------------------------------------------------------------


@pytest.fixture
def both(tmp_path):
    """Flickr8k; Flickr30k with the same photographs under other names, and ten more."""
    root = tmp_path / "both"
    folders.kaggle(root / "Flickr8k")
    shared = [(f"{photo_id(n)}.jpg", [*folders.captions(n), "and new"]) for n in folders.names()]
    new = [(f"{9000 + i}.jpg", [f"new {i}", "more"]) for i in range(10)]
    rows = [(n, k, c) for n, captions in shared + new for k, c in enumerate(captions)]
    folders.write_pictures(root / "flickr30k" / "flickr30k_images", [n for n, _ in shared + new])
    folders.flickr30k_results(root / "flickr30k", rows)
    return root


def test_no_photograph_twice(both):
    assert photo_id("1000268201_693b08cb0e.jpg") == photo_id("1000268201.jpg") == "1000268201"
    images = read(both)
    assert len(images) == len({photo_id(i) for i in images.image_ids}) == 40
    assert set(folders.names()) < set(images.image_ids)
    name = folders.names()[0]
    assert images.captions[images.position()[name]] == (*folders.captions(name), "and new")
    assert list(images.details["parts"]) == ["Flickr8k", "Flickr30k"]


def test_a_held_out_picture_that_only_the_other_has(both):
    held_out = [name for name, split in folders.splits().items() if split == "test"]
    for name in held_out:
        (both / "Flickr8k" / "Images" / name).unlink()
    images = read(both)
    assert {splits_of(images)[name] for name in held_out} == {"test"}
    assert images.read_image(held_out[0]).size == (8, 8)
    for name in held_out:
        (both / "flickr30k" / "flickr30k_images" / f"{photo_id(name)}.jpg").unlink()
    images = read(both)
    assert not set(held_out) & {*images.image_ids, *images.absent_captions}
    assert folder_captions(both)[held_out[0]] == tuple(folders.captions(held_out[0]))
    assert collection(folders.profile(both)).split[held_out[0]] == "test"


def test_published_splits_go_before_seeded_ones(both):
    listed = [f"{photo_id(n)}.jpg" for n in folders.names()]
    (both / "flickr30k" / "x.trainImages.txt").write_text("\n".join(listed[5:]))
    (both / "flickr30k" / "x.testImages.txt").write_text("\n".join(listed[:5]))
    merged = splits_of(read(both))
    assert [merged[n] for n in folders.names()[:6]] == ["test"] * 5 + ["train"]
    assert merged[folders.names()[-1]] == "test"  # Flickr8k's own list
    assert merged["9000.jpg"] == ""


def test_unmerged_data_leak_as_in_the_paper(both):
    images, merged = read(both, merge=False), read(both)
    assert len(images) == 70
    assert {i.partition("/")[0] for i in images.image_ids} == {"flickr8k", "flickr30k"}
    training = {photo_id(images.image_ids[i]) for i in images.indices("train")}
    held_out = {photo_id(n) for n, split in folders.splits().items() if split != "train"}
    assert held_out & training
    assert not held_out & {photo_id(merged.image_ids[i]) for i in merged.indices("train")}


def test_the_cap_is_on_training_images(kaggle):
    images = read(kaggle, max_images=7)
    assert [len(images.indices(s)) for s in ("train", "val", "test")] == [7, 5, 5]
    assert images.details["cap"] == {"max_images": 7, "training_images": 20}
    assert images.absent_captions == {}
    assert read(kaggle, max_images=7).fingerprint == images.fingerprint
    assert read(kaggle, max_images=7, seed=1).fingerprint != images.fingerprint
    assert set(images.image_ids) < set(read(kaggle, max_images=8).image_ids)
    assert len(read(kaggle, max_images=35_000)) == folders.N_IMAGES


# --- a folder of anybody's pictures ----------------------------------------------------------


def test_pictures_of_all_folders_in_natural_order(tmp_path):
    for name in ("10.png", "2.png", "b/1.JPG", "a/x10.webp", "a/x9.webp", "a/deep/er/still/y.png"):
        folders.write_picture(tmp_path / name)
    for name in (".b.png", ".thumbnails/c.png", "__MACOSX/d.png"):
        folders.write_picture(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "film.mpg").write_bytes(b"\0\0\1\xb3")
    (tmp_path / "paper.pdf").write_bytes(b"%PDF")
    images = picture_folder(tmp_path)
    assert list(images.image_ids) == [
        "2.png", "10.png", "a/deep/er/still/y.png", "a/x9.webp", "a/x10.webp", "b/1.JPG",
    ]  # fmt: skip
    assert set(images.captions) == {()}
    assert set(images.split) == {""}
    assert np.array_equal(images.read_image("b/1.JPG"), Image.open(tmp_path / "b" / "1.JPG"))


def test_loops_of_links_end_and_nothing_comes_twice(tmp_path):
    photos = tmp_path / "photos"
    for name in ("photos/sub/a.png", "elsewhere/b.png", "around.png"):
        folders.write_picture(tmp_path / name)
    (photos / "again").symlink_to(photos / "sub")
    (photos / "sub" / "up").symlink_to(photos)
    (photos / "parent").symlink_to(tmp_path)
    (photos / "other").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(photos)
    (photos / "itself").symlink_to(photos / "itself")
    assert picture_folder(photos).image_ids == ("other/b.png", "sub/a.png")


def test_what_cannot_be_read_is_named_with_the_broken_pictures(tmp_path, monkeypatch):
    for name in ("a.png", "locked/b.png"):
        folders.write_picture(tmp_path / name)
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "link.png").symlink_to(tmp_path / "gone.png")
    os.mkfifo(tmp_path / "pipe.png")  # reading it would wait for ever
    listed = os.scandir

    def scandir(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    images = picture_folder(tmp_path)
    assert images.image_ids == ("a.png", "empty.jpg", "link.png", "locked")
    for name in images.image_ids[1:]:
        with pytest.raises(BadImageError, match=f"{name}: not a readable image"):
            images.read_image(name)


def test_names_that_are_no_text_or_look_alike(tmp_path):
    folders.write_picture(tmp_path / "a.png")
    os.rename(tmp_path / "a.png", os.fsencode(tmp_path) + b"/\xff.png")
    for name in ("07.png", "7.png", "Ä 1.png", "٣.png"):
        folders.write_picture(tmp_path / name)
    images = picture_folder(tmp_path)
    assert set(images.image_ids) == {"07.png", "7.png", "Ä 1.png", "٣.png", r"\xff.png"}
    assert images.read_image(r"\xff.png").size == (8, 8)
    assert "\n".join(images.image_ids).encode()
