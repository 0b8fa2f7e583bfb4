"""Fetching from a stand-in for the hub: what arrives, what is interrupted, what is damaged."""

import hashlib
import json
from pathlib import Path

import photograph_folders as folders
import pytest
import stand_in_hub
from huggingface_hub import constants, file_download
from stand_in_hub import COMMIT, NOT_NEEDED, TRAIN, asked_for, flickr8k, flickr30k

from clipsim import profile as config
from clipsim.data.photographs.flickr import photographs

hub = pytest.fixture(stand_in_hub.served)
fetched = pytest.fixture(stand_in_hub.fetch_command)


def interrupt(monkeypatch, n_bytes):
    """The next download that gets so far ends as by Ctrl-C."""
    download = file_download.http_get
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 100)

    class Stream:
        def __init__(self, stream):
            self.stream = stream

        def write(self, chunk):
            self.stream.write(chunk)
            if self.stream.tell() >= n_bytes:
                monkeypatch.setattr(file_download, "http_get", download)
                raise KeyboardInterrupt

    monkeypatch.setattr(
        file_download,
        "http_get",
        lambda url, stream, **options: download(url, Stream(stream), **options),
    )


def test_flickr8k(hub, fetched, tmp_path):
    hub.files = flickr8k() | NOT_NEEDED
    status, output, _ = fetched("flickr8k")
    assert status == 0
    assert sorted(asked_for(hub)) == sorted(flickr8k())
    folder = tmp_path / "here" / "data" / "flickr8k"
    assert "data/flickr8k: 30 pictures\n" in output
    assert "Hodosh, Young and Hockenmaier" in output
    assert "research and education only" in " ".join(output.split())
    command = output.splitlines()[-1]
    assert command.startswith("next: python -m clipsim run --profile flickr8k -p data_root=data/")
    assert config.read_overrides([command.split()[-1]]) == {"data_root": str(folder)}

    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["repo"] == "jxie/flickr8k"
    assert manifest["revision"] == COMMIT
    listed = {e["file"]: (e["size"], e["sha256"]) for e in manifest["files"]}
    assert listed == {
        name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in flickr8k().items()
    }
    assert {p.name for p in folder.iterdir()} == {"data", "manifest.json"}
    assert [p.name for p in folder.parent.iterdir()] == ["flickr8k"]

    images = photographs(folders.profile(folder))
    assert images.image_ids == tuple(sorted(folders.names()))
    assert dict(zip(images.image_ids, images.split, strict=True)) == folders.splits()
    assert images.captions[0] == tuple(folders.captions(folders.names()[0]))


def test_a_whole_folder_is_checked_without_the_hub(hub, fetched):
    hub.files = flickr8k()
    fetched("flickr8k", "--to", "set")
    hub.requests.clear()
    hub.files = {}
    status, output, _ = fetched("flickr8k", "--to", "set")
    assert status == 0
    assert "set: jxie/flickr8k at 01234567, every file as in manifest.json" in output
    assert hub.requests == []


def test_flickr30k(hub, fetched, tmp_path):
    hub.files = flickr30k() | NOT_NEEDED
    status, output, _ = fetched("flickr30k", "--to", "sets/flickr30k")
    assert status == 0
    assert sorted(asked_for(hub)) == sorted(flickr30k())
    assert "Flickr30k, 10 pictures\n" in output
    assert "Young, Lai, Hodosh and Hockenmaier" in " ".join(output.split())
    folder = tmp_path / "here" / "sets" / "flickr30k"
    found = {p.name for p in folder.iterdir()}
    assert found == {"captions.csv", "flickr30k-images", "manifest.json"}
    images = photographs(folders.profile(folder))
    assert images.name == "Flickr30k"
    assert images.split.tolist() == ["train"] * 8 + ["test"] * 2
    assert images.captions[1] == ('Caption 1, "quoted" .', "ein Übungsbild")
    assert images.read_image("3.jpg").size == (8, 8)


def test_both_side_by_side_are_the_papers_data(hub, fetched):
    hub.files = flickr8k() | flickr30k()
    fetched("flickr8k")
    _, output, _ = fetched("flickr30k")
    assert "next: python -m clipsim run --profile paper -p data_root=data\n" in output
    found = photographs(folders.profile("data"))
    assert len(found.image_ids) == 40


