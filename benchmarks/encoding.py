"""How fast captions and pictures are encoded, beside what others do.

Run `python benchmarks/encoding.py`; it prints and writes `encoding.json` beside itself. Captions
and pictures are Flickr8k's of ../shared/flickr8k if they are there, else scenes. Every contestant
is a process of its own (`encoding_contestants.py`), and they take turns, so that a busy machine
slows all; ratios are what holds. Ours runs as a command or a script runs it, with memory that is
kept and threads that sleep (`clipsim.record`); the others run plainly, as a user would run them,
and once more in that environment, so that what it alone is worth can be told.

- captions: unit vectors of the text backbone, against the same network with every caption padded
  to 256 tokens, and against sentence-transformers' own `encode` with the same weights. In bf16,
  where all multiply by oneDNN, for the record: ours keeps sums and norms in float32, as autocast
  does, theirs is bf16 throughout.
- pictures: features of the image backbone, against a plain loop in float32 that reads a batch and
  encodes it.
- processes: the command `encode`'s work, by one and two processes of one thread each.
- agreement: how far the contestants' results are apart, and whether bf16 gives the user the same.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from encoding_contestants import (
    CAPTIONS,
    CONTESTANTS,
    plain_backbone,
    plain_features,
    sentence_transformer,
)
from inputs import photographs_or_scenes
from rows import OURS_BY_PEER, row, write

from clipsim.evaluation import checkpoint_folder, train_or_load
from clipsim.model import DualEncoder, encoded_texts, image_features, mean_recall, retrieval_recall
from clipsim.record import VARIABLES

ROUNDS = 3
N_CAPTIONS, N_IMAGES, N_BEST = 2048, 256, 10
RECALL_TOLERANCE = 0.005
PACKAGES = ("torch", "timm", "transformers", "sentence-transformers")
RESULT = Path(__file__).with_suffix(".json")
# Case, ours, the other, least ratio (None: for the record).
CASES = (
    ("captions, padded to 256 tokens", "ours", "padded", 10.0),
    ("captions, sentence-transformers", "ours", "peer", 1.5),
    ("captions, sentence-transformers in our environment", "ours", "peer, same", 1.5),
    ("captions, sentence-transformers, both bf16", "ours, bf16", "peer, bf16", None),
    (
        "captions, sentence-transformers in our environment, both bf16",
        "ours, bf16", "peer, bf16, same", None,
    ),
    ("pictures, plain loop", "pictures", "loop", 2.0),
    ("pictures, plain loop in our environment", "pictures", "loop, same", None),
    (
        "pictures in bf16, plain loop in float32 in our environment",
        "pictures, bf16", "loop, same", None,
    ),
    ("pictures by two processes of one thread, by one of one", "2 × 1", "1 × 1", None),
    ("pictures by two processes of one thread, by one of two", "2 × 1", "1 × 2", None),
)  # fmt: skip


def main():
    profile, images = photographs_or_scenes()
    speeds = speeds_in_turns(images)
    rows = [speed_row(case, speeds) for case in CASES]
    found = agreement(profile, images)
    what = f"encoding of captions and pictures, {images.name}, {torch.get_num_threads()} threads"
    is_met = write(RESULT, what, rows, PACKAGES, agreement=found)
    print(json.dumps(found, indent=2))
    off = abs(found["recall"] - found["recall_of_the_plain_loop"])
    if off > RECALL_TOLERANCE or not is_met:
        sys.exit("a target is missed")


def speeds_in_turns(images):
    """Captions or pictures a second of every contestant, round by round: dict of list."""
    speeds = {name: [] for name in CONTESTANTS}
    for _ in range(ROUNDS):
        for name, (_, launcher, environment) in CONTESTANTS.items():
            with tempfile.TemporaryDirectory() as folder:
                write_input(images, Path(folder))
                script = Path(__file__).with_name("encoding_contestants.py")
                command = [sys.executable, *launcher, str(script), name, folder]
                clean = {k: v for k, v in os.environ.items() if k not in VARIABLES}
                done = subprocess.run(
                    command, env=clean | environment, check=True, stdout=subprocess.PIPE, text=True
                )
            speeds[name].append(float(done.stdout.split()[-1]))
    return speeds


def write_input(images, folder):
    """The pictures and captions that all contestants encode."""
    for number, image_id in enumerate(images.image_ids[:N_IMAGES]):
        images.read_image(image_id).save(folder / f"{number}.jpg", quality=95)
    lines = "\n".join(some_captions(images))
    (folder / CAPTIONS).write_text(lines, encoding="utf-8")


def some_captions(images):
    captions = sorted({caption for group in images.captions for caption in group})
    drawn = np.random.default_rng(0).permutation(len(captions))[:N_CAPTIONS]
    return [captions[i] for i in drawn]


def speed_row(case, speeds):
    """One row of the table: medians over the rounds, and their ratio."""
    name, ours, peer, least = case
    medians = [statistics.median(speeds[contestant]) for contestant in (ours, peer)]
    unit = "captions/s" if name.startswith("captions") else "pictures/s"
    target = None if least is None else f"≥ {least:g}"
    return row(name, ours, peer, unit, medians, OURS_BY_PEER, target)


def agreement(profile, images):
    """How far results are apart: from the peers' in float32, and float32 from bf16."""
    model = train_or_load(profile, images)
    in_bf16 = DualEncoder.load(
        checkpoint_folder(profile), replace(profile, mixed_precision="bf16")
    )
    some = replace(images.subset(images.indices("val")[:N_IMAGES]), pixels_key="")
    captions = some_captions(images)
    features = image_features(model, some)
    of_loop = plain_features(plain_backbone(profile.image_encoder), some)
    texts = torch.nn.functional.normalize(encoded_texts(model, captions), dim=-1).numpy()
    of_peer = sentence_transformer().encode(captions, show_progress_bar=False)
    best, cosines = nearest(model, features, encoded_texts(model, captions))
    others = image_features(in_bf16, some), encoded_texts(in_bf16, captions)
    best_bf16, cosines_bf16 = nearest(in_bf16, *others)
    same = [len(set(a) & set(b)) / N_BEST for a, b in zip(best, best_bf16, strict=True)]
    return {
        "largest_difference_from_the_plain_loop": rounded((features - of_loop).abs().max()),
        "largest_difference_from_sentence_transformers": rounded(np.abs(texts - of_peer).max()),
        "recall": round(recall_of(model, some, features), 4),
        "recall_of_the_plain_loop": round(recall_of(model, some, of_loop), 4),
        "bf16": {
            "largest_difference_of_a_cosine": rounded(np.abs(cosines - cosines_bf16).max()),
            f"same_of_the_best_{N_BEST}_captions": round(float(np.mean(same)), 4),
            "pictures_with_the_same_best_caption": round(
                float((best[:, 0] == best_bf16[:, 0]).mean()), 4
            ),
        },
    }


def nearest(model, features, text_features):
    """The captions with the highest cosine for every picture, and all cosines."""
    cosines = model.project(features, "image") @ model.project(text_features, "text").T
    return np.argsort(-cosines, axis=1, kind="stable")[:, :N_BEST], cosines


def recall_of(model, images, features):
    captions = [caption for group in images.captions for caption in group]
    owner = np.repeat(np.arange(len(images)), [len(group) for group in images.captions])
    vectors = model.project(features, "image"), model.encode_texts(captions)
    return mean_recall(retrieval_recall(*vectors, owner, captions))


def rounded(value):
    return float(f"{float(value):.2g}")


if __name__ == "__main__":
    main()
