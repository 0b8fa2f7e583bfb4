"""Caption files: one `CaptionedImages` out of every layout, and what a damaged file says."""

import json

import photograph_folders as folders
import pytest

read = folders.read


@pytest.mark.parametrize("layout", folders.LAYOUTS)
def test_every_layout_gives_the_same_images(tmp_path, layout):
    for name in (layout, "kaggle"):
        folders.LAYOUTS[name](tmp_path / name)
    images = read(tmp_path / layout)
    assert images.image_ids == tuple(sorted(folders.names()))
    assert dict(zip(images.image_ids, images.split.tolist(), strict=True)) == folders.splits()
    name = images.image_ids[3]
    assert images.captions[3] == tuple(folders.captions(name))
    assert images.read_image(name).size == (8, 8)
    assert images.name == "Flickr8k"
    assert images.fingerprint == read(tmp_path / "kaggle").fingerprint
    details = images.details
    assert details["images_with_captions"] == details["images_on_disk"] == folders.N_IMAGES
    assert details["captions"] == 5 * folders.N_IMAGES
    assert details["split"] == {"train": 20, "val": 5, "test": 5, "unsplit": 0}
    assert details["missing"]["count"] == 0
    assert json.loads(json.dumps(details)) == details
    assert str(tmp_path) not in json.dumps(details)


def test_the_original_names_an_image_that_does_not_exist(tmp_path):
    folders.original(tmp_path)
    (repair,) = read(tmp_path).details["repairs"]
    assert "2258277193_586949ec62.jpg.1" in repair
    assert "5 captions" in repair


def test_flickr30k_results_csv_and_its_known_damage(tmp_path):
    folders.write_pictures(tmp_path / "flickr30k_images", ["2199200615.jpg", "36979.jpg"])
    rows = [
        ("36979.jpg", 0, "Two men ."),
        ("2199200615.jpg", 3, "A dog | a cat ."),
        ("2199200615.jpg", 4, " A dog runs across the grass ."),
    ]
    folders.flickr30k_results(tmp_path, rows, damaged=[2])
    images = read(tmp_path)
    assert images.name == "Flickr30k"
    assert images.captions == (
        ("A dog | a cat .", "A dog runs across the grass ."),
        ("Two men .",),
    )
    (repair,) = images.details["repairs"]
    assert repair == "line 4: no separator, read as comment 4 of 2199200615.jpg"


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


def test_tables_may_have_more_columns(tmp_path):
    folders.write_pictures(tmp_path, ["a.jpg"])
    (tmp_path / "captions.csv").write_text(',image,caption,id\n0,a.jpg,"a dog, a cat; both",7')
    assert read(tmp_path).captions == (("a dog, a cat; both",),)


def test_karpathys_restval_trains(tmp_path):
    folders.karpathy(tmp_path)
    path = tmp_path / "dataset_flickr8k.json"
    (tmp_path / "dataset.json").write_text(path.read_text().replace("train", "restval"))
    path.unlink()
    assert read(tmp_path).details["split"] == {"train": 20, "val": 5, "test": 5, "unsplit": 0}
