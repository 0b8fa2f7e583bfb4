"""Fetching from a stand-in for the hub: a folder that is copied in place of a download."""

import csv
import io
import json
import shutil
import zipfile
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace

import photograph_folders as folders
import pytest
from huggingface_hub.errors import HFValidationError
from PIL import Image as Picture

from clipsim.data import DataError, fetch


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """What a repository holds, a folder; the caller's folder is an empty one."""
    repo = tmp_path / "repo"
    repo.mkdir()
    (repo / "README.md").write_text("a card")

    def snapshot_download(name, *, repo_type, revision, local_dir, allow_patterns):
        assert (repo_type, revision) == ("dataset", "0123abcd")
        for path in repo.rglob("*"):
            wanted = any(fnmatch(path.relative_to(repo), p) for p in allow_patterns)
            if path.is_file() and wanted:
                target = Path(local_dir, path.relative_to(repo))
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
        Path(local_dir, ".cache", "huggingface").mkdir(parents=True, exist_ok=True)

    info = SimpleNamespace(sha="0123abcd")
    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", lambda *_, **__: info)
    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return repo


def jpeg(seed):
    stream = io.BytesIO()
    Picture.new("RGB", (8, 8), (8 * seed, 0, 0)).save(stream, "JPEG")
    return stream.getvalue()


def archive(names):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for seed, name in enumerate(names):
            packed.writestr(name, jpeg(seed))
        packed.writestr("__MACOSX/._1.jpg", b"not a picture")
    return stream.getvalue()


def write_flickr8k(repo):
    """The files of a repository like jxie/flickr8k."""
    (repo / "data").mkdir()
    for part, table in folders.hugging_face_parts(repo).items():
        table.to_parquet(repo / "data" / f"{part}-00000-of-00001.parquet")


def write_flickr30k(repo):
    """The files of a repository like nlphuji/flickr30k."""
    names = [f"{n}.jpg" for n in range(10)]
    with (repo / "flickr_annotations_30k.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("raw", "sentids", "split", "filename", "img_id"))
        for n, name in enumerate(names):
            captions = json.dumps([f'Caption {n}, "quoted" .', "ein Übungsbild"])
            writer.writerow((captions, "[0, 1]", "train" if n < 8 else "test", name, n))
    (repo / "flickr30k-images.zip").write_bytes(archive([f"flickr30k-images/{n}" for n in names]))


def test_flickr8k(hub):
    write_flickr8k(hub)
    said = fetch("flickr8k", "data/flickr8k")
    assert said[0] == "data/flickr8k: Flickr8k, 30 pictures"
    assert "visual_sts.v2.0.all.tsv" in said[-2]  # whence the pairs seen side by side
    assert "Hodosh, Young and Hockenmaier" in said[-1]
    assert "research and education only" in said[-1]
    assert [p.name for p in Path("data").iterdir()] == ["flickr8k"]
    images = folders.read("data/flickr8k")
    assert dict(zip(images.image_ids, images.split, strict=True)) == folders.splits()
    assert images.captions[0] == tuple(folders.captions(folders.names()[0]))


def test_flickr30k_and_both_side_by_side_are_the_papers_data(hub):
    write_flickr8k(hub)
    write_flickr30k(hub)
    said = fetch("flickr30k", "data/flickr30k")
    assert said[0] == "data/flickr30k: Flickr30k, 10 pictures"
    found = {p.name for p in Path("data/flickr30k").iterdir()}
    assert found >= {"flickr30k-images", "flickr_annotations_30k.csv"}
    assert "flickr30k-images.zip" not in found
    images = folders.read("data/flickr30k")
    assert images.split.tolist() == ["train"] * 8 + ["test"] * 2
    assert images.captions[1] == ('Caption 1, "quoted" .', "ein Übungsbild")
    assert images.read_image("3.jpg").size == (8, 8)
    fetch("flickr8k", "data/flickr8k")
    assert len(folders.read("data")) == 40


def test_a_folder_that_has_files_is_read_and_left_as_it_is(hub, monkeypatch):
    write_flickr30k(hub)
    fetch("flickr30k", "set")
    Path("set", "ExpertAnnotations.txt").write_text("the user's own")
    assert fetch("flickr8k", "other", "a/b")[0] == "other: Flickr30k, 10 pictures"
    monkeypatch.setattr("huggingface_hub.snapshot_download", None)
    assert fetch("flickr30k", "set")[0] == "set: Flickr30k, 10 pictures"
    assert Path("set", "ExpertAnnotations.txt").is_file()
    Path("mine").mkdir()
    Path("mine", "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="mine: no captions found"):
        fetch("flickr30k", "mine")


@pytest.mark.parametrize(
    ("path", "data", "message"),
    [
        ("flickr30k-images.zip", b"no archive", r"flickr30k-images\.zip: cannot be unpacked"),
        ("flickr30k-images.zip", archive(["../../0.png"]), "names 10 images, .* none is in set"),
        ("flickr_annotations_30k.csv", b"raw,split\n", "the header is 'raw,split'; expected raw,"),
    ],
)
def test_what_cannot_be_read_is_named(hub, tmp_path, path, data, message):
    write_flickr30k(hub)
    (hub / path).write_bytes(data)
    with pytest.raises(DataError, match=message):
        fetch("flickr30k", "set")
    assert not list(tmp_path.glob("*.png"))
    assert not Path("set").exists()  # what came is in set.part, and is fetched again


@pytest.mark.parametrize("error", [ConnectionError("no route\nto host"), HFValidationError("a/b")])
def test_a_hub_that_gives_nothing_is_one_line(hub, monkeypatch, error):
    def refuse(*args, **options):
        raise error

    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", refuse)
    said = r"did not give jxie/flickr8k \(.*download data/\*\.parquet of https://huggingface"
    with pytest.raises(DataError, match=said) as caught:
        fetch("flickr8k", "set")
    assert "\n" not in str(caught.value)
    assert not list(Path().iterdir())
