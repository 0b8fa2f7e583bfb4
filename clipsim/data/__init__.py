"""Data sets as `CaptionedImages`, evaluation pairs as `LabelledPairs`, and the pool.

A notebook takes `load`, `load_pairs` and `caption_pool`. Scenes and their captions are made in
`scenes`, folders of photographs and what people said of them are read in `photographs`.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "captioned_images": ["CaptionedImages", "DataError", "LabelledPairs"],
        "composed.class_names": ["class_names"],
        "composed.descriptions": ["composed_descriptions"],
        "pairs": ["AGREE", "DISAGREE", "TOP", "caption_pairs", "caption_pairs_of"],
        "photographs.caption_files": ["cleaned"],
        "photographs.fetch": ["fetch"],
        "photographs.folders": ["picture_folder"],
        "photographs.judgments": ["caption_ratings"],
        "photographs.of_packages": ["package_photographs"],
        "pictures": [
            "BadImageError", "CROPPED", "PictureFile", "Pictures", "RESIZED", "jpeg",
            "preprocessed", "read_picture",
        ],
        "pool": ["caption_pool", "composed_pool_key", "file_pool"],
        "scenes.captions": ["scene_captions"],
        "scenes.openmoji": ["draw_scene"],
        "scenes.scenes": ["JITTER", "KINDS", "concept_table", "graded_similarity", "scene_pair"],
    },
)  # fmt: skip
__all__ += ["load", "load_pairs"]
FEWEST = 2  # images of a split: one alone is the best of all


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
    from clipsim.data.captioned_images import DataError
    from clipsim.data.photographs.folders import photographs
    from clipsim.data.photographs.judgments import rated_apart
    from clipsim.data.pictures import checked

    images = photographs(profile)
    if profile.pairs == "human":
        images = rated_apart(images, profile.data_root)
    images = checked(images, profile.on_bad_image)
    counts = {split: len(images.indices(split)) for split in ("train", "val", "test")}
    if min(counts.values()) < FEWEST:
        found = ", ".join(f"{split} {n}" for split, n in counts.items())
        raise DataError(f"{images.name}: images by split: {found}; each needs {FEWEST} or more")
    return images


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

    return human_pairs(images, profile)
