"""Attacks beside foolbox: the same changes where both do the same, and worse ones where ours keeps the worst."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from landscape.inputs.attacks import STRIDE, fgsm, pgd
from landscape.inputs.examples import Examples
from landscape.inputs.norms import random_in_ball
from landscape.problem.data.sources import digits
from landscape.problem.losses.losses import resolve_loss

with warnings.catch_warnings():
    # It takes gaussian_filter from where SciPy no longer wants it taken from.
    warnings.filterwarnings("ignore", "Please import", DeprecationWarning)
    import eagerpy
    import foolbox
    from foolbox import attacks as theirs

STEPS, NUMBER = 8, 120
STRENGTHS = {"linf": 0.15, "l2": 0.8}
FAST = {"linf": theirs.LinfFastGradientAttack, "l2": theirs.L2FastGradientAttack}
PROJECTED = {"linf": theirs.LinfProjectedGradientDescentAttack, "l2": theirs.L2ProjectedGradientDescentAttack}


@pytest.fixture(scope="module")
def examples():
    """Images that a network of smooth units, trained for a moment, answers mostly right."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.SiLU(), nn.Linear(32, 10))
    x, y = digits("train")
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()
    network.eval().requires_grad_(False)
    x, y = digits("test")
    return Examples(network, resolve_loss("cross_entropy"), (x[:NUMBER], y[:NUMBER]), (0.0, 1.0))


def attacked(examples, attack, epsilon):
    """Return foolbox's changed images, their losses, and whether each is answered right."""
    model = foolbox.PyTorchModel(examples.network, bounds=(0, 1))
    _, moved, _ = attack(model, examples.start, examples.target, epsilons=epsilon)
    output = examples.network(moved)
    return moved, examples.losses(output), output.argmax(1) == examples.target


@pytest.mark.parametrize("norm", STRENGTHS)
def test_one_step_is_that_of_foolbox(examples, norm):
    moved, losses, right = attacked(examples, FAST[norm](), STRENGTHS[norm])
    ours = fgsm(examples, norm, STRENGTHS[norm])
    np.testing.assert_allclose(examples.start + ours.change, moved, atol=2e-6)
    np.testing.assert_allclose(ours.losses, losses, rtol=1e-4, atol=1e-6)
    # Ours also counts the answer before the step.
    before = examples.network(examples.start).argmax(1) == examples.target
    assert torch.equal(ours.right, right & before)
    assert 0.05 < ours.right.float().mean() < 0.9


@pytest.mark.parametrize("norm", STRENGTHS)
def test_projected_steps_from_one_start_find_what_foolbox_finds_or_worse(examples, norm):
    epsilon = STRENGTHS[norm]

    class FromOurs(PROJECTED[norm]):
        def get_random_start(self, x0, epsilon):
            start = random_in_ball(examples.start, norm, epsilon, torch.Generator().manual_seed(3))
            return x0 + eagerpy.astensor(start)

    moved, losses, right = attacked(examples, FromOurs(rel_stepsize=STRIDE / STEPS, steps=STEPS), epsilon)
    ours = pgd(examples, norm, epsilon, steps=STEPS, generator=torch.Generator().manual_seed(3))
    assert float(ours.course[-1]) == pytest.approx(float(losses.mean()), rel=1e-3)  # the same end
    assert bool((ours.losses >= losses * (1 - 1e-3) - 1e-5).all())
    assert not bool((ours.right & ~right).any())
    same = (examples.start + ours.change - moved).flatten(1).abs().amax(1) < 1e-4
    assert same.float().mean() > 0.5  # of most examples the last change is the worst
    assert 0.02 < ours.right.float().mean() < 0.8


@pytest.mark.parametrize("norm", STRENGTHS)
def test_accuracy_under_projected_steps_is_that_of_foolbox_up_to_their_starts(examples, norm):
    epsilon = STRENGTHS[norm]
    torch.manual_seed(5)
    _, losses, right = attacked(examples, PROJECTED[norm](rel_stepsize=STRIDE / 20, steps=20), epsilon)
    ours = pgd(examples, norm, epsilon, steps=20, generator=torch.Generator().manual_seed(0))
    assert float(ours.losses.mean()) >= float(losses.mean()) * 0.99
    assert int(ours.right.sum()) <= int(right.sum()) + 2
