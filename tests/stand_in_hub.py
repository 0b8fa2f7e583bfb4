"""A stand-in for the Hugging Face hub: a server on this machine with the hub's two endpoints.

`served` and `fetch_command` are made fixtures, `hub` and `fetched`, by the tests that want them.
"""

import csv
import hashlib
import io
import json
import re
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import photograph_folders as folders
import PIL.Image
from datasets import Dataset, Features, Image, Value
from huggingface_hub import constants

from clipsim.__main__ import main
from clipsim.data.photographs import fetch

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


def served(monkeypatch, tmp_path):
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


def fetch_command(capsys):
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
