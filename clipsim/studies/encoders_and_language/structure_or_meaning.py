"""Does structure beat meaning? Sec. 6 of the paper, as cosines of sentence vectors.

BERT, says the paper, rates sentences of the same structure about different things above sentences
of different structure about the same thing. A quadruple of sentences, written with the scenes'
concepts, has an anchor; S+M−, the same structure about something else; S−M+, the same content in
another structure; and S−M−, the control. Content has four slots (`SLOTS`): "a *dog* *resting* next
to a *car* *on the beach*". S+M− comes in four grades, with one to four slots exchanged; S−M+ with
the same words, and with synonyms where a concept has them.

Structure wins a quadruple where cos(anchor, S+M−) > cos(anchor, S−M+): the sentence built like the
anchor about something else is closer than the one that says the same in another way.
"""

from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from itertools import permutations, product
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer, TfidfVectorizer
from sklearn.preprocessing import normalize

from clipsim import data
from clipsim.data import ALONE, SETTINGS, STRUCTURES, Mention, concept_table, with_article
from clipsim.evaluation import exact_interval, finding, interval, not_testable
from clipsim.figures import PAGE_IN, claim_title, flat_table, interval_points
from clipsim.model import TEXT_BACKBONES, DualEncoder
from clipsim.studies.encoders_and_language.encoders import random_encoder

SLOTS = ("who", "doing", "beside", "where")
LEFT_OUT = "focus"  # names one thing only, so that it cannot say the same as the others
CREATURES = ("animal", "bird")
# Words that the structures bring, beside the usual function words.
FRAME_WORDS = {"beside", "close", "look", "near", "nearby", "next", "picture", "shows", "view"}
N_QUADRUPLES = 252  # each of the 42 ordered pairs of structures six times
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
BERT = "bert-base-uncased"  # by its name, wherever its folder lies
N_RANDOM = 2  # random-weight text encoders
WORDS = r"(?u)\b\w+\b"  # "a" is a word
INTERVAL = (
    "anchor concepts resampled with all their quadruples (exact binomial bound on concepts where "
    "all agree); models held fixed"
)


@dataclass(frozen=True)
class Content:
    """What a sentence says: one filler per slot, without articles."""

    who: str
    doing: str
    beside: str
    where: str
    person: bool

    def sentence(self, structure, words):
        """The content in one of `structures()`; equal seeds `words`, equal words of its own."""
        subject, thing = with_article(self.who), with_article(self.beside)
        main = Mention(
            f"{subject} {self.doing}", subject, self.doing, False, self.person, "ground"
        )
        other = Mention(thing, thing, "nearby", False, False, "ground")
        rng = np.random.default_rng(words)
        text = " ".join(structures()[structure]([main, other], self.where, rng).split())
        return text[0].upper() + text[1:] + "."


@dataclass(frozen=True)
class Quadruple:
    """An anchor and the sentences that it is compared with.

    Attributes
    ----------
    concept : str
        Concept of the anchor's subject; what an interval resamples.
    anchor : str
    compared : dict of str to str
        S+M− with 1, 2, 3 and 4 slots exchanged, "exchanged_1" … "exchanged_4"; S−M+ with the
        anchor's content words, "paraphrase", and with synonyms, "reworded"; S−M−, every slot
        exchanged, "control".
    """

    concept: str
    anchor: str
    compared: dict[str, str]


def structures():
    """The sentence structures that can carry all four slots, by name."""
    named = {build.__name__.strip("_").replace("_", " "): build for build in STRUCTURES}
    return {name: build for name, build in named.items() if name != LEFT_OUT}


