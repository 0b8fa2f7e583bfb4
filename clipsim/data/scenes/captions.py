"""Five captions of a scene, as five different people would write them.

Each caption has a sentence structure of its own (`STRUCTURES`), its own words for things
(synonyms, or the noun of the very artwork: "poodle" for a dog), and its own idea of what
matters: many leave out an object, about half leave out the setting. Words come from
concepts.yaml; numbers, articles and agreement are made here.
"""

import re
from dataclasses import dataclass

import numpy as np

from clipsim.data.scenes.scenes import concept_table, pick, vocabulary

N_CAPTIONS = 5
PARTIAL = 0.35  # share of captions that name only some of what is there
OWN_NOUN = 0.5  # share of mentions that use the artwork's own noun, where it has one
BY_ACTION = 0.35  # share of mentions of people by what they do: "a runner"

# Where things are, by what is there: on the ground, in the air, in the water, or a mixture.
SETTINGS = vocabulary()["settings"]
NUMBERS = {2: ("two", "two", "a couple of"), 3: ("three", "three", "several")}
CROWDS = {"woman": ("women", "ladies"), "man": ("men", "guys"), "": ("people",)}
ALONE = {"woman": ("woman", "lady", "person"), "man": ("man", "guy", "person")}
UNPLACED = ("in the picture", "in front", "in the foreground")
NEAR = ("next to", "near", "beside", "close to")
VOWEL_SOUND = tuple("aeiou")
PLURAL_ES = ("s", "x", "z", "ch", "sh")


@dataclass(frozen=True)
class Mention:
    """Some objects of one concept, put into words.

    `phrase` stands alone ("a man running", "two dogs"), `subject` wants a verb ("a man"), and
    `doing` is that verb's participle.
    """

    phrase: str
    subject: str
    doing: str
    plural: bool
    person: bool
    place: str

    @property
    def verb(self):
        return "are" if self.plural else "is"

    @property
    def clause(self):
        """Subject and verb: "a man is running"."""
        return f"{self.subject} {self.verb} {self.doing}"


def scene_captions(scene, seed):
    """Five different captions of a scene; each names at least one of its objects.

    The seed decides the words with the scene's id, not the random numbers of the scene itself.
    """
    rng = np.random.default_rng([seed, *scene.id.encode()])
    with_setting = {*rng.permutation(N_CAPTIONS)[: rng.integers(2, 4)].tolist()}
    structures = [STRUCTURES[i] for i in rng.permutation(len(STRUCTURES))]
    captions = []
    while len(captions) < N_CAPTIONS:
        number = len(captions)
        mentions = _mentions(scene, rng)
        where = _where(scene, mentions, rng) if number in with_setting else ""
        caption = _sentence(structures[number % len(structures)](mentions, where, rng))
        if caption not in captions:
            captions.append(caption)
    return tuple(captions)


def with_article(words):
    """The words after "a", or "an" before the sound of a vowel: an owl, a unicycle."""
    vowel = re.match(r"(?!uni(?!n)|us|one|eu)[aeiou]", words, re.IGNORECASE)
    return f"{'an' if vowel else 'a'} {words}"


def plural(noun):
    """Plural of a noun by rule; "mouse / mice" brings its own."""
    if " / " in noun:
        return noun.split(" / ")[1]
    if noun.endswith("y") and noun[-2] not in VOWEL_SOUND:
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(PLURAL_ES) else "s")


def singular(noun):
    """The noun of one thing."""
    return noun.split(" / ")[0]


def _mentions(scene, rng):
    """What a caption names, in its order: usually everything, else some of it."""
    table, variants = concept_table(), {}
    for placed in scene.objects:
        variants.setdefault(placed.concept, []).append(placed.variant)
    named = [list(variants)[i] for i in rng.permutation(len(variants))]
    if rng.random() < PARTIAL:
        named = named[: max(1, len(named) - 1)]
    return [_mention(table[concept], variants[concept], rng) for concept in named]


