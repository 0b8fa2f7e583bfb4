"""Fetching from a stand-in for the hub: a server on this machine with the hub's two endpoints."""

import csv
import hashlib
import io
import json
import re
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import photograph_folders as folders
import PIL.Image
import pytest
from datasets import Dataset, Features, Image, Value
from huggingface_hub import constants, file_download

from clipsim import config, fetch
from clipsim.__main__ import main
from clipsim.data.flickr import photographs

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TRAIN = "data/train-00000-of-00001-42a2661d12c73e48.parquet"
NOT_NEEDED = {"README.md": b"a card", ".gitattributes": b"*.zip filter=lfs"}


class Hub(ThreadingHTTPServer):
    """One data set's files by path; `requests` are the files asked for, and from which byte."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.commit, self.files, self.requests, self.damaged = COMMIT, {}, [], set()
        self.repos = [source.repo for source in fetch.SOURCES.values()]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        hub, path = self.server, unquote(urlsplit(self.path).path)
        repo = re.sub(r"(?:/api)?/datasets/([^/]+/[^/]+)/.*", r"\1", path)
        if repo not in hub.repos:
            return self.reply(404, b"", {"X-Error-Code": "RepoNotFound"})
        if path.startswith("/api"):
            if path.endswith(("/revision/main", f"/revision/{hub.commit}")):
                return self.reply(200, self.listing(repo))
            return self.reply(404, b"", {"X-Error-Code": "RevisionNotFound"})
        name = path.partition(f"/resolve/{hub.commit}/")[2]
        start = int(re.fullmatch(r"(?:bytes=(\d+)-)?", self.headers.get("Range", ""))[1] or 0)
        hub.requests.append((name, start))
        data = hub.files[name]
        if name in hub.damaged:
            data = data[:-1] + bytes([data[-1] ^ 1])
        part = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self.reply(206 if start else 200, data[start:], {"Content-Range": part} if start else {})

    def listing(self, repo):
        files = self.server.files.items()
        siblings = [{"rfilename": p, "size": len(d), **hashes(p, d)} for p, d in files]
        return json.dumps({"id": repo, "sha": self.server.commit, "siblings": siblings}).encode()

    def reply(self, status, body, headers=None):
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def hashes(path, data):
    """As the hub gives them: of small files git's, of others also the sha256."""
    git = hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()
    if path.endswith((".csv", ".txt", ".md")):
        return {"blobId": git}
    sha256 = hashlib.sha256(data).hexdigest()
    return {"blobId": "0" * 40, "lfs": {"size": len(data), "sha256": sha256, "pointerSize": 134}}


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """An empty stand-in hub; the caller's folder is an empty one."""
    with Hub() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        at(monkeypatch, server.server_port)
        (tmp_path / "here").mkdir()
        monkeypatch.chdir(tmp_path / "here")
        monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))
        yield server
        server.shutdown()
        thread.join()


def at(monkeypatch, port):
    url = f"http://127.0.0.1:{port}"
    monkeypatch.setattr(constants, "ENDPOINT", url)
    template = f"{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


@pytest.fixture
def fetched(capsys):
    """Run `fetch` with the given arguments: exit status, what it printed, its error line."""

    def run(*words):
        status = main(["fetch", *words])
        output = capsys.readouterr()
        lines = re.split(r"[\r\n]+", output.err.strip())
        return status, output.out, lines[-1]

    return run


def picture(seed):
    stream = io.BytesIO()
    PIL.Image.new("RGB", (8, 8), (8 * seed, 0, 0)).save(stream, "JPEG")
    return stream.getvalue()


def archive(names, prefix="flickr30k-images/"):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for seed, name in enumerate(names):
            packed.writestr(prefix + name, picture(seed))
        packed.writestr("__MACOSX/._1.jpg", b"not a picture")
    return stream.getvalue()


def flickr8k(named=True):
    """The files of a repository like jxie/flickr8k."""
    texts = {f"caption_{k}": Value("string") for k in range(5)}
    files = {}
    for split, part in (("train", "train"), ("val", "validation"), ("test", "test")):
        rows = []
        for seed, name in enumerate(folders.names()):
            if folders.splits()[name] == split:
                captions = {f"caption_{k}": c for k, c in enumerate(folders.captions(name))}
                image = {"bytes": picture(seed), "path": name if named else None}
                rows.append({"image": image, **captions})
        stream = io.BytesIO()
        Dataset.from_list(rows, Features({"image": Image(), **texts})).to_parquet(stream)
        files[TRAIN.replace("train", part)] = stream.getvalue()
    return files


def flickr30k():
    """The files of a repository like nlphuji/flickr30k."""
    names = [f"{n}.jpg" for n in range(10)]
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(("raw", "sentids", "split", "filename", "img_id"))
    for n, name in enumerate(names):
        captions = json.dumps([f'Caption {n}, "quoted" .', "ein Übungsbild"])
        writer.writerow((captions, "[0, 1]", "train" if n < 8 else "test", name, n))
    return {
        "flickr_annotations_30k.csv": table.getvalue().encode(),
        "flickr30k-images.zip": archive(names),
    }


def asked_for(hub):
    names = [name for name, _ in hub.requests]
    hub.requests.clear()
    return names


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
