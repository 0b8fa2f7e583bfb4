"""What several benchmarks work on."""

import numpy as np

import clipsim
from clipsim.data import caption_pool, load
from clipsim.evaluation import train_or_load
from clipsim.profile import REPOSITORY

PHOTOGRAPHS = REPOSITORY.parent / "shared" / "flickr8k"


def photographs_or_scenes():
    """Profile and images: Flickr8k's of ../shared/flickr8k if they are there, else scenes."""
    if PHOTOGRAPHS.is_dir():
        profile = clipsim.load_profile("flickr8k", data_root=str(PHOTOGRAPHS))
    else:
        profile = clipsim.load_profile("demo", n_train_scenes=500)
    return profile, load(profile)


def demo_vectors():
    """The demo's profile, its pool's vectors (C, d), and those of its held-out images (M, d).

    The model is trained if it is not there.
    """
    profile = clipsim.load_profile("demo")
    images = load(profile)
    model = train_or_load(profile, images)
    pool = model.encode_texts(caption_pool(profile, images))
    held_out = np.concatenate([images.indices(split) for split in ("val", "test")])
    return profile, pool, model.encode_images(images.subset(held_out))
