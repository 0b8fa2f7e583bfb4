"""Anybody's pictures: a trained model for them, their descriptions, the most alike, clusters.

`index` has the model that describes them, vectors, scores and the graph, `sheets` what notebook
14 shows. `own_describer(chosen_checkpoint())` describes; `encoded_folder` reads pictures.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "index": [
            "best_for_text", "chosen_checkpoint", "clusters", "deciding_pairs", "describer_of",
            "descriptions", "encoded_files", "encoded_folder", "folder_or_example",
            "held_out_threshold", "most_alike", "own_describer", "own_outputs", "picture_graph",
            "whole_path",
        ],
        "sheets": ["cluster_sheet", "explorer", "neighbour_sheet", "search_sheet"],
    },
)  # fmt: skip
