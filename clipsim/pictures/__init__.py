"""Anybody's pictures: a trained model for them, their descriptions, the most alike, clusters.

`index` has the model that describes them, vectors, scores and the graph, `sheets` what notebook
14 shows. `own_describer(chosen_checkpoint())` describes; `encoded_folder` reads pictures.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "index": [
            "PictureIndex", "SHIPPED", "best_for_text", "chosen_checkpoint", "clusters", "compare",
            "deciding_pairs", "describe", "described_pictures", "descriptions", "known",
            "most_alike", "own_describer", "picture_graph", "pictures_record", "scored_pairs",
        ],
        "pages": ["write_card", "write_graph_page"],
        "sheets": ["answer_sheet", "cluster_sheet", "explorer", "neighbour_sheet", "search_sheet"],
    },
)  # fmt: skip
