"""Does structure beat meaning? Sec. 6 of the paper, as cosines of sentence vectors.

BERT, says the paper, rates sentences of the same structure about different things above sentences
of different structure about the same thing. A quadruple of sentences has an anchor; S+M−, the same
structure about something else; S−M+, the same content in another structure; and S−M−, the control.
Content has four slots: "a *dog* *resting* next to a *car* *on the beach*". S+M− comes in four
grades, with one to four slots exchanged; S−M+ with the same words, and with synonyms.

The quadruples of `quadruples.csv` were written by rule from the scenes' vocabulary, balanced over
the ordered pairs of seven structures, the slot that is exchanged first, and the subjects: people,
animals and birds on the ground, which have enough actions to exchange.

Structure wins a quadruple where cos(anchor, S+M−) > cos(anchor, S−M+): the sentence built like the
anchor about something else is closer than the one that says the same in another way.
"""

from dataclasses import replace
from functools import partial
from importlib.resources import files
from itertools import product
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.preprocessing import normalize

from clipsim.evaluation import exact_interval, finding, interval, not_testable
from clipsim.figures import PAGE_IN, claim_title, flat_table, interval_points
from clipsim.model import TEXT_BACKBONES, DualEncoder
from clipsim.studies.encoders_and_language.encoders import random_encoder

# What S+M− changes, and how S−M+ says the same: which compared sentences are set against another.
ALL_SLOTS = "exchanged_4"
CONDITIONS = {
    "all slots, same words": (ALL_SLOTS, "paraphrase"),
    "one slot, same words": ("exchanged_1", "paraphrase"),
    "all slots, synonyms": (ALL_SLOTS, "reworded"),
    "one slot, synonyms": ("exchanged_1", "reworded"),
}
# Vector spaces, by the names that tables and figures use.
OWN, OWN_TRAINED = "text encoder", "text encoder, trained"
UNTRAINED, TRAINED = "joint space, untrained", "joint space, trained"
BERT = "bert-base-uncased"  # by its name, wherever its folder lies
N_RANDOM = 2  # random-weight text encoders
WORDS = r"(?u)\b\w+\b"  # "a" is a word
INTERVAL = (
    "anchor concepts resampled with all their quadruples (exact binomial bound on concepts where "
    "all agree); models held fixed"
)


def sentence_quadruples():
    """The sentences that are probed, a row per quadruple; no sentence occurs twice.

    Returns
    -------
    pandas.DataFrame
        `concept`, that of the anchor's subject, which an interval resamples; `anchor`; S+M− with
        1, 2, 3 and 4 slots exchanged, `exchanged_1` … `exchanged_4`; S−M+ with the anchor's
        content words, `paraphrase`, and with synonyms, `reworded`; S−M−, every slot exchanged,
        `control`.
    """
    return pd.read_csv(files(__package__).joinpath("quadruples.csv"))


def cosines(quadruples, encode):
    """Cosine of each anchor with each of the sentences compared with it.

    Parameters
    ----------
    quadruples : pandas.DataFrame
        Q rows, from `sentence_quadruples`.
    encode : callable
        List of sentences to vectors, one row each, of any non-zero length. Called once.

    Returns
    -------
    pandas.DataFrame
        Q rows, one column per compared sentence.
    """
    sentences = quadruples.drop(columns="concept")
    vectors = np.asarray(encode(sentences.to_numpy().ravel().tolist()), dtype=np.float64)
    vectors = normalize(vectors).reshape(*sentences.shape, -1)
    found = np.einsum("qd,qcd->qc", vectors[:, 0], vectors[:, 1:])
    return pd.DataFrame(found, columns=sentences.columns[1:])


def word_counts():
    """What a count of words answers: sentences to vectors, by name; word order is lost."""
    counts = {"bag of words": CountVectorizer, "TF-IDF": TfidfVectorizer}
    return {
        name: lambda said, count=count: count(token_pattern=WORDS).fit_transform(said).toarray()
        for name, count in counts.items()
    }


def probed_spaces(profile, quadruples, models):
    """The probe's cosines in every vector space, before the study's training and after it.

    Parameters
    ----------
    profile : Profile
    quadruples : pandas.DataFrame
    models : sequence of DualEncoder
        The trained models of all seeds.

    Returns
    -------
    dict of str to list of pandas.DataFrame
        By space, one table per seed. `OWN` is the profile's text encoder before training;
        `OWN_TRAINED` is there where training changed it.
    """

    def probed(model, space):
        return cosines(quadruples, partial(model.encode_texts, space=space))

    def untrained(space, **altered):
        return probed(DualEncoder(replace(profile, **altered)), space)

    spaces = {name: [cosines(quadruples, encode)] for name, encode in word_counts().items()}
    draws = [random_encoder(TEXT_BACKBONES, profile.text_encoder, i) for i in range(N_RANDOM)]
    spaces["random weights"] = [untrained("text", text_encoder=name) for name in draws]
    pooling = "mean" if profile.text_pooling == "cls" else "cls"
    spaces[f"text encoder, {pooling} pooling"] = [untrained("text", text_pooling=pooling)]
    spaces[OWN] = [untrained("text")]
    seeds = range(profile.seed, profile.seed + profile.n_seeds)
    spaces[UNTRAINED] = [untrained("joint", seed=seed) for seed in seeds]
    spaces[TRAINED] = [probed(model, "joint") for model in models]
    if not models[0].is_frozen:
        spaces[OWN_TRAINED] = [probed(model, "text") for model in models]
    return spaces


