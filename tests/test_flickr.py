"""Flickr8k and Flickr30k together, and the cap on training images."""

import photograph_folders as folders
import pytest

from clipsim.data import load
from clipsim.data.photographs.flickr import collection, folder_captions, photo_id, photographs


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("clipsim.data.pictures.CACHE", tmp_path / "cache")


@pytest.fixture
def both(tmp_path):
    """Flickr8k; Flickr30k with the same photographs under other names, and ten more."""
    root = tmp_path / "both"
    (root / "Flickr8k").mkdir(parents=True)
    folders.kaggle(root / "Flickr8k")
    (root / "flickr30k").mkdir()
    shared = [(f"{photo_id(n)}.jpg", folders.captions(n)) for n in folders.names()]
    new = [(f"{9000 + i}.jpg", [f"new {i}", "more"]) for i in range(10)]
    rows = [(n, k, c) for n, captions in shared + new for k, c in enumerate(captions)]
    folders.flickr30k_results(root / "flickr30k", rows)
    folders.write_pictures(root / "flickr30k" / "flickr30k_images", [n for n, _ in shared + new])
    return root


def test_photo_ids():
    assert photo_id("1000268201_693b08cb0e.jpg") == photo_id("1000268201.jpg") == "1000268201"


def test_no_photograph_twice(both):
    images = photographs(folders.profile(both))
    assert len(images) == 40
    assert len({photo_id(i) for i in images.image_ids}) == 40
    assert set(folders.names()) < set(images.image_ids)
    details = images.details
    assert details["duplicates"] == details["duplicates_with_equal_captions"] == 30
    assert details["images_counted_twice"] == 70
    assert details["unique_photographs"] == details["images_on_disk"] == 40
    assert list(details["parts"]) == ["Flickr8k", "Flickr30k"]


@pytest.mark.parametrize("seed", range(5))
def test_what_either_holds_out_is_not_trained_on(both, seed):
    images = photographs(folders.profile(both, seed=seed))
    official = folders.splits()
    merged = dict(zip(images.image_ids, images.split.tolist(), strict=True))
    assert {n: merged[n] for n in official} == official


def test_a_held_out_picture_that_only_the_other_has(both):
    held_out = [name for name, split in folders.splits().items() if split == "test"]
    for name in held_out:
        (both / "Flickr8k" / "Images" / name).unlink()
    images = photographs(folders.profile(both))
    position = images.position()
    assert {images.split[position[name]] for name in held_out} == {"test"}
    assert images.read_image(held_out[0]).size == (8, 8)
    for name in held_out:
        (both / "flickr30k" / "flickr30k_images" / f"{photo_id(name)}.jpg").unlink()
    images = photographs(folders.profile(both))
    assert not set(held_out) & {*images.image_ids, *images.absent_captions}


def test_published_splits_go_before_seeded_ones(both):
    listed = [f"{photo_id(n)}.jpg" for n in folders.names()]
    (both / "flickr30k" / "x.trainImages.txt").write_text("\n".join(listed[5:]))
    (both / "flickr30k" / "x.testImages.txt").write_text("\n".join(listed[:5]))
    images = photographs(folders.profile(both))
    merged = dict(zip(images.image_ids, images.split.tolist(), strict=True))
    assert [merged[n] for n in folders.names()[:6]] == ["test"] * 5 + ["train"]
    assert merged[folders.names()[-1]] == "test"  # Flickr8k's own list
    assert merged["9000.jpg"] == ""


def test_captions_of_both_are_kept_once(both):
    path = both / "flickr30k" / "results.csv"
    name = folders.names()[0]
    path.write_text(path.read_text() + f"{photo_id(name)}.jpg| 5| something new\n")
    images = photographs(folders.profile(both))
    assert images.captions[images.position()[name]] == (*folders.captions(name), "something new")
    assert images.details["duplicates_with_equal_captions"] == 29


def test_unmerged_data_leak_as_in_the_paper(both):
    images = photographs(folders.profile(both, merge=False))
    assert len(images) == 70
    assert {i.partition("/")[0] for i in images.image_ids} == {"flickr8k", "flickr30k"}
    training = {photo_id(images.image_ids[i]) for i in images.indices("train")}
    held_out = {photo_id(n) for n, split in folders.splits().items() if split != "train"}
    merged = photographs(folders.profile(both))
    leaks = merged.details["leaks_unmerged"]
    assert leaks == images.details["leaks_unmerged"]
    assert leaks["held out in Flickr8k, trained on in Flickr30k"] == len(held_out & training) > 0
    assert not held_out & {photo_id(merged.image_ids[i]) for i in merged.indices("train")}


def test_the_cap_is_on_training_images(tmp_path):
    folders.kaggle(tmp_path)
    images = photographs(folders.profile(tmp_path, max_images=7))
    assert [len(images.indices(s)) for s in ("train", "val", "test")] == [7, 5, 5]
    assert images.details["cap"] == {"max_images": 7, "training_images": 20, "reached": True}
    assert images.absent_captions == {}
    again = photographs(folders.profile(tmp_path, max_images=7))
    assert again.fingerprint == images.fingerprint
    other = photographs(folders.profile(tmp_path, max_images=7, seed=1))
    assert other.fingerprint != images.fingerprint
    more = photographs(folders.profile(tmp_path, max_images=8))
    assert set(images.image_ids) < set(more.image_ids)


def test_a_cap_that_is_never_reached_says_so(tmp_path):
    folders.kaggle(tmp_path)
    images = photographs(folders.profile(tmp_path, max_images=35_000))
    assert len(images) == folders.N_IMAGES
    assert images.details["cap"]["note"] == "20 training images never reach the cap 35,000"


def test_captions_and_splits_of_missing_pictures_stay_known(both):
    held_out = folders.names()[-1]
    (both / "Flickr8k" / "Images" / held_out).unlink()
    assert folder_captions(both)[held_out] == tuple(folders.captions(held_out))
    assert collection(folders.profile(both)).split[held_out] == "test"


def test_load_checks_the_pictures(tmp_path):
    folders.kaggle(tmp_path)
    images = load(folders.profile(tmp_path))
    assert images.details["bad_images"] == {"count": 0, "first": []}
    assert images.pixels(images.image_ids[0]).shape == (3, 224, 224)
