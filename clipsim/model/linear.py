"""Linear layers on a CPU by oneDNN, where PyTorch would take MKL.

MKL leaves half of the arithmetic of processors that are not Intel's unused; oneDNN, which PyTorch
already uses for convolutions and for bfloat16, does not. It also gives a row of the input the same
bits however many other rows there are and however many threads work on them (but for a row that is
alone), which MKL does not.
"""

import torch
from torch.nn.functional import linear
from torch.overrides import TorchFunctionMode


class OneDnnLinear(TorchFunctionMode):
    """Context in which float32 linear layers on a CPU are computed by oneDNN; no gradients."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is linear and not kwargs and _fits(*args):
            weights = args[1], args[2] if len(args) > 2 else None
            return torch.ops.mkldnn._linear_pointwise(args[0], *weights, "none", [], "")
        return function(*args, **(kwargs or {}))


def _fits(inputs, weight, bias=None):
    return (
        torch.backends.mkldnn.is_available()
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and inputs.device.type == "cpu"
        and inputs.dtype == weight.dtype == torch.float32
    )
