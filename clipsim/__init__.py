"""clipsim: image similarity through the descriptions that a CLIP model retrieves.

A reproducible study of Lytvyn et al., *Detection of Similarity Between Images Based on
Contrastive Language-Image Pre-Training Neural Network*, COLINS-2024.
"""

from clipsim.config import Profile, ProfileError, load_profile

__all__ = ["Profile", "ProfileError", "load_profile"]
