"""Anybody's pictures: the model that ships, or another, and what it finds among them.

`index` compares, describes and indexes folders (`clipsim.compare`, `describe`, `PictureIndex`);
`chosen_model` has the model with its descriptions and what its data tell, `answers` what is found
among described pictures; `pages` writes cards and the graph's page, `sheets` is for notebook 14,
and `shipped` makes the model that ships.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "answers": ["clusters", "deciding_pairs"],
        "chosen_model": ["SHIPPED", "known", "loaded_model", "own_describer"],
        "index": ["PictureIndex", "compare", "compared", "describe"],
        "pages": ["write_card", "write_graph_page"],
        "sheets": ["answer_sheet", "cluster_sheet", "explorer", "neighbour_sheet", "search_sheet"],
    },
)  # fmt: skip
