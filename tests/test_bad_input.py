"""Every kind of bad input that was tried: one line, status 2, and nothing lost or half-written."""

import json
import os
import resource
import shlex
import shutil
import sys

import photograph_folders as folders
import pytest
from datasets import Dataset, Features, Image, List, Value
from own_pictures import described_checkpoint, noise_pictures

from clipsim.__main__ import main

TRAIN = "train --profile smoke -p dataset=photographs -p pairs=captions -p data_root=data"
GRAPH = "graph photos --threshold 0 --out"
CAPTIONS = {"image": "caption", "a.jpg": "a dog"}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clipsim.model.features.CACHE", tmp_path_factory.mktemp("cache"))
        return described_checkpoint(tmp_path_factory.mktemp("model") / "model")


@pytest.fixture
def place(tmp_path, checkpoint, monkeypatch):
    """The current folder: three pictures in `photos`, a model, an empty folder `data`."""
    for module in ("pictures.index", "model.features", "data.pictures"):
        monkeypatch.setattr(f"clipsim.{module}.CACHE", tmp_path / "cache")
    place = tmp_path / "place"
    (place / "data").mkdir(parents=True)
    noise_pictures(place / "photos", 3)
    monkeypatch.chdir(place)
    return place


def called(words, checkpoint):
    """The status of a command; those on pictures use the model of `checkpoint`."""
    words = shlex.split(words) if isinstance(words, str) else list(words)
    on_pictures = {*words[:1]} & {"score", "search", "graph", "encode"}
    if on_pictures and "--checkpoint" not in words:
        words += ["--checkpoint", str(checkpoint)]
    return main(words)


def contents(place):
    files = (path for path in place.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in files}


# --- makers of inputs --------------------------------------------------------------------------


def file(name, content=b""):
    return lambda place: (place / name).write_bytes(content)


def link(place):
    (place / "loop.jpg").symlink_to("loop.jpg")


def captions(name, content, picture="a.jpg"):
    def make(place):
        folders.write_picture(place / "data" / picture)
        (place / "data" / name).write_bytes(content)

    return make


def rows(images=None, **columns):
    """A Hugging Face data set, of one picture unless `images` are given."""

    def make(place):
        folders.write_picture(place / "a.png")
        whole = {"bytes": (place / "a.png").read_bytes(), "path": "a.png"}
        found = {"image": images or [whole] * len(next(iter(columns.values()))), **columns}
        types = Features({"image": Image() if images is None else Value("int64")})
        for name, values in columns.items():
            kind = Value("int64" if isinstance(values[0], int) else "string")
            types[name] = List(kind) if isinstance(values[0], list) else kind
        Dataset.from_dict(found, features=types).save_to_disk(place / "data")

    return make


def damaged_rows(place):
    rows(caption=["a cat"])(place)
    next((place / "data").glob("*.arrow")).write_bytes(b"")


def handful(n):
    def make(place):
        lines = [f"{i}.jpg,picture {i}" for i in range(n)]
        for i in range(n):
            folders.write_picture(place / "data" / f"{i}.jpg", seed=i)
        (place / "data" / "captions.txt").write_text("\n".join(["image,caption", *lines]))

    return make


def two_that_fit(place):
    for seed, name in enumerate(("A.jpg", "a.jpg")):
        folders.write_picture(place / "data" / name, seed)
    (place / "data" / "captions.txt").write_text("image,caption\nA.JPG,a dog\n")


def same_size(place):
    for seed, folder in enumerate("xy"):
        (place / "data" / folder).mkdir()
        (place / "data" / folder / "a.jpg").write_bytes(b"%d" % seed)
    (place / "data" / "captions.txt").write_text("image,caption\na.jpg,a dog\n")


def one_name(place):
    for name in (rb"\xff.png", b"\xff.png"):
        shutil.copy("photos/0.png", os.fsencode(place / "photos") + b"/" + name)


def model(content=None, weights=None):
    """A copy of the model with another record, or other weights."""

    def make(place):
        shutil.copytree(place.parent / "model", place / "model", dirs_exist_ok=True)
        if content is not None:
            (place / "model" / "checkpoint.json").write_text(content)
        if weights is not None:
            (place / "model" / "model.safetensors").write_bytes(weights)

    return make


def nothing(place):
    pass


