"""Readers of folders of photographs: one `CaptionedImages` out of every layout."""

import json

import photograph_folders as folders
import pytest

from clipsim.data import DataError
from clipsim.data.photographs.flickr import photographs
from clipsim.data.photographs.layouts import seeded_split
from clipsim.profile import REPOSITORY

FLICKR8K = REPOSITORY.parent / "shared" / "flickr8k"


def read(root, **settings):
    return photographs(folders.profile(root, **settings))


def written(tmp_path, layout):
    root = tmp_path / "data"
    root.mkdir()
    folders.LAYOUTS[layout](root)
    return root


@pytest.mark.parametrize("layout", folders.LAYOUTS)
def test_every_layout_gives_the_same_images(tmp_path, layout):
    images = read(written(tmp_path, layout))
    assert images.image_ids == tuple(sorted(folders.names()))
    assert dict(zip(images.image_ids, images.split.tolist(), strict=True)) == folders.splits()
    name = images.image_ids[3]
    assert images.captions[3] == tuple(folders.captions(name))
    assert images.read_image(name).size == (8, 8)
    assert images.name == "Flickr8k"
    (tmp_path / "other").mkdir()
    folders.kaggle(tmp_path / "other")
    assert images.fingerprint == read(tmp_path / "other").fingerprint


@pytest.mark.parametrize("layout", folders.LAYOUTS)
def test_details_say_what_was_found(tmp_path, layout):
    details = read(written(tmp_path, layout)).details
    assert details["images_with_captions"] == details["images_on_disk"] == folders.N_IMAGES
    assert details["captions"] == 5 * folders.N_IMAGES
    assert details["split"] == {"train": 20, "val": 5, "test": 5, "unsplit": 0}
    assert details["missing"]["count"] == 0
    assert json.loads(json.dumps(details)) == details
    assert str(tmp_path) not in json.dumps(details)


def test_the_original_names_an_image_that_does_not_exist(tmp_path):
    details = read(written(tmp_path, "original")).details
    (repair,) = details["repairs"]
    assert "2258277193_586949ec62.jpg.1" in repair
    assert "5 captions" in repair


def test_missing_pictures_are_reported_and_only_training_captions_kept(tmp_path):
    root = written(tmp_path, "kaggle")
    by_split = {split: name for name, split in folders.splits().items()}
    for name in by_split.values():
        (root / "Images" / name).unlink()
    images = read(root)
    assert images.details["missing"]["count"] == 3
    assert images.details["missing"]["split"] == {"train": 1, "val": 1, "test": 1, "unsplit": 0}
    assert sorted(images.details["missing"]["first"]) == sorted(by_split.values())
    assert list(images.absent_captions) == [by_split["train"]]
    assert images.absent_captions[by_split["train"]] == tuple(folders.captions(by_split["train"]))


def test_a_picture_without_captions_is_counted(tmp_path):
    root = written(tmp_path, "kaggle")
    folders.write_picture(root / "Images" / "extra.png")
    images = read(root)
    assert images.details["pictures_without_captions"] == 1
    assert "extra.png" not in images.image_ids


def test_an_image_in_no_list_is_in_no_split(tmp_path):
    root = written(tmp_path, "kaggle")
    path = root / "Flickr_8k.trainImages.txt"
    path.write_text("\n".join(path.read_text().split()[1:]))
    images = read(root)
    assert images.details["split"]["unsplit"] == 1
    assert images.split[images.position()[folders.names()[0]]] == ""


def test_without_published_splits_a_seed_decides(tmp_path):
    root = written(tmp_path, "kaggle")
    for path in root.glob("*Images.txt"):
        path.unlink()
    images = read(root)
    assert images.details["split"] == {"train": 24, "val": 3, "test": 3, "unsplit": 0}
    assert "seeded" in images.details["split_source"]
    assert read(root).fingerprint == images.fingerprint
    assert read(root, seed=1).fingerprint != images.fingerprint


def test_the_seeded_split_does_not_depend_on_the_order():
    split = seeded_split(folders.names(), 3)
    assert seeded_split(folders.names()[::-1], 3) == split


