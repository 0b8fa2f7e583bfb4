"""Data sets as `CaptionedImages`, evaluation pairs as `LabelledPairs`."""

from clipsim.data.captioned_images import CaptionedImages, DataError, LabelledPairs
from clipsim.data.pictures import BadImageError

__all__ = [
    "BadImageError",
    "CaptionedImages",
    "DataError",
    "LabelledPairs",
    "load",
    "load_pairs",
]


def load(profile):
    """The images, captions and splits of a profile.

    Parameters
    ----------
    profile : Profile

    Returns
    -------
    CaptionedImages

    Raises
    ------
    DataError
        Data that are missing or cannot be used.
    BadImageError
        A picture that cannot be read, unless the profile skips those.
    """
    if profile.dataset == "openmoji":
        from clipsim.data.scenes.openmoji import openmoji_scenes

        return openmoji_scenes(profile)
    from clipsim.data.photographs.flickr import photographs
    from clipsim.data.pictures import checked

    return checked(photographs(profile), profile.on_bad_image)


def load_pairs(profile, images=None):
    """The pairs on which a profile evaluates.

    Parameters
    ----------
    profile : Profile
    images : CaptionedImages, optional
        What `load(profile)` returned, where the caller has it already.

    Returns
    -------
    LabelledPairs

    Raises
    ------
    DataError, BadImageError
        As `load`; also where there are too few pairs.
    """
    images = load(profile) if images is None else images
    if profile.pairs == "scenes":
        from clipsim.data.scenes.openmoji import scene_pairs

        return scene_pairs(profile, images)
    if profile.pairs == "captions":
        from clipsim.data.pairs import caption_pairs

        return caption_pairs(images, profile)
    from clipsim.data.photographs.judgments import human_pairs

    return human_pairs(images, profile.data_root, profile.max_bad_rows)