LONG = "a" * 300
WITH_MODEL = "search photos dog --checkpoint model"
ON_PICTURES = {
    "a link to itself": (link, "score loop.jpg photos/0.png", "loop.jpg: Too many levels"),
    "a link to itself, searched": (link, "search photos --like loop.jpg", "jpg: Too many levels"),
    "a link to itself, encoded": (
        link,
        "encode loop.jpg --out s",
        "loop.jpg: cannot be read (Too",
    ),
    "a name too long": (nothing, f"score {LONG} photos/0.png", "a: File name too long"),
    "a folder's name too long": (nothing, f"search {LONG} dog", "a: File name too long"),
    "a file's name too long": (nothing, f"encode {LONG} --out s", "a: File name too long"),
    "no such picture": (nothing, "score photos/0.png gone.jpg", "gone.jpg: No such file"),
    "no such picture, searched": (nothing, "search photos --like gone.jpg", "No such file"),
    "a folder": (nothing, "score photos photos/0.png", "photos: a folder; search and graph"),
    "a folder, searched": (nothing, "search photos --like data", "data: a folder; search"),
    "a pipe": (lambda place: os.mkfifo(place / "p.jpg"), "score p.jpg photos/0.png", ": no file"),
    "an address": (nothing, "score https://a.org/b.jpg photos/0.png", "b.jpg: an address; downl"),
    "an address, searched": (nothing, "search photos --like http://a.org/b", "an address; downl"),
    "an address of a folder": (
        nothing,
        "search ftp://a.org/b dog",
        "//a.org/b: an address; downl",
    ),
    "an address, encoded": (nothing, "encode file:///b --out s", "///b: an address; download"),
    "an address of data": (nothing, f"{TRAIN}=https://a.org/b -p data_root=https://a.org", "addr"),
    "an empty file": (
        file("e.jpg"),
        "score e.jpg photos/0.png",
        "e.jpg: not a readable image (em",
    ),
    "text": (
        file("t.jpg", b"text"),
        "score t.jpg photos/0.png",
        "t.jpg: not a readable image (of",
    ),
    "half a picture": (
        file("h.png", b"\x89PNG\r\n"),
        "search photos --like h.png",
        "h.png: not a",
    ),
    "an iPhone's": (
        file("i.heic", b"heic"),
        "score i.heic photos/0.png",
        "no .heic here; save it",
    ),
    "one picture": (nothing, "score photos/0.png", "score needs two pictures or more"),
    "a file for a folder": (nothing, "search photos/0.png dog", "0.png: is a file; name a folder"),
    "no such folder": (nothing, "graph gone --threshold 0", "gone: there is no such folder"),
    "no picture": (nothing, "search data dog", "data: no picture in it"),
    "two with one name": (one_name, "search photos dog", r"two pictures in it read \xff.png"),
    "no text": (nothing, "search photos ' '", "TEXT that is not empty or --like PICTURE"),
    "two queries": (nothing, "search photos dog --like photos/0.png", "one of the two"),
    "bytes": (
        nothing,
        ["search", "photos", "caf\udce9"],
        r"TEXT: 'caf\udce9' is not valid Unicode",
    ),
    "half a character": (nothing, ["search", "photos", "\ud83d"], r"TEXT: '\ud83d' is not valid"),
    "a verdict on a text": (nothing, "search photos dog --threshold 0", "--threshold judges"),
    "more descriptions than there are": (
        nothing,
        "search photos dog -n 500",
        "there are 72 descr",
    ),
    "no descriptions": (nothing, "score photos/0.png photos/1.png -n 0", "Invalid value for '-n'"),
    "no pool": (nothing, "search photos dog --pool gone.txt", "gone.txt: cannot be read"),
    "an empty pool": (
        file("p.txt", b" \n"),
        "search photos dog --pool p.txt",
        "no descriptions in",
    ),
    "a pool of Latin-1": (
        file("p.txt", b"a\ncaf\xe9"),
        "encode p.txt --out s",
        "p.txt:2: not UTF-8",
    ),
    "a pool of surrogates": (
        file("p.txt", b"\xed\xa0\xbd"),
        "encode p.txt --out s",
        ":1: not UTF-8",
    ),
    "a folder for a pool": (nothing, "search photos dog --pool data", "is missing: encode first"),
    "a graph of another kind": (nothing, f"{GRAPH} g.xls", "must end in .graphml or .csv"),
    "a graph within a file": (
        nothing,
        f"{GRAPH} photos/0.png/g.csv",
        "photos/0.png: File exists",
    ),
    "no threshold": (nothing, "graph photos --out g.csv", "pass --threshold"),
    "a threshold that is none": (
        nothing,
        "graph photos --threshold nan",
        "nan: expected a number",
    ),
    "a file for a store": (
        nothing,
        "encode photos --out photos/0.png",
        "cannot be written (File ex",
    ),
    "no store": (nothing, "encode photos", "Missing option '--out'"),
    "nothing to encode": (nothing, "encode gone --out s", "gone: cannot be read"),
    "no command": (nothing, "scores photos", "No such command 'scores'"),
    "no model": (nothing, WITH_MODEL, "model: no checkpoint there"),
    "a file for a model": (file("model"), WITH_MODEL, "model: no checkpoint there"),
    "a model's list": (model("[]"), WITH_MODEL, "checkpoint.json is damaged: expected an object"),
    "half a model's record": (model("{"), WITH_MODEL, "checkpoint.json is damaged: Expecting"),
    "a model without keys": (model("{}"), WITH_MODEL, "damaged: expected an object with sha256"),
    "a model's numbers": (model('{"sha256": 1, "profile": 2}'), WITH_MODEL, "damaged: expected"),
    "a record without end": (model("[" * 99999), WITH_MODEL, "checkpoint.json is damaged: max"),
    "a profile of no keys": (model('{"sha256": "", "profile": {}}'), WITH_MODEL, "cannot use"),
    "damaged weights": (model(weights=b"{"), WITH_MODEL, "model.safetensors is damaged"),
}
NO_SENSE = (
    "", "fetch", "fetch flickr9k", "run --frm 03", "run -p", "run --from 03 --only 03",
    "run --list --only 03", "train --fresh --resume", "train state.pt",
)  # fmt: skip