def sentence_quadruples(seed):
    """Quadruples balanced over subjects, things, structures and exchanged slots.

    Subjects are the people, animals and birds on the ground, things beside them everything else
    on the ground: the concepts in the air and in the water have too few actions to exchange.

    Parameters
    ----------
    seed : int
        Decides every word.

    Returns
    -------
    list of Quadruple
        No sentence occurs twice.
    """
    rng = np.random.default_rng([seed, len(SLOTS)])
    subjects = [concept for concept in _on_ground() if concept.group in ("person", *CREATURES)]
    things = [concept for concept in _on_ground() if concept not in subjects]
    subjects, things, orders = (
        [group[i] for i in rng.permutation(len(group))]
        for group in (subjects, things, list(permutations(structures(), 2)))
    )
    quadruples, used = [], set()
    for number in range(N_QUADRUPLES):
        rng = np.random.default_rng([seed, number])
        subject, thing = subjects[number % len(subjects)], things[number % len(things)]
        first = (number + number // len(orders)) % len(SLOTS)
        while True:
            quadruple = _quadruple(subject, thing, orders[number % len(orders)], first, rng)
            sentences = {quadruple.anchor, *quadruple.compared.values()}
            if len(sentences) == len(quadruple.compared) + 1 and not sentences & used:
                break
        used |= sentences
        quadruples.append(quadruple)
    return quadruples


def _words(sentence):
    """Content words and function words of a sentence, as two sets."""
    words = set(sentence.lower().replace(",", "").rstrip(".").split())
    function = words & (ENGLISH_STOP_WORDS | FRAME_WORDS)
    return words - function, function


def _on_ground():
    return [concept for concept in concept_table().values() if concept.place == "ground"]


def _quadruple(subject, thing, both_structures, first, rng):
    said, exchanged, reworded = _contents(subject, thing, rng)
    rest = [slot for i, slot in enumerate(SLOTS) if i != first]
    order = (SLOTS[first], *(rest[i] for i in rng.permutation(len(rest))))
    words, (structure, other_structure) = int(rng.integers(2**31)), both_structures
    compared = {}
    for k in range(1, len(SLOTS) + 1):
        partly = replace(said, **{slot: getattr(exchanged, slot) for slot in order[:k]})
        compared[f"exchanged_{k}"] = partly.sentence(structure, words)
    for name, content in (("paraphrase", said), ("reworded", reworded), ("control", exchanged)):
        compared[name] = content.sentence(other_structure, words)
    anchor = said.sentence(structure, words)
    return Quadruple(subject.name, anchor, compared)


def _contents(subject, thing, rng):
    """What the anchor says; the same with every slot exchanged; the same in other words."""
    fitting = [s for s in SETTINGS if subject.fits(s) and thing.fits(s)]
    setting, elsewhere = (fitting[i] for i in rng.permutation(len(fitting))[:2])
    where, places = data.pick(rng, SETTINGS[setting]["ground"]), SETTINGS[elsewhere]["ground"]
    same_frame = [place for place in places if _words(place)[1] == _words(where)[1]]
    others = [
        concept
        for concept in _on_ground()
        if concept.fits(setting) and concept.fits(elsewhere) and concept not in (subject, thing)
    ]
    outside = [concept for concept in others if concept.group not in ("person", *CREATURES)]
    person = subject.group == "person"
    beside, doing = _noun(rng, thing), data.pick(rng, subject.doing)
    if person:
        who, whom = ("woman", "man") if rng.integers(2) else ("man", "woman")
        other_who, other_doing = ALONE[who][1], _other_words(doing, subject.doing)
        actions = [d for concept in others if concept.group == "person" for d in concept.doing]
    else:
        creatures = [concept for concept in others if concept.group in CREATURES]
        who, whom = _noun(rng, subject), _noun(rng, data.pick(rng, creatures))
        other_who, other_doing = _other_words(who, map(data.singular, subject.nouns)), doing
        actions = _other_actions(subject, doing)
    said = Content(who, doing, beside, where, person)
    other_action, other_thing = data.pick(rng, actions), _noun(rng, data.pick(rng, outside))
    other_place = data.pick(rng, same_frame or places)
    exchanged = Content(whom, other_action, other_thing, other_place, person)
    other_thing = _other_words(beside, map(data.singular, thing.nouns))
    other_place = _other_words(where, SETTINGS[setting]["ground"])
    return said, exchanged, Content(other_who, other_doing, other_thing, other_place, person)


def _other_actions(creature, doing):
    """What other animals do; a list that is the creature's own has one meaning, the usual
    list has several."""
    alike = [concept for concept in _on_ground() if concept.group in CREATURES]
    usual = Counter(c.doing for c in alike if c.group == creature.group).most_common(1)[0][0]
    own = {doing} if creature.doing == usual else {*creature.doing}
    return sorted({d for concept in alike for d in concept.doing} - own)


def _other_words(words, options):
    """Of the options, another that shares the fewest content words; the same if there is none."""
    others = [option for option in options if option != words]
    return min(others, key=lambda o: len(_words(o)[0] & _words(words)[0]), default=words)


def _noun(rng, concept):
    return data.singular(data.pick(rng, concept.nouns))


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
    quadruples : list of Quadruple
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
    quadruples : list of Quadruple, length Q
    profile : Profile
        `n_bootstrap`, `seed`.

    Returns
    -------
    share : float
    ci95 : list of float
    """
    _, cluster = np.unique([q.concept for q in quadruples], return_inverse=True)
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
        axis.axvline(0.5, color="#bbbbbb", linewidth=0.8, zorder=0)
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
