"""The descriptions that a search may pick from."""

import hashlib
from pathlib import Path

from clipsim.data.captioned_images import DataError
from clipsim.data.photographs.caption_files import cleaned, file_text

# As many composed descriptions as have the highest ρ on the half of the pairs rated side by side
# that nothing reports.
N_COMPOSED, COMPOSED_SEED = 10_000, 0


def caption_pool(profile, images=None):
    """Descriptions to retrieve from: unique, in a fixed order.

    Captions of validation and test images are never among them (a pool file is its author's
    choice).

    Parameters
    ----------
    profile : Profile
        `pool`: "train", the captions of the training images; "all_train_captions", those of
        training images that are not on disk too; "composed", `N_COMPOSED` composed descriptions;
        "file", the lines of `pool_file`.
    images : CaptionedImages, optional
        Whose captions they are, where they are those of training images.

    Returns
    -------
    tuple of str

    Raises
    ------
    DataError
        If there are fewer than N descriptions, or the pool file cannot be read.
    """
    if profile.pool == "composed":
        from clipsim.data.composed.descriptions import composed_descriptions

        pool, where = composed_descriptions(N_COMPOSED, COMPOSED_SEED), ""
    elif profile.pool == "file":
        if profile.pool_file is None:
            raise DataError("pool: file needs a file of descriptions: pass -p pool_file=FILE")
        pool, where = file_pool(profile.pool_file), ""
    else:
        pool = [caption for i in images.indices("train") for caption in images.captions[i]]
        where = f"{images.name}: no training captions to search; check the splits, or pool=file"
    if profile.pool == "all_train_captions":
        pool += [c for captions in images.absent_captions.values() for c in captions]
    unique = _unique(pool, where)
    if profile.n_descriptions > len(unique):
        raise DataError(
            f"n_descriptions={profile.n_descriptions}: the pool has {len(unique):,} descriptions; "
            "choose fewer, or a larger pool"
        )
    return unique


def composed_pool_key():
    """What composed descriptions depend on: one that kept them need not compose them to know."""
    sources = sorted(Path(__file__).with_name("composed").glob("*.*"))
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sources]
    return [N_COMPOSED, COMPOSED_SEED, *digests]


def file_pool(path):
    """The descriptions of a text file, one per line: unique, in its order.

    Raises
    ------
    DataError
        If the file cannot be read, or holds none.
    """
    lines = [cleaned(line, path) for line in file_text(path).split("\n")]
    return _unique(lines, f"{path}: no descriptions in it; write one per line")


def _unique(pool, if_none):
    unique = tuple(dict.fromkeys(description for description in pool if description))
    if not unique:
        raise DataError(if_none)
    return unique
