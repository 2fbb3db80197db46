r"""A walk along the gradient: what a step of training could have met, measured at one step of it.

At weights :math:`\theta` with batch loss :math:`L` and gradient g, the loss and the gradient are taken again at
:math:`\theta - \eta\, m\, g` for several multiples m of the step that training takes, on the same batch with the same
random numbers [1]_ (Section 3.1, Figure 4). Per step of training, at every recorded one, and not for several learning
rates at one point: what is compared is the range of the losses, the greatest change of the gradient, and the greatest
change per distance, the "effective beta-smoothness".

In mode train batch norm takes its statistics from the batch, as in training; running statistics are put back.

References
----------
.. [1] Santurkar et al., "How Does Batch Normalization Help Optimization?", NeurIPS 2018.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

MULTIPLES = (0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Walk:
    """What lies along the gradient at one step. NaN where a loss or a gradient is not finite."""

    loss: float  # at theta
    low: float  # least and greatest loss along the walk, theta included
    high: float
    gradient: float  # |g|
    change: float  # greatest |g(along) - g|
    smoothness: float  # greatest |g(along) - g| / distance walked

    @property
    def span(self) -> float:
        """The range of the loss along the walk."""
        return self.high - self.low

    @property
    def relative_change(self) -> float:
        """The greatest change of the gradient in units of its length."""
        return self.change / self.gradient if self.gradient > 0 else math.nan


def gradient_walk(
    model: nn.Module, loss: Callable[[], Tensor], rate: float, *, multiples: Sequence[float] = MULTIPLES
) -> Walk:
    """Walk along the gradient and back; weights, buffers, gradients and the generator are as before.

    Parameters
    ----------
    model : Module
        In the mode in which the walk is meant.
    loss : callable
        Returns the mean loss of one batch at the weights that the model holds.
    rate : float
        The learning rate: a multiple of 1 is a step of gradient descent.
    multiples : sequence of float
        How far to walk.
    """
    parameters = [each for each in model.parameters() if each.requires_grad]
    start = [each.detach().clone() for each in parameters]
    buffers = {name: each.detach().clone() for name, each in model.named_buffers()}
    with torch.random.fork_rng(devices=[]):
        state = torch.get_rng_state()
        value, gradient = _gradient(loss, parameters)
        losses, changes, slopes = [value], [0.0], [0.0]
        length = _norm(gradient)
        try:
            for multiple in multiples:
                torch.set_rng_state(state)
                with torch.no_grad():
                    for parameter, at, along in zip(parameters, start, gradient, strict=True):
                        parameter.copy_(at - rate * multiple * along)
                value, there = _gradient(loss, parameters)
                losses.append(value)
                changes.append(_norm([b - a for a, b in zip(gradient, there, strict=True)]))
                distance = rate * abs(multiple) * length
                slopes.append(changes[-1] / distance if distance > 0 else 0.0)
        finally:
            with torch.no_grad():
                for parameter, at in zip(parameters, start, strict=True):
                    parameter.copy_(at)
                for name, each in model.named_buffers():
                    each.copy_(buffers[name])
    if not all(map(math.isfinite, (*losses, *changes))):
        return Walk(losses[0], math.nan, math.nan, length, math.nan, math.nan)
    return Walk(losses[0], min(losses), max(losses), length, max(changes), max(slopes))


def _gradient(loss: Callable[[], Tensor], parameters: Sequence[nn.Parameter]) -> tuple[float, list[Tensor]]:
    with torch.enable_grad():
        value = loss()
        found = torch.autograd.grad(value, list(parameters), allow_unused=True)
    return float(value.detach()), [
        torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)
    ]


def _norm(tensors: Sequence[Tensor]) -> float:
    return math.sqrt(sum(float(each.double().square().sum()) for each in tensors))
