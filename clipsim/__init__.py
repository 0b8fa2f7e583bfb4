"""clipsim: image similarity through the descriptions that a CLIP model retrieves.

A reproducible study of Lytvyn et al., *Detection of Similarity Between Images Based on
Contrastive Language-Image Pre-Training Neural Network*, COLINS-2024.
"""

from importlib import import_module

from clipsim.profile import Profile, ProfileError, load_profile

# Imported when first asked for: the model's libraries take seconds to load.
_HOMES = {
    "DualEncoder": "clipsim.model.clip",
    "CaptionIndex": "clipsim.retrieval.caption_index",
    "caption_score": "clipsim.retrieval.score",
    "score_pairs": "clipsim.retrieval.score",
    "score_matrix": "clipsim.retrieval.score",
    "score_edges": "clipsim.retrieval.score",
    "compare": "clipsim.pictures",
    "describe": "clipsim.pictures",
    "PictureIndex": "clipsim.pictures",
}

__all__ = ["Profile", "ProfileError", "load_profile", *_HOMES]


def __getattr__(name):
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'clipsim' has no attribute {name!r}")
