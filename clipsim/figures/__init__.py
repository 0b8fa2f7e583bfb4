"""The look, the charts, the sheets of pictures and the tables of the study."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "charts": [
            "caption_lengths", "differences_chart", "score_distributions", "seed_spread_chart",
            "similarity_by_rank", "verdict_chart",
        ],
        "intervals": [
            "auc_chart", "claim_title", "finding_sentence", "flat_table", "interval_points",
        ],
        "sheets": [
            "FRAME", "comparison_caption", "draw_comparison", "image_sheet", "pair_sheet",
            "retrieval_sheet", "worst_case_sheet", "wrapped",
        ],
        "style": [
            "COLUMN_IN", "IDENTITY", "OTHER", "PAGE_IN", "SIMILAR", "marker_style", "save_figure",
            "show", "save_table", "show_figure", "use_style",
        ],
        "tables": ["LABELS", "caption", "recall_table", "training_settings"],
    },
)  # fmt: skip
