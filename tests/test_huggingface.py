"""Hugging Face data sets that are not simply Flickr8k saved to disk."""

import photograph_folders as folders
import pytest
from datasets import Dataset, Features, Image, Value

from clipsim.data import DataError
from clipsim.data.photographs.folders import photographs


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


def read(root, **settings):
    return photographs(folders.profile(root, **settings))


def test_a_split_column_goes_before_the_parts(tmp_path):
    rows = dataset(tmp_path, caption=["a cat", "a dog"], split=["train", "val"])
    rows.save_to_disk(tmp_path / "saved")
    images = read(tmp_path / "saved")
    assert images.image_ids == ("0.png", "1.png")
    assert images.split.tolist() == ["train", "val"]
    assert images.captions == (("a cat",), ("a dog",))


def test_one_part_without_splits_is_split_by_seed(tmp_path):
    dataset(tmp_path, caption=[f"caption {i}" for i in range(20)]).save_to_disk(tmp_path / "saved")
    details = read(tmp_path / "saved").details
    assert details["split"] == {"train": 16, "val": 2, "test": 2, "unsplit": 0}


def test_a_row_per_caption(tmp_path):
    rows = dataset(tmp_path, caption=["a cat", "it sits", "a dog"], filename=["a", "a", "b"])
    rows.save_to_disk(tmp_path / "saved")
    assert read(tmp_path / "saved").captions == (("a cat", "it sits"), ("a dog",))


def test_parquet_files(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))
    rows = dataset(tmp_path, caption=["a cat", "a dog"])
    (tmp_path / "set" / "data").mkdir(parents=True)
    for part in ("train", "test"):
        rows.to_parquet(tmp_path / "set" / "data" / f"{part}-00000-of-00001.parquet")
    with pytest.raises(DataError, match=r"0\.png is in two splits; keep one"):
        read(tmp_path / "set")
    (tmp_path / "set" / "data" / "test-00000-of-00001.parquet").unlink()
    images = read(tmp_path / "set")
    assert images.image_ids == ("0.png", "1.png")
    assert images.read_image("1.png").size == (8, 8)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": ["a cat"]}, "its columns are image, text; expected image and caption"),
        ({"caption": [" "]}, r"row 0: empty caption of 0\.png"),
        ({"caption": ["a cat"], "split": ["holdout"]}, "split 'holdout' of 0.png; expected"),
    ],
)
def test_columns_that_cannot_be_used(tmp_path, columns, message):
    dataset(tmp_path, **columns).save_to_disk(tmp_path / "saved")
    with pytest.raises(DataError, match=message):
        read(tmp_path / "saved")


def test_what_is_no_data_set_of_images(tmp_path):
    Dataset.from_dict({"image": [1], "caption": ["a"]}).save_to_disk(tmp_path / "numbers")
    with pytest.raises(DataError, match="column image holds no images"):
        read(tmp_path / "numbers")
    dataset(tmp_path, caption=["a cat"]).save_to_disk(tmp_path / "saved")
    next((tmp_path / "saved").glob("*.arrow")).write_bytes(b"")
    with pytest.raises(DataError, match="not a readable data set") as error:
        read(tmp_path / "saved")
    assert "\n" not in str(error.value)


def test_a_data_set_from_the_hub(tmp_path, monkeypatch):
    rows = dataset(tmp_path, caption=["a cat", "a dog"], split=["train", "test"])
    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", lambda *args, **kwargs: None)
    monkeypatch.setattr("datasets.load_dataset", {"owner/name": {"test": rows}}.get)
    assert read("owner/name").split.tolist() == ["train", "test"]


def test_a_hub_that_cannot_be_reached(monkeypatch):
    def refuse(*args, **kwargs):
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", refuse)
    with pytest.raises(DataError, match="neither a folder nor a data set that") as error:
        read("owner/name")
    assert "\n" not in str(error.value)
