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
FILES = {
    "empty.jpg": b"", "text.jpg": b"text", "half.png": b"\x89PNG\r\n", "phone.heic": b"heic",
    "empty.txt": b" \n", "latin.txt": b"a\ncaf\xe9", "halves.txt": b"\xed\xa0\xbd",
    "list/checkpoint.json": b"[]", "cut/checkpoint.json": b"{", "no-keys/checkpoint.json": b"{}",
    "numbers/checkpoint.json": b'{"sha256": 1, "profile": 2}',
    "deep/checkpoint.json": b"[" * 99_999,
    "no-profile/checkpoint.json": b'{"sha256": "", "profile": {}}',
    "weights/model.safetensors": b"{", "twice/\\xff.png": b"", b"twice/\xff.png": b"",
}  # fmt: skip
# Words of a command | what the one line says.
COMMANDS = """
score loop.jpg photos/0.png                        | loop.jpg: Too many levels
search photos --like loop.jpg                      | loop.jpg: Too many levels
encode loop.jpg --out s                            | loop.jpg: there is no such folder
score LONG photos/0.png                            | a: File name too long
search LONG dog                                    | a: File name too long
encode LONG --out s                                | a: File name too long
graph photos --threshold 0 --out LONG.csv          | a.csv: File name too long
score photos/0.png gone.jpg                        | gone.jpg: No such file
search photos --like gone.jpg                      | gone.jpg: No such file
score photos photos/0.png                          | photos: a folder; search and graph
search photos --like data                          | data: a folder; search and graph
score pipe.jpg photos/0.png                        | pipe.jpg: no file
score https://a.org/b.jpg photos/0.png             | https://a.org/b.jpg: an address; download
search photos --like http://a.org/b.jpg            | http://a.org/b.jpg: an address; download
search ftp://a.org/photos dog                      | ftp://a.org/photos: an address; download
encode file:///photos --out s                      | file:///photos: an address; download
train -p data_root=https://a.org/b                 | data_root=https://a.org/b: an address
score empty.jpg photos/0.png                       | empty.jpg: not a readable image (empty file)
score text.jpg photos/0.png                        | text.jpg: not a readable image (of no known
search photos --like half.png                      | half.png: not a readable image
score phone.heic photos/0.png                      | Pillow reads no .heic here; save it as JPEG
score photos/0.png                                 | Missing argument
search photos/0.png dog                            | photos/0.png: is a file; name a folder
graph gone --threshold 0                           | gone: there is no such folder
search data dog                                    | data: no picture in it
search twice dog                                   | two pictures in it read \\xff.png; rename one
search photos ' '                                  | TEXT that is not empty or --like PICTURE
search photos dog --like photos/0.png              | one of the two
search photos caf\udce9                            | TEXT: 'caf\\udce9' is not valid Unicode
search photos \ud83d                               | TEXT: '\\ud83d' is not valid Unicode
search photos dog --threshold 0                    | --threshold judges
search photos dog -n 500                           | there are 72 descriptions
score photos/0.png photos/1.png -n 0               | Invalid value for '-n'
search photos dog --pool gone.txt                  | gone.txt: No such file
search photos dog --pool empty.txt                 | empty.txt: no descriptions in it; write one
search photos dog --pool latin.txt                 | latin.txt:2: not UTF-8
search photos dog --pool halves.txt                | halves.txt:1: not UTF-8
search photos dog --pool data                      | data: Is a directory
graph photos --threshold 0 --out g.xls             | must end in .graphml or .csv
graph photos --threshold 0 --out photos/0.png/g.csv | photos/0.png: File exists
graph photos --out g.csv                           | pass --threshold
graph photos --threshold nan                       | --threshold nan: expected a number
encode photos --out photos/0.png                   | photos/0.png: File exists
encode photos                                      | Missing option '--out'
encode gone --out s                                | gone: there is no such folder
scores photos                                      | No such command 'scores'
search photos dog --checkpoint gone                | gone: no checkpoint there
search photos dog --checkpoint text.jpg            | text.jpg: no checkpoint there
search photos dog --checkpoint list                | checkpoint.json is damaged: expected an object
search photos dog --checkpoint cut                 | checkpoint.json is damaged: Expecting
search photos dog --checkpoint no-keys             | is damaged: expected an object with sha256
search photos dog --checkpoint numbers             | checkpoint.json is damaged: expected an object
search photos dog --checkpoint deep                | checkpoint.json is damaged: maximum
search photos dog --checkpoint no-profile          | settings that this version cannot use
search photos dog --checkpoint weights             | model.safetensors is damaged
train -p data_root=gone -p dataset=photographs     | pairs: scenes needs dataset: openmoji
train --profile nowhere                            | profile 'nowhere' not found
train --fresh --dry-run                            | exclude each other
train state.pt                                     | unexpected extra argument
run -p                                             | requires an argument
run --frm 03                                       | No such option
run --from 03 --only 03                            | exclude each other
run --list --only 03                               | exclude each other
fetch                                              | Missing argument
fetch flickr9k                                     | 'flickr9k' is not one of
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clipsim.model.features.CACHE", tmp_path_factory.mktemp("cache"))
        return described_checkpoint(tmp_path_factory.mktemp("model") / "model")


@pytest.fixture
def place(tmp_path, checkpoint, monkeypatch):
    """The current folder: three pictures in `photos`, an empty folder `data`."""
    for module in ("pictures.chosen_model", "model.features", "data.pictures"):
        monkeypatch.setattr(f"clipsim.{module}.CACHE", tmp_path / "cache")
    place = tmp_path / "place"
    (place / "data").mkdir(parents=True)
    noise_pictures(place / "photos", 3)
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def refused(place, checkpoint, capfd):
    """Run a command that has to say one line with these words, and to leave all as it is."""

    def contents():
        return {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}

    def refused(words, said):
        before = contents()
        capfd.readouterr()
        assert called(words, checkpoint) == 2
        out, err = capfd.readouterr()
        *bars, line = err.splitlines()
        assert said in line
        assert (out, [shown for shown in bars if "%|" not in shown]) == ("", [])
        assert contents() == before

    return refused


def called(words, checkpoint):
    """The status of a command; those on pictures use the model of `checkpoint`."""
    words = shlex.split(words)
    if {*words[:1]} & {"score", "search", "graph", "encode"} and "--checkpoint" not in words:
        words += ["--checkpoint", str(checkpoint)]
    return main(words)


@pytest.mark.parametrize("row", COMMANDS.strip().splitlines())
def test_commands(row, refused, place, checkpoint):
    for name, content in FILES.items():
        path = place / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    shutil.copy(checkpoint / "checkpoint.json", place / "weights")
    (place / "loop.jpg").symlink_to("loop.jpg")
    os.mkfifo(place / "pipe.jpg")
    words, said = row.replace("LONG", "a" * 300).rsplit(" | ", 1)
    refused(words, said.strip())


def karpathy(text, times=1):
    entry = b'{"filename": "a.jpg", "split": "", "sentences": [{"raw": %s}]}' % text
    return b'{"images": [%s]}' % b", ".join([entry] * times)


# Name of a caption file beside a.jpg, its content, what the one line says.
CAPTION_FILES = (
    ("captions.txt", b"picture,label\na.jpg,a dog", "captions.txt:1: the header"),
    ("captions.csv", b"a.jpg,a dog\n", "captions.csv:1: the header"),
    ("captions.csv", b"image,caption,caption\na.jpg,a,b", "image,caption, each once"),
    ("captions.txt", b"image,caption\na.jpg,\xe9\n", ":2: not UTF-8 (byte 0xe9)"),
    ("captions.txt", "image,caption".encode("utf-16"), ":1: not UTF-8"),
    ("captions.txt", b"", "captions.txt:1: the header"),
    ("captions.txt", b"image,caption\n", "no captions in it"),
    ("captions.txt", b"image,caption\na.jpg, \n", ":2: empty caption of a.jpg"),
    ("captions.txt", b"image,caption\na.jpg,a dog, running\n", ":2: 3 fields where"),
    ("captions.txt", b'image,caption\na.jpg,"a "dog" runs"\n', ":2: broken quotes"),
    ("captions.txt", b'image,caption\na.jpg,"a dog\n', ":2: broken quotes"),
    ("captions.txt", b"image,caption\n../a.jpg,a dog\n", "names 1 images, ../a.jpg"),
    ("captions.txt", b"image,caption\n/etc/a.jpg,a dog\n", "names 1 images, /etc"),
    ("captions.txt", b"image,caption\n,a dog\n", ":2: no image name"),
    ("captions.txt", b"image,caption\nb.jpg,a dog\n", "none is in"),
    ("captions.csv", b"image,caption,split\na.jpg,a,x\n", ":2: split 'x' of a.jpg"),
    ("captions.csv", b"image,caption,split\na.jpg,a,train\na.jpg,b,test\n", "is in two splits"),
    ("captions.csv", b"image,caption,split\na.jpg,a,val\nA.JPG,b,test\n", "one picture in two"),
    ("Flickr8k.token.txt", b"a.jpg#0 a dog\n", ":1: expected name.jpg#k, a tab"),
    ("results.csv", b"image_name| k| comment\na.jpg a\n", ":2: expected name.jpg| k| caption"),
    ("dataset.json", b'{"images": [\n}', "not Karpathy's format"),
    ("dataset_flickr8k.json", b'{"images": [{"file": 1}]}', "not Karpathy's format"),
    ("dataset.json", b"[1, 2]", "not Karpathy's format"),
    ("dataset.json", karpathy(b"null"), "None is no str"),
    ("dataset.json", karpathy(b'"\\ud83d"'), r"images[0]: '\ud83d' is not valid Unicode"),
    ("dataset.json", karpathy(b'"a"', times=2), "images[1]: a.jpg occurs twice; keep one"),
    ("flickr_annotations_30k.csv", b'raw,filename,split\n"""a""",a.jpg,val\n', "no list of capt"),
    ("notes.md", b"", "no captions found; expected captions.txt"),
)


@pytest.mark.parametrize(("name", "content", "said"), CAPTION_FILES)
def test_caption_files(name, content, said, refused, place):
    folders.write_picture(place / "data" / "a.jpg")
    (place / "data" / name).write_bytes(content)
    refused(TRAIN, said)


def handful(n):
    def make(data):
        names = [f"{i}.jpg" for i in range(n)]
        folders.write_pictures(data, names)
        rows = [("image", "caption"), *((name, "a dog") for name in names)]
        folders.write_csv(data / "captions.txt", rows)

    return make


def different(*names):
    """Files of one size that differ, and a caption of A.jpg."""

    def make(data):
        for i, name in enumerate(names):
            (data / name).parent.mkdir(exist_ok=True)
            (data / name).write_bytes(b"%d" % i)
        (data / "captions.txt").write_text("image,caption\nA.jpg,a dog\n")

    return make


def rows(images=None, **columns):
    """A Hugging Face data set, of one picture unless `images` are given."""

    def make(data):
        folders.write_picture(data / "a.png")
        whole = {"bytes": (data / "a.png").read_bytes(), "path": "a.png"}
        found = {"image": images or [whole] * len(next(iter(columns.values()))), **columns}
        types = Features({"image": Image() if images is None else Value("int64")})
        for name, values in columns.items():
            kind = Value("int64" if isinstance(values[0], int) else "string")
            types[name] = List(kind) if isinstance(values[0], list) else kind
        Dataset.from_dict(found, features=types).save_to_disk(data)

    return make


def damaged(data):
    rows(caption=["a cat"])(data)
    next(data.glob("*.arrow")).write_bytes(b"")


# What makes the folder of a data set, what the one line says.
DATA_SETS = (
    (lambda data: data.rmdir(), "data: no such folder; pass -p data_root=FOLDER"),
    (different("x/A.jpg", "y/A.jpg"), "A.jpg is the name of different pictures"),
    (different("a.JPG", "a.jpg"), "A.jpg is the name of different pictures"),
    (handful(1), "train 1, val 0, test 0; each needs 2"),
    (handful(2), "train 2, val 0, test 0; each needs 2"),
    (handful(4), "train 4, val 0, test 0; each needs 2"),
    (handful(10), "train 8, val 1, test 1; each needs 2"),
    (rows(label=["a cat"]), "its columns are image, label; expected image and caption"),
    (rows(caption=[" "]), "row 0: empty caption of a.png"),
    (rows(caption=[["a"], None]), "row 1: empty caption of a.png (1 of 2 are empty)"),
    (rows(caption=[["a", None]]), "row 0: empty caption of a.png (1 of 2 are empty)"),
    (rows(caption=[1]), "row 0: its captions are no text"),
    (rows([1], caption=["a"]), "column image holds no images"),
    (rows(caption=["a"], split=["x"]), "split 'x' of a.png; expected train"),
    (damaged, "not a readable data set"),
)


@pytest.mark.parametrize(("make", "said"), DATA_SETS)
def test_data_sets(make, said, refused, place):
    make(place / "data")
    refused(TRAIN, said)


# --- full disks, closed streams ----------------------------------------------------------------


@pytest.mark.parametrize("out", ["g.csv", "g.graphml", "photos/was-here.csv"])
def test_a_full_disk(out, refused, place, checkpoint):
    assert called("search photos dog", checkpoint) == 0  # everything is encoded
    (place / "photos" / "was-here.csv").write_text("was here")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, limits[1]))
    try:
        refused(f"{GRAPH} {out}", f"{out}: File too large")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


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
    text = "Übung".encode().decode("ascii", "surrogateescape")
    assert called(f"search photos {text} --json", checkpoint) == 0
    assert json.loads(capsys.readouterr().out)["text"] == "Übung"
