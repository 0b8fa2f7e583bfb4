"""Encoders (Eqs. 1 and 2), the dual encoder, its features, training and checkpoints."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "clip": [
            "CheckpointError", "DualEncoder", "checkpoint_record", "contrastive_loss", "is_whole",
            "write_record",
        ],
        "encoders": [
            "IMAGE_BACKBONES", "OneDnnLinear", "TEXT_BACKBONES", "class_weights", "image_backbone",
            "text_backbone",
        ],
        "examples": ["Validation", "matched_vectors", "mean_recall", "retrieval_recall"],
        "features": [
            "IMAGE_BATCH", "TOKENS_PER_BATCH", "encoded_texts", "equal_lengths", "image_features",
            "picture_vectors", "pixel_features",
        ],
        "state": ["read_state", "state_paths", "stop_requests", "study_accelerator"],
        "training": [
            "Trainer", "TrainingError", "TrainingInterrupted", "resumable", "train",
            "training_estimate",
        ],
    },
)  # fmt: skip
