"""Anybody's pictures: a trained model for them, their descriptions, the most alike, clusters.

`index` has vectors, scores and the graph, `model` which model describes them, `sheets` what
notebook 14 shows. `own_describer(chosen_checkpoint())` describes; `encoded_folder` reads pictures.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "index": [
            "best_for_text", "clusters", "deciding_pairs", "descriptions", "encoded_files",
            "encoded_folder", "folder_or_example", "most_alike", "own_outputs", "picture_graph",
            "whole_path",
        ],
        "model": ["chosen_checkpoint", "describer_of", "held_out_threshold", "own_describer"],
        "sheets": ["cluster_sheet", "explorer", "neighbour_sheet", "search_sheet"],
    },
)  # fmt: skip
