"""What comparing images costs, how that grows, and what makes it cheaper (notebook 12).

Two claims (sec. 6): the retrieval of descriptions takes long, and cached text vectors, better
search and parallel work reduce it. Each can fail: retrieval may take less than half of a
comparison, and a way that should be cheaper may take longer.

A machine does other things, too: contestants take turns (`timed_rounds`), and ratios are taken
within a round, of what ran side by side. Larger pools are in `benchmarks/pool_size.py`.
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

from clipsim.data import caption_pool, jpeg, load, load_pairs, preprocessed, read_picture
from clipsim.evaluation import finding, load_retrieval, trained_model
from clipsim.figures import INK, PAGE_IN
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
SHADES = {"retrieval": "#d55e00", "the rest": INK}
SEARCHES = {EXACT: INK, "HNSW32": "#0173b2", "IVF": "#e5a942"}  # apart in grey, too


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
    seconds = {name: np.empty(n_rounds + 1) for name in names}
    for number in range(n_rounds + 1):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            started = clock()
            contestants[name](number)
            seconds[name][number] = clock() - started
    return {name: values[1:] for name, values in seconds.items()}


def pair_seconds(describer, images, pairs, n_rounds=PAIR_ROUNDS, clock=time.perf_counter):
    """Seconds of every stage of a comparison of two images, of another pair in each round.

    Pictures are read from JPEG files in memory, of the size they have. Of the batches in which the
    pool is encoded, each of texts of one length in tokens, some are encoded in a round, evenly
    spread over the lengths; their time is multiplied up to the tokens of the whole pool.

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
        The stages of one comparison.
    """
    profile, model, index = describer.profile, describer.model, describer.index
    rng = np.random.default_rng(profile.seed)
    drawn = pairs.where(rng.integers(len(pairs), size=n_rounds + 1))
    both = zip(drawn.id_a.tolist(), drawn.id_b.tolist(), strict=True)
    files = [[jpeg(images.read_image(name), 90) for name in pair] for pair in both]
    pixels = [np.stack([_pixels(file) for file in pair]) for pair in files]
    queries = [_image_vectors(model, pair) for pair in pixels]
    ids = [index.search(pair, profile.n_descriptions)[0] for pair in queries]
    tokens = model.text_backbone.tokens.unpadded(index.captions)
    batches = list(equal_lengths(tokens, TOKENS_PER_BATCH))
    stride = max(1, len(batches) // BATCHES)
    rows = np.concatenate(batches[stride // 2 :: stride])
    texts = [index.captions[row] for row in rows]
    times = sum(map(len, tokens)) / sum(len(tokens[row]) for row in rows)
    turns = {
        READ: lambda i: [_pixels(file) for file in files[i]],
        ENCODE: lambda i: _image_vectors(model, pixels[i]),
        ANEW: lambda i: model.project(encoded_texts(model, texts, progress=False), "text"),
        FILED: lambda i: Describer.load(Path(folder), profile, model).index.vectors.copy(),
        SEARCH: lambda i: index.search(queries[i], profile.n_descriptions),
        SCORE: lambda i: caption_score(*describer.compared[ids[i]], profile.normalisation),
    }
    with TemporaryDirectory() as folder:
        describer.save(Path(folder))
        seconds = timed_rounds(turns, n_rounds, clock)
    return seconds | {ANEW: seconds[ANEW] * times}


def _image_vectors(model, pixels):
    """`DualEncoder.encode_images` of a few preprocessed pictures, whatever the cache holds."""
    return model.project(pixel_features(model, pixels), "image")


def _pixels(file):
    return preprocessed(read_picture(io.BytesIO(file), "picture"))


def _powers_of_ten(whole, least=10):
    return [10**k for k in range(1, 9) if least <= 10**k < whole] + [whole]


def pool_rows(profile, vectors, queries, n_rounds=ROUNDS, clock=time.perf_counter):
    """Search of random parts of a pool, powers of ten, and of the whole: see `search_rows`."""
    rows = []
    for size in _powers_of_ten(len(vectors), len(vectors) / 25):
        chosen = np.random.default_rng(profile.seed).permutation(len(vectors))[:size]
        rows += search_rows(profile, vectors[np.sort(chosen)], queries, n_rounds, clock)
    return rows


def search_rows(profile, pool, queries, n_rounds, clock=time.perf_counter):
    """Time and recall of exact and approximate search, for one image and for many at once.

    Parameters
    ----------
    profile : Profile
    pool : array of float32, shape (C, d)
    queries : array of float32, shape (M, d)
        Vectors of images.
    n_rounds : int
    clock : callable

    Returns
    -------
    list of dict
        By `search` ("exact", "HNSW32", "IVF") and number of `queries` at once: the size of the
        `pool`, `seconds` per query in each round, and their median `median_s`. An approximate one
        also has `factory`, `effort`, `recall` and `build_s`: see `approximate_index`.
    """
    n, asked = profile.n_descriptions, queries[:: max(1, len(queries) // AT_ONCE)][:AT_ONCE]
    searches, about = {EXACT: lambda part, n: largest_products(part, pool, n)}, {EXACT: {}}
    doublings = round(np.log2(len(pool)) / 2)  # as many lists as a list has vectors
    for name, factory, efforts in (
        ("HNSW32", "HNSW32", [f"efSearch={2**k}" for k in range(4, 12)]),
        ("IVF", f"IVF{2**doublings},Flat", [f"nprobe={2**k}" for k in range(doublings + 1)]),
    ):
        started = clock()
        index, found = approximate_index(pool, factory, asked, n, efforts)
        searches[name] = index.search
        about[name] = {"factory": factory, "build_s": clock() - started} | found
    turns = {
        (name, k): lambda i, search=search, k=k: search(asked[np.arange(i, i + k) % len(asked)], n)
        for name, search in searches.items()
        for k in (1, len(asked))
    }
    seconds = timed_rounds(turns, n_rounds, clock)
    return [
        {"pool": len(pool), "search": name, "queries": k, **about[name]} | _timed(of / k)
        for (name, k), of in seconds.items()
    ]


def _timed(seconds):
    return {"seconds": seconds, "median_s": float(np.median(seconds))}


def approximate_index(pool, factory, queries, n, efforts):
    """FAISS's index of a pool, making the least effort that finds `RECALL` of the n best.

    Parameters
    ----------
    pool : array of float32, shape (C, d)
    factory : str
        FAISS's name of the index.
    queries : array of float32, shape (Q, d)
        At most `SAMPLE` of them, evenly spaced, are asked.
    n : int
    efforts : sequence of str
        FAISS's search parameters, rising: efSearch, nodes kept in view, or nprobe, lists read.
        The last one stays where none is enough.

    Returns
    -------
    index : faiss.Index
    found : dict
        `effort`, and `recall`, the share of the n best that it finds: a product as large as the
        n-th counts.
    """
    import faiss  # only here: on some systems its OpenMP and torch's do not get along

    index = faiss.index_factory(pool.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
    index.train(pool)
    index.add(pool)
    asked = queries[np.linspace(0, len(queries) - 1, min(SAMPLE, len(queries))).astype(int)]
    products = asked @ pool.T
    nth = np.partition(products, -n)[:, [-n]]
    for effort in efforts:
        faiss.ParameterSpace().set_index_parameters(index, effort)
        ids = index.search(asked, n)[1]  # -1: fewer were found
        found = (ids >= 0) & (np.take_along_axis(products, ids, 1) >= nth)
        if found.mean() >= RECALL:
            break
    return index, {"effort": effort, "recall": float(found.mean())}


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
        `seconds` of each round and `median_s`, by number of `images` and `work`: pool and pictures
        encoded, descriptions searched exactly, Eq. 4 for all pairs as one product of matrices, and
        as N² cosines of every pair, timed on some pairs and multiplied up.
    """
    profile, rows = describer.profile, []
    ids, _ = describer.index.search(queries, profile.n_descriptions)
    for size in _powers_of_ten(len(queries)):
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
        rows += [{"images": size, "work": work} | _timed(of) for work, of in seconds.items()]
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
        `what` it is, the `work` that was timed; medians of the rounds: how many times
        as fast (`ratio`), and the difference as a share of the longer time (`saved`, above 0 where
        time is saved) with `saved_ci95`. An approximate search that does not reach the recall
        saves nothing and is left out.
    """
    n_pool, n_images = by_pool[-1]["pool"], by_images[-1]["images"]
    own = [row for row in by_pool if row["pool"] == n_pool]
    one, several = (row for row in own if row["search"] == EXACT)
    works = {row["work"]: row["seconds"] for row in by_images if row["images"] == n_images}
    retrieval = f"retrieval from {n_pool:,} descriptions for two images"
    searching = f"searching {n_pool:,} descriptions for one image"
    anew, filed = (stages[stage] + stages[SEARCH] for stage in (ANEW, FILED))
    compared = [("vectors from a file instead of captions encoded again", retrieval, anew, filed)]
    for row in own:
        if row["queries"] == 1 and row.get("recall", 0) >= RECALL:
            how = f"{row['factory']} ({row['effort']}, recall {row['recall']:.3f})"
            how += " instead of exact search"
            compared.append((how, searching, one["seconds"], row["seconds"]))
    how = f"{several['queries']:,} images at once instead of one"
    compared.append((how, searching, one["seconds"], several["seconds"]))
    how, work = "one product of matrices instead of all cosines", f"Eq. 4 of {n_images:,} images"
    compared.append((how, work, works[PAIR_BY_PAIR], works[ALL_PAIRS]))
    rows = []
    for what, work, slow, fast in compared:
        saved, ci95 = _median((slow - fast) / np.maximum(slow, fast), profile)
        row = {"what": what, "work": work, "ratio": float(np.median(slow / fast))}
        rows.append(row | {"saved": saved, "saved_ci95": ci95})
    return rows


def _median(values, profile):
    """The median of the rounds, and its 95 % interval."""
    drawn = {"n_resamples": profile.n_bootstrap, "rng": profile.seed}
    ends = bootstrap((values,), np.median, method="percentile", **drawn).confidence_interval
    return float(np.median(values)), [float(end) for end in ends]


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
    basis = {"n_seeds": 1, "interval": "rounds resampled; machine, model and inputs held fixed"}
    of_pool, found = savings[0]["work"].removesuffix(" for two images"), []
    for way, stage in WAYS.items():
        retrieval = stages[stage] + stages[SEARCH]
        shares = retrieval / (retrieval + stages[READ] + stages[ENCODE] + stages[SCORE])
        text = f"share of the time of comparing two new images that {of_pool} takes, {way}"
        tested = {"n_pairs": len(shares), "region": (0.5, np.inf)} | basis  # more than the rest
        found.append(finding("retrieval_is_the_cost", text, *_median(shares, profile), **tested))
    for row in savings[:-1]:
        text = f"share of the time saved by {row['what']}: {row['work']}"
        tested = {"n_pairs": None} | basis
        value = row["saved"], row["saved_ci95"]
        found.append(finding("retrieval_can_be_reduced", text, *value, **tested))
    return found


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
        In the numbers a row per round.
    """
    of_stages = [{"stage": name, "seconds": seconds} for name, seconds in stages.items()]
    rounds, searches, works = tables = [
        pd.DataFrame(rows).explode("seconds").astype({"seconds": float})
        for rows in (of_stages, by_pool, by_images)
    ]
    rounds["part"] = np.where(rounds.stage.isin((ANEW, FILED, SEARCH)), *SHADES)
    searches["images at once"] = searches.queries.astype(str)
    layout = [["stage", "pool"], ["stage", "images"]]
    figure, axes = plt.subplot_mosaic(layout, figsize=(PAGE_IN, 4.2))
    middle = {"estimator": "median", "errorbar": ("pi", 50)}
    sns.pointplot(
        rounds, x="seconds", y="stage", hue="part", palette=SHADES, linestyle="none",
        markers=["o", "s"], markersize=4, ax=axes["stage"], **middle,
    )  # fmt: skip
    axes["stage"].set(xscale="log", ylabel="", xlabel="seconds for a comparison of two images")
    sns.move_legend(axes["stage"], "upper right", bbox_to_anchor=(1, -0.12), title="", ncols=2)
    lines = {"y": "seconds", "markers": True, "palette": "colorblind"} | middle
    looks = {"hue": "search", "style": "images at once", "palette": SEARCHES, "ax": axes["pool"]}
    sns.lineplot(searches, x="pool", **lines | looks)
    sns.lineplot(works, x="images", hue="work", style="work", ax=axes["images"], **lines)
    for name in ("pool", "images"):
        axes[name].set(xscale="log", yscale="log")
        sns.move_legend(axes[name], "upper left", bbox_to_anchor=(1, 1))
    axes["pool"].set(xlabel="descriptions in the pool", ylabel="seconds for an image")
    anew, filed = (found["estimate"] for found in findings[: len(WAYS)])
    title = f"Retrieval takes {anew:.1%} of a comparison's time, {filed:.1%} with {list(WAYS)[-1]}"
    figure.suptitle(title, x=0.01, ha="left")
    numbers = pd.concat(tables).drop(columns="median_s")
    return figure, numbers, "Medians and quartiles of the rounds."
