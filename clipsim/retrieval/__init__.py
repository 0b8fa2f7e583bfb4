"""Descriptions retrieved for images (Eq. 3), the score of two images (Eq. 4), search."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "caption_index": [
            "CaptionIndex", "Describer", "Retrieval", "description_scores", "scores_of_models",
        ],
        "graph": [
            "community_labels", "component_labels", "joined", "similarity_graph", "write_edges",
            "write_graphml",
        ],
        "score": [
            "caption_score", "description_sums", "score_edges", "score_matrix", "score_pairs",
        ],
        "search": ["largest_products", "pair_products", "products_at_least"],
        "store": ["encode"],
    },
)  # fmt: skip
