"""Pseudo-examples of the classifier's thousand classes: they widen what the heads know.

Flickr8k shows people and dogs; the classifier that the frozen image backbone came with knows a
thousand things. The weight vector of a class points to where the features of its pictures lie:
mixed into the features of a training photograph it stands for a picture of that class, with the
class's name as its caption.
"""

from collections import defaultdict
from dataclasses import replace

import numpy as np
import torch

from clipsim.data import class_names
from clipsim.model.encoders import class_weights

# Chosen by ρ on the half of the pairs rated side by side that nothing reports, and by how often
# the class that the classifier is sure of is named for development photographs.
MIX = 0.7  # α
PER_NAME = 4  # pseudo-examples of each name


def is_widened(profile):
    """Whether a profile's training has pseudo-examples: its pool names the classes, too."""
    frozen = profile.trainable == "projections"
    return frozen and profile.pool == "composed" and profile.image_encoder == "efficientnet_lite0"


def widened(profile, images, features):
    """Training examples, and pseudo-examples behind them.

    With features z standardised over the training photographs (their mean and deviation σ), a
    pseudo-example is α c + √(1 - α²) z: z of a photograph that the profile's seed draws, and
    c = σ × the weight vector of a class of that name, as long as z.

    Parameters
    ----------
    profile : Profile
    images : CaptionedImages
        The training images.
    features : float32 tensor, shape (M, width)
        Theirs.

    Returns
    -------
    images : CaptionedImages
        With `PER_NAME` more for each name of the classes; these have no pixels.
    features : float32 tensor, shape (M + P, width)
    """
    rng = np.random.default_rng(profile.seed)
    deviation, mean = torch.std_mean(features, dim=0)
    directions = deviation * class_weights()[0]
    classes_of = defaultdict(list)
    for number, name in enumerate(class_names()):
        classes_of[name].append(number)
    drawn = [(name, c) for name in classes_of for c in rng.choice(classes_of[name], PER_NAME)]
    z = (features[rng.integers(len(features), size=len(drawn))] - mean) / deviation
    c = directions[[c for _, c in drawn]]
    c *= z.norm(dim=1, keepdim=True) / c.norm(dim=1, keepdim=True)
    made = mean + deviation * (MIX * c + (1 - MIX**2) ** 0.5 * z)
    ids = tuple(f"class {c}: {name} ({i})" for i, (name, c) in enumerate(drawn))
    more = replace(
        images,
        image_ids=images.image_ids + ids,
        captions=images.captions + tuple(_captions(name) for name, _ in drawn),
        split=np.concatenate([images.split, np.full(len(ids), "train")]),
    )
    return more, torch.cat([features, made])


def _captions(name):
    return f"A photo of {name}.", f"A close-up of {name}.", f"{name[0].upper()}{name[1:]}."
