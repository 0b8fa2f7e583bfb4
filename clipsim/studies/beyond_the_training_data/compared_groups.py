"""One way to compare groups of pairs: the AUC of each metric in each, and what a difference says.

AUC is the chance that a similar pair scores above another one: no threshold is in it. Where
several models give a score, its AUC is their mean, its interval resamples pairs (or images, where
pairs share them) and holds the models fixed, and their spread stands apart.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from clipsim.data import CaptionedImages, LabelledPairs, caption_pool, load, load_pairs
from clipsim.evaluation import (
    METRICS,
    ResampledPairs,
    load_scores,
    measured,
    models_of_seeds,
)
from clipsim.metrics import pixel_scores
from clipsim.profile import Profile
from clipsim.retrieval import Describer, scores_of_models

# The package's SSIM and FSIM stand beside the canonical ones in notebook 07.
COMPARED = [metric.key for metric in METRICS if metric.variant != "package"]
PIXELS = ("ssim", "fsim")


@dataclass(frozen=True, eq=False)
class ScoredPairs:
    """Pairs to evaluate, scored by every metric and by the models of all seeds.

    Attributes
    ----------
    profile : Profile
    images : CaptionedImages
    describers : sequence of Describer
        One per model, all of the same pool; the profile's own first.
    pairs : LabelledPairs
    scores : mapping of str to array of float, shape (P,) or (S, P)
        By metric key; of S models where trained.
    stream : int
        Of the bootstrap; groups that shall be independent have different ones.
    """

    profile: Profile
    images: CaptionedImages
    describers: list
    pairs: LabelledPairs
    scores: dict
    stream: int = 0

    @classmethod
    def of(cls, profile):
        """The test pairs of a profile; reads the scores of notebook 04, trains what is missing.

        Raises
        ------
        StaleError
            If the pair scores are missing, or of other data, pairs or weights.
        """
        images = load(profile)
        pairs, pool = load_pairs(profile, images), caption_pool(profile, images)
        scores, counted = load_scores(profile, images, pairs), evaluated(pairs)
        models = models_of_seeds(profile, images)
        describers = [Describer.of(profile, model, pool) for model in models]
        of_pixels = {key: scores[key][counted] for key in PIXELS}
        pairs = pairs.where(counted)
        scores = of_pixels | scores_of_models(describers, images, pairs)
        return cls(profile, images, describers, pairs, scores)

    def of_others(self, images, pairs):
        """Other pairs, scored by the same models and by the metrics of pixels."""
        scores = scores_of_models(self.describers, images, pairs) | pixel_scores(images, pairs)
        return replace(self, images=images, pairs=pairs, scores=scores)

    def where(self, mask, stream=0):
        """Some of the pairs."""
        scores = {key: values[..., mask] for key, values in self.scores.items()}
        return replace(self, pairs=self.pairs.where(mask), scores=scores, stream=stream)

    def by_label(self, labels):
        """Independent groups of the pairs, by their label: array of str, shape (P,)."""
        names = sorted(set(labels.tolist()))
        return {name: self.where(labels == name, i) for i, name in enumerate(names, start=1)}

    @cached_property
    def sample(self):
        """The pairs with their bootstrap samples."""
        return ResampledPairs.of(self.pairs, self.profile, self.stream)

    def auc(self, *metrics):
        """AUC of the best of some metrics in each sample: shape (1 + B,) or (S, 1 + B)."""
        return np.max([self.sample.auc(self.scores[key]) for key in metrics], axis=0)

    @property
    def gain(self):
        """AUC of the CLIP score less the higher one of SSIM and FSIM, as `auc`."""
        return self.auc("clip_score") - self.auc(*PIXELS)

    @property
    def pool(self):
        """The descriptions that are searched."""
        return self.describers[0].index.captions


def auc_rows(groups, metrics=COMPARED):
    """The AUC of each metric in each group of pairs.

    Parameters
    ----------
    groups : mapping of str to ScoredPairs
    metrics : sequence of str
        Keys; where a group has no scores of one, it has no row.

    Returns
    -------
    list of dict
        `group`, `metric`, `auc` as `measured` gives it, `n_pairs`, `n_similar`, `resampled`.
    """
    return [
        {
            "group": name,
            "metric": metric,
            **measured({"auc": group.auc(metric)}),
            "n_pairs": group.sample.n_labelled,
            "n_similar": int((group.pairs.similar == 1).sum()),
            "resampled": group.sample.unit,
        }
        for metric in metrics
        for name, group in groups.items()
        if metric in group.scores
    ]


def evaluated(pairs):
    """Mask of the pairs that count, without those that thresholds are chosen on."""
    return pairs.counted & (pairs.split != "val")
