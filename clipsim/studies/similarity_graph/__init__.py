"""What graph and clusters the threshold builds (notebook 11).

`known_images` are those of which it is known what is alike; `metric_graphs` makes the graphs of
every threshold, which `sweep`, `best_threshold` and `quality_table` measure. Two claims are tested
on them, and two pictures drawn.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "clusters": [
            "CLUSTERS", "PAIRS", "PAPER", "KnownImages", "MetricGraphs", "best_threshold",
            "group_findings", "known_images", "metric_graphs", "quality_table",
            "search_and_classes", "studied", "sweep",
        ],
        "drawings": ["dendrogram_sheet", "pictured", "quality_chart"],
    },
)  # fmt: skip
