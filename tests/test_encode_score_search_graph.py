"""`encode`, `score`, `search` and `graph` on a user's folder of mixed and broken pictures."""

import io
import json
import shutil
import sys
from itertools import combinations

import numpy as np
import pytest
from own_pictures import BROKEN, GOOD, POOL, described_checkpoint, mixed_pictures
from reference import eq_4

from clipsim.__main__ import main
from clipsim.data.pictures import preprocessed, read_picture
from clipsim.model import features as encoding
from clipsim.model.clip import DualEncoder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clipsim.model.features.CACHE", tmp_path_factory.mktemp("cache"))
        return described_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def photos(tmp_path):
    return mixed_pictures(tmp_path / "my photos")


@pytest.fixture
def call(checkpoint, tmp_path, monkeypatch, capsys):
    """Run a command on the tiny model; its status, what stdout has (JSON read), and stderr."""
    for module in ("pictures.chosen_model", "model.features"):
        monkeypatch.setattr(f"clipsim.{module}.CACHE", tmp_path / "cache")

    def call(*words):
        capsys.readouterr()
        status = main([*map(str, words), "--checkpoint", str(checkpoint)])
        out, err = capsys.readouterr()
        return status, json.loads(out) if "--json" in words else out, err

    return call


def by_hand(checkpoint, paths, n):
    """The n descriptions of each picture, encoded by itself, and their vectors."""
    model = DualEncoder.load(checkpoint)
    pool = model.encode_texts(POOL)
    texts, vectors = [], []
    for path in paths:
        image = model.encode_images(preprocessed(read_picture(path))[None])[0]
        best = np.argsort(-(pool @ image), kind="stable")[:n]
        texts.append([POOL[i] for i in best])
        vectors.append(pool[best])
    return texts, vectors


def test_the_score_is_eq_4_of_the_descriptions_shown(call, checkpoint, photos):
    a, b = photos / "photo.jpg", photos / "web.webp"
    status, found, _ = call("score", a, b, "--json", "--threshold", "-0.5", "-n", 4)
    texts, vectors = by_hand(checkpoint, [a, b], 4)
    assert (status, found["a"], found["b"], found["alike"]) == (0, str(a), str(b), True)
    assert found["score"] == pytest.approx(eq_4(*vectors), abs=1e-5)
    shown = [[d["text"] for d in picture["descriptions"]] for picture in found["pictures"]]
    assert shown == texts
    cosines = {
        (text_a, text_b): float(u @ v)
        for text_a, u in zip(texts[0], vectors[0], strict=True)
        for text_b, v in zip(texts[1], vectors[1], strict=True)
    }
    ranked = sorted(cosines.values(), reverse=True)
    for which, expected in (("most", ranked[:5]), ("least", ranked[:-6:-1])):
        np.testing.assert_allclose([row["cosine"] for row in found[which]], expected, atol=1e-5)
        for row in found[which]:
            assert cosines[row["a"], row["b"]] == pytest.approx(row["cosine"], abs=1e-5)
    assert found["model"]["n_descriptions"] == 4


def test_a_verdict_needs_a_threshold(call, photos):
    a, b = photos / "photo.jpg", photos / "web.webp"
    assert "no threshold" in call("score", a, b)[1]
    for threshold, word in (("-1", "alike"), ("2", "different")):
        assert call("score", a, b, "--threshold", threshold)[1].splitlines()[0].endswith(word)
    status, out, err = call("graph", photos)
    assert (status, out) == (2, "")
    assert "pass --threshold" in err


def test_a_broken_picture_that_is_named_is_status_2(call, photos):
    for words in (["score", photos / GOOD[0]], ["search", photos, "--like"]):
        status, out, err = call(*words, photos / BROKEN[1])
        assert (status, out) == (2, "")
        assert "text.jpg: not a readable image" in err.splitlines()[-1]


