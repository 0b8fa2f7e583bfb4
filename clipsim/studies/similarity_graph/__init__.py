"""What graph and clusters the threshold builds (notebook 11).

`StudiedImages` holds the images of which it is known what is alike. `metric_graphs` makes the
graphs of every threshold, which `best_thresholds`, `quality_rows` and `growth_rows` measure and
the charts and sheets draw.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "clusters": [
            "CLUSTERS", "PAIRS", "KnownImages", "MetricGraphs", "StudiedImages", "best_thresholds",
            "clip_graphs", "growth_rows", "known_images", "metric_graphs", "pair_agreement",
            "quality_rows", "sweep",
        ],
        "drawings": [
            "component_chart", "dendrogram_sheet", "graph_sheet", "pictured", "quality_chart",
        ],
    },
)  # fmt: skip