def _mention(concept, variants, rng):
    doing, several = pick(rng, concept.doing), len(variants) > 1
    if concept.group == "person":
        who = {concept.variants[variant] for variant in variants}
        who = who.pop() if len(who) == 1 else ""
        noun = pick(rng, CROWDS[who] if several else ALONE[who])
        subject = f"{pick(rng, NUMBERS[len(variants)])} {noun}" if several else with_article(noun)
        phrase = f"{subject} {doing}"
        if concept.nouns and rng.random() < BY_ACTION:
            phrase = _counted(pick(rng, concept.nouns), len(variants), rng)
        return Mention(phrase, subject, doing, several, True, concept.place)
    own = {concept.variants[variant] for variant in variants}
    noun = own.pop() if len(own) == 1 and rng.random() < OWN_NOUN else ""
    phrase = _counted(noun or pick(rng, concept.nouns), len(variants), rng)
    if several:
        doing = doing.replace(" its tail", " their tails").replace(" its wings", " their wings")
    return Mention(phrase, phrase, doing, several, False, concept.place)


def _counted(noun, count, rng):
    if count == 1:
        return with_article(singular(noun))
    return f"{pick(rng, NUMBERS[count])} {plural(noun)}"


def _where(scene, mentions, rng):
    places = {mention.place for mention in mentions}
    place = places.pop() if len(places) == 1 else "mixed"
    return pick(rng, SETTINGS[scene.setting][place])


def _sentence(words):
    words = " ".join(words.split())
    return words[0].upper() + words[1:] + "."


def _listed(phrases):
    """ "a, b and c"."""
    return " and ".join(filter(None, [", ".join(phrases[:-1]), phrases[-1]]))


def _company(mentions, rng):
    """ "next to a car and a tree", or nothing when alone."""
    others = [mention.phrase for mention in mentions[1:]]
    return f"{pick(rng, NEAR)} {_listed(others)}" if others else ""


# Sentence structures: (mentions, where or "", rng) to the words of a caption.


def _plain_list(mentions, where, rng):
    if len(mentions) == 1:
        return _fragment(mentions, where, rng)
    return f"{_listed([mention.phrase for mention in mentions])} {where}"


def _progressive(mentions, where, rng):
    return f"{mentions[0].clause} {_company(mentions, rng)} {where}"


def _fragment(mentions, where, rng):
    first = mentions[0]
    return f"{first.subject} {first.doing} {where} {_company(mentions, rng)}"


def _existential(mentions, where, rng):
    first, others = mentions[0], [mention.phrase for mention in mentions[1:]]
    beside = f"with {_listed(others)}" if others else ""
    return f"there {first.verb} {first.phrase} {where} {beside}"


def _setting_first(mentions, where, rng):
    lead = f"{where}, " if where else ""
    return f"{lead}{mentions[0].clause} {_company(mentions, rng)}"


def _two_clauses(mentions, where, rng):
    first = mentions[0]
    if len(mentions) == 1:
        pronoun = "who" if first.person else "that"
        return f"{first.subject} {pronoun} {first.verb} {first.doing} {where}"
    rest = "".join(f", with {mention.phrase} nearby" for mention in mentions[2:])
    return f"{first.clause} {where} while {mentions[1].clause}{rest}"


def _picture_of(mentions, where, rng):
    shot = pick(rng, ("a picture of", "a view of", "a close look at", "this shows"))
    return f"{shot} {_listed([mention.phrase for mention in mentions])} {where}"


def _focus(mentions, where, rng):
    """One thing only, whatever else is there."""
    return f"{mentions[0].phrase} {where or pick(rng, UNPLACED)}"


STRUCTURES = (
    _plain_list,
    _progressive,
    _fragment,
    _existential,
    _setting_first,
    _two_clauses,
    _picture_of,
    _focus,
)
