"""Plain English for the 1,000 classes of ImageNet-1k: a tabby is a cat."""

from functools import lru_cache
from pathlib import Path

import yaml

from clipsim.data.scenes.captions import with_article


@lru_cache(maxsize=1)
def class_names():
    """What an ordinary person would call each class of ImageNet-1k on seeing a picture of it.

    Several classes share a name: most breeds of dog are "a dog".

    Returns
    -------
    tuple of str, length 1000
        Noun phrases in the order of the classes, with an article where English needs one:
        "a cat", "an owl", "sunglasses".
    """
    from timm.data import ImageNetInfo  # here: timm takes seconds to import

    plain, bare = _by_class("names"), {*_file()["without_article"]}
    official = ImageNetInfo("imagenet-1k").label_descriptions()
    names = [plain.get(i) or text.split(",")[0] for i, text in enumerate(official)]
    return tuple(name if name in bare else with_article(name) for name in names)


@lru_cache(maxsize=1)
def named_frames():
    """Each distinct name, and what may be said of it: ";" between, NAME for the name."""
    kinds, frames = _by_class("kinds"), _file()["frames"]
    found = {}
    for i, name in enumerate(class_names()):
        own = [frames[kinds[i]]] * 2 if i in kinds else []
        found.setdefault(name, "; ".join([frames["any"], *own]))
    return found


def _by_class(key):
    """Class number to the word that stands above it in the file."""
    found = {}
    for word, classes in _file()[key].items():
        for first, _, last in (str(some).partition("-") for some in classes):
            found |= dict.fromkeys(range(int(first), int(last or first) + 1), word)
    return found


@lru_cache(maxsize=1)
def _file():
    text = Path(__file__).with_name("class_names.yaml").read_text(encoding="utf-8")
    return yaml.load(text, yaml.CSafeLoader)
