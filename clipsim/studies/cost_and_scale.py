"""What comparing images costs, how that grows, and what makes it cheaper (notebook 12).

Two claims (sec. 6): the retrieval of descriptions takes long, and cached text vectors, better
search and parallel work reduce it. Each can fail: retrieval may take less than half of a
comparison, and a way that should be cheaper may take longer.

A machine does other things, too: contestants take turns (`timed_rounds`), and ratios are taken
within a round, of what ran side by side.
"""

import io
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from scipy.stats import bootstrap

from clipsim.data import caption_pool, load, load_pairs, preprocessed, read_picture
from clipsim.evaluation import finding, load_retrieval, trained_model
from clipsim.figures import PAGE_IN
from clipsim.metrics import fsim, ssim
from clipsim.model import TOKENS_PER_BATCH, encoded_texts, equal_lengths, pixel_features
from clipsim.retrieval import Describer, caption_score, largest_products, score_matrix

RECALL = 0.95  # of the N best: cheaper search is no gain if it finds something else
PAIR_ROUNDS, ROUNDS = 11, 9
BATCHES = 3  # of captions, encoded in a round
AT_ONCE = 256  # images searched for together
SAMPLE = 200  # of these, on which a recall is measured
SAMPLED_PAIRS = 100
READ, ENCODE, SEARCH, SCORE = "read the pictures", "encode the pictures", "search", "Eq. 4"
ANEW, FILED = "encode the pool", "read the pool's vectors"
WAYS = {"captions encoded again": ANEW, "vectors from their file": FILED}
EXACT = "exact"
ALL_PAIRS, PAIR_BY_PAIR = "Eq. 4 of all pairs, factorised", "Eq. 4, pair by pair"
SHADES = {"retrieval": "#d55e00", "the rest": "#222222", "other metrics": "#888888"}


def studied(profile):
    """What is timed: images, pairs, the model with its encoded pool, and vectors of images.

    Raises
    ------
    StaleError
        If notebooks 02 and 03 did not leave model and retrieval for this very profile.
    """
    images = load(profile)
    model = trained_model(profile, images)
    describer = Describer.of(profile, model, caption_pool(profile, images))
    queries = load_retrieval(profile, images).image_vectors
    return images, load_pairs(profile, images), describer, queries


def timed_rounds(contestants, n_rounds, clock=time.perf_counter):
    """Seconds that each contestant takes, round by round.

    One round before does not count. Whoever is first in a round is last in the next one, so that
    none always finds the caches as another left them.

    Parameters
    ----------
    contestants : dict of str to callable
        Called with the number of the round, 0 in the one that does not count.
    n_rounds : int
        At least 1.
    clock : callable
        Returns seconds.

    Returns
    -------
    dict of str to array of float64, shape (n_rounds,)
        In the order of `contestants`.
    """
    names = list(contestants)
    seconds = {name: np.empty(n_rounds) for name in names}
    for number in range(n_rounds + 1):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            started = clock()
            contestants[name](number)
            ended = clock()
            if number:
                seconds[name][number - 1] = ended - started
    return seconds


def timing_row(seconds, per=1):
    """Median and quartiles of the rounds, of one of the `per` things done in each: dict."""
    low, median, high = np.quantile(np.asarray(seconds) / per, [0.25, 0.5, 0.75]).tolist()
    return {"median_s": median, "low_s": low, "high_s": high, "rounds": len(seconds)}


def saving(seconds, cheaper, profile):
    """What a way that should be cheaper saves, from rounds in which both took their turn.

    Parameters
    ----------
    seconds, cheaper : array of float, shape (R,)
        Of the same rounds.
    profile : Profile

    Returns
    -------
    dict
        `ratio`, seconds / cheaper, and `saved`, their difference as a share of the longer one, in
        (-1, 1), above 0 where time is saved: medians of the rounds, both with `_ci95`.
    """
    saved = (seconds - cheaper) / np.maximum(seconds, cheaper)
    return _median("ratio", seconds / cheaper, profile) | _median("saved", saved, profile)


