"""What a score is worth: steps that notebooks share, thresholds, Table 1, differences, claims."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "claims": [
            "CLAIMS", "NOT_SUPPORTED", "SUPPORTED", "UNDECIDED", "claim_verdicts", "finding",
            "gathered_findings", "verdict", "verdict_words", "write_verdicts",
        ],
        "differences": ["clip_findings", "metric_differences"],
        "figures_1_to_4": [
            "COMPARISONS", "ERRORS", "FALSE_ALARM", "called_similar", "chosen_pair",
            "sampled_score",
        ],
        "resampling": [
            "DECISION", "ResampledPairs", "auc", "exact_interval", "finding_of", "interval",
            "measured", "rank_correlation",
        ],
        "steps": [
            "checkpoint_fault", "checkpoint_folder", "description_scores", "judge_captions",
            "load_retrieval", "load_scores", "models_of_seeds", "retrieval_of", "retrieve",
            "score_all_metrics", "score_table", "train_or_load", "trained_model",
        ],
        "table_1": [
            "METRICS", "accuracy_by_kind", "decision_statistics", "evaluations", "sweep",
            "table_1_rows", "thresholds_by_key",
        ],
        "thresholds": ["held_out_decisions", "held_out_thresholds"],
    },
)  # fmt: skip