def test_karpathys_splits_serve_captions_that_have_none(tmp_path):
    root = written(tmp_path, "karpathy")
    rows = [(n, k, c) for n in folders.names() for k, c in enumerate(folders.captions(n))]
    folders.flickr30k_results(root, rows)
    images = read(root)
    assert images.details["split_source"] == "Karpathy's"
    assert images.details["layout"] == "Flickr30k's results.csv"
    assert dict(zip(images.image_ids, images.split.tolist(), strict=True)) == folders.splits()


def test_flickr30k_results_csv_and_its_known_damage(tmp_path):
    folders.write_pictures(tmp_path / "flickr30k_images", ["2199200615.jpg", "36979.jpg"])
    rows = [
        ("36979.jpg", 0, "Two men ."),
        ("2199200615.jpg", 3, "A dog ."),
        ("2199200615.jpg", 4, " A dog runs across the grass ."),
    ]
    folders.flickr30k_results(tmp_path, rows, damaged=[2])
    images = read(tmp_path)
    assert images.name == "Flickr30k"
    assert images.captions == (("A dog .", "A dog runs across the grass ."), ("Two men .",))
    assert images.details["repairs"] == [
        "results.csv:4: separator missing, read as comment 4 of 2199200615.jpg"
    ]


def test_flickr30k_token_file(tmp_path):
    folders.write_pictures(tmp_path / "flickr30k_images", ["36979.jpg"])
    (tmp_path / "results_20130124.token").write_text("36979.jpg#0\tTwo men .\n36979.jpg#1\tMen\n")
    assert read(tmp_path).captions == (("Two men .", "Men"),)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_byte_order_marks_quotes_and_commas(tmp_path, end, mark):
    folders.write_pictures(tmp_path, ["a.jpg"])
    lines = ["image,caption", 'a.jpg,"A ""red"" dog, running"', "", "a.jpg,  two   dogs "]
    (tmp_path / "captions.txt").write_bytes((mark + end.join(lines) + end).encode())
    assert read(tmp_path).captions == (('A "red" dog, running', "two dogs"),)


def test_names_may_begin_with_a_folder(tmp_path):
    for seed, name in enumerate(("one/a.jpg", "two/a.jpg")):
        folders.write_picture(tmp_path / name, seed)
    folders.write_csv(
        tmp_path / "captions.csv",
        [("image", "caption"), ("one/a.jpg", "a cat"), ("two/a.jpg", "a dog")],
    )
    images = read(tmp_path)
    assert images.image_ids == ("one/a.jpg", "two/a.jpg")
    assert images.read_image("one/a.jpg").tobytes() != images.read_image("two/a.jpg").tobytes()


def test_archives_that_nest_a_copy_of_themselves(tmp_path):
    for folder in ("flickr30k_images", "flickr30k_images/flickr30k_images"):
        folders.write_picture(tmp_path / folder / "36979.jpg")
    folders.flickr30k_results(tmp_path / "flickr30k_images", [("36979.jpg", 0, "Two men .")])
    assert len(read(tmp_path)) == 1


def test_one_name_for_different_pictures_is_an_error(tmp_path):
    folders.write_picture(tmp_path / "one" / "a.jpg")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "a.jpg").write_bytes(b"another")
    folders.write_csv(tmp_path / "captions.csv", [("image", "caption"), ("a.jpg", "a cat")])
    with pytest.raises(DataError, match=r"a\.jpg is the name of different pictures"):
        read(tmp_path)


