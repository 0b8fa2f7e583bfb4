"""CLIP's contrastive loss, over the batch of one process or over those of all together.

Gradient accumulation does not enlarge the contrast: each batch is contrasted with itself alone.
More processes do: every image meets the texts of all of them.
"""

import torch
from torch import distributed
from torch.nn.functional import cross_entropy

from clipsim.model.clip import MAX_LOGIT_SCALE


def contrastive_loss(image_vectors, text_vectors, logit_scale):
    """The mean of image-to-text and text-to-image cross-entropy (Radford et al. 2021).

    With k processes, each compares its B images and texts with the k·B of all; the mean of
    their losses is the loss of one process on the joined batch, and so are its gradients once
    averaged over the processes, as DistributedDataParallel does.

    Parameters
    ----------
    image_vectors, text_vectors : tensor, shape (B, d)
        Unit vectors; row i of one belongs to row i of the other. B is equal on all processes.
    logit_scale : scalar tensor
        Logarithm of the inverse temperature; at most ln 100 counts.

    Returns
    -------
    scalar tensor
        ln(k·B) for vectors that say nothing, 0 at best.
    """
    scale = logit_scale.clamp(max=MAX_LOGIT_SCALE).exp()
    first = len(image_vectors) * (distributed.get_rank() if _several_processes() else 0)
    target = torch.arange(first, first + len(image_vectors), device=image_vectors.device)
    image_logits = scale * image_vectors @ gathered(text_vectors).T  # (B, k·B)
    text_logits = scale * text_vectors @ gathered(image_vectors).T
    return (cross_entropy(image_logits, target) + cross_entropy(text_logits, target)) / 2


def gathered(rows):
    """The rows of all processes, (k·B, d), in the order of rank; differentiable."""
    return _Gather.apply(rows) if _several_processes() else rows


class _Gather(torch.autograd.Function):
    """`all_gather` whose backward returns to each process what all of them ask of its rows.

    torch's own differentiable gather needs an all-to-all that gloo, the backend on CPUs, lacks.
    """

    @staticmethod
    def forward(ctx, rows):
        blocks = [torch.empty_like(rows) for _ in range(distributed.get_world_size())]
        distributed.all_gather(blocks, rows.contiguous())
        return torch.cat(blocks)

    @staticmethod
    def backward(ctx, gradient):
        gradient = gradient.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(gradient)
        return gradient.chunk(distributed.get_world_size())[distributed.get_rank()]


def _several_processes():
    return (
        distributed.is_available()
        and distributed.is_initialized()
        and distributed.get_world_size() > 1
    )
