"""The store: nothing is encoded twice, nothing lost, and no other model's vectors are taken."""

import signal
import threading

import numpy as np
import pytest
from own_pictures import noise_pictures, tiny_checkpoint
from PIL import Image

from clipsim.data import DataError, picture_folder
from clipsim.data import pictures as images
from clipsim.data.pictures import preprocessed, read_picture
from clipsim.model import features as encoding
from clipsim.model.state import EncodingInterrupted
from clipsim.record import StaleError
from clipsim.retrieval import store
from clipsim.retrieval.store import encode, load_store


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
    names = []

    def pixels(file):
        names.append(file.path.name)
        return _pixels(file)

    _pixels = encoding._pixels
    monkeypatch.setattr(encoding, "_pixels", pixels)
    return names


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(store, "PICTURES_PER_SHARD", 8)


def alone(model, path):
    """The vector of a picture, encoded by itself."""
    return model.encode_images(preprocessed(read_picture(path))[None])[0]


def test_every_picture_has_its_vector_and_the_broken_are_named(model, photos, tmp_path):
    encoded = encode(model, picture_folder(photos), tmp_path / "store")
    assert len(encoded.names) == len(encoded.vectors) == encoded.n_new == 40
    assert encoded.vectors.dtype == np.float32
    for name, vector in zip(encoded.names, encoded.vectors, strict=True):
        np.testing.assert_allclose(vector, alone(model, photos / name), atol=1e-6)
    assert list(encoded.broken) == ["empty.jpg", "more/text.png"]
    assert "empty file" in encoded.broken["empty.jpg"]
    stored = load_store(tmp_path / "store", model)
    assert (stored.names, stored.broken) == (encoded.names, encoded.broken)
    np.testing.assert_array_equal(stored.vectors, encoded.vectors)


def test_what_is_there_is_not_read_again(model, photos, tmp_path, read):
    encode(model, picture_folder(photos), tmp_path / "store")
    assert len(read) == 42
    before = (tmp_path / "store" / store.FILE).stat()
    again = encode(model, picture_folder(photos), tmp_path / "store")
    assert (len(read), again.n_new, len(again.names), len(again.broken)) == (42, 0, 40, 2)
    assert (tmp_path / "store" / store.FILE).stat() == before


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

    opened = images.Image.open
    monkeypatch.setattr(images.Image, "open", locked)
    encoded = encode(model, picture_folder(photos), tmp_path / "store")
    assert "Permission denied" in encoded.broken["3.png"]
    monkeypatch.setattr(images.Image, "open", opened)
    encoded = encode(model, picture_folder(photos), tmp_path / "store")
    assert (encoded.n_new, list(encoded.broken)) == (1, ["empty.jpg", "more/text.png"])
    np.testing.assert_allclose(
        encoded.vectors[encoded.names.index("3.png")], alone(model, photos / "3.png"), atol=1e-6
    )


def test_added_to_a_store_or_encoded_at_once_the_bytes_are_the_same(
    model, photos, tmp_path, small_shards
):
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
    grown, at_once = (tmp_path / name / store.FILE for name in ("grown", "at once"))
    assert grown.read_bytes() == at_once.read_bytes()


def test_captions_are_encoded_once_each(model, tmp_path):
    captions = ["a dog on a mat", "two cats", "a dog on a mat", "", "Übung “zwei”"]
    encoded = encode(model, captions, tmp_path)
    assert encoded.names == ("a dog on a mat", "two cats", "", "Übung “zwei”")
    np.testing.assert_allclose(encoded.vectors, model.encode_texts(encoded.names), atol=1e-6)
    more = encode(model, [*captions, "a bird"], tmp_path)
    assert (more.n_new, len(more.names)) == (1, 5)
    np.testing.assert_array_equal(more.vectors[:4], encoded.vectors)


