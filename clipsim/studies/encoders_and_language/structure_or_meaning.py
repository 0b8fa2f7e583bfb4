"""Does structure beat meaning? Sec. 6 of the paper, as cosines of sentence vectors.

Structure wins a quadruple where cos(anchor, S+M−) > cos(anchor, S−M+): the sentence built like the
anchor about something else is closer than the one that says the same in another way.
"""

from dataclasses import replace
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.preprocessing import normalize

from clipsim.evaluation import exact_interval, finding, interval
from clipsim.figures import PAGE_IN, claim_title, flat_table, interval_points
from clipsim.model import DualEncoder
from clipsim.studies.encoders_and_language.encoders import (
    PAPER,
    has_local_weights,
    random_text_encoder,
)
from clipsim.studies.encoders_and_language.sentences import SLOTS

# What S+M− changes, and how S−M+ says the same: which compared sentences are set against another.
ALL_SLOTS = f"exchanged_{len(SLOTS)}"
CONDITIONS = {
    "all slots, same words": (ALL_SLOTS, "paraphrase"),
    "one slot, same words": ("exchanged_1", "paraphrase"),
    "all slots, synonyms": (ALL_SLOTS, "reworded"),
    "one slot, synonyms": ("exchanged_1", "reworded"),
}
# Vector spaces, by the names that tables and figures use.
OWN, OWN_TRAINED = "text encoder", "text encoder, trained"
UNTRAINED, TRAINED = "joint space, untrained", "joint space, trained"
N_RANDOM = 2  # random-weight text encoders
WORDS = r"(?u)\b\w+\b"  # "a" is a word
INTERVAL = (
    "anchor concepts resampled with all their quadruples (exact binomial bound on concepts where "
    "all agree); models held fixed"
)


def cosines(quadruples, encode):
    """Cosine of each anchor with each of the sentences compared with it.

    Parameters
    ----------
    quadruples : list of Quadruple, length Q
    encode : callable
        List of sentences to vectors, one row each, of any non-zero length. Called once.

    Returns
    -------
    pandas.DataFrame
        Q rows, one column per compared sentence.
    """
    names = list(quadruples[0].compared)
    sentences = [text for q in quadruples for text in (q.anchor, *q.compared.values())]
    vectors = normalize(np.asarray(encode(sentences), dtype=np.float64))
    vectors = vectors.reshape(len(quadruples), 1 + len(names), -1)
    return pd.DataFrame(np.einsum("qd,qcd->qc", vectors[:, 0], vectors[:, 1:]), columns=names)


def word_counts():
    """What a count of words answers: sentences to vectors, by name; word order is lost."""
    return {
        name: lambda sentences, words=words: words.fit_transform(sentences).toarray()
        for name, words in (
            ("bag of words", CountVectorizer(token_pattern=WORDS)),
            ("TF-IDF", TfidfVectorizer(token_pattern=WORDS)),
        )
    }


def probed_spaces(profile, quadruples, models):
    """The probe's cosines in every vector space, before the study's training and after it.

    Parameters
    ----------
    profile : Profile
    quadruples : list of Quadruple
    models : sequence of DualEncoder
        The trained models of all seeds.

    Returns
    -------
    dict of str to list of pandas.DataFrame
        By space, one table per seed. `OWN` is the profile's text encoder before training;
        BERT-base is there where its weights are on this machine, `OWN_TRAINED` where training
        changed the text encoder.
    """

    def own_space(model):
        return cosines(quadruples, lambda sentences: model.encode_texts(sentences, space="text"))

    def joint_space(model):
        return cosines(quadruples, model.encode_texts)

    def untrained(**altered):
        return DualEncoder(replace(profile, **altered))

    spaces = {name: [cosines(quadruples, encode)] for name, encode in word_counts().items()}
    draws = [random_text_encoder(profile.text_encoder, draw) for draw in range(N_RANDOM)]
    spaces["random weights"] = [own_space(untrained(text_encoder=name)) for name in draws]
    pooling = "mean" if profile.text_pooling == "cls" else "cls"
    spaces[f"text encoder, {pooling} pooling"] = [own_space(untrained(text_pooling=pooling))]
    if profile.text_encoder != PAPER["text"] and has_local_weights("text"):
        spaces[PAPER["text"]] = [own_space(untrained(text_encoder=PAPER["text"]))]
    spaces[OWN] = [own_space(untrained())]
    seeds = range(profile.seed, profile.seed + profile.n_seeds)
    spaces[UNTRAINED] = [joint_space(untrained(seed=seed)) for seed in seeds]
    spaces[TRAINED] = [joint_space(model) for model in models]
    if not models[0].is_frozen:
        spaces[OWN_TRAINED] = [own_space(model) for model in models]
    return spaces