CAPTION_FILES = {
    "header": ("captions.txt", b"picture,text\na.jpg,a dog\n", r"captions\.txt:1: the header"),
    "no header": ("captions.csv", b"a.jpg,a dog\n", r"captions\.csv:1: the header"),
    "encoding": ("captions.txt", b"image,caption\na.jpg,caf\xe9\n", r":2: not UTF-8 \(byte 0xe9"),
    "utf-16": ("captions.txt", "image,caption\na.jpg,a\n".encode("utf-16"), r":1: not UTF-8"),
    "empty file": ("captions.txt", b"", r"captions\.txt:1: the header"),
    "no rows": ("captions.txt", b"image,caption\n", "no captions in it"),
    "empty caption": ("captions.txt", b"image,caption\na.jpg, \n", r":2: empty caption of a\.jpg"),
    "commas": ("captions.txt", b"image,caption\na.jpg,a dog, running\n", r":2: 3 fields where"),
    "quotes": ("captions.txt", b'image,caption\na.jpg,"a "dog" runs"\n', ":2: broken quotes"),
    "open quote": ("captions.txt", b'image,caption\na.jpg,"a dog\n', ":2: broken quotes"),
    "parent": ("captions.txt", b"image,caption\n../a.jpg,a dog\n", ":2: image name '../a.jpg'"),
    "absolute": ("captions.txt", b"image,caption\n/etc/a.jpg,a dog\n", ":2: image name"),
    "drive": ("captions.txt", b"image,caption\nC:\\a.jpg,a dog\n", ":2: image name"),
    "backslash": ("captions.txt", b"image,caption\nb\\..\\..\\a.jpg,a dog\n", ":2: image name"),
    "no name": ("captions.txt", b"image,caption\n,a dog\n", ":2: image name ''"),
    "split": (
        "captions.csv",
        b"image,caption,split\na.jpg,a dog,holdout\n",
        ":2: split 'holdout'",
    ),
    "two splits": (
        "captions.csv",
        b"image,caption,split\na.jpg,a dog,train\na.jpg,a cat,test\n",
        r":3: a\.jpg is in two splits",
    ),
    "token": ("Flickr8k.token.txt", b"a.jpg#0 a dog\n", ":1: expected name.jpg#k, a tab"),
    "bars": (
        "results.csv",
        b"image_name| comment_number| comment\na.jpg a dog\n",
        ":2: 1 fields where",
    ),
    "json": ("dataset_flickr8k.json", b'{"images": [\n}', r":2: not JSON"),
    "karpathy": ("dataset_flickr8k.json", b'{"images": [{"file": 1}]}', "not Karpathy's format"),
    "not on disk": ("captions.txt", b"image,caption\nb.jpg,a dog\n", "none is in"),
}


@pytest.mark.parametrize("case", CAPTION_FILES)
def test_bad_caption_files(tmp_path, case):
    name, content, message = CAPTION_FILES[case]
    folders.write_picture(tmp_path / "a.jpg")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path)
    assert "\n" not in str(error.value)
    assert name in str(error.value)


def test_karpathy_entries_that_repeat(tmp_path):
    folders.write_pictures(tmp_path)
    entries = folders.karpathy_entries()
    content = {"images": [*entries, entries[0]]}
    (tmp_path / "dataset_flickr8k.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"images\[30\]: \S+ occurs twice"):
        read(tmp_path)


def test_lists_that_contradict_each_other(tmp_path):
    root = written(tmp_path, "kaggle")
    with (root / "Flickr_8k.testImages.txt").open("a") as file:
        file.write(folders.names()[0])
    with pytest.raises(DataError, match="also listed as train"):
        read(root)


def test_lists_of_another_data_set(tmp_path):
    root = written(tmp_path, "kaggle")
    for path in root.glob("*Images.txt"):
        path.write_text(f"{path.name[:15]}.jpg\n")
    with pytest.raises(DataError, match="name none of the captioned images"):
        read(root)


def test_a_folder_without_captions(tmp_path):
    folders.write_pictures(tmp_path)
    with pytest.raises(DataError, match=r"no captions found; expected captions\.txt"):
        read(tmp_path)


@pytest.mark.parametrize("root", ["nowhere", "../nowhere/at/all"])
def test_a_folder_that_does_not_exist(root):
    with pytest.raises(DataError, match=f"data_root {root}: no such folder"):
        read(root)


def test_no_folder_named():
    profile = folders.profile("x", data_root=None)
    with pytest.raises(DataError, match="pass -p data_root=FOLDER"):
        photographs(profile)


def test_the_real_photographs():
    if not FLICKR8K.is_dir():
        pytest.skip("shared/flickr8k is not beside the repository")
    details = read(FLICKR8K).details
    assert details["split"] == {"train": 5999, "val": 1000, "test": 500, "unsplit": 0}
    assert details["images_with_captions"] == 8091
    assert details["missing"]["split"] == {"train": 0, "val": 0, "test": 500, "unsplit": 92}
    assert details["repairs"] == []