def test_another_models_store_is_left_alone(model, photos, tmp_path):
    encode(model, picture_folder(photos), tmp_path / "store")
    before = (tmp_path / "store" / store.FILE).read_bytes()
    other = tiny_checkpoint(tmp_path / "other", seed=1)
    with pytest.raises(StaleError, match=r"another checkpoint .*into another folder"):
        encode(other, picture_folder(photos), tmp_path / "store")
    with pytest.raises(StaleError, match="another checkpoint"):
        load_store(tmp_path / "store", other)
    with pytest.raises(StaleError, match=r"another source \(pictures, not captions\)"):
        encode(model, ["a dog"], tmp_path / "store")
    assert (tmp_path / "store" / store.FILE).read_bytes() == before


def test_shards_of_another_model_are_left_alone_too(model, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_merge", lambda *_: None)
    with pytest.raises(StaleError, match="is missing"):  # since nothing was merged
        encode(model, picture_folder(photos), tmp_path / "store")
    other = tiny_checkpoint(tmp_path / "other", seed=1)
    with pytest.raises(StaleError, match="another checkpoint"):
        encode(other, picture_folder(photos), tmp_path / "store")


def test_an_interruption_keeps_what_is_encoded(model, photos, tmp_path, small_shards, monkeypatch):
    def interrupted(path, *rest):
        write(path, *rest)
        signal.raise_signal(signal.SIGINT)

    write = store.write_vectors
    monkeypatch.setattr(store, "write_vectors", interrupted)
    with pytest.raises(EncodingInterrupted, match=r"8 of 42 done.*run the same again"):
        encode(model, picture_folder(photos), tmp_path / "store")
    monkeypatch.setattr(store, "write_vectors", write)
    encoded = encode(model, picture_folder(photos), tmp_path / "store")
    assert (encoded.n_new, len(encoded.names), len(encoded.broken)) == (32, 40, 2)
    assert not (tmp_path / "store" / store.SHARDS).exists()


def test_a_second_command_waits_for_the_first(model, photos, tmp_path, capsys):
    results = []
    second = threading.Thread(
        target=lambda: results.append(encode(model, picture_folder(photos), tmp_path / "store"))
    )
    with store._sole_writer(tmp_path / "store"):
        second.start()
        second.join(0.5)
        assert second.is_alive()
        assert not (tmp_path / "store" / store.FILE).exists()
    second.join(60)
    assert len(results[0].names) == 40
    assert "waiting for another encoding" in capsys.readouterr().err


def test_processes_that_do_not_see_the_folder_are_told(model, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_encode_shards", lambda *_: None)
    with pytest.raises(DataError, match=r"lacks 42 of 42 vectors .*must see this folder"):
        encode(model, picture_folder(photos), tmp_path / "store")


def test_a_store_that_cannot_be_written_is_one_line(model, photos, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file cannot be written"):
        encode(model, picture_folder(photos), tmp_path / "file")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "write_vectors", full)
    with pytest.raises(DataError, match=r"No space left.*what is encoded is kept"):
        encode(model, picture_folder(photos), tmp_path / "store")


def test_a_damaged_store_is_named(model, photos, tmp_path):
    encode(model, picture_folder(photos), tmp_path / "store")
    path = tmp_path / "store" / store.FILE
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(StaleError, match="is damaged"):
        encode(model, picture_folder(photos), tmp_path / "store")


def test_a_folder_of_broken_pictures_alone(model, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    encoded = encode(model, picture_folder(tmp_path / "photos"), tmp_path / "store")
    assert encoded.names == ()
    assert encoded.vectors.shape == (0, model.profile.embedding_dim)
    assert list(encoded.broken) == ["a.jpg"]


def test_what_else_is_in_the_folder_of_a_store_stays(model, photos):
    theirs = photos / "shards" / "train-0001.tar"
    theirs.parent.mkdir()
    theirs.write_text("not ours")
    encode(model, picture_folder(photos), photos)
    encode(model, picture_folder(photos), photos)
    assert theirs.read_text() == "not ours"
    assert len(load_store(photos, model).names) == 40


def test_what_drops_out_is_counted(model, tmp_path):
    encode(model, ["a dog", "a cat", "a boat"], tmp_path)
    again = encode(model, ["a dog", "a tree"], tmp_path)
    assert (again.names, again.n_new, again.n_dropped) == (("a dog", "a tree"), 1, 2)
    assert (again.source, load_store(tmp_path, model).source) == ("captions", "captions")
