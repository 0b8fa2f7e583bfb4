"""Small folders of made-up photographs, the same data in every layout that people have."""

import csv
import json

import numpy as np
from PIL import Image

from clipsim.data.photographs.folders import photographs
from clipsim.profile import Profile

N_IMAGES = 30


def profile(root, **settings):
    settings = {"data_root": str(root), "pairs": "captions", "n_pairs": 8} | settings
    return Profile(name="photographs", dataset="photographs", **settings)


def read(root, **settings):
    return photographs(profile(root, **settings))


def names():
    return [f"{1000 + i}_{i:08x}ab.jpg" for i in range(N_IMAGES)]


def captions(name):
    i = int(name.partition("_")[0])
    who = ("dog", "boy", "woman", "cyclist", "climber")[i % 5]
    return [
        f"A {who} number {i} , outdoors .",
        f'The {who} has "{i}" on the shirt',
        f"{who} , {who} and more",
        f"Übung {i}: a {who} runs",
        f"a {who} in a field",
    ]


def splits():
    labels = ["train"] * (N_IMAGES - 10) + ["val"] * 5 + ["test"] * 5
    return dict(zip(names(), labels, strict=True))


def write_picture(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def write_pictures(folder, of=None):
    for seed, name in enumerate(of or names()):
        write_picture(folder / name, seed)


def write_lists(root):
    for split, stem in (("train", "train"), ("val", "dev"), ("test", "test")):
        listed = [name for name, label in splits().items() if label == split]
        (root / f"Flickr_8k.{stem}Images.txt").write_text("\n".join(listed) + "\n")


def write_csv(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def caption_rows():
    return [(name, caption) for name in names() for caption in captions(name)]


def kaggle(root):
    write_pictures(root / "Images")
    write_csv(root / "captions.txt", [("image", "caption"), *caption_rows()])
    write_lists(root)
    return root


def original(root):
    write_pictures(root / "Flicker8k_Dataset")
    text = root / "Flickr8k_text"
    text.mkdir()
    lines = [f"{name}#{k}\t{text}\n" for name in names() for k, text in enumerate(captions(name))]
    ghost = [f"2258277193_586949ec62.jpg.1#{k}\tA ghost .\n" for k in range(5)]
    (text / "Flickr8k.token.txt").write_text("".join(lines + ghost), encoding="utf-8")
    write_lists(text)


def karpathy(root):
    write_pictures(root / "images")
    entries = [
        {"filename": n, "split": splits()[n], "sentences": [{"raw": c} for c in captions(n)]}
        for n in reversed(names())
    ]
    content = {"dataset": "flickr8k", "images": entries}
    (root / "dataset_flickr8k.json").write_text(json.dumps(content))


def captions_csv(root):
    write_pictures(root)
    rows = [(name, caption, splits()[name]) for name, caption in caption_rows()]
    write_csv(root / "captions.csv", [("image", "caption", "split"), *rows])


def hugging_face(root, as_list=False):
    hugging_face_parts(root, as_list).save_to_disk(str(root))


def hugging_face_parts(root, as_list=False):
    """A `DatasetDict` of pictures beside `root`, captions numbered or as a list."""
    from datasets import Dataset, DatasetDict, Features, Image, List, Value

    write_pictures(root.parent / f"{root.name}-pictures")
    texts = {"caption": List(Value("string"))}
    if not as_list:
        texts = {f"caption_{k}": Value("string") for k in range(5)}
    features = Features({"image": Image(), "filename": Value("string"), **texts})
    parts = {}
    for split, part in (("train", "train"), ("val", "validation"), ("test", "test")):
        rows = []
        for name in (n for n in names() if splits()[n] == split):
            path = root.parent / f"{root.name}-pictures" / name
            row = {"image": {"bytes": path.read_bytes(), "path": name}, "filename": name}
            numbered = {f"caption_{k}": text for k, text in enumerate(captions(name))}
            rows.append(row | ({"caption": captions(name)} if as_list else numbered))
        parts[part] = Dataset.from_list(rows, features=features)
    return DatasetDict(parts)


LAYOUTS = {
    "kaggle": kaggle,
    "original": original,
    "karpathy": karpathy,
    "captions.csv": captions_csv,
    "hugging face": hugging_face,
    "hugging face, lists": lambda root: hugging_face(root, as_list=True),
}


def flickr30k_results(root, rows, damaged=()):
    """Flickr30k's `results.csv`; of the rows in `damaged` a separator is missing."""
    lines = ["image_name| comment_number| comment"]
    for row, (name, number, caption) in enumerate(rows):
        separator = "  " if row in damaged else "| "
        lines.append(f"{name}| {number}{separator}{caption}")
    (root / "results.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
