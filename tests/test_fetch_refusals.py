"""What cannot be fetched ends in one line; other repositories, and files that others put there."""

import csv
import io
import time
from pathlib import Path

import photograph_folders as folders
import pytest
import stand_in_hub
from huggingface_hub import constants
from stand_in_hub import NOT_NEEDED, archive, asked_for, at, flickr8k, flickr30k

from clipsim.data.photographs.flickr import photographs

hub = pytest.fixture(stand_in_hub.served)
fetched = pytest.fixture(stand_in_hub.fetch_command)


@pytest.mark.parametrize("offline", [False, True])
def test_closed_network(fetched, monkeypatch, tmp_path, offline):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    at(monkeypatch, port=9)  # nobody listens there
    began = time.monotonic()
    status, output, line = fetched("flickr8k")
    assert time.monotonic() - began < 5
    assert status == 2
    assert output == ""
    assert line.startswith("the Hugging Face hub cannot be reached (")
    assert line.endswith(
        "download by hand the folder data of https://huggingface.co/datasets/jxie/flickr8k, "
        "put it into data/flickr8k and pass -p data_root=data/flickr8k"
    )
    assert list(tmp_path.iterdir()) == []
    _, _, line = fetched("flickr30k", "--repo", "owner/name")
    assert "the files of https://huggingface.co/datasets/owner/name, put" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--repo", "no/such"], "no/such at main: the hub has no such data set"),
        (["--repo", "a/b/c"], "a/b/c at main: the hub has no such data set"),
        (["--revision", "v9"], "jxie/flickr8k at v9: the hub has no such data set"),
        ([], "jxie/flickr8k has no files that can be used (data/*.parquet)"),
    ],
)
def test_nothing_to_fetch(hub, fetched, words, message):
    hub.files = NOT_NEEDED
    status, _, line = fetched("flickr8k", *words)
    assert status == 2
    assert line.startswith(message)
    assert not Path("data").exists()


def test_another_repository_in_another_layout(hub, fetched):
    hub.repos.append("owner/name")
    rows = io.StringIO()
    csv.writer(rows).writerows([("image", "caption"), *folders.caption_rows()])
    names = folders.names()
    hub.files = {
        "captions.txt": rows.getvalue().encode(),
        "Images.zip": archive(names, "Images/"),
        "model.bin": b"something else",
    }
    status, output, _ = fetched("flickr8k", "--repo", "owner/name", "--to", "set")
    assert status == 0
    assert "Flickr8k, 30 pictures\n" in output
    assert "model.bin" not in asked_for(hub)
    assert photographs(folders.profile("set")).image_ids == tuple(sorted(names))
    status, _, line = fetched("flickr8k", "--to", "set", "--repo", "jxie/flickr8k")
    assert status == 2
    assert line == "set holds owner/name at 01234567; pass another --to FOLDER"


def test_pictures_without_file_names_are_told(hub, fetched):
    hub.files = flickr8k(named=False)
    status, output, _ = fetched("flickr8k")
    assert status == 0
    assert "30 pictures, not called by their file names: neither the human judgments" in output


def test_files_of_others_are_not_touched(hub, fetched):
    hub.files = flickr8k()
    Path("set").mkdir()
    Path("set", "mine.txt").write_text("mine")
    status, _, line = fetched("flickr8k", "--to", "set")
    assert status == 2
    assert line == "set has files that fetch did not put there; pass --to FOLDER"
    assert [p.name for p in Path().iterdir()] == ["set"]
    Path("set", "mine.txt").unlink()
    assert fetched("flickr8k", "--to", "set")[0] == 0


@pytest.mark.parametrize(
    ("path", "data", "message"),
    [
        ("flickr30k-images.zip", archive(["../../0.jpg"]), "does not stay in the folder"),
        ("flickr30k-images.zip", archive(["0.jpg"], "/"), "does not stay in the folder"),
        ("flickr30k-images.zip", b"no archive", "flickr30k-images.zip: cannot be unpacked (Bad"),
        (
            "flickr30k-images.zip",
            archive([])[:40],
            "flickr30k-images.zip: cannot be unpacked (Bad",
        ),
        ("flickr30k-images.zip", archive(["x.jpg"]), "names 10 images, 0.jpg the first, and none"),
        ("flickr_annotations_30k.csv", b"raw,split\n", "no column filename"),
        (
            "flickr_annotations_30k.csv",
            b"raw,split,filename\n1,train,a\n",
            "csv:2: raw is no list",
        ),
        ("flickr_annotations_30k.csv", b"raw,split,filename\n\xff", "30k.csv:2: not UTF-8"),
    ],
)
def test_files_that_cannot_be_used(hub, fetched, tmp_path, path, data, message):
    hub.files = flickr30k() | {path: data}
    status, _, line = fetched("flickr30k", "--to", "set")
    assert status == 2
    assert message in line
    assert [p.name for p in Path().iterdir()] == ["set.part"]
    assert not list(tmp_path.glob("*.jpg"))


def test_a_name_that_leads_out_of_the_folder(hub, fetched, tmp_path):
    hub.files = {"data/../../../escaped.parquet": b"x"}
    status, _, line = fetched("flickr8k")
    assert status == 2
    assert "does not stay in the folder" in line
    assert [p.name for p in tmp_path.rglob("*escaped*")] == []
