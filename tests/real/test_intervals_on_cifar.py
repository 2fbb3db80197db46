"""Stated intervals of ResNet-20 on CIFAR-10: how often they hold, at theta*, near and far."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from landscape.engine.kernels import onednn_fuses
from landscape.problem.model import load_model
from tests.benchmarks.coverage import HOLDS, held, losses_around

IMAGES = 600


@pytest.mark.slow
def test_stated_intervals_of_a_residual_network_hold_with_anchors_and_without(shared, cifar_resnet):
    model, _ = load_model(cifar_resnet.resnet20, {}, str(shared / "checkpoints" / "resnet20" / "epoch10.pt"))
    with np.load(shared / "data" / "cifar10_train10k.npz") as arrays:
        x, y = (torch.from_numpy(arrays[key][:IMAGES]) for key in "xy")
    mean, std = (torch.tensor(each)[:, None, None] for each in (cifar_resnet.MEAN, cifar_resnet.STD))
    model.register_forward_hook(lambda network, given, output: output.float())
    # The population is whatever the network gives: in bfloat16, where the processor has it, in a third of the time.
    with torch.autocast("cpu", torch.bfloat16, enabled=onednn_fuses(torch.bfloat16, torch.device("cpu"))):
        values = losses_around(model.eval(), (x.permute(0, 3, 1, 2).float() / 255 - mean) / std, y.long())
    for anchors in ([], [0]):
        stated = held(values, anchors, samples=150, draws=400)["stated"]
        for ring in (slice(0, 1), slice(1, 9), slice(9, 17)):
            known = stated[ring][np.isfinite(stated[ring])]
            assert not known.size or HOLDS[0] <= known.mean() <= HOLDS[1], (anchors, ring, known)
