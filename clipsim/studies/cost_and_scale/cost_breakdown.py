"""What one comparison of two new images costs, stage by stage, from the files to the score.

The paper calls the retrieval of descriptions the main cost (sec. 6). Retrieval needs the vectors
of the pool: encoded anew, or read from the file that holds them.
"""

import io
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from clipsim.data import preprocessed, read_picture
from clipsim.metrics import fsim, ssim
from clipsim.model import TOKENS_PER_BATCH, encoded_texts, equal_lengths, pixel_features
from clipsim.retrieval import Describer, caption_score
from clipsim.studies.cost_and_scale.timing import median_interval, timed_rounds

ROUNDS = 11
BATCHES = 3  # of captions, encoded in a round
GOLDEN = 0.618  # a step that comes near no place twice
READ, ENCODE, SEARCH, SCORE = "read the pictures", "encode the pictures", "search", "Eq. 4"
ANEW, FILED = "encode the pool", "read the pool's vectors"
SSIM, FSIM = "SSIM", "FSIM"
WAYS = {"captions encoded anew": ANEW, "vectors from their file": FILED, "vectors in memory": None}


def pair_seconds(describer, images, pairs, n_rounds=ROUNDS, clock=time.perf_counter):
    """Seconds of every stage of a comparison of two images, of another pair in each round.

    Pictures are read from JPEG files in memory, of the size they have. Of the pool, a sample is
    encoded in a round (`caption_samples`), another one in every round, and the time is multiplied
    up to the whole pool.

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
    samples = caption_samples(model, index.captions, n_rounds + 1)
    with TemporaryDirectory() as folder:
        describer.save(Path(folder))
        seconds = timed_rounds(
            {
                READ: lambda i: [_pixels(file) for file in files[i]],
                ENCODE: lambda i: image_vectors(model, pixels[i]),
                ANEW: lambda i: text_vectors(model, samples[i].captions),
                FILED: lambda i: _read(Describer.load(Path(folder), profile, model)),
                SEARCH: lambda i: index.search(queries[i], profile.n_descriptions),
                SCORE: lambda i: caption_score(*describer.compared[ids[i]], profile.normalisation),
                SSIM: lambda i: ssim(*pixels[i]),
                FSIM: lambda i: fsim(*pixels[i]),
            },
            n_rounds,
            clock,
        )
    times = np.array([sample.times for sample in samples[1:]])
    return seconds | {ANEW: seconds[ANEW] * times}


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


@dataclass(frozen=True)
class CaptionSample:
    """Captions that stand for a pool.

    Attributes
    ----------
    captions : list of str
    times : float
        How many times the sample's tokens are in the pool: what encoding the pool costs, in terms
        of encoding the sample.
    """

    captions: list
    times: float


def caption_samples(model, pool, n_samples, n_batches=BATCHES):
    """Samples of a pool, each of some of the batches in which the whole pool is encoded.

    A batch has texts of one length in tokens; the batches of a sample are evenly spread over the
    lengths, and other ones in every sample.

    Parameters
    ----------
    model : DualEncoder
    pool : sequence of str
    n_samples, n_batches : int

    Returns
    -------
    list of CaptionSample
        Of a pool with no more batches than that, the whole pool each time.
    """
    tokens = model.text_backbone.tokens.unpadded(pool)
    batches = list(equal_lengths(tokens, TOKENS_PER_BATCH))
    whole = sum(map(len, tokens))
    stride = max(1.0, len(batches) / n_batches)
    samples = []
    for number in range(n_samples):
        start = number * GOLDEN % 1
        chosen = [int((i + start) * stride) for i in range(min(n_batches, len(batches)))]
        rows = [row for i in chosen for row in batches[i]]
        part = sum(len(tokens[row]) for row in rows)
        samples.append(CaptionSample([pool[row] for row in rows], whole / part))
    return samples


def text_vectors(model, texts):
    """`DualEncoder.encode_texts`, whatever the cache holds, without a progress bar."""
    return model.project(encoded_texts(model, texts, progress=False), "text")


def image_vectors(model, pixels):
    """`DualEncoder.encode_images` of a few preprocessed pictures, without a progress bar."""
    return model.project(pixel_features(model, pixels), "image")


def _read(describer):
    """Bring the vectors that are mapped from a file into memory."""
    index = describer.index.vectors.copy()
    return index if describer.compared is describer.index.vectors else describer.compared.copy()


def _jpeg(picture):
    file = io.BytesIO()
    picture.convert("RGB").save(file, "JPEG", quality=90)
    return file.getvalue()


def _pixels(file):
    return preprocessed(read_picture(io.BytesIO(file), "picture"))
