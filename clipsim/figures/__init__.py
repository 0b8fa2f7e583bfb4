"""The look, the charts, the sheets of pictures and the tables of the study.

A notebook takes `use_style` and `show` from here, and what it shows: charts and sheets come as
`figure, numbers, caption`. Studies take the colours and widths, and draw for themselves.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "charts": [
            "accuracy_by_kind_chart", "accuracy_chart", "alignment", "differences_chart",
            "people_chart", "score_distributions", "similarity_by_rank", "threshold_sweeps",
            "training_curves",
        ],
        "found": ["found", "what_we_found"],
        "intervals": [
            "auc_chart", "claim_title", "finding_sentence", "flat_table", "give_title", "heat_map",
            "interval_points",
        ],
        "sheets": [
            "FRAME", "beside_descriptions", "comparison_figure", "image_sheet", "pair_sheet",
            "retrieval_sheet", "show_picture", "worst_case_sheet", "wrapped",
        ],
        "style": [
            "COLUMN_IN", "IDENTITY", "INK", "OTHER", "PAGE_IN", "SIMILAR", "marker_style",
            "save_table", "show", "use_style",
        ],
        "tables": [
            "JUDGED", "LABELS", "markdown_table", "paper_and_run", "seed_sentence",
            "table_1_markdown", "training_settings", "verdicts_table", "write_table_1",
            "write_verdicts",
        ],
    },
)  # fmt: skip
