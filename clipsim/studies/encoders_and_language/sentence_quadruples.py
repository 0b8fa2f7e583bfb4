"""Sentences that set structure against meaning, written with the scenes' concepts.

Sec. 6 of the paper: BERT rates sentences of the same structure about different things above
sentences of different structure about the same thing. A quadruple has an anchor; S+M−, the same
structure about something else; S−M+, the same content in another structure; and S−M−, the
control. Content has four slots (`SLOTS`): "a *dog* *resting* next to a *car* *on the beach*".
S+M− comes in four grades, with one to four slots exchanged; S−M+ with the same words, and with
synonyms where a concept has them.
"""

from collections import Counter
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from clipsim.data import ALONE, SETTINGS, STRUCTURES, Mention, concept_table, with_article

SLOTS = ("who", "doing", "beside", "where")
LEFT_OUT = "focus"  # names one thing only, so that it cannot say the same as the others
CREATURES = ("animal", "bird")
# Words that the structures bring, beside the usual function words.
FRAME_WORDS = {"beside", "close", "look", "near", "nearby", "next", "picture", "shows", "view"}
N_QUADRUPLES = 252  # each of the 42 ordered pairs of structures six times


@dataclass(frozen=True)
class Content:
    """What a sentence says: one filler per slot, without articles."""

    who: str
    doing: str
    beside: str
    where: str
    person: bool

    def sentence(self, structure, rng):
        """The content in one of `structures()`.

        Parameters
        ----------
        structure : str
        rng : numpy Generator
            Decides the structure's own words ("next to", "a view of"); equal states, equal words.
        """
        subject = with_article(self.who)
        main = Mention(
            f"{subject} {self.doing}", subject, self.doing, False, self.person, "ground"
        )
        thing = with_article(self.beside)
        other = Mention(thing, thing, "nearby", False, False, "ground")
        words = structures()[structure]([main, other], self.where, rng)
        words = " ".join(words.split())
        return words[0].upper() + words[1:] + "."


@dataclass(frozen=True)
class Quadruple:
    """An anchor and the sentences that it is compared with.

    Attributes
    ----------
    concept : str
        Concept of the anchor's subject; what an interval resamples.
    structure, other_structure : str
        Of the anchor and S+M−; of S−M+ and S−M−.
    order : tuple of str
        `SLOTS` in the order in which they are exchanged.
    anchor : str
    exchanged : tuple of str, length 4
        S+M− with the first 1, 2, 3 and 4 slots of `order` exchanged.
    paraphrase, reworded : str
        S−M+ with the anchor's content words, and with synonyms.
    control : str
        S−M−: every slot exchanged.
    """

    concept: str
    structure: str
    other_structure: str
    order: tuple[str, ...]
    anchor: str
    exchanged: tuple[str, ...]
    paraphrase: str
    reworded: str
    control: str

    @property
    def compared(self):
        """The sentences compared with the anchor, by the names that tables use."""
        graded = {f"exchanged_{k}": text for k, text in enumerate(self.exchanged, start=1)}
        others = {name: getattr(self, name) for name in ("paraphrase", "reworded", "control")}
        return graded | others


def structures():
    """The sentence structures that can carry all four slots, by name."""
    named = {build.__name__.strip("_").replace("_", " "): build for build in STRUCTURES}
    return {name: build for name, build in named.items() if name != LEFT_OUT}


def sentence_quadruples(seed, n=N_QUADRUPLES):
    """Quadruples balanced over subjects, things, structures and exchanged slots.

    Subjects are the people, animals and birds on the ground, things beside them everything else
    on the ground: the concepts in the air and in the water have too few actions to exchange.

    Parameters
    ----------
    seed : int
        Decides every word; a larger n extends the list.
    n : int

    Returns
    -------
    list of Quadruple
        No sentence occurs twice.
    """
    rng = np.random.default_rng([seed, len(SLOTS)])
    ground = [concept for concept in concept_table().values() if concept.place == "ground"]
    subjects = [c for c in ground if c.group in ("person", *CREATURES)]
    things = [c for c in ground if c not in subjects]
    orders = list(permutations(structures(), 2))
    subjects, things, orders = (
        [group[i] for i in rng.permutation(len(group))] for group in (subjects, things, orders)
    )
    quadruples, used = [], set()
    for number in range(n):
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


