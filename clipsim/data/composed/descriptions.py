"""Descriptions of photographs, composed: people, animals and what they do, and things alone.

Words and what goes with what are in composed.yaml (its head explains the notation), plain names
of ImageNet's classes in class_names.yaml. Numbers, articles and agreement are made here.
"""

import re
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import yaml

from clipsim.data.composed.class_names import named_frames
from clipsim.data.scenes.captions import plural, with_article

IDLE = 2000  # draws in a row that gave nothing new, after which the vocabulary is exhausted
WORDS = range(4, 17)  # in a description
SEVERAL = "two; two; two; two; three; three; several; some; a couple of"
GROUPS = f"{SEVERAL}; a group of; four; many"  # of people
# Shares of subjects that are several, and of those with a kind, looks, a place and so on: a pool
# of short descriptions alone gives a worse score than one with details.
P_SEVERAL, P_KIND, P_LOOKS, P_WHERE, P_THROUGH = 0.3, 0.5, 0.45, 0.88, 0.8
P_ENDING, P_WHEN = 0.1, 0.07
OWN_WHEN = r"rain|sun|snow"  # what is done tells the weather
SAY = 0.25  # share of whole descriptions in a topic that has acts too
SELF = {"his": "himself", "her": "herself", "its": "itself", "their": "themselves"}


def composed_descriptions(n, seed):
    """Descriptions of photographs that no person wrote and no data set holds.

    Parameters
    ----------
    n : int
        How many. Fewer are the first of more: `composed_descriptions(10, seed)` begins
        `composed_descriptions(20, seed)`.
    seed : int
        Decides all of them.

    Returns
    -------
    tuple of str, length n
        Distinct English sentences, and phrases without a verb, that end in a full stop.

    Raises
    ------
    ValueError
        If the vocabulary does not give that many.
    """
    rng = np.random.default_rng(seed)
    topics = [*vocabulary()["topics"].values()]
    shares = np.cumsum([topic["weight"] for topic in topics], dtype=float)
    found, idle = {}, 0
    while len(found) < n and idle < IDLE:
        topic = topics[np.searchsorted(shares, rng.random() * shares[-1], side="right")]
        text = _described(topic, rng)
        is_new = text not in found and len(text.split()) in WORDS
        idle = 0 if is_new else idle + 1
        if is_new:
            found[text] = None
    if len(found) < n:
        raise ValueError(
            f"{n:,} descriptions: the vocabulary gives about {len(found):,}; ask less"
        )
    return tuple(found)


@lru_cache(maxsize=1)
def vocabulary():
    """composed.yaml as nested dicts."""
    text = Path(__file__).with_name("composed.yaml").read_text(encoding="utf-8")
    return yaml.load(text, yaml.CSafeLoader)


def _described(topic, rng):
    if topic.get("things"):
        things = [*named_frames().items()]
        name, frames = things[rng.integers(len(things))]
        return _sentence(_filled(_pick(rng, frames).replace("NAME", name), rng, several=False))
    n_acts = len(topic.get("acts", ()))
    if rng.random() < (SAY if n_acts else 1) and "say" in topic:
        return _sentence(_filled(_pick(rng, topic["say"]), rng, rng.random() < P_SEVERAL))
    return _sentence(_act(topic["acts"][rng.integers(n_acts)], rng))


def _act(act, rng):
    """Somebody or something doing something somewhere."""
    who = vocabulary()["who"][act["who"][rng.integers(len(act["who"]))]]
    drawn = {"one": False, "several": True}.get(act.get("number"), rng.random() < P_SEVERAL)
    several = "together" in who or drawn
    its = "their" if several else _pick(rng, who["its"])
    subject = _subject(who, act, several, its, rng)
    moves = "move" in act and ("do" not in act or rng.random() < 0.5)
    doing = _filled(_pick(rng, act["move" if moves else "do"]), rng, several, its)
    place = vocabulary()["places"][act["where"][rng.integers(len(act["where"]))]]
    through = moves and "through" in place and rng.random() < P_THROUGH
    where = _pick(rng, place["through" if through else "at"]) if rng.random() < P_WHERE else ""
    if _overlap(doing, where):
        where = ""
    end = ""
    if "ending" in act and rng.random() < P_ENDING:
        end = _filled(_pick(rng, act["ending"]), rng, several, its)
    elif rng.random() < P_WHEN and place.get("weather", True) and not re.search(OWN_WHEN, doing):
        end = _pick(rng, _words()["when"])
    verb, form = "are" if several else "is", rng.random()
    present, participle = _inflected(doing, "" if several else "s"), _inflected(doing, "ing")
    if form < 0.35:
        return f"{subject} {present} {where} {end}"
    if form < 0.65:
        return f"{subject} {verb} {participle} {where} {end}"
    if form < 0.93 or not where or through:
        return f"{subject} {participle} {where} {end}"
    if form < 0.96:
        return f"there {verb} {subject} {participle} {where}"
    return f"{where}, {subject} {verb} {participle}"