def a_line(status, capsys, said):
    out, err = capsys.readouterr()
    assert (status, out) == (2, ""), err
    (line,) = err.splitlines()[-1:]
    bars = [shown for shown in err.splitlines()[:-1] if "%|" not in shown]
    assert (said in line, bars) == (True, []), err


@pytest.mark.parametrize("kind", ON_PICTURES)
def test_on_pictures(kind, place, checkpoint, capsys):
    make, words, said = ON_PICTURES[kind]
    shutil.copytree(checkpoint, place.parent / "model")
    make(place)
    before = contents(place)
    a_line(called(words, checkpoint), capsys, said)
    assert contents(place) == before


@pytest.mark.parametrize("words", NO_SENSE)
def test_options_that_make_no_sense(words, checkpoint, capsys):
    a_line(called(words, checkpoint), capsys, "")


DATA = {
    "header": (captions("captions.txt", b"picture,label\na.jpg,a dog"), "txt:1: the header"),
    "no header": (captions("captions.csv", b"a.jpg,a dog\n"), "captions.csv:1: the header"),
    "a column twice": (captions("captions.csv", b"image,caption,caption\n,,"), "each once"),
    "encoding": (
        captions("captions.txt", b"image,caption\na.jpg,\xe9\n"),
        ":2: not UTF-8 (byte 0xe9",
    ),
    "utf-16": (captions("captions.txt", "image,caption".encode("utf-16")), ":1: not UTF-8"),
    "empty file": (captions("captions.txt", b""), "captions.txt:1: the header"),
    "no rows": (captions("captions.txt", b"image,caption\n"), "no captions in it"),
    "empty caption": (
        captions("captions.txt", b"image,caption\na.jpg, \n"),
        ":2: empty caption of a",
    ),
    "commas": (captions("captions.txt", b"image,caption\na.jpg,a, b\n"), ":2: 3 fields where"),
    "quotes": (captions("captions.txt", b'image,caption\na.jpg,"a "dog""\n'), ":2: broken quotes"),
    "open quote": (
        captions("captions.txt", b'image,caption\na.jpg,"a dog\n'),
        ":2: broken quotes",
    ),
    "parent": (captions("captions.txt", b"image,caption\n../a.jpg,a dog\n"), "images, ../a.jpg"),
    "absolute": (captions("captions.txt", b"image,caption\n/etc/a.jpg,a dog\n"), "images, /etc"),
    "no name": (captions("captions.txt", b"image,caption\n,a dog\n"), ":2: no image name"),
    "not there": (captions("captions.txt", b"image,caption\nb.jpg,a dog\n"), "none is in"),
    "split": (captions("captions.csv", b"image,caption,split\na.jpg,a,x\n"), ":2: split 'x' of a"),
    "two splits": (
        captions("captions.csv", b"image,caption,split\na.jpg,a,train\na.jpg,b,test\n"),
        ":3: a.jpg is in two splits",
    ),
    "two splits of two forms": (
        captions("captions.csv", b"image,caption,split\na.jpg,a,train\nA.JPG,b,test\n"),
        "A.JPG and a.jpg are one picture in two splits",
    ),
    "token": (
        captions("Flickr8k.token.txt", b"a.jpg#0 a dog\n"),
        ":1: expected name.jpg#k, a tab",
    ),
    "bars": (
        captions("results.csv", b"image_name| k| comment\na.jpg a\n"),
        ":2: expected name.jpg|",
    ),
    "half of it": (captions("dataset.json", b'{"images": [\n}'), "not Karpathy's format"),
    "no keys": (captions("dataset_flickr8k.json", b'{"images": [{"file": 1}]}'), "not Karpathy's"),
    "a list": (captions("dataset.json", b"[1, 2]"), "not Karpathy's format"),
    "null": (
        captions(
            "dataset.json",
            b'{"images": [{"filename": "a.jpg", "split": "val", "sentences": [{"raw": null}]}]}',
        ),
        "None is no str",
    ),
    "half a character": (
        captions(
            "dataset.json",
            b'{"images": [{"filename": "a.jpg", "split": "", "sentences": [{"raw": "\\ud83d"}]}]}',
        ),
        r"dataset.json:images[0]: '\ud83d' is not valid Unicode",
    ),
    "annotations": (
        captions("flickr_annotations_30k.csv", b'raw,filename,split\n"""text""",a.jpg,val\n'),
        "30k.csv:2: raw is no list of captions",
    ),
    "no captions": (captions("notes.md", b""), "no captions found; expected captions.txt"),
    "two that fit": (two_that_fit, "A.JPG is the name of different pictures"),
    "equal sizes": (same_size, "a.jpg is the name of different pictures"),
    "another column": (rows(label=["a cat"]), "columns are image, label; expected image and"),
    "white space": (rows(caption=[" "]), "row 0: empty caption of a.png"),
    "no value": (rows(caption=[["a"], None]), "row 1: empty caption of a.png (1 of 2 are"),
    "a null in a list": (rows(caption=[["a", None]]), "row 0: empty caption of a.png"),
    "numbers": (rows(caption=[1]), "row 0: its captions are no text"),
    "no images": (rows([1], caption=["a"]), "column image holds no images"),
    "no such split": (rows(caption=["a"], split=["x"]), "split 'x' of a.png; expected train"),
    "a damaged table": (damaged_rows, "not a readable data set"),
    "one": (handful(1), "data: 1 images in split train, 0 in val and 0 in test"),
    "two": (handful(2), "data: 2 images in split train, 0 in val and 0 in test"),
    "four": (handful(4), "data: 4 images in split train, 0 in val and 0 in test"),
    "ten": (
        handful(10),
        "8 images in split train, 1 in val and 1 in test can be read; each needs 2",
    ),
    "no folder": (lambda place: (place / "data").rmdir(), "data: no such folder; pass -p"),
    "a damaged picture": (
        lambda place: (handful(20)(place), (place / "data" / "7.jpg").write_bytes(b"")),
        "7.jpg: not a readable image (empty file); mend it, or pass -p on_bad_image=skip",
    ),
}