def test_an_interrupted_download_goes_on(hub, fetched, monkeypatch, tmp_path):
    hub.files = flickr30k()
    n_bytes = len(hub.files["flickr30k-images.zip"])
    interrupt(monkeypatch, 300)
    status, _, line = fetched("flickr30k", "--to", "my set")
    assert status == 130
    assert line == (
        "interrupted, nothing is lost; continue with: "
        "python -m clipsim fetch flickr30k --to 'my set'"
    )
    assert not (tmp_path / "here" / "my set").exists()
    interrupt(monkeypatch, n_bytes - 100)
    assert fetched("flickr30k", "--to", "my set")[0] == 130
    hub.requests.clear()
    status, output, _ = fetched("flickr30k", "--to", "my set")
    assert status == 0
    assert "Flickr30k, 10 pictures" in output
    ((name, start),) = hub.requests
    assert name == "flickr30k-images.zip"
    assert n_bytes - 200 < start < n_bytes
    assert [p.name for p in (tmp_path / "here").iterdir()] == ["my set"]


def test_a_file_that_arrives_damaged_is_not_kept(hub, fetched, tmp_path):
    hub.files = flickr30k()
    hub.damaged = {"flickr30k-images.zip"}
    status, _, line = fetched("flickr30k", "--to", "set")
    assert status == 2
    assert line == "flickr30k-images.zip: arrived damaged; run the same command again"
    assert not (tmp_path / "here" / "set").exists()
    hub.damaged = {"flickr_annotations_30k.csv"}
    asked_for(hub)
    assert fetched("flickr30k", "--to", "set")[0] == 0
    assert asked_for(hub) == ["flickr30k-images.zip"]


def test_what_another_revision_left_does_not_stay(hub, fetched, tmp_path):
    parts = flickr8k()
    hub.files = {"data/old.parquet": parts[TRAIN], **parts}
    hub.damaged = {TRAIN}
    assert fetched("flickr8k", "--to", "set")[0] == 2
    assert (tmp_path / "here" / "set.part" / "data" / "old.parquet").is_file()
    hub.files, hub.commit, hub.damaged = parts, "f" * 40, set()
    assert fetched("flickr8k", "--to", "set")[0] == 0
    found = (tmp_path / "here" / "set").glob("data/*")
    assert {f"data/{path.name}" for path in found} == set(parts)


class TestDamagedFiles:
    def test_are_named_and_alone_fetched_again(self, hub, fetched):
        hub.files = flickr8k()
        fetched("flickr8k", "--to", "set")
        asked_for(hub)
        damaged = bytearray(hub.files[TRAIN])
        damaged[100] ^= 1
        Path("set", TRAIN).write_bytes(damaged)
        status, output, _ = fetched("flickr8k", "--to", "set")
        assert status == 0
        assert f"damaged: {TRAIN}; fetching again" in output
        assert asked_for(hub) == [TRAIN]
        assert Path("set", TRAIN).read_bytes() == hub.files[TRAIN]
        assert not Path("set", ".fetch").exists()

    def test_pictures_come_from_their_archive(self, hub, fetched):
        hub.files = flickr30k()
        fetched("flickr30k", "--to", "set")
        pictures = Path("set", "flickr30k-images")
        whole = (pictures / "3.jpg").read_bytes()
        other = (pictures / "1.jpg").stat().st_ino
        (pictures / "3.jpg").write_bytes(b"")
        (pictures / "4.jpg").unlink()
        Path("set", "ExpertAnnotations.txt").write_text("the user's own")
        asked_for(hub)
        status, output, _ = fetched("flickr30k", "--to", "set")
        assert status == 0
        assert "damaged: flickr30k-images/3.jpg, flickr30k-images/4.jpg; fetching" in output
        assert asked_for(hub) == ["flickr30k-images.zip"]
        assert (pictures / "3.jpg").read_bytes() == whole
        assert (pictures / "4.jpg").is_file()
        assert (pictures / "1.jpg").stat().st_ino == other
        assert Path("set", "ExpertAnnotations.txt").is_file()

    def test_captions_come_from_the_annotations(self, hub, fetched):
        hub.files = flickr30k()
        fetched("flickr30k", "--to", "set")
        whole = Path("set", "captions.csv").read_bytes()
        Path("set", "captions.csv").write_bytes(whole[:-9])
        asked_for(hub)
        assert fetched("flickr30k", "--to", "set")[0] == 0
        assert Path("set", "captions.csv").read_bytes() == whole
        assert asked_for(hub) == ["flickr_annotations_30k.csv"]

    def test_manifest(self, hub, fetched):
        hub.files = flickr30k()
        fetched("flickr30k", "--to", "set")
        Path("set", "manifest.json").write_text('{"files": [')
        status, _, line = fetched("flickr30k", "--to", "set")
        assert status == 2
        assert line.startswith("set/manifest.json: JSONDecodeError")
        assert line.endswith("remove set and fetch again")
