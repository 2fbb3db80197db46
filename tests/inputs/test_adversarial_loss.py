"""The loss under attack is the maximum that a closed form knows, at every point of a surface."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import landscape
from landscape.errors import UsageError
from landscape.inputs.adversarial_loss import AdversarialLoss

MEAN, STD = (0.4,), (0.5,)


@pytest.fixture
def linear():
    torch.manual_seed(0)
    return nn.Linear(5, 2)


@pytest.fixture
def points():
    generator = torch.Generator().manual_seed(1)
    return torch.rand(21, 5, generator=generator), torch.randint(0, 2, (21,), generator=generator)


def worst(model, x, y, epsilon, norm):
    """Return the greatest losses within a ball: a linear network's margin falls by epsilon times its dual norm."""
    w = model.weight[0] - model.weight[1]
    size = w.abs().sum() if norm == "linf" else w.norm()
    margin = (x @ w + model.bias[0] - model.bias[1]) * (1 - 2 * y) - epsilon * size
    return F.softplus(-margin)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_at_every_point_the_loss_is_the_worst_within_the_ball(linear, points, norm):
    plane = landscape.random_plane(linear, dimensions=1)
    loss = AdversarialLoss(0.2, norm=norm, steps=20)
    line = landscape.evaluate(linear, points, plane, x="-1:1:5", loss=loss, batch_size=8)
    before = {name: each.clone() for name, each in linear.state_dict().items()}
    for k, a in enumerate(line.axes[0].values):
        with torch.no_grad():
            for name, each in linear.named_parameters():
                each.copy_(before[name] + a * plane.directions[0].tensors.get(name, torch.zeros_like(each)))
            exact = worst(linear, *points, 0.2, norm)
        exactly = float(exact.mean())
        assert line["train/loss"][k] == pytest.approx(exactly, rel=2e-3)  # l2: steps leave some of the start
        assert line["train/accuracy"][k] == pytest.approx(float((exact < np.log(2)).float().mean()))
    assert line.problem["loss"] == loss.__name__


def test_strengths_are_in_pixels_where_the_network_gets_normalised_ones(linear, points):
    x, y = points
    loss = AdversarialLoss(0.1, normalize=(MEAN, STD), steps=5)
    normal = (x - MEAN[0]) / STD[0]
    with torch.no_grad():
        found = loss(linear.eval(), (normal, y))
        np.testing.assert_allclose(found["loss"], worst(linear, normal, y, 0.1 / STD[0], "linf"), rtol=1e-4)


def test_another_attack_is_another_loss():
    names = {
        AdversarialLoss(0.1).__name__,
        AdversarialLoss(0.2).__name__,
        AdversarialLoss(0.1, norm="l2").__name__,
        AdversarialLoss(0.1, steps=3).__name__,
        AdversarialLoss(0.1, clip=(0, 1)).__name__,
        AdversarialLoss(0.1, seed=1).__name__,
        AdversarialLoss(0.1 + 1e-9).__name__,
        AdversarialLoss(0.1, normalize=(MEAN, STD)).__name__,
        AdversarialLoss(0.1, normalize=(STD, STD)).__name__,
    }
    assert len(names) == 9
    with pytest.raises(UsageError, match="positive strength"):
        AdversarialLoss(-1.0)
