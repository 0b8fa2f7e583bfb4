"""Which encoder, which vector space; do descriptions beat the image's vector? (notebook 09)

`sentence_quadruples` are probed in every vector space; `encoder_comparison` says what encoders are
worth, and `score_rows` of `space_scores` what spaces are. `compared_scores` sets Eq. 4 against
scores without text, by the profile's models and by a control that saw the training captions only.
Charts come with numbers and captions.
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
        "text_and_image": [
            "compared_scores", "text_and_image_chart", "text_or_image", "threshold_transfer",
        ],
    },
)  # fmt: skip
