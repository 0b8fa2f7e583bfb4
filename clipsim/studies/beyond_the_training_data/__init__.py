"""What the score is worth beyond the training data (notebook 10).

`ScoredPairs.of(profile)` are the test pairs with all scores. Each experiment takes them and gives
rows and findings on the paper's claims: the AUC of each metric in groups of pairs, which
`clipsim.figures.auc_chart` draws, or what is kept of scores where pictures are altered.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "altered": ["robustness", "robustness_chart", "training_data"],
        "experiments": [
            "ScoredPairs", "another_domain", "fine_grained", "gain_over_pixels",
            "no_fitting_description", "several_objects", "unseen_things",
        ],
    },
)  # fmt: skip
