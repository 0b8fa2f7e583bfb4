"""What one comparison of two new images costs, stage by stage, from the files to the score.

The paper calls the retrieval of descriptions the main cost (sec. 6). Retrieval needs the vectors
of the pool: encoded anew, or read from the file that holds them.
"""

import io
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from clipsim.data.images import preprocessed, read_picture
from clipsim.metrics import fsim, ssim
from clipsim.model.features import TEXT_BATCH
from clipsim.retrieval import CaptionIndex
from clipsim.scoring import caption_score
from clipsim.timing import median_interval, timed_rounds

ROUNDS = 11
BATCHES = 4  # of captions, encoded in a round
READ, ENCODE, SEARCH, SCORE = "read the pictures", "encode the pictures", "search", "Eq. 4"
ANEW, FILED = "encode the pool", "read the pool's vectors"
SSIM, FSIM = "SSIM", "FSIM"
ALWAYS = (READ, ENCODE, SEARCH, SCORE)
WAYS = {"captions encoded anew": ANEW, "vectors from their file": FILED, "vectors in memory": None}


def pair_seconds(describer, images, pairs, n_rounds=ROUNDS, clock=time.perf_counter):
    """Seconds of every stage of a comparison of two images, of another pair in each round.

    Pictures are read from JPEG files in memory, of the size they have. Of the pool, `BATCHES`
    batches of captions are encoded in a round (`spread_captions`), others in every round, and the
    time is multiplied up to the whole pool.

    Parameters
    ----------
    describer : Describer
    images : CaptionedImages
    pairs : LabelledPairs
        Drawn from.
    n_rounds : int
    clock : callable

    Returns
    -------
    dict of str to array of float64, shape (n_rounds,)
        The stages of one comparison, and SSIM and FSIM of the same two pictures.
    """
    profile, model, index = describer.profile, describer.model, describer.index
    drawn = np.random.default_rng(profile.seed).integers(len(pairs), size=n_rounds + 1)
    names = [(pairs.id_a[i], pairs.id_b[i]) for i in drawn]
    files = [[_jpeg(images.read_image(str(name))) for name in pair] for pair in names]
    pixels = [np.stack([_pixels(file) for file in pair]) for pair in files]
    queries = [image_vectors(model, pair) for pair in pixels]
    ids = [index.search(pair, profile.n_descriptions)[0] for pair in queries]
    texts = [spread_captions(index.captions, i) for i in range(n_rounds + 1)]
    made_by = (model.fingerprint, profile.text_encoder)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "pool.safetensors"
        index.save(path, *made_by)
        seconds = timed_rounds(
            {
                READ: lambda i: [_pixels(file) for file in files[i]],
                ENCODE: lambda i: image_vectors(model, pixels[i]),
                ANEW: lambda i: text_vectors(model, texts[i]),
                FILED: lambda i: CaptionIndex.load(path, *made_by).vectors.copy(),
                SEARCH: lambda i: index.search(queries[i], profile.n_descriptions),
                SCORE: lambda i: caption_score(*describer.compared[ids[i]], profile.normalisation),
                SSIM: lambda i: ssim(*pixels[i]),
                FSIM: lambda i: fsim(*pixels[i]),
            },
            n_rounds,
            clock,
        )
    encoded = np.array([len(part) for part in texts[1:]])
    return seconds | {ANEW: seconds[ANEW] * len(index.captions) / encoded}


def comparison_seconds(seconds, way):
    """Seconds of a comparison in one of `WAYS`, and of the retrieval in it.

    Parameters
    ----------
    seconds : dict of str to array of float, shape (R,)
        From `pair_seconds`.
    way : str

    Returns
    -------
    whole, retrieval : array of float64, shape (R,)
    """
    retrieval = seconds[SEARCH] + (seconds[WAYS[way]] if WAYS[way] else 0)
    return retrieval + seconds[READ] + seconds[ENCODE] + seconds[SCORE], retrieval


def retrieval_share(seconds, way, n_bootstrap, seed):
    """Share of a comparison's time that retrieval takes: the median of the rounds.

    Returns
    -------
    dict
        `way`, `share`, `share_ci95` (rounds resampled), `rounds`.
    """
    whole, retrieval = comparison_seconds(seconds, way)
    shares = retrieval / whole
    return {
        "way": way,
        "share": float(np.median(shares)),
        "share_ci95": median_interval(shares, n_bootstrap, seed),
        "rounds": len(shares),
    }


def spread_captions(pool, number, n_batches=BATCHES):
    """Captions that stand for a pool: batches of it in order of length, evenly spread.

    The whole pool is encoded in that order, so that a batch has texts of one length; the sample
    has its long and its short ones.

    Parameters
    ----------
    pool : sequence of str
    number : int
        Another number, other batches.

    Returns
    -------
    list of str, at most `n_batches` times `TEXT_BATCH`
    """
    ordered = sorted(pool, key=len)
    batches = [ordered[i : i + TEXT_BATCH] for i in range(0, len(ordered), TEXT_BATCH)]
    if len(batches) <= n_batches:
        return ordered
    stride = len(batches) / n_batches
    start = number * 0.618 % 1  # the golden ratio: no two rounds near each other
    return [text for i in range(n_batches) for text in batches[int((i + start) * stride)]]


@torch.inference_mode()
def text_vectors(model, texts, batch_size=TEXT_BATCH):
    """Joint-space vectors of texts in the order given, batch by batch, whatever is cached."""
    features = []
    for start in range(0, len(texts), batch_size):
        tokens = model.text_backbone.tokens(texts[start : start + batch_size])
        tokens = {name: value.to(model.device) for name, value in tokens.items()}
        with model.autocast():
            features.append(model.text_backbone(tokens).float().cpu())
    return model.project(torch.cat(features), "text")


@torch.inference_mode()
def image_vectors(model, pixels):
    """`DualEncoder.encode_images` of a few preprocessed pictures, without a progress bar."""
    with model.autocast():
        features = model.image_backbone(torch.from_numpy(pixels).to(model.device)).float()
    return model.project(features.cpu(), "image")


def _jpeg(picture):
    file = io.BytesIO()
    picture.convert("RGB").save(file, "JPEG", quality=90)
    return file.getvalue()


def _pixels(file):
    return preprocessed(read_picture(io.BytesIO(file), "picture"))
