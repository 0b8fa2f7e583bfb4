"""Images of which it is known what is alike: of scenes all pairs, of photographs judged ones."""

from dataclasses import dataclass

import numpy as np

from clipsim.data.caption_pairs import AGREE, TOP, caption_pairs
from clipsim.data.scenes import concept_table
from clipsim.graph import component_labels, similarity_graph


@dataclass(frozen=True, eq=False)
class KnownImages:
    """Images of one split, and which pairs of them are known to be alike or not.

    Attributes
    ----------
    image_ids : tuple of str, length M
    pairs : array of int64, shape (P, 2)
        Positions of the known pairs.
    alike : array of bool, shape (P,)
    weights : array of float, shape (P,)
        How many pairs of the images each stands for, up to a factor.
    classes : dict of str to array of str, shape (M,)
        Partitions of all images that are known: "content" and "kinds of things"; empty for
        photographs.
    """

    image_ids: tuple[str, ...]
    pairs: np.ndarray
    alike: np.ndarray
    weights: np.ndarray
    classes: dict[str, np.ndarray]

    def __len__(self):
        return len(self.image_ids)

    def subset(self, positions):
        """The images at `positions`, in that order, and what is known of them."""
        positions = np.asarray(positions, dtype=np.int64)
        new = np.full(len(self), -1)
        new[positions] = np.arange(len(positions))
        pairs = new[self.pairs]
        inside = (pairs >= 0).all(axis=1)
        return KnownImages(
            tuple(self.image_ids[i] for i in positions),
            np.sort(pairs[inside], axis=1),
            self.alike[inside],
            self.weights[inside],
            {name: labels[positions] for name, labels in self.classes.items()},
        )

    def first(self, n_images):
        """The first so many images, and what is known of them."""
        return self.subset(np.arange(n_images))

    @property
    def alike_pairs(self):
        """The known pairs that are alike: set of (int, int), i < j."""
        return set(map(tuple, np.sort(self.pairs[self.alike], axis=1).tolist()))

    @property
    def groups(self):
        """Images that belong together, as labels: int64, shape (M,).

        Those of the same content; of photographs those that known pairs link, which is for
        choosing pictures to show and no partition that anybody judged.
        """
        if self.classes:
            return np.unique(self.classes["content"], return_inverse=True)[1]
        alike = self.pairs[self.alike]
        return component_labels(similarity_graph(self.image_ids, alike, np.ones(len(alike))))


def known_images(images, pairs, profile):
    """What is known of validation and of test images.

    Of pairs whose captions agree most or least, half each, those that agree weigh as much as the
    share of all pairs that they were drawn from, and the others as the rest.

    Parameters
    ----------
    images : CaptionedImages
    pairs : LabelledPairs
        Those labelled similar or not, of one source. Where they have no validation part (people
        judged test photographs), the validation images are those of pairs whose captions agree
        most and least.
    profile : Profile

    Returns
    -------
    dict of str to KnownImages
        "val" and "test", the images in the order of the pairs; of photographs these are shuffled.
    """
    parts = {split: pairs.where(pairs.split == split) for split in ("val", "test", "cross")}
    if len(parts["cross"]):
        by_captions = caption_pairs(images, profile)
        parts = {"val": by_captions.where(by_captions.split == "val"), "test": parts["cross"]}
    if images.scenes:
        return {split: _scenes(images, parts[split]) for split in ("val", "test")}
    return {split: _photographs(parts[split], profile.seed) for split in ("val", "test")}


def pictured(known, seed, n_groups=6, n_each=4, n_others=12):
    """Positions of images for a picture: some of each of several groups, and any others.

    No score has a say.

    Parameters
    ----------
    known : KnownImages
    seed : int
        Draws groups among those that are large enough, their members, and the others.
    n_groups, n_each, n_others : int
        Where groups are too small, there are more of them, for as many images.

    Returns
    -------
    array of int64, shape (at most n_groups * n_each + n_others,)
    """
    rng = np.random.default_rng(seed)
    groups = known.groups
    members = [np.flatnonzero(groups == label) for label in range(groups.max() + 1)]
    drawn = rng.permutation(len(members)).tolist()
    drawn.sort(key=lambda label: -min(len(members[label]), n_each))  # stable: ties stay random
    chosen = [rng.permutation(members[label])[:n_each] for label in drawn]
    chosen = np.concatenate(chosen)[: n_groups * n_each]
    others = np.setdiff1d(np.arange(len(known)), chosen)
    return np.sort(np.concatenate([chosen, rng.permutation(others)[:n_others]]))


def every_pair(n_images):
    """All pairs i < j of so many images: int64, shape (M (M - 1) / 2, 2)."""
    return np.stack(np.triu_indices(n_images, k=1), axis=1)


def _scenes(images, pairs):
    """All pairs of scenes are known: alike where every concept occurs equally often."""
    image_ids = _image_ids(pairs)
    group = {name: concept.group for name, concept in concept_table().items()}
    contents = [sorted(images.scenes[image_id].content.elements()) for image_id in image_ids]
    content = np.array([" + ".join(concepts) for concepts in contents])
    kinds = np.array([" + ".join(sorted({group[c] for c in concepts})) for concepts in contents])
    every = every_pair(len(image_ids))
    alike = content[every[:, 0]] == content[every[:, 1]]
    classes = {"content": content, "kinds of things": kinds}
    return KnownImages(image_ids, every, alike, np.ones(len(alike)), classes)


def _photographs(pairs, seed):
    pairs = pairs.where(np.random.default_rng(seed).permutation(len(pairs)))
    image_ids, alike = _image_ids(pairs), pairs.similar == 1
    weights = np.ones(len(pairs))
    if (pairs.kind == AGREE).any():
        weights = np.where(alike, TOP / alike.sum(), (1 - TOP) / (~alike).sum())
    return KnownImages(image_ids, pairs.positions(image_ids), alike, weights, {})


def _image_ids(pairs):
    """Every image of some pair, once, in the order of the pairs."""
    both = np.stack([pairs.id_a, pairs.id_b], axis=1).ravel()
    return tuple(dict.fromkeys(both.tolist()))