@pytest.mark.parametrize("kind", DATA)
def test_data_sets(kind, place, checkpoint, capfd):
    make, said = DATA[kind]
    make(place)
    capfd.readouterr()
    before = contents(place)
    a_line(called(TRAIN, checkpoint), capfd, said)
    assert contents(place) == before


# --- full disks, closed streams ----------------------------------------------------------------


@pytest.mark.parametrize("out", ["g.csv", "g.graphml", "photos/0.csv"])
def test_a_full_disk(out, place, checkpoint, capsys):
    assert called("search photos dog", checkpoint) == 0  # everything is encoded
    capsys.readouterr()
    (place / "photos" / "0.csv").write_text("was here")
    before = contents(place)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, limits[1]))
    try:
        status = called(f"{GRAPH} {out}", checkpoint)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    a_line(status, capsys, f"{out}: File too large")
    assert contents(place) == before


@pytest.mark.parametrize("words", ["--help", "search photos dog", "search photos dog --json"])
def test_output_that_nobody_can_keep(words, place, checkpoint, capsys, monkeypatch):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert called(words, checkpoint) == 2
    assert capsys.readouterr().err == "standard output: No space left on device\n"


@pytest.mark.parametrize("closed", [["stdout"], ["stderr"], ["stdout", "stderr"]])
def test_closed_streams(closed, place, checkpoint, monkeypatch):
    for name in closed:
        monkeypatch.setattr(sys, name, None)
    assert called("score photos/0.png photos/1.png", checkpoint) == 0
    assert called("score photos/0.png gone.png", checkpoint) == 2


def test_a_query_in_the_bytes_of_an_older_system_is_read(place, checkpoint, capsys):
    called(
        ["search", "photos", "Übung".encode().decode("ascii", "surrogateescape"), "--json"],
        checkpoint,
    )
    assert json.loads(capsys.readouterr().out)["text"] == "Übung"
