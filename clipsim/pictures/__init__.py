"""Anybody's pictures: which model, their vectors and descriptions, sheets and sliders."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "index": [
            "best_for_text", "clusters", "deciding_pairs", "described", "descriptions",
            "encoded_files", "encoded_folder", "most_alike", "picture_graph", "whole_path",
        ],
        "model": [
            "Threshold", "add_checkpoint_argument", "checkpoint_profile", "chosen_checkpoint",
            "held_out_threshold", "own_describer",
        ],
        "sheets": ["cluster_sheet", "explorer", "neighbour_sheet", "search_sheet"],
    },
)  # fmt: skip
