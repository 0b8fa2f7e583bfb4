"""Vectors on disk: nothing is encoded twice, nothing lost, and no other model's are taken."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from own_pictures import noise_pictures, tiny_checkpoint
from PIL import Image

from clipsim.data import picture_folder, pictures, preprocessed, read_picture
from clipsim.model import features
from clipsim.record import StaleError
from clipsim.retrieval import encode, store
from clipsim.retrieval.store import load_store, read_vectors, write_vectors

MADE_BY = {"checkpoint": "a" * 64, "encoder": "minilm"}
NAMES = ["a dog", "двоє", "“quoted”, with\ttabs", os.fsdecode(b"caf\xe9.jpg")]
# Encodes, writing after each shard; kills itself in the middle of writing for the n-th time.
PROCESS = """
import os, signal, sys
from pathlib import Path
from clipsim import DualEncoder, record
from clipsim.data import picture_folder
from clipsim.model import study_accelerator
from clipsim.retrieval import store

photos, folder, checkpoint, kill_at = sys.argv[1:]
store.SHARD, store.SAVE_EVERY_S, written = 8, 0.0, 0

class Killing(type(Path())):
    def replace(self, target):
        global written
        written += 1
        if written == int(kill_at):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().replace(target)

record.Path = Killing
accelerator = study_accelerator()
model = DualEncoder.load(checkpoint)
store.encode(model, picture_folder(photos), folder, accelerator)
accelerator.wait_for_everyone()
os._exit(0)  # gloo may abort where its peer is gone first
"""


def test_named_vectors_come_back_as_they_were(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    write_vectors(tmp_path / "v.safetensors", vectors, NAMES, MADE_BY)
    found, names, record = read_vectors(tmp_path / "v.safetensors", MADE_BY)
    np.testing.assert_array_equal(found, vectors)
    assert (names, found.dtype, record) == (tuple(NAMES), np.float32, MADE_BY)
    write_vectors(tmp_path / "none.safetensors", np.empty((0, 3)), [], MADE_BY)
    found, names, _ = read_vectors(tmp_path / "none.safetensors", MADE_BY)
    assert (found.shape, names) == ((0, 3), ())


def test_missing_damaged_and_foreign_files_are_named(tmp_path):
    path = tmp_path / "v.safetensors"
    with pytest.raises(StaleError, match=r"v\.safetensors is missing"):
        read_vectors(path, MADE_BY)
    write_vectors(path, np.ones((1, 3)), ["a"], MADE_BY)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StaleError, match=r"v\.safetensors is damaged"):
        read_vectors(path, MADE_BY)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def photos(tmp_path):
    """40 pictures in two folders, and two that cannot be read."""
    noise_pictures(tmp_path / "photos", 30)
    noise_pictures(tmp_path / "photos" / "more", 10, first=30)
    (tmp_path / "photos" / "empty.jpg").touch()
    (tmp_path / "photos" / "more" / "text.png").write_text("no picture")
    return tmp_path / "photos"


@pytest.fixture
def read(monkeypatch):
    """Names of the files that are read from here on."""
    names, pixels = [], features._pixels
    monkeypatch.setattr(
        features, "_pixels", lambda file: names.append(file.path.name) or pixels(file)
    )
    return names


def alone(model, path):
    """The vector of a picture, encoded by itself."""
    return model.encode_images(preprocessed(read_picture(path))[None])[0]


def bytes_of(folder):
    return (folder / store.FILE).read_bytes()


def test_every_picture_is_read_once_and_the_broken_are_named(model, photos, tmp_path, read):
    encoded = encode(model, picture_folder(photos), tmp_path / "store")
    assert len(encoded.names) == len(encoded.vectors) == encoded.n_new == 40
    assert encoded.vectors.dtype == np.float32
    for name, vector in zip(encoded.names[::4], encoded.vectors[::4], strict=True):
        np.testing.assert_allclose(vector, alone(model, photos / name), atol=1e-6)
    assert list(encoded.broken) == ["empty.jpg", "more/text.png"]
    assert "empty file" in encoded.broken["empty.jpg"]
    before = (tmp_path / "store" / store.FILE).stat()
    again = encode(model, picture_folder(photos), tmp_path / "store")
    assert (len(read), again.n_new) == (42, 0)
    assert (tmp_path / "store" / store.FILE).stat() == before
    for stored in (again, load_store(tmp_path / "store", model)):
        assert (stored.names, stored.broken) == (encoded.names, encoded.broken)
        np.testing.assert_array_equal(stored.vectors, encoded.vectors)


def test_changed_mended_and_new_pictures_are_encoded_and_deleted_ones_drop_out(
    model, photos, tmp_path, read
):
    first = encode(model, picture_folder(photos), tmp_path / "store")
    read.clear()
    Image.new("RGB", (9, 9), "red").save(photos / "3.png")
    Image.new("RGB", (9, 9), "blue").save(photos / "empty.jpg")
    (photos / "17.png").unlink()
    (photos / "5.png").write_bytes(b"damaged now")
    noise_pictures(photos / "new", 2, first=50)
    second = encode(model, picture_folder(photos), tmp_path / "store")
    assert sorted(read) == ["3.png", "5.png", "50.png", "51.png", "empty.jpg"]
    assert second.n_new == 4
    assert list(second.broken) == ["5.png", "more/text.png"]
    expected = {*first.names, "empty.jpg", "new/50.png", "new/51.png"} - {"17.png", "5.png"}
    assert set(second.names) == expected
    of = dict(zip(second.names, second.vectors, strict=True))
    for name in ("3.png", "empty.jpg", "new/51.png", "more/30.png"):
        np.testing.assert_allclose(of[name], alone(model, photos / name), atol=1e-6)


def test_a_fault_of_the_system_is_not_remembered(model, photos, tmp_path, monkeypatch):
    def locked(source, name=None):
        if source.name == "3.png":
            raise PermissionError(13, "Permission denied", str(source))
        return opened(source)

    opened = pictures.Image.open
    monkeypatch.setattr(pictures.Image, "open", locked)
    encoded = encode(model, picture_folder(photos), tmp_path / "store")
    assert "Permission denied" in encoded.broken["3.png"]
    monkeypatch.setattr(pictures.Image, "open", opened)
    encoded = encode(model, picture_folder(photos), tmp_path / "store")
    assert (encoded.n_new, list(encoded.broken)) == (1, ["empty.jpg", "more/text.png"])
    vector = encoded.vectors[encoded.names.index("3.png")]
    np.testing.assert_allclose(vector, alone(model, photos / "3.png"), atol=1e-6)


def test_added_to_a_store_or_encoded_at_once_the_bytes_are_the_same(model, photos, tmp_path):
    held_back = photos.rename(tmp_path / "all")
    some = tmp_path / "photos"
    some.mkdir()
    for name in ("7.png", "2.png"):
        (held_back / name).rename(some / name)
        encode(model, picture_folder(some), tmp_path / "grown")
    for path in held_back.iterdir():
        path.rename(some / path.name)
    encode(model, picture_folder(some), tmp_path / "grown")
    encode(model, picture_folder(some), tmp_path / "at once")
    assert bytes_of(tmp_path / "grown") == bytes_of(tmp_path / "at once")


def test_another_models_store_is_left_alone(model, photos, tmp_path):
    other = tiny_checkpoint(tmp_path / "other", seed=1)
    encode(model, picture_folder(photos), tmp_path / "store")
    before = bytes_of(tmp_path / "store")
    with pytest.raises(StaleError, match=r"another checkpoint .*into another folder"):
        encode(other, picture_folder(photos), tmp_path / "store")
    with pytest.raises(StaleError, match="another checkpoint"):
        load_store(tmp_path / "store", other)
    assert bytes_of(tmp_path / "store") == before


def test_what_else_is_in_the_folder_of_a_store_stays(model, photos):
    theirs = photos / "shards" / "train-0001.tar"
    theirs.parent.mkdir()
    theirs.write_text("not ours")
    encode(model, picture_folder(photos), photos)
    encode(model, picture_folder(photos), photos)
    assert theirs.read_text() == "not ours"
    assert len(load_store(photos, model).names) == 40


def run(folder, root, kill_at=0, launcher=()):
    """`PROCESS` into a store."""
    (root / "process.py").write_text(PROCESS, encoding="utf-8")
    words = [root / "process.py", root / "photos", folder, root / "checkpoint", kill_at]
    command = [sys.executable, *launcher, *map(str, words)]
    here = Path(__file__).parent.parent
    return subprocess.run(command, capture_output=True, text=True, cwd=here)


def test_stopped_killed_or_shared_out_the_bytes_are_those_of_one_process(
    photos, tmp_path, monkeypatch, read
):
    model, source = tiny_checkpoint(tmp_path / "checkpoint"), picture_folder(photos)
    encode(model, source, tmp_path / "whole")
    folder = tmp_path / "killed"
    for n_done in (16, 32):  # of 42, in shards of 8
        done = run(folder, tmp_path, kill_at=3)
        assert done.returncode == -signal.SIGKILL, done.stderr
        stored = load_store(folder, model)
        assert len(stored.names) + len(stored.broken) == n_done
    noted = features._pixels

    def interrupted(file):
        if file.path == photos / "more" / "31.png":
            signal.raise_signal(signal.SIGINT)
        return noted(file)

    monkeypatch.setattr(store, "SHARD", 5)
    monkeypatch.setattr(features, "_pixels", interrupted)
    read.clear()
    with pytest.raises(KeyboardInterrupt, match=r"5 of 10 done, which are kept: run the same"):
        encode(model, source, folder)
    monkeypatch.setattr(features, "_pixels", noted)
    assert encode(model, source, folder).n_new == 4  # and one that is broken
    assert bytes_of(folder) == bytes_of(tmp_path / "whole")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = run(tmp_path / "shared", tmp_path, launcher=launcher)
    assert done.returncode == 0, done.stderr
    assert bytes_of(tmp_path / "shared") == bytes_of(tmp_path / "whole")


def test_the_number_of_threads_changes_no_bit(model, photos, tmp_path):
    threads, stores = torch.get_num_threads(), []
    try:
        for n in (1, 2, 3):
            torch.set_num_threads(n)
            encode(model, picture_folder(photos), tmp_path / f"{n}")
            stores.append(bytes_of(tmp_path / f"{n}"))
    finally:
        torch.set_num_threads(threads)
    assert stores[0] == stores[1] == stores[2]
