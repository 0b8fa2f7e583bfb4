"""Does structure beat meaning? Sec. 6 of the paper, as cosines of sentence vectors.

Structure wins a quadruple where cos(anchor, S+M−) > cos(anchor, S−M+): the sentence built like the
anchor about something else is closer than the one that says the same in another way.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.preprocessing import normalize

from clipsim.evaluation import exact_interval, interval
from clipsim.model import DualEncoder
from clipsim.studies.encoders_and_language.encoder_study import (
    PAPER,
    has_local_weights,
    random_text_encoder,
)
from clipsim.studies.encoders_and_language.sentence_quadruples import SLOTS

# What S+M− changes, and how S−M+ says the same: which compared sentences are set against another.
CONDITIONS = {
    "all slots, same words": (f"exchanged_{len(SLOTS)}", "paraphrase"),
    "one slot, same words": ("exchanged_1", "paraphrase"),
    "all slots, synonyms": (f"exchanged_{len(SLOTS)}", "reworded"),
    "one slot, synonyms": ("exchanged_1", "reworded"),
}
MAIN, ONE_SLOT = list(CONDITIONS)[:2]
GRADES = {f"{k} of {len(SLOTS)}": (f"exchanged_{k}", "paraphrase") for k in range(1, 5)}
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
    sentences = probe_sentences(quadruples)
    vectors = normalize(np.asarray(encode(sentences), dtype=np.float64))
    vectors = vectors.reshape(len(quadruples), 1 + len(names), -1)
    return pd.DataFrame(np.einsum("qd,qcd->qc", vectors[:, 0], vectors[:, 1:]), columns=names)


def probe_sentences(quadruples):
    """All sentences: of each quadruple its anchor, then those compared with it."""
    return [text for q in quadruples for text in (q.anchor, *q.compared.values())]


def lexical_encoders():
    """What a count of words answers: sentences to vectors, by name; word order is lost."""
    words = CountVectorizer(token_pattern=WORDS)
    weighted = TfidfVectorizer(token_pattern=WORDS)
    return {
        "bag of words": lambda sentences: words.fit_transform(sentences).toarray(),
        "TF-IDF": lambda sentences: weighted.fit_transform(sentences).toarray(),
    }


def untrained_spaces(profile, quadruples):
    """The probe's cosines in every space that the study's training has not touched.

    Returns
    -------
    dict of str to list of pandas.DataFrame
        By space, one table per seed. `OWN` is the profile's text encoder before training;
        BERT-base is there where its weights are on this machine.
    """
    runs = {name: [cosines(quadruples, fn)] for name, fn in lexical_encoders().items()}
    draws = [random_text_encoder(profile.text_encoder, draw) for draw in range(N_RANDOM)]
    runs["random weights"] = [
        _own_space(replace(profile, text_encoder=name), quadruples) for name in draws
    ]
    pooling = "mean" if profile.text_pooling == "cls" else "cls"
    runs[f"text encoder, {pooling} pooling"] = [
        _own_space(replace(profile, text_pooling=pooling), quadruples)
    ]
    if profile.text_encoder != PAPER["text"] and has_local_weights("text"):
        bert = replace(profile, text_encoder=PAPER["text"])
        runs[PAPER["text"]] = [_own_space(bert, quadruples)]
    runs[OWN] = [_own_space(profile, quadruples)]
    models = (DualEncoder(replace(profile, seed=seed)) for seed in seeds(profile))
    runs[UNTRAINED] = [cosines(quadruples, model.encode_texts) for model in models]
    return runs


def trained_spaces(model, quadruples):
    """The probe's cosines in a trained model: its joint space, and its text encoder's own
    space if training changed that."""
    spaces = {TRAINED: cosines(quadruples, model.encode_texts)}
    if not model.is_frozen:
        spaces[OWN_TRAINED] = cosines(quadruples, lambda texts: model.encode_texts(texts, "text"))
    return spaces


def seeds(profile):
    """The seeds of `clipsim.evaluation.steps.models_of_seeds`."""
    return range(profile.seed, profile.seed + profile.n_seeds)


def probe_rows(space, runs, quadruples, profile, conditions=None):
    """How often, and by how much, structure beats meaning in one vector space.

    Parameters
    ----------
    space : str
    runs : list of pandas.DataFrame
        From `cosines`; one per seed of the space.
    quadruples : list of Quadruple
    profile : Profile
        `n_bootstrap`, `seed`.
    conditions : dict, optional
        As `CONDITIONS`, which is the default.

    Returns
    -------
    list of dict
        One per condition: `share` of quadruples where structure wins (ties count half) and mean
        `margin` cos(anchor, S+M−) − cos(anchor, S−M+), both averaged over the seeds, with 95 %
        intervals (`INTERVAL`); `share_of_seeds`, one value per seed; and `cos_`… of the three
        kinds of sentences.
    """
    rows = []
    for condition, (structure, meaning) in (conditions or CONDITIONS).items():
        margins = np.stack([run[structure] - run[meaning] for run in runs])
        wins = _wins(runs, structure, meaning)
        share = clustered_share(wins.mean(axis=0), quadruples, profile)
        margin = clustered_mean(margins.mean(axis=0), quadruples, profile)
        mean = {name: float(np.mean([run[name].mean() for run in runs])) for name in runs[0]}
        rows.append(
            {
                "space": space,
                "condition": condition,
                "share": share[0],
                "share_ci95": share[1],
                "share_of_seeds": wins.mean(axis=1).tolist(),
                "margin": margin[0],
                "margin_ci95": margin[1],
                "cos_structure": mean[structure],
                "cos_meaning": mean[meaning],
                "cos_neither": mean["control"],
                "n_quadruples": len(quadruples),
                "n_seeds": len(runs),
            }
        )
    return rows


def before_and_after(before, after, quadruples, profile):
    """Does training change how often structure wins?

    Parameters
    ----------
    before, after : list of pandas.DataFrame
        From `cosines`; one per seed.
    quadruples : list of Quadruple
    profile : Profile

    Returns
    -------
    list of dict
        Per condition the two shares and their paired difference, after less before.
    """
    rows = []
    for condition, (structure, meaning) in CONDITIONS.items():
        first, second = (_wins(runs, structure, meaning).mean(axis=0) for runs in (before, after))
        difference, ci95 = clustered_mean(second - first, quadruples, profile)
        rows.append(
            {
                "condition": condition,
                "before": float(first.mean()),
                "after": float(second.mean()),
                "difference": difference,
                "difference_ci95": ci95,
            }
        )
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
    values = np.asarray(values, dtype=float)
    _, cluster = np.unique([q.concept for q in quadruples], return_inverse=True)
    totals, sizes = np.bincount(cluster, weights=values), np.bincount(cluster)
    rng = np.random.default_rng(profile.seed)
    drawn = rng.integers(len(sizes), size=(profile.n_bootstrap, len(sizes)))
    means = totals[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    return float(values.mean()), interval(means)


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


def _wins(runs, structure, meaning):
    """Whether structure wins, ties counting half: shape (S, Q)."""
    margins = np.stack([run[structure] - run[meaning] for run in runs])
    return (margins > 0) + 0.5 * (margins == 0)


def _own_space(profile, quadruples):
    model = DualEncoder(profile)
    return cosines(quadruples, lambda texts: model.encode_texts(texts, space="text"))
