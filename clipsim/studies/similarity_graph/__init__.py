"""What graph and clusters the threshold builds (notebook 11).

`StudiedImages` holds the images of which it is known what is alike; `metric_graphs` makes the
graphs of every threshold, which `sweep`, `best_thresholds` and `quality_rows` measure. Two claims
are tested on them, and two pictures drawn.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "clusters": [
            "CLUSTERS", "PAIRS", "PAPER", "KnownImages", "MetricGraphs", "StudiedImages",
            "best_component_threshold", "best_thresholds", "clip_graphs", "every_pair",
            "known_images", "metric_graphs", "pair_agreement", "quality_rows", "sweep",
        ],
        "drawings": ["dendrogram_sheet", "pictured", "quality_chart"],
        "tested_claims": ["group_findings", "search_and_classes"],
    },
)  # fmt: skip
