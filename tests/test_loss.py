"""The loss against its definition, and over two processes against one with the joined batch."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize

from clipsim.model import contrastive_loss


def loss_by_definition(images, texts, temperature):
    total = 0.0
    for i in range(len(images)):
        row = [math.exp(float(images[i] @ text) / temperature) for text in texts]
        column = [math.exp(float(image @ texts[i]) / temperature) for image in images]
        total -= math.log(row[i] / sum(row)) + math.log(column[i] / sum(column))
    return total / (2 * len(images))


def test_the_loss_equals_its_definition():
    torch.manual_seed(0)
    images, texts = (normalize(torch.randn(6, 8, dtype=torch.float64), dim=1) for _ in range(2))
    loss = contrastive_loss(images, texts, torch.tensor(math.log(1 / 0.07)))
    assert loss.item() == pytest.approx(loss_by_definition(images, texts, 0.07), abs=1e-6)


def test_the_temperature_is_bounded():
    images = normalize(torch.randn(4, 8), dim=1)
    at_bound = contrastive_loss(images, images, torch.tensor(math.log(100)))
    assert contrastive_loss(images, images, torch.tensor(50.0)) == at_bound


# Run by each of two processes; what a single one computes on the joined batch, rank 0 saves too.
PROCESS = """
import os, sys
from dataclasses import replace
import numpy as np
import torch
from accelerate import Accelerator
import clipsim
from clipsim.model import DualEncoder
from clipsim.model import contrastive_loss

torch.set_num_threads(1)
accelerator = Accelerator(cpu=True)
rank, k = accelerator.process_index, accelerator.num_processes
profile = clipsim.load_profile("smoke", trainable="all", batch_norm="frozen")
model = DualEncoder(profile)
for layer in model.modules():
    if isinstance(layer, torch.nn.Dropout):
        layer.p = 0.0
pixels = torch.from_numpy(
    np.random.default_rng(0).integers(0, 256, (8, 3, 224, 224), dtype=np.uint8)
)
texts = [f"a {word} picture" for word in "red green blue old new small large odd".split()]
own = slice(rank * 8 // k, (rank + 1) * 8 // k)
wrapped = accelerator.prepare(model).train()
vectors = wrapped(pixels[own], model.text_backbone.tokens(texts[own]))
loss = contrastive_loss(*vectors)
accelerator.backward(loss)
loss = accelerator.gather(loss.detach()[None]).mean()
if rank == 0:
    gradients = {name: weight.grad for name, weight in model.named_parameters()}
    torch.save({"loss": loss, "gradients": gradients}, sys.argv[1])
accelerator.wait_for_everyone()
os._exit(0)  # gloo may abort where its peer is gone first
"""


def gradients_of(n_processes, folder):
    script = folder / "process.py"
    script.write_text(PROCESS, encoding="utf-8")
    out = folder / f"{n_processes}.pt"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node"]
    done = subprocess.run(
        [*launch, str(n_processes), str(script), str(out)],
        capture_output=True, text=True, cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return torch.load(out, weights_only=True)


def test_two_processes_train_as_one_with_the_joined_batch(tmp_path):
    one, two = gradients_of(1, tmp_path), gradients_of(2, tmp_path)
    assert two["loss"].item() == pytest.approx(one["loss"].item(), abs=1e-5)
    assert two["gradients"].keys() == one["gradients"].keys() >= {"logit_scale"}
    for name, gradient in one["gradients"].items():
        assert gradient is not None, name
        torch.testing.assert_close(two["gradients"][name], gradient, atol=1e-5, rtol=1e-5)
    # The contrast is what is tested: with one sentence per process left out it is another loss.
    assert one["gradients"]["logit_scale"].abs() > 1e-4
