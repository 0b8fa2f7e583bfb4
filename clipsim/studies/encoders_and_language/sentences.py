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
    structures : tuple of str, length 2
        Of the anchor and S+M−; of S−M+ and S−M−.
    order : tuple of str
        `SLOTS` in the order in which they are exchanged.
    anchor : str
    compared : dict of str to str
        S+M− with 1, 2, 3 and 4 slots exchanged, "exchanged_1" … "exchanged_4"; S−M+ with the
        anchor's content words, "paraphrase", and with synonyms, "reworded"; S−M−, every slot
        exchanged, "control".
    """

    concept: str
    structures: tuple[str, str]
    order: tuple[str, ...]
    anchor: str
    compared: dict[str, str]


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
    subjects = [concept for concept in _on_ground() if concept.group in ("person", *CREATURES)]
    things = [concept for concept in _on_ground() if concept not in subjects]
    subjects, things, orders = (
        [group[i] for i in rng.permutation(len(group))]
        for group in (subjects, things, list(permutations(structures(), 2)))
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
    return Quadruple(subject.name, both_structures, order, anchor, compared)


def _contents(subject, thing, rng):
    """What the anchor says; the same with every slot exchanged; the same in other words."""
    fitting = [s for s in SETTINGS if subject.fits(s) and thing.fits(s)]
    setting, elsewhere = (fitting[i] for i in rng.permutation(len(fitting))[:2])
    where, places = _pick(rng, SETTINGS[setting]["ground"]), SETTINGS[elsewhere]["ground"]
    same_frame = [place for place in places if _words(place)[1] == _words(where)[1]]
    others = [
        concept
        for concept in _on_ground()
        if concept.fits(setting) and concept.fits(elsewhere) and concept not in (subject, thing)
    ]
    outside = [concept for concept in others if concept.group not in ("person", *CREATURES)]
    person = subject.group == "person"
    beside, doing = _noun(rng, thing), _pick(rng, subject.doing)
    if person:
        who, whom = ("woman", "man") if rng.integers(2) else ("man", "woman")
        other_who, other_doing = ALONE[who][1], _other_words(doing, subject.doing)
        actions = [d for concept in others if concept.group == "person" for d in concept.doing]
    else:
        creatures = [concept for concept in others if concept.group in CREATURES]
        who, whom = _noun(rng, subject), _noun(rng, _pick(rng, creatures))
        other_who, other_doing = _other_words(who, map(_singular, subject.nouns)), doing
        actions = _other_actions(subject, doing)
    said = Content(who, doing, beside, where, person)
    other_action, other_thing = _pick(rng, actions), _noun(rng, _pick(rng, outside))
    other_place = _pick(rng, same_frame or places)
    exchanged = Content(whom, other_action, other_thing, other_place, person)
    other_thing = _other_words(beside, map(_singular, thing.nouns))
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
    return _singular(_pick(rng, concept.nouns))


def _singular(noun):
    return noun.split(" / ")[0]


def _pick(rng, options):
    return options[rng.integers(len(options))]
