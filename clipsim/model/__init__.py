"""Encoders (Eqs. 1 and 2), the dual encoder, its features, training and checkpoints."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "clip": ["CheckpointError", "DualEncoder", "checkpoint_record", "is_whole"],
        "encoders": [
            "IMAGE_BACKBONES", "OneDnnLinear", "TEXT_BACKBONES", "image_backbone", "text_backbone",
        ],
        "estimate": ["training_estimate"],
        "examples": ["batch_loader"],
        "features": [
            "IMAGE_BATCH", "Item", "TOKENS_PER_BATCH", "caption_vectors", "encoded_texts",
            "equal_lengths", "image_features", "picture_vectors", "pixel_features",
        ],
        "state": [
            "EncodingInterrupted", "TrainingError", "state_paths", "stop_requests",
            "study_accelerator",
        ],
        "trainer": ["Trainer", "contrastive_loss"],
        "training": ["resumable", "train"],
        "validation": ["Validation", "matched_vectors", "mean_recall", "retrieval_recall"],
    },
)  # fmt: skip
