"""The CLIP model: backbones, projections, contrastive training."""
