"""Notebooks executed, compared with the committed results, and rendered."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "run": ["add_profile_arguments", "profile_arguments"],
    },
)  # fmt: skip