def probe_rows(spaces, quadruples, profile):
    """How often structure beats meaning in each vector space.

    Parameters
    ----------
    spaces : mapping of str to list of pandas.DataFrame
        From `probed_spaces`.
    quadruples : pandas.DataFrame
    profile : Profile
        `n_bootstrap`, `seed`.

    Returns
    -------
    list of dict
        One per space and condition: `share` of quadruples where structure wins (ties count
        half), averaged over the seeds, with its 95 % interval (`INTERVAL`); `share_of_seeds`,
        one value per seed.
    """
    rows = []
    for (space, tables), condition in product(spaces.items(), CONDITIONS):
        structure, meaning = CONDITIONS[condition]
        margins = np.stack([table[structure] - table[meaning] for table in tables])
        wins = (margins > 0) + 0.5 * (margins == 0)
        share, ci95 = clustered_share(wins.mean(axis=0), quadruples, profile)
        row = {"space": space, "condition": condition, "share": share, "share_ci95": ci95}
        row["share_of_seeds"] = wins.mean(axis=1).tolist()
        rows.append(row | {"n_quadruples": len(quadruples), "n_seeds": len(tables)})
    return rows


def clustered_share(wins, quadruples, profile):
    """Mean over quadruples with an interval that resamples the anchors' concepts.

    Quadruples of one concept share words, so they are drawn, or left out, together. Where every
    quadruple agrees the bootstrap knows no variation, and the interval is Clopper and Pearson's,
    with the concepts as observations.

    Parameters
    ----------
    wins : array of float, shape (Q,)
    quadruples : pandas.DataFrame
    profile : Profile
        `n_bootstrap`, `seed`.

    Returns
    -------
    share : float
    ci95 : list of float
    """
    _, cluster = np.unique(quadruples.concept, return_inverse=True)
    totals, sizes = np.bincount(cluster, weights=wins), np.bincount(cluster)
    share = float(np.mean(wins))
    if share in (0, 1):
        return share, exact_interval(round(share * len(sizes)), len(sizes))
    rng = np.random.default_rng(profile.seed)
    drawn = rng.integers(len(sizes), size=(profile.n_bootstrap, len(sizes)))
    return share, interval(totals[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))


def probe_chart(rows, findings):
    """Share of quadruples where structure wins: spaces down, conditions across.

    Parameters
    ----------
    rows : list of dict
        From `probe_rows`.
    findings : list of dict
        From `structure_findings`; the first one is in the title.

    Returns
    -------
    figure, numbers, caption
    """
    n_spaces = len({row["space"] for row in rows})
    figure, axes = plt.subplots(
        1, len(CONDITIONS), figsize=(PAGE_IN, 1.4 + 0.24 * n_spaces), sharey=True
    )
    for axis, condition in zip(axes, CONDITIONS, strict=True):
        interval_points(axis, [r for r in rows if r["condition"] == condition], "share", "space")
        axis.axvline(0.5, color="silver", linewidth=0.8, zorder=0)
        axis.set(xlim=(-0.04, 1.04), xticks=[0, 0.5, 1], xlabel="")
        axis.set_title(condition.replace(", ", ",\n"), fontweight="normal")
    n_quadruples = rows[0]["n_quadruples"]
    figure.supxlabel(f"share of {n_quadruples} quadruples where structure wins", fontsize=8)
    own = next(row for row in rows if row["space"] == OWN)
    wins = f"structure wins {own['share']:.0%} ({own['condition']})"
    claim_title(figure, findings[:1], f"In the text encoder's own space {wins}")
    caption = f"Lines: 95 % intervals, {INTERVAL}. Ticks: single seeds, where there are several."
    return figure, flat_table(rows), caption


def structure_findings(rows, profile):
    """Findings on "structure over meaning", before training and after it.

    Parameters
    ----------
    rows : list of dict
        From `probe_rows`.
    profile : Profile

    Returns
    -------
    list of dict
        The first one is the claim's own test: the text encoder before training, every slot
        exchanged, a paraphrase in the same words. The claim is BERT's: with any other text
        encoder, one that says so.
    """
    encoder = profile.text_encoder
    if Path(encoder).name != BERT or profile.weights == "random":
        why = f"the claim is about BERT as pretrained, whose weights are not here; {encoder}"
        if encoder == "minilm":
            why += ", which was fine-tuned for meaning,"
        return [not_testable("structure_over_meaning", f"{why} stands in the chart")]
    tested = {OWN: " before contrastive training", TRAINED: ""}
    return [
        finding(
            "structure_over_meaning",
            f"share of sentence quadruples where structure wins, minus one half; {row['space']} "
            f"({profile.text_encoder}){tested[row['space']]}; {row['condition']}",
            row["share"] - 0.5,
            [end - 0.5 for end in row["share_ci95"]],
            n_pairs=row["n_quadruples"],
            n_seeds=row["n_seeds"],
            interval=INTERVAL,
        )
        for row in rows
        if row["space"] in tested
    ]