def _subject(who, act, several, its, rng):
    """ "A little girl in a red coat", "two brown dogs", "a man and a woman"."""
    if "together" in who:
        return _pick(rng, who["together"])
    noun = _pick(rng, who["nouns"])
    noun = plural(noun) if several else noun.split(" / ")[0]
    kind = _pick(rng, who["kinds"]) if rng.random() < P_KIND else ""
    looks = _pick(rng, act.get("wears", who["looks"])) if rng.random() < P_LOOKS else ""
    number = _pick(rng, SEVERAL if who["its"] == "its" else GROUPS) if several else "a"
    kind = "" if several and kind == "lone" else kind
    return f"{number} {kind} {noun} {_filled(looks, rng, several, its)}"


def _filled(text, rng, several, its="its"):
    """A text of the vocabulary with every choice made, the innermost first."""
    words = {"its": its, "self": SELF[its]}
    choices = {
        r"\{(\w+)\}": lambda found: words.get(found[1]) or _pick(rng, _words()[found[1]]),
        r"\[([^][(){}]*)\]": lambda found: found[1].split("|")[several],
        r"\(([^][(){}]*)\)": lambda found: _pick(rng, found[1], "|"),
    }
    while any(mark in text for mark in "{[("):
        for pattern, choice in choices.items():
            text = re.sub(pattern, choice, text)
    return text


@lru_cache(maxsize=1)
def _words():
    return vocabulary()["words"] | {"some": SEVERAL}


def _inflected(phrase, ending):
    """ "sit and ~watch" as "sits and watches" (ending "s") or "sitting and watching" ("ing")."""
    first, *rest = phrase.split()
    words = [f"~{first}", *rest]
    return " ".join(_verb(word[1:], ending) if word[0] == "~" else word for word in words)


def _verb(verb, ending):
    if ending == "s":
        return {"have": "has"}.get(verb) or (f"{verb}es" if verb.endswith("o") else plural(verb))
    if ending == "ing":
        if verb.endswith("ie"):
            return verb[:-2] + "ying"
        if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
            return verb[:-1] + "ing"
        double = re.search(r"(^|[^aeiou])[aeiou][^aeiouwxy]$", verb) and verb not in ONE_CONSONANT
        return verb + (verb[-1] if double else "") + "ing"
    return verb


# Verbs of two syllables that end like "run" but keep one consonant: "gathering".
ONE_CONSONANT = {
    "gather", "wander", "hover", "whisper", "shovel", "entertain", "listen", "open", "water",
    "iron", "kayak", "snorkel", "vacuum", "cover", "hammer", "color", "gallop",
}  # fmt: skip


def _overlap(doing, where):
    """Whether a place is said twice: "plays in the sand on the sand"."""
    return any(word in doing for word in re.findall(r"\w{4,}", where)) or bool(
        re.search(r"\b(through|across|along|down|into|around)\b", doing) and where
    )


@cache
def _options(text, mark):
    return tuple(option.strip() for option in text.split(mark))


def _pick(rng, text, mark=";"):
    options = _options(text, mark)
    return options[rng.integers(len(options))]


def _sentence(words):
    words = " ".join(words.split()).replace(" ,", ",")
    words = re.sub(r"\ba (\w+)", lambda found: with_article(found[1]), words)
    return words[0].upper() + words[1:] + "."
