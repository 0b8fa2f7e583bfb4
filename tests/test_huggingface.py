"""Hugging Face data sets that are not simply Flickr8k saved to disk."""

import photograph_folders as folders
import pytest
from datasets import Dataset, Features, Image, List, Value

from clipsim.data import BadImageError, DataError
from clipsim.data.pictures import checked


def dataset(folder, **columns):
    """A data set of as many pictures as there are values in each column."""
    n_rows = len(next(iter(columns.values())))
    paths = [folder / f"{i}.png" for i in range(n_rows)]
    for seed, path in enumerate(paths):
        folders.write_picture(path, seed)
    pictures = [{"bytes": p.read_bytes(), "path": p.name} for p in paths]
    types = {name: Value("string") for name in columns}
    return Dataset.from_dict(
        {"image": pictures, **columns}, features=Features(image=Image(), **types)
    )


read = folders.read


def test_a_split_column_goes_before_the_parts(tmp_path):
    rows = dataset(tmp_path, caption=["a cat", "a dog"], split=["train", "val"])
    rows.save_to_disk(tmp_path / "saved")
    images = read(tmp_path / "saved")
    assert images.image_ids == ("0.png", "1.png")
    assert images.split.tolist() == ["train", "val"]
    assert images.captions == (("a cat",), ("a dog",))


def test_names_that_are_another_pictures_tell_rows_apart(tmp_path):
    rows = dataset(tmp_path, caption=["a cat", "a dog"], filename=["a", "a"])
    rows.select([0, 1, 0, 1]).save_to_disk(tmp_path / "saved")
    images = read(tmp_path / "saved")
    assert dict(zip(images.image_ids, images.captions, strict=True)) == {
        "a": ("a cat", "a cat"),
        "image-000001": ("a dog", "a dog"),
    }
    (said,) = images.details["repairs"]
    assert said.startswith("2 rows are called by number")


def test_missing_images_and_captions_are_counted_and_named(tmp_path):
    captions = [["a cat"], None, ["a dog", None], ["a boat"]]
    types = Features(image=Image(), caption=List(Value("string")))
    rows = dataset(tmp_path, caption=["-"] * 4)[:]["image"]
    rows = Dataset.from_dict({"image": [*rows[:3], None], "caption": captions}, features=types)
    rows.save_to_disk(tmp_path / "saved")
    with pytest.raises(DataError, match=r"row 1: empty caption of \S+ \(2 of 5 are empty\)"):
        read(tmp_path / "saved")
    images = read(tmp_path / "saved", max_bad_rows=0.4)
    assert images.captions == (("a cat",), ("a dog",), ("a boat",))
    assert "2 empty captions left out" in images.details["repairs"][0]
    with pytest.raises(BadImageError, match="image-000003: its row has no image"):
        checked(images, "error")
    assert checked(images, "skip").details["bad_images"]["first"] == ["image-000003"]


@pytest.mark.parametrize("texts", [["a cat"], [["a cat"]]])
@pytest.mark.parametrize("column", ["caption", "captions", "text"])
def test_columns_that_people_have(tmp_path, column, texts):
    folders.write_picture(tmp_path / "a.png")
    rows = Dataset.from_dict({"image": [str(tmp_path / "a.png")], column: texts, "id": [7]})
    rows.cast_column("image", Image()).save_to_disk(tmp_path / "saved")
    assert read(tmp_path / "saved").captions == (("a cat",),)


def test_parquet_files(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))
    rows = dataset(tmp_path, caption=["a cat", "a dog"] * 5)
    (tmp_path / "set" / "data").mkdir(parents=True)
    for part in ("train", "test"):
        rows.to_parquet(tmp_path / "set" / "data" / f"{part}-00000-of-00001.parquet")
    with pytest.raises(DataError, match=r"0\.png is in two splits; keep one"):
        read(tmp_path / "set")
    (tmp_path / "set" / "data" / "test-00000-of-00001.parquet").unlink()
    images = read(tmp_path / "set")
    assert images.image_ids == tuple(f"{i}.png" for i in range(10))
    assert images.details["split"] == {"train": 8, "val": 1, "test": 1, "unsplit": 0}
    assert images.read_image("1.png").size == (8, 8)