def word_overlap(quadruples):
    """Jaccard overlap of the anchor's words with those of each compared sentence, on average.

    Returns
    -------
    dict of str to dict of str to float
        By compared sentence: "content words" and "function words".
    """
    kinds = ("content words", "function words")
    overlaps = {}
    for name in quadruples[0].compared:
        pairs = [(_words(q.anchor), _words(q.compared[name])) for q in quadruples]
        shared = [[_jaccard(a, b) for a, b in zip(*pair, strict=True)] for pair in pairs]
        overlaps[name] = dict(zip(kinds, np.mean(shared, axis=0).tolist(), strict=True))
    return overlaps


def _words(sentence):
    """Content words and function words of a sentence, as two sets."""
    words = set(sentence.lower().replace(",", "").rstrip(".").split())
    function = words & (ENGLISH_STOP_WORDS | FRAME_WORDS)
    return words - function, function


def _jaccard(a, b):
    return len(a & b) / len(a | b) if a | b else 1.0


def _quadruple(subject, thing, structure_pair, first, rng):
    structure, other_structure = structure_pair
    said, exchanged, reworded = _contents(subject, thing, rng)
    rest = [slot for i, slot in enumerate(SLOTS) if i != first]
    order = (SLOTS[first], *(rest[i] for i in rng.permutation(len(rest))))
    words = int(rng.integers(2**31))
    graded = []
    for k in range(1, len(SLOTS) + 1):
        partly = replace(said, **{slot: getattr(exchanged, slot) for slot in order[:k]})
        graded.append(partly.sentence(structure, np.random.default_rng(words)))
    return Quadruple(
        concept=subject.name,
        structure=structure,
        other_structure=other_structure,
        order=order,
        anchor=said.sentence(structure, np.random.default_rng(words)),
        exchanged=tuple(graded),
        paraphrase=said.sentence(other_structure, np.random.default_rng(words)),
        reworded=reworded.sentence(other_structure, np.random.default_rng(words)),
        control=exchanged.sentence(other_structure, np.random.default_rng(words)),
    )


def _contents(subject, thing, rng):
    """What the anchor says; the same with every slot exchanged; the same in other words."""
    fitting = [s for s in SETTINGS if subject.fits(s) and thing.fits(s)]
    setting, elsewhere = (fitting[i] for i in rng.permutation(len(fitting))[:2])
    where = _pick(rng, SETTINGS[setting]["ground"])
    places = SETTINGS[elsewhere]["ground"]
    same_frame = [place for place in places if _words(place)[1] == _words(where)[1]]
    concepts = [
        concept for concept in concept_table().values()
        if concept.place == "ground" and concept.fits(setting) and concept.fits(elsewhere)
    ]  # fmt: skip
    outside = [c for c in concepts if c.group not in ("person", *CREATURES) and c != thing]
    person = subject.group == "person"
    beside, doing = _noun(rng, thing), _pick(rng, subject.doing)
    if person:
        who, whom = ("woman", "man") if rng.integers(2) else ("man", "woman")
        other_who, other_doing = ALONE[who][1], _other_words(doing, subject.doing)
        actions = [d for c in concepts if c.group == "person" and c != subject for d in c.doing]
    else:
        creatures = [c for c in concepts if c.group in CREATURES and c != subject]
        who, whom = _noun(rng, subject), _noun(rng, _pick(rng, creatures))
        other_who, other_doing = _other_words(who, map(_singular, subject.nouns)), doing
        actions = _other_actions(subject, doing)
    said = Content(who, doing, beside, where, person)
    exchanged = Content(
        whom, _pick(rng, actions), _noun(rng, _pick(rng, outside)),
        _pick(rng, same_frame or places), person,
    )  # fmt: skip
    reworded = Content(
        other_who, other_doing, _other_words(beside, map(_singular, thing.nouns)),
        _other_words(where, SETTINGS[setting]["ground"]), person,
    )  # fmt: skip
    return said, exchanged, reworded


def _other_actions(creature, doing):
    """What other animals do; a list that is the creature's own has one meaning, the usual
    list has several."""
    alike = [c for c in concept_table().values() if c.place == "ground" and c.group in CREATURES]
    usual = Counter(c.doing for c in alike if c.group == creature.group).most_common(1)[0][0]
    own = {doing} if creature.doing == usual else {*creature.doing}
    return sorted({d for c in alike for d in c.doing} - own)


def _other_words(words, options):
    """Of the options, another that shares the fewest content words; the same if there is none."""
    others = [option for option in options if option != words]
    return min(others, key=lambda o: len(_words(o)[0] & _words(words)[0]), default=words)


def _noun(rng, concept):
    return _singular(_pick(rng, concept.nouns))


def _singular(noun):
    return noun.split(" / ")[0]


def _pick(rng, options):
    return options[rng.integers(len(options))]