def probe_rows(spaces, quadruples, profile):
    """How often structure beats meaning in each vector space.

    Parameters
    ----------
    spaces : mapping of str to list of pandas.DataFrame
        From `probed_spaces`.
    quadruples : list of Quadruple
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
        wins = structure_wins(tables, condition)
        share, ci95 = clustered_share(wins.mean(axis=0), quadruples, profile)
        rows.append(
            {
                "space": space,
                "condition": condition,
                "share": share,
                "share_ci95": ci95,
                "share_of_seeds": wins.mean(axis=1).tolist(),
                "n_quadruples": len(quadruples),
                "n_seeds": len(tables),
            }
        )
    return rows


def structure_wins(tables, condition):
    """Whether structure wins each quadruple, ties counting half: shape (S, Q)."""
    structure, meaning = CONDITIONS[condition]
    margins = np.stack([table[structure] - table[meaning] for table in tables])
    return (margins > 0) + 0.5 * (margins == 0)


def before_and_after(spaces, quadruples, profile):
    """Does training change how often structure wins?

    Parameters
    ----------
    spaces, quadruples, profile
        As in `probe_rows`.

    Returns
    -------
    list of dict
        Per condition the share in the text encoder's own space before training, that in the joint
        space after it, and their paired difference, after less before.
    """
    rows = []
    for condition in CONDITIONS:
        before, after = (
            structure_wins(spaces[name], condition).mean(axis=0) for name in (OWN, TRAINED)
        )
        difference, ci95 = clustered_mean(after - before, quadruples, profile)
        shares = {"before": float(before.mean()), "after": float(after.mean())}
        changed = {"difference": difference, "difference_ci95": ci95}
        rows.append({"condition": condition} | shares | changed)
    return rows


def clustered_mean(values, quadruples, profile):
    """Mean over quadruples with an interval that resamples the anchors' concepts.

    Quadruples of one concept share words, so they are drawn, or left out, together.

    Parameters
    ----------
    values : array of float, shape (Q,)
    quadruples : list of Quadruple, length Q
    profile : Profile
        `n_bootstrap`, `seed`.

    Returns
    -------
    mean : float
    ci95 : list of float
    """
    _, cluster = np.unique([q.concept for q in quadruples], return_inverse=True)
    totals, sizes = np.bincount(cluster, weights=values), np.bincount(cluster)
    rng = np.random.default_rng(profile.seed)
    drawn = rng.integers(len(sizes), size=(profile.n_bootstrap, len(sizes)))
    means = totals[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    return float(np.mean(values)), interval(means)


def clustered_share(wins, quadruples, profile):
    """`clustered_mean` of a share; its interval has a width where every quadruple agrees, too.

    There the bootstrap knows no variation, and the interval is Clopper and Pearson's, with the
    concepts as observations.
    """
    share, ci95 = clustered_mean(wins, quadruples, profile)
    if share not in (0, 1):
        return share, ci95
    n_concepts = len({q.concept for q in quadruples})
    return share, exact_interval(round(share * n_concepts), n_concepts)


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
        axis.axvline(0.5, color="#bbbbbb", linewidth=0.8, zorder=0)
        axis.set(xlim=(-0.04, 1.04), xticks=[0, 0.5, 1], xlabel="")
        axis.set_title(condition.replace(", ", ",\n"), fontweight="normal")
    n_quadruples = rows[0]["n_quadruples"]
    figure.supxlabel(f"share of {n_quadruples} quadruples where structure wins", fontsize=8)
    claim_title(figure, findings[:1])
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
        exchanged, a paraphrase in the same words.
    """
    tested = {OWN: " before contrastive training", TRAINED: ""}
    return [
        finding(
            "structure_over_meaning",
            f"share of sentence quadruples where structure wins, less one half; {row['space']} "
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