def _median(name, values, profile):
    """The median of the rounds, and its 95 % interval; NaN for fewer than five of them."""
    ends = [np.nan, np.nan]
    if len(values) >= 5:
        drawn = {"n_resamples": profile.n_bootstrap, "rng": profile.seed}
        ends = bootstrap((values,), np.median, method="percentile", **drawn).confidence_interval
    return {name: float(np.median(values)), f"{name}_ci95": [float(end) for end in ends]}


def pair_seconds(describer, images, pairs, n_rounds=PAIR_ROUNDS, clock=time.perf_counter):
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
    rng = np.random.default_rng(profile.seed)
    drawn = pairs.where(rng.integers(len(pairs), size=n_rounds + 1))
    both = zip(drawn.id_a.tolist(), drawn.id_b.tolist(), strict=True)
    files = [[_jpeg(images.read_image(name)) for name in pair] for pair in both]
    pixels = [np.stack([_pixels(file) for file in pair]) for pair in files]
    queries = [_image_vectors(model, pair) for pair in pixels]
    ids = [index.search(pair, profile.n_descriptions)[0] for pair in queries]
    texts, times = zip(*caption_samples(model, index.captions, n_rounds + 1), strict=True)
    turns = {
        READ: lambda i: [_pixels(file) for file in files[i]],
        ENCODE: lambda i: _image_vectors(model, pixels[i]),
        ANEW: lambda i: model.project(encoded_texts(model, texts[i], progress=False), "text"),
        FILED: lambda i: Describer.load(Path(folder), profile, model).index.vectors.copy(),
        SEARCH: lambda i: index.search(queries[i], profile.n_descriptions),
        SCORE: lambda i: caption_score(*describer.compared[ids[i]], profile.normalisation),
        "SSIM": lambda i: ssim(*pixels[i]),
        "FSIM": lambda i: fsim(*pixels[i]),
    }
    with TemporaryDirectory() as folder:
        describer.save(Path(folder))
        seconds = timed_rounds(turns, n_rounds, clock)
    return seconds | {ANEW: seconds[ANEW] * times[1:]}


