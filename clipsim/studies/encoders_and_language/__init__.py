"""Which encoder, which vector space; does structure beat meaning in BERT? (notebook 09)

`sentence_quadruples` are probed in every vector space; `encoder_comparison` says what encoders are
worth, and `score_rows` of `space_scores` what spaces are. Charts come with numbers and captions.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "encoders": ["data_and_models", "encoder_comparison", "score_rows", "space_scores"],
        "structure_or_meaning": [
            "probe_chart", "probe_rows", "probed_spaces", "sentence_quadruples",
            "structure_findings",
        ],
    },
)  # fmt: skip
