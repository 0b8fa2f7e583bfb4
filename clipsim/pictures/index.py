"""Anybody's pictures: described, compared, and a folder of them indexed.

A score depends on the two pictures, the model and its descriptions alone, never on the other
pictures. What is encoded of a folder is kept in the cache folder, never among the user's files.
"""

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image

from clipsim import data
from clipsim.data import DataError
from clipsim.model import picture_vectors
from clipsim.pictures.answers import (
    best_for_text,
    deciding_pairs,
    descriptions,
    most_alike,
    picture_graph,
)
from clipsim.pictures.chosen_model import (
    cache_folder,
    judged,
    known,
    least_text_similarity,
    reaches,
    shipped_describer,
)
from clipsim.retrieval import encode, score_pairs

SHOWN = 5  # pairs of descriptions that explain a score


def compare(a, b, describer=None):
    """How alike two pictures are (Eq. 4), and which descriptions say so.

    Parameters
    ----------
    a, b : str, Path, PIL.Image.Image, or array
        Paths, pictures, or arrays (H, W, 3) of uint8, or of float in [0, 1].
    describer : Describer, optional
        Of `own_describer`; by default the model that ships.

    Returns
    -------
    dict
        "score" (Eq. 4, from -1 to 1), "alike" (at or above "threshold"), "share_alike" (of
        caption-judged pairs with such a score, how many were similar), "image_cosine"; "most" and
        "least", the pairs of descriptions that raised and lowered the score (`deciding_pairs`);
        "pictures", of each the "name", "descriptions", and whether the best of them "fits". None
        is what the model does not know.

    Raises
    ------
    FileNotFoundError, clipsim.data.BadImageError
        If a picture is missing, or cannot be read.
    """
    describer = describer or shipped_describer()
    return compared(a, b, describer, known(describer))


def compared(a, b, describer, knowledge):
    """`compare`, by what is known of the scores (`known`)."""
    found = described_pictures(describer, [a, b])
    names = found.image_ids.tolist()
    (score,) = score_pairs(
        found.description_vectors, [[0, 1]], describer.profile.normalisation
    ).tolist()
    return {
        "a": names[0],
        "b": names[1],
        "score": score,
        **judged(score, knowledge),
        "image_cosine": float((found.image_vectors[0] * found.image_vectors[1]).sum()),
        **deciding_pairs(found.at([0]), found.at([1]), SHOWN),
        "threshold": knowledge["threshold"],
        "pictures": [
            {
                "name": name,
                "fits": reaches(found.sims[i, 0], knowledge["least_similarity"]),
                "descriptions": descriptions(found.at([i])),
            }
            for i, name in enumerate(names)
        ],
    }


def describe(picture, n=5, describer=None):
    """The descriptions that fit a picture best (Eq. 3).

    Parameters
    ----------
    picture, describer
        As in `compare`.
    n : int
        How many.

    Returns
    -------
    list of dict
        "text" and "similarity" (the cosine in the joint space), the best first, and "fits":
        whether the similarity is one that a fitting description has; None where the model does
        not know.
    """
    describer = describer or shipped_describer()
    found = described_pictures(describer, [picture], n)
    least = known(describer)["least_similarity"]
    return [row | {"fits": reaches(row["similarity"], least)} for row in descriptions(found)]