def caption_samples(model, pool, n_samples):
    """Samples of a pool, each of some of the batches in which the whole pool is encoded.

    A batch has texts of one length in tokens; the batches of a sample are evenly spread over the
    lengths, and begin elsewhere in every sample.

    Parameters
    ----------
    model : DualEncoder
    pool : sequence of str
    n_samples : int

    Returns
    -------
    list of (list of str, float)
        Captions, and how many times their tokens are in the pool: what encoding the pool costs,
        in terms of encoding the sample. Of a pool of few batches, the whole pool each time.
    """
    tokens = model.text_backbone.tokens.unpadded(pool)
    batches = list(equal_lengths(tokens, TOKENS_PER_BATCH))
    stride = max(1, len(batches) // BATCHES)
    samples = []
    for number in range(n_samples):
        rows = np.concatenate(batches[number * stride // n_samples :: stride])
        times = sum(map(len, tokens)) / sum(len(tokens[row]) for row in rows)
        samples.append(([pool[row] for row in rows], times))
    return samples


def _image_vectors(model, pixels):
    """`DualEncoder.encode_images` of a few preprocessed pictures, whatever the cache holds."""
    return model.project(pixel_features(model, pixels), "image")


def _jpeg(picture):
    file = io.BytesIO()
    picture.convert("RGB").save(file, "JPEG", quality=90)
    return file.getvalue()


def _pixels(file):
    return preprocessed(read_picture(io.BytesIO(file), "picture"))


def pool_rows(profile, vectors, queries, n_rounds=ROUNDS, clock=time.perf_counter):
    """Search of random parts of a pool, powers of ten, and of the whole: see `search_rows`."""
    whole = len(vectors)
    sizes = [10**k for k in range(1, 9) if whole / 25 <= 10**k < whole] + [whole]
    rows = []
    for size in sizes:
        chosen = np.random.default_rng(profile.seed).permutation(whole)[:size]
        rows += search_rows(profile, vectors[np.sort(chosen)], queries, n_rounds, clock)[0]
    return rows


def search_rows(profile, pool, queries, n_rounds, clock=time.perf_counter, others=None):
    """Time and recall of exact and approximate search, for one image and for many at once.

    An approximate index makes the least effort with which it finds 95 % of the N best.

    Parameters
    ----------
    profile : Profile
    pool : array of float32, shape (C, d)
    queries : array of float32, shape (M, d)
        Vectors of images.
    n_rounds : int
    clock : callable
    others : dict of str to callable, optional
        Further contestants, which take their turns in the same rounds.

    Returns
    -------
    rows : list of dict
        By `search` ("exact", "HNSW32", "IVF") and number of `queries` at once: the size of the
        `pool`, seconds per query (`timing_row`), and what is saved (`saving`): by many at once
        against one by one, by an approximate index against the exact search of as many. An
        approximate one also has `factory`, `effort`, `recall` and `build_s`.
    seconds : dict of str to array of float64, shape (n_rounds,)
        Of the others.
    """
    n, asked = profile.n_descriptions, queries[:: max(1, len(queries) // AT_ONCE)][:AT_ONCE]
    searches, about = {EXACT: lambda part, k: largest_products(part, pool, k)}, {EXACT: {}}
    for name, (factory, efforts) in factories(len(pool)).items():
        started = clock()
        index = approximate_index(pool, factory)
        about[name] = {"factory": factory, "build_s": clock() - started}
        about[name] |= least_effort(index, pool, asked, n, efforts)
        searches[name] = index.search
    turns = dict(others or {})
    for name, search in searches.items():
        turns[name, 1] = lambda i, search=search: search(asked[i % len(asked)][None], n)
        turns[name, len(asked)] = lambda i, search=search: search(asked, n)
    seconds = timed_rounds(turns, n_rounds, clock)
    rows = []
    for name in searches:
        for k in (1, len(asked)):
            as_many = 1 if name == EXACT else k
            gain = saving(seconds[EXACT, as_many] / as_many, seconds[name, k] / k, profile)
            row = {"pool": len(pool), "search": name, "queries": k, **about[name]}
            rows.append(row | timing_row(seconds[name, k], k) | gain)
    return rows, {name: seconds[name] for name in others or {}}


def factories(size):
    """Approximate indexes for a pool of a size, and how much effort each may make in a search.

    Returns
    -------
    dict of str to tuple of (str, list of str)
        By name: FAISS's factory string, and its search parameters, rising: efSearch, nodes kept
        in view, or nprobe, lists read.
    """
    doublings = round(np.log2(size) / 2)  # as many lists as a list has vectors
    return {
        "HNSW32": ("HNSW32", [f"efSearch={2**k}" for k in range(4, 12)]),
        "IVF": (f"IVF{2**doublings},Flat", [f"nprobe={2**k}" for k in range(doublings + 1)]),
    }


def approximate_index(pool, factory):
    """FAISS's index of a pool, by its factory string, for the largest inner products."""
    import faiss  # only here: on some systems its OpenMP and torch's do not get along

    index = faiss.index_factory(pool.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
    index.train(pool)
    index.add(pool)
    return index


def least_effort(index, pool, queries, n, efforts):
    """Make an index search with the least effort that finds `RECALL` of the n best.

    Parameters
    ----------
    index : faiss.Index
        Changed: it keeps the effort.
    pool : array of float32, shape (C, d)
        What it holds.
    queries : array of float32, shape (Q, d)
        At most `SAMPLE` of them, evenly spaced, are asked.
    n : int
    efforts : sequence of str
        FAISS's search parameters, rising; the last one stays where none is enough.

    Returns
    -------
    dict
        `effort`, and `recall`, the share of the n best that it finds: a product as large as the
        n-th counts.
    """
    import faiss

    rows = np.linspace(0, len(queries) - 1, min(SAMPLE, len(queries))).astype(int)
    products = queries[rows] @ pool.T
    nth = np.partition(products, -n)[:, [-n]]
    for effort in efforts:
        faiss.ParameterSpace().set_index_parameters(index, effort)
        ids = index.search(queries[rows], n)[1]  # -1: fewer were found
        found = (ids >= 0) & (np.take_along_axis(products, ids, 1) >= nth)
        if found.mean() >= RECALL:
            break
    return {"effort": effort, "recall": float(found.mean())}


def image_rows(describer, queries, stages, n_rounds=ROUNDS, clock=time.perf_counter):
    """Time of describing and of comparing all of a number of images.

    Parameters
    ----------
    describer : Describer
        The model's pool, in the joint space and as Eq. 4 compares it.
    queries : array of float32, shape (M, d)
        Vectors of images.
    stages : dict of str to array
        From `pair_seconds`, for what encoding the pool and the pictures takes.
    n_rounds : int
    clock : callable

    Returns
    -------
    list of dict
        A row per number of `images` and `work`, in seconds (`timing_row`): pool and pictures
        encoded, descriptions searched exactly, Eq. 4 for all pairs as one product of matrices,
        and as N² cosines of every pair, timed on some pairs and multiplied up. What the product
        saves of that as `saving`.
    """
    profile, rows = describer.profile, []
    ids, _ = describer.index.search(queries, profile.n_descriptions)
    for size in sorted({*(10**k for k in range(1, 9) if 10**k < len(queries)), len(queries)}):
        v = describer.compared[ids[:size]]
        pairs = np.random.default_rng(profile.seed).integers(size, size=(SAMPLED_PAIRS, 2))
        turns = {
            SEARCH: lambda i, q=queries[:size]: describer.index.search(q, profile.n_descriptions),
            ALL_PAIRS: lambda i, v=v: score_matrix(v, profile.normalisation),
            # einsum works in one thread; for so little, several only wait.
            PAIR_BY_PAIR: lambda i, v=v, p=pairs: [np.einsum("nd,kd->", *v[pair]) for pair in p],
        }
        seconds = timed_rounds(turns, n_rounds, clock)
        seconds[PAIR_BY_PAIR] *= size * (size - 1) / 2 / SAMPLED_PAIRS
        seconds |= {ANEW: stages[ANEW], ENCODE: stages[ENCODE] * size / 2}
        rows += [{"images": size, "work": work} | timing_row(seconds[work]) for work in seconds]
        rows[1 - len(seconds)] |= saving(seconds[PAIR_BY_PAIR], seconds[ALL_PAIRS], profile)
    return rows


def saving_rows(profile, stages, by_pool, by_images):
    """What saves how much, of the profile's own pool and of all its images.

    Parameters
    ----------
    profile : Profile
    stages : dict of str to array
        From `pair_seconds`.
    by_pool, by_images : list of dict
        From `pool_rows` and `image_rows`.

    Returns
    -------
    list of dict
        `what` it is, the `work` that was timed, `rounds`, and as `saving`. An approximate search
        that does not reach the recall saves nothing and is left out.
    """
    n_pool, n_pairs = by_pool[-1]["pool"], len(stages[SEARCH])
    own = [row for row in by_pool if row["pool"] == n_pool]
    anew, filed = (stages[stage] + stages[SEARCH] for stage in (ANEW, FILED))
    row = {"n_pairs": n_pairs, "rounds": n_pairs} | saving(anew, filed, profile)
    row["what"] = "vectors from a file instead of captions encoded again"
    rows = [row | {"work": f"retrieval from {n_pool:,} descriptions for two images"}]
    searched = {"work": f"searching {n_pool:,} descriptions for one image"}
    for row in own:
        if row["queries"] == 1 and row.get("recall", 0) >= RECALL:
            how = f"{row['factory']} ({row['effort']}, recall {row['recall']:.3f})"
            rows.append(row | searched | {"what": f"{how} instead of exact search"})
    row = next(row for row in own if row["search"] == EXACT and row["queries"] > 1)
    rows.append(row | searched | {"what": f"{row['queries']:,} images at once instead of one"})
    row = next(row for row in reversed(by_images) if row["work"] == ALL_PAIRS)
    what = "one product of matrices instead of all cosines"
    rows.append(row | {"what": what, "work": f"Eq. 4 of {row['images']:,} images"})
    names = ("what", "work", "n_pairs", "rounds", "ratio", "ratio_ci95", "saved", "saved_ci95")
    return [{name: row.get(name) for name in names} for row in rows]


def cost_findings(profile, stages, savings):
    """Whether retrieval is the main cost, and whether that can be reduced: two claims.

    Parameters
    ----------
    profile, stages
        As in `saving_rows`.
    savings : list of dict
        From there; each is a finding but Eq. 4's, which is no retrieval.

    Returns
    -------
    list of dict
        Whether retrieval takes more than half of a comparison is asked twice, with the captions
        encoded anew and with vectors from their file.
    """
    of_pool = savings[0]["work"].removesuffix(" for two images")
    found = []
    for way, stage in WAYS.items():
        retrieval = stages[stage] + stages[SEARCH]
        shares = retrieval / (retrieval + stages[READ] + stages[ENCODE] + stages[SCORE])
        text = f"share of the time of comparing two new images that {of_pool} takes, {way}"
        row = dict.fromkeys(("n_pairs", "rounds"), len(shares)) | _median("share", shares, profile)
        more_than_the_rest = (0.5, np.inf)
        found.append(
            _finding("retrieval_is_the_cost", text, row, "share", region=more_than_the_rest)
        )
    for row in savings[:-1]:
        text = f"share of the time saved by {row['what']}: {row['work']}"
        found.append(_finding("retrieval_can_be_reduced", text, row, "saved"))
    return found


def _finding(claim, text, row, name, **region):
    held = f"{row['rounds']} rounds resampled; machine, model and inputs held fixed"
    basis = {"n_pairs": row["n_pairs"], "n_seeds": 1, "interval": held}
    return finding(claim, text, row[name], row[f"{name}_ci95"], **basis, **region)


def cost_chart(stages, by_pool, by_images, findings):
    """The stages of a comparison, and how search and the rest grow with pool and images.

    Parameters
    ----------
    stages : dict of str to array
        From `pair_seconds`.
    by_pool, by_images, findings : list of dict
        From `pool_rows`, `image_rows` and `cost_findings`.

    Returns
    -------
    figure, numbers, caption
    """
    kinds = dict.fromkeys((ANEW, FILED, SEARCH), "retrieval")
    kinds |= {"SSIM": "other metrics", "FSIM": "other metrics"}
    rounds = pd.DataFrame(stages).melt(var_name="stage", value_name="seconds")
    rounds["part"] = rounds.stage.map(kinds).fillna("the rest")
    searches, works = pd.DataFrame(by_pool), pd.DataFrame(by_images)
    at_once = searches.queries.astype(str).rename("images at once")
    panels = [["pair", "pool"], ["pair", "images"]]
    figure, axes = plt.subplot_mosaic(panels, figsize=(PAGE_IN, 4))
    sns.pointplot(
        rounds, x="seconds", y="stage", hue="part", palette=SHADES, ax=axes["pair"],
        estimator="median", errorbar=("pi", 50), linestyle="none", markersize=4,
    )  # fmt: skip
    lines = {"y": "median_s", "errorbar": None, "markers": True, "palette": "colorblind"}
    sns.lineplot(searches, x="pool", hue="search", style=at_once, ax=axes["pool"], **lines)
    sns.lineplot(works, x="images", hue="work", style="work", ax=axes["images"], **lines)
    axes["pair"].set(title="One comparison", xscale="log", ylabel="")
    sns.move_legend(axes["pair"], "upper right", bbox_to_anchor=(1, -0.13), title="", ncols=2)
    for name, title in (("pool", "Search, for one image"), ("images", "All images")):
        axes[name].set(title=title, xscale="log", yscale="log", ylabel="seconds")
        sns.move_legend(axes[name], "upper left", bbox_to_anchor=(1, 1), title="")
    axes["pool"].set(xlabel="descriptions in the pool")
    of_stage = pd.DataFrame({"stage": name} | timing_row(stages[name]) for name in stages)
    numbers = pd.concat([of_stage, searches, works]).drop(columns=["ratio_ci95", "saved_ci95"])
    shares = [
        f"{found['estimate']:.1%} [{found['ci95'][0]:.1%}, {found['ci95'][1]:.1%}] {way}"
        for way, found in zip(WAYS, findings, strict=False)
    ]
    pictures = np.median(stages[ANEW]) / np.median(stages[ENCODE]) * 2
    caption = (
        "Medians of the rounds; left, bars are quartiles. Share of a comparison's time that "
        f"retrieval takes: {', '.join(shares)} (95 %, rounds resampled). Encoding the pool anew "
        f"takes as long as encoding {pictures:,.0f} pictures."
    )
    return figure, numbers, caption
