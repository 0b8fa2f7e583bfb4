"""What a score is worth: thresholds, Table 1 with its intervals, differences, claims.

Every notebook takes from here the steps that it shares with others (`trained_model`,
`load_scores`); 05 takes Table 1, 06 the choice of its pairs, 13 the verdicts. A study resamples
its pairs with `ResampledPairs` and ends in a `finding`.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "claims": [
            "CLAIMS", "NOT_SUPPORTED", "SMALLEST_EFFECT", "SUPPORTED", "UNDECIDED", "claim_of",
            "claim_verdicts", "finding", "gathered_findings", "not_testable", "verdict",
            "verdict_words",
        ],
        "differences": ["JUDGES", "clip_findings", "metric_differences"],
        "figures_1_to_4": [
            "COMPARISONS", "ERRORS", "FALSE_ALARM", "Candidates", "described",
            "errors_by_confidence", "margins_in_the_paper", "tested_candidates",
            "training_candidates",
        ],
        "people": ["agreement_with_people", "judged_caption_scores"],
        "resampling": [
            "DECISION", "ResampledPairs", "auc", "exact_interval", "finding_of", "interval",
            "measured",
        ],
        "steps": [
            "checkpoint_fault", "checkpoint_folder", "description_scores", "load_retrieval",
            "load_scores", "models_of_seeds", "retrieval_of", "retrieve", "score_all_metrics",
            "score_table", "scores_of_seeds", "train_or_load", "trained_model",
        ],
        "table_1": [
            "METRICS", "REFERENCES", "accuracy_by_kind", "decision_statistics", "evaluations",
            "reference_rows", "seed_spread", "table_1_rows", "thresholds_by_key",
        ],
        "thresholds": [
            "calibration", "held_out_decisions", "held_out_thresholds", "right_decisions", "sweep",
        ],
    },
)  # fmt: skip