def test_search_by_text_ranks_by_the_image_vectors(call, checkpoint, photos):
    status, found, err = call("search", photos, "a boat", "--json", "-k", 20)
    model = DualEncoder.load(checkpoint)
    pixels = np.stack([preprocessed(read_picture(photos / name)) for name in GOOD])
    expected = model.encode_images(pixels) @ model.encode_texts(["a boat"])[0]
    assert [row["name"] for row in found["found"]] == [GOOD[i] for i in np.argsort(-expected)]
    similarities = [row["similarity"] for row in found["found"]]
    np.testing.assert_allclose(similarities, np.sort(expected)[::-1], atol=1e-5)
    first, _ = by_hand(checkpoint, [photos / found["found"][0]["name"]], 1)
    assert found["found"][0]["description"] == first[0][0]
    assert (status, tuple(found["broken"])) == (0, BROKEN)
    assert all(name in err for name in BROKEN)
    assert err.endswith("left out: 3\n")


def test_graph_has_every_pair_and_every_picture(call, checkpoint, photos, tmp_path):
    _, vectors = by_hand(checkpoint, [photos / name for name in GOOD], 5)
    pairs = combinations(zip(GOOD, vectors, strict=True), 2)
    expected = {frozenset((a, b)): eq_4(of_a, of_b) for (a, of_a), (b, of_b) in pairs}
    threshold = float(np.median(list(expected.values())))
    out = tmp_path / "graph.csv"
    status, found, _ = call("graph", photos, "--json", "--threshold", threshold, "--out", out)
    edges = {pair for pair, score in expected.items() if score >= threshold}
    rows = [line.split(",") for line in out.read_text(encoding="utf-8").splitlines()[1:]]
    assert {frozenset(row[2:4]) for row in rows} == edges
    assert (status, found["n_edges"], tuple(found["broken"])) == (0, len(edges), BROKEN)
    for kind in ("components", "communities"):
        assert sorted(name for group in found[kind] for name in group["names"]) == sorted(GOOD)


def test_encodings_are_kept_and_the_users_folder_is_left_alone(call, photos, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in [photos, *photos.rglob("*")]}
    _, first, _ = call("search", photos, "a boat", "--json")
    with monkeypatch.context() as patch:
        patch.setattr(encoding, "_pixels", None)  # nothing is read again
        patch.chdir(photos.parent)
        assert call("search", f"{photos.name}/", "a boat", "--json")[1] == first
    assert {path: path.stat().st_mtime_ns for path in [photos, *photos.rglob("*")]} == before
    shutil.copy(photos / "web.webp", photos / "photo.jpg")
    _, changed, _ = call("search", photos, "a boat", "--json")
    similarity = {row["name"]: row["similarity"] for row in changed["found"]}
    assert similarity["photo.jpg"] == pytest.approx(similarity["web.webp"], abs=1e-5)


def test_a_terminal_without_the_characters_still_works(checkpoint, photos, call, monkeypatch):
    (photos / "line\nbreak \x1b[31m.png").write_bytes((photos / "transparent.png").read_bytes())
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    status = main(["search", str(photos), "a boat", "-k", "20", "--checkpoint", str(checkpoint)])
    said = written.getvalue().decode("ascii")
    assert status == 0
    assert "?nter ordner/???? 1.JPG" in said
    assert r"line\nbreak \x1b[31m.png" in said


def test_what_encode_stored_is_read_and_not_encoded_again(call, photos, tmp_path, monkeypatch):
    store, threshold = tmp_path / "store", ("--threshold", "0", "--json")
    assert "10 encoded now, 0 were there, 3 broken" in call("encode", photos, "--out", store)[1]
    expected = call("graph", photos, *threshold)[1]
    monkeypatch.setattr(encoding, "_pixels", None)
    found = call("graph", photos, *threshold, "--store", store)[1]
    assert found["n_edges"] == expected["n_edges"]
    assert found["components"] == expected["components"]