class PictureIndex:
    """The pictures of a folder and of the folders in it, described once and kept in the cache.

    Parameters
    ----------
    folder : str, Path or CaptionedImages
    describer : Describer, optional
        Of `own_describer`; by default the model that ships.
    store : str or Path, optional
        A folder that the command `encode` filled, in place of the cache.

    Attributes
    ----------
    images : CaptionedImages
        The pictures themselves.
    names : list of str
        Paths relative to the folder of the pictures that can be read.
    broken : dict of str to str
        The others, with what is wrong with each.
    retrieval : Retrieval
        Their descriptions.

    Raises
    ------
    DataError
        If there is no such folder, or no picture in it.
    """

    def __init__(self, folder, describer=None, store=None):
        is_folder = isinstance(folder, str | os.PathLike)
        self.folder = whole_path(folder) if is_folder else folder.name
        self.images = data.picture_folder(self.folder) if is_folder else folder
        self.describer = describer or shipped_describer()
        self.known = known(self.describer)
        model = self.describer.model
        store = store or cache_folder("pictures", model, self.folder)
        encoded = encode(model, self.images, store)
        self.names, self.broken = list(encoded.names), encoded.broken
        self.retrieval = self.describer.described(encoded.names, encoded.vectors)

    def search(self, text, k=10):
        """The pictures that a text describes best (Eq. 3): `best_for_text`, each with "fits"."""
        least = least_text_similarity(self.known, len(self.names))
        rows = best_for_text(self.describer, self.retrieval, text, k)
        return [row | {"fits": reaches(row["similarity"], least)} for row in rows]

    def like(self, picture, k=10):
        """The pictures most alike another one (Eq. 4): `most_alike`, each with "alike".

        The picture itself is left out where it lies in the folder.
        """
        asked = described_pictures(self.describer, [picture])
        rows = most_alike(self.retrieval, asked, self.describer.profile.normalisation, k + 1)
        if isinstance(picture, str | Path):
            itself = os.path.relpath(whole_path(picture), self.folder)
            rows = [row for row in rows if row["name"] != itself]
        return [row | judged(row["score"], self.known) for row in rows[:k]]

    def pairs(self, threshold=None):
        """The pairs with a score at or above a threshold, by default the model's own.

        Returns
        -------
        list of (str, str, float)
            Two names and their score (Eq. 4), in the order of the names.
        """
        graph = self.graph(self.known["threshold"] if threshold is None else threshold)
        edges = graph.edges(data="score")
        return [(self.names[a], self.names[b], float(score)) for a, b, score in edges]

    def scores(self, pairs):
        """Eq. 4 of pairs of pictures.

        Parameters
        ----------
        pairs : sequence of (str, str)
            File names relative to the folder.

        Returns
        -------
        array of float32, shape (P,)

        Raises
        ------
        DataError
            If a name is none of the folder's.
        """
        position = {name: i for i, name in enumerate(self.names)}
        unknown = [name for pair in pairs for name in pair if name not in position]
        if unknown:
            raise DataError(f"{unknown[0]}: no such picture in {self.folder}; see .names")
        rows = np.array([[position[a], position[b]] for a, b in pairs]).reshape(-1, 2)
        used, rows = np.unique(rows, return_inverse=True)
        vectors = self.retrieval.at(used).description_vectors
        return score_pairs(vectors, rows.reshape(-1, 2), self.describer.profile.normalisation)

    def graph(self, threshold):
        """`picture_graph` of the pictures."""
        return picture_graph(self.retrieval, self.describer.profile.normalisation, threshold)


def described_pictures(describer, pictures, n=None):
    """Some pictures, read and described, as a `Retrieval`; `BadImageError` names what is broken.

    They are called by their paths as given, or "picture 2". N is the profile's, or `n`.
    """
    (results,) = picture_vectors(describer.model, [[_source(picture) for picture in pictures]])
    if broken := [result for result in results if isinstance(result, str)]:
        raise data.BadImageError("; ".join(broken))
    names = [
        str(p) if isinstance(p, str | Path) else f"picture {i}" for i, p in enumerate(pictures, 1)
    ]
    return describer.described(names, np.array(results, dtype=np.float32), n)


def _source(picture):
    """What reads a picture, as `PictureFile` does."""
    if isinstance(picture, str | Path):
        path = whole_path(picture)
        os.stat(path)  # a missing file is no damaged picture
        if not os.path.isfile(path):
            what = "a folder; search and graph read those" if os.path.isdir(path) else "no file"
            raise data.BadImageError(f"{path}: {what}")
        return data.PictureFile(Path(path))
    if isinstance(picture, Image.Image):
        return SimpleNamespace(read=lambda: picture)
    pixels = np.asarray(picture)
    if pixels.dtype.kind == "f":
        pixels = (255 * pixels.clip(0, 1)).round()
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype.kind not in "fu":
        raise DataError(
            f"a picture of shape {np.shape(picture)} and {np.asarray(picture).dtype}: expected "
            "(H, W, 3) of uint8, or of float in [0, 1]"
        )
    return SimpleNamespace(read=lambda: Image.fromarray(pixels.astype(np.uint8)))


def whole_path(path):
    """`path` from the root: the name of a picture file wherever the caller stands."""
    return os.path.abspath(Path(path).expanduser())
