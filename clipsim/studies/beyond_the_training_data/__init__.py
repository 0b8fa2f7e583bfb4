"""What the score is worth beyond the training data (notebook 10).

`ScoredPairs.of(profile)` are the test pairs with all scores. Each experiment takes them and gives
rows, the AUC of each metric in groups of pairs, and findings on the paper's claims;
`clipsim.figures.auc_chart` draws them.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "experiments": [
            "ScoredPairs", "another_domain", "fine_grained", "gain_over_pixels",
            "no_fitting_description", "unseen_things",
        ],
    },
)  # fmt: skip
