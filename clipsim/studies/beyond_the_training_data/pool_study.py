"""What becomes of the score when the descriptions that fit are taken out of the pool.

Both images of a pair search the same pool. Were it each image's own, what is missing would
itself tell whether the two show the same thing.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer

from clipsim.data import DataError, LabelledPairs
from clipsim.evaluation import ResampledPairs, finding_of, held_out_decisions, measured
from clipsim.retrieval import description_sums

SHARES = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
LEVELS = (*(f"{share:.0%}" for share in SHARES), "as many others")
AKIN = 0.1  # TF-IDF cosine from which a description fits a photograph
BLOCK = 128


def fitting_descriptions(images, pairs, pool):
    """Which descriptions of the pool fit one of the two images of each pair.

    Scenes: the description was written for a training scene that shares a concept with either
    scene. Photographs: the TF-IDF cosine (as for `clipsim.data.pairs`, stop words left
    out) of the description and the joined captions that people wrote for either image is at
    least 0.1. Neither asks the model.

    Parameters
    ----------
    images : CaptionedImages
    pairs : LabelledPairs
    pool : sequence of str, length C

    Returns
    -------
    array of bool, shape (P, C)
    """
    fits = _concept_fits if images.scenes else _word_fits
    ids = pairs.image_ids
    of_image = fits(images, ids, pool)
    a, b = pairs.positions(ids).T
    return of_image[a] | of_image[b]


def _concept_fits(images, ids, pool):
    names = sorted({c for scene in images.scenes.values() for c in scene.content})
    column = {name: i for i, name in enumerate(names)}
    place = {description: i for i, description in enumerate(pool)}
    written_for = np.zeros((len(pool), len(names)), dtype=np.float32)
    for i in images.indices("train"):
        shown = [column[c] for c in images.scenes[images.image_ids[i]].content]
        for caption in images.captions[i]:
            if caption in place:
                written_for[place[caption], shown] = 1
    shows = np.zeros((len(ids), len(names)), dtype=np.float32)
    for i, image_id in enumerate(ids):
        shows[i, [column[c] for c in images.scenes[image_id].content]] = 1
    return shows @ written_for.T > 0


def _word_fits(images, ids, pool):
    position = images.position()
    own = [" ".join(images.captions[position[image_id]]) for image_id in ids]
    words = TfidfVectorizer(stop_words="english", sublinear_tf=True, dtype=np.float32)
    of_pool = words.fit_transform(pool)
    return (words.transform(own) @ of_pool.T).toarray() >= AKIN


@dataclass(frozen=True, eq=False)
class PoolStudy:
    """Pairs, and the descriptions that each may retrieve at every step.

    Attributes
    ----------
    pairs : LabelledPairs
        Only pairs for which some description fits, and that keep N when all of those are gone.
    fits : array of bool, shape (P, C)
    order : array of float, shape (C,)
        Uniform numbers: a fitting description is gone once the share removed exceeds its.
    n_left_out : int
        Pairs for which nothing fits, or fewer than N descriptions would be left.
    """

    pairs: LabelledPairs
    fits: np.ndarray
    order: np.ndarray
    n_left_out: int

    @classmethod
    def of(cls, profile, images, pairs, pool):
        """The study of labelled pairs of one source.

        Raises
        ------
        DataError
            If there is no such pair.
        """
        fits = fitting_descriptions(images, pairs, pool)
        n_fitting, n = fits.sum(axis=1), profile.n_descriptions
        kept = (n_fitting > 0) & (len(pool) - n_fitting >= n)
        if not kept.any():
            raise DataError(
                f"in the pool of {len(pool):,} no pair has both a description that fits and "
                f"n_descriptions={n} that do not; choose a smaller N, or a larger pool"
            )
        order = np.random.default_rng(profile.seed).random(len(pool))
        return cls(pairs.where(kept), fits[kept], order, int((~kept).sum()))

    def where(self, mask):
        """The study of some of its pairs."""
        return replace(self, pairs=self.pairs.where(mask), fits=self.fits[mask])

    def allowed(self, rows, share):
        """Descriptions left for some pairs: bool, shape (len(rows), C)."""
        return ~(self.fits[rows] & (self.order < share))

    def thinned(self, rows, n_descriptions):
        """A pool as small as with all fitting ones gone, but with those kept: the control.

        As many others are removed, or all but N, if fewer: bool, shape (len(rows), C).
        """
        fits = self.fits[rows]
        n_fitting = fits.sum(axis=1, keepdims=True)
        n_removed = np.minimum(n_fitting, fits.shape[1] - n_fitting - n_descriptions)
        by_turn = np.argsort(-self.order)
        other = ~fits[:, by_turn]
        gone = np.empty_like(fits)
        gone[:, by_turn] = other & (other.cumsum(axis=1) <= n_removed)
        return ~gone


def restricted_scores(describer, images, pairs, allowed):
    """Eq. 4 of pairs whose two images search what is allowed for the pair.

    Parameters
    ----------
    describer : Describer
    images : CaptionedImages
    pairs : LabelledPairs
    allowed : callable
        Positions of pairs to a list of L masks of bool, shape (len(rows), C).

    Returns
    -------
    array of float32, shape (L, P)
    """
    ids = np.array(pairs.image_ids)
    vectors = describer.image_vectors(images, ids)
    a, b = pairs.positions(ids).T
    pool, n = torch.from_numpy(describer.index.vectors), describer.profile.n_descriptions
    blocks = []
    for start in range(0, len(pairs), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(pairs)))
        sims = [torch.from_numpy(vectors[side[rows]]) @ pool.T for side in (a, b)]
        blocks.append([_masked_scores(describer, sims, mask, n) for mask in allowed(rows)])
    return np.stack([np.concatenate(of_level) for of_level in zip(*blocks, strict=True)])


def _masked_scores(describer, sims, mask, n):
    gone = torch.from_numpy(~mask)
    sums = [
        description_sums(
            describer.compared[side.masked_fill(gone, -torch.inf).topk(n, dim=1).indices.numpy()],
            describer.profile.normalisation,
        )
        for side in sims
    ]
    return (sums[0] * sums[1]).sum(axis=1)


def pool_rows(profile, describers, images, study):
    """AUC and accuracy against the share of fitting descriptions removed, and the control.

    Parameters
    ----------
    profile : Profile
    describers : sequence of Describer
        One per model; the accuracy is that of the first.
    images : CaptionedImages
    study : PoolStudy

    Returns
    -------
    rows : list of dict
        `removed` (share; of the control "as many others"), `left` (mean number of descriptions
        left), the profile's criterion and `auc` as `measured` gives them, `n_pairs`.
    finding : dict
        On `pool_must_fit`: the full pool less the pool with nothing fitting.
    """
    evaluated, criterion = study.pairs.split != "val", profile.threshold_criterion
    tested = study.where(evaluated)
    first, left = _level_scores(describers[0], images, study)
    others = [_level_scores(describer, images, tested)[0] for describer in describers[1:]]
    scores = np.stack([first[:, evaluated], *others])
    sample = ResampledPairs.of(tested.pairs, profile)
    rows, aucs = [], {}
    for level, name in enumerate(LEVELS):
        right = held_out_decisions(study.pairs, first[level], profile)[evaluated]
        aucs[name] = sample.auc(scores[:, level])
        rows.append(
            {
                "removed": name,
                "left": float(left[level][evaluated].mean()),
                **measured({criterion: sample.accuracy(right, criterion), "auc": aucs[name]}),
                "n_pairs": len(sample.pairs),
                "resampled": sample.unit,
            }
        )
    outcome = finding_of(
        "pool_must_fit",
        "AUC of the CLIP score with the full pool less that with every description removed "
        "that fits one of the two images (paired)",
        aucs["0%"] - aucs["100%"],
        sample,
    )
    return rows, outcome


def _level_scores(describer, images, study):
    """Scores at each of `LEVELS`, shape (L, P), and how many descriptions are left."""
    counted = []

    def masks(rows):
        found = [study.allowed(rows, share) for share in SHARES]
        found.append(study.thinned(rows, describer.profile.n_descriptions))
        counted.append([mask.sum(axis=1) for mask in found])
        return found

    scores = restricted_scores(describer, images, study.pairs, masks)
    return scores, [np.concatenate(of_level) for of_level in zip(*counted, strict=True)]
