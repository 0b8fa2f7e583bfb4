"""Accelerate as the study uses it: one process or several, on whatever device there is."""

from datetime import timedelta

import torch
from accelerate import Accelerator
from accelerate.utils import GradientAccumulationPlugin, InitProcessGroupKwargs
from timm.layers import convert_sync_batchnorm

from clipsim.errors import BadInput

LONGEST_WAIT = timedelta(hours=12)  # processes wait while one computes features


class TrainingError(BadInput, RuntimeError):
    """Training that cannot start or go on; says where it stopped."""


def study_accelerator():
    """An Accelerator that leaves precision and accumulation to the profile.

    Accelerate fixes its own for the life of a process, and takes them from whatever
    `accelerate launch` was configured with; here a process may train twice, differently.
    """
    return Accelerator(
        cpu=not torch.accelerator.is_available(),  # else several CPU processes stay apart
        mixed_precision="no",
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
        kwargs_handlers=[InitProcessGroupKwargs(timeout=LONGEST_WAIT)],
    )


def prepared_model(model, accelerator):
    """The model on its device, with batch statistics over all processes where they are trained.

    Raises
    ------
    TrainingError
        If the device cannot do what the profile asks for.
    """
    profile, device = model.profile, accelerator.device
    wants_bf16 = device.type == "cuda" and profile.mixed_precision == "bf16"
    if wants_bf16 and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise TrainingError(
            f"{torch.cuda.get_device_name()} has no bf16: pass -p mixed_precision=no"
        )
    own_statistics = not model.is_frozen and profile.batch_norm == "train"
    if own_statistics and accelerator.num_processes > 1:
        if device.type == "cpu":
            raise TrainingError(
                "batch_norm: train on several processes needs batch statistics over all of them, "
                "which torch has on GPUs only: pass -p batch_norm=frozen"
            )
        # timm's, because torch's own loses the activation that timm's layers hold.
        model.image_backbone = convert_sync_batchnorm(model.image_backbone)
    return model.to(device)
