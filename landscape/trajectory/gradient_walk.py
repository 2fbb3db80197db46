r"""A walk along the gradient: what a step of training could have met, measured at one step of it.

At weights :math:`\theta` with batch loss :math:`L` and gradient g, the loss and the gradient are taken again at
:math:`\theta - \eta\, m\, g` for several multiples m of the step that training takes, on the same batch with the same
random numbers [1]_ (Section 3.1, Figure 4). Per step of training, at every recorded one, and not for several learning
rates at one point: what is compared is the range of the losses, the greatest change of the gradient, and the greatest
change per distance, the "effective beta-smoothness". Of any recorded run: `landscape.trajectory.walk_steps`.

A change of the gradient that is no more than some hundred roundings of it is not known, nor is that over a distance the
weights are too coarse for: a rate of 1e-6 in float32 would give any smoothness, and often 0.

In mode train batch norm takes its statistics from the batch, as in training; running statistics are put back.

References
----------
.. [1] Santurkar et al., "How Does Batch Normalization Help Optimization?", NeurIPS 2018.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from landscape.errors import UsageError
from landscape.problem.attributes import Attributes
from landscape.problem.buffers import Buffers
from landscape.surface.reports.gradient_walks import Walks

MULTIPLES = (0.5, 1.0, 2.0, 4.0)
# Roundings of the gradient's length from which its change is known, to a few per cent.
_ROUNDINGS = 500
# How far the distance that weights were moved may be from what was asked.
_OFF = 0.01


def gradient_walk(
    model: nn.Module,
    loss: Callable[[], Tensor] | Sequence[Callable[[], Tensor]],
    rate: float,
    *,
    multiples: Sequence[float] = MULTIPLES,
) -> Walks:
    """Walk along the gradient and back; weights, buffers, attributes, gradients and the generator are as before.

    Parameters
    ----------
    model : Module
        In the mode in which the walk is meant.
    loss : callable or sequence of callables
        Returns the mean loss of one batch at the weights that the model holds; several, whose sum is the loss, are
        taken one after the other, so that their graphs need no memory together.
    rate : float
        The learning rate: a multiple of 1 is a step of gradient descent.
    multiples : sequence of float
        How far to walk.

    Raises
    ------
    UsageError
        All parameters are frozen.
    """
    parameters = [each for each in model.parameters() if each.requires_grad]
    if not parameters:
        raise UsageError("no parameter of the network asks for a gradient (requires_grad): there is none to walk along")
    start = [each.detach().clone() for each in parameters]
    attributes = Attributes(model)
    buffers = Buffers(model)
    devices = sorted({each.device for each in parameters if each.device.type == "cuda"}, key=str)
    with torch.random.fork_rng(devices=devices):
        state, drawn = torch.get_rng_state(), [torch.cuda.get_rng_state(each) for each in devices]
        parts = loss if isinstance(loss, Sequence) else [loss]
        value, gradient = _gradient(parts, parameters, attributes, buffers)
        losses, changes = [value], []
        length = _norm(gradient)
        try:
            for multiple in multiples:
                torch.set_rng_state(state)
                for device, each in zip(devices, drawn, strict=True):
                    torch.cuda.set_rng_state(each, device)
                with torch.no_grad():
                    for parameter, at, along in zip(parameters, start, gradient, strict=True):
                        parameter.copy_(at - rate * multiple * along)
                moved = _norm([each.detach() - at for each, at in zip(parameters, start, strict=True)])
                value, there = _gradient(parts, parameters, attributes, buffers)
                losses.append(value)
                change = _norm([b - a for a, b in zip(gradient, there, strict=True)])
                changes.append(
                    change if _resolved(change, moved, rate * abs(multiple), length, parameters) else math.nan
                )
        finally:
            attributes.restore()
            with torch.no_grad():
                for parameter, at in zip(parameters, start, strict=True):
                    parameter.copy_(at)
    distances = rate * np.abs(np.array(multiples, dtype=np.float64)) * length
    return Walks(np.array(losses), np.array(length), np.array(changes, dtype=np.float64), distances)


def _gradient(
    parts: Sequence[Callable[[], Tensor]],
    parameters: Sequence[nn.Parameter],
    attributes: Attributes,
    buffers: Buffers,
) -> tuple[float, list[Tensor]]:
    total, sums = 0.0, [torch.zeros_like(each) for each in parameters]
    for part in parts:
        attributes.restore()  # what an earlier pass left was computed from other weights, and has a graph of its own
        with torch.enable_grad(), buffers.kept(unseen=True):  # nor does a pass go by what one before wrote into them
            value = part()
            found = torch.autograd.grad(value, list(parameters), allow_unused=True)
        total += float(value.detach())
        for own, gradient in zip(sums, found, strict=True):
            if gradient is not None:
                own += gradient
    return total, sums


def _resolved(change: float, moved: float, factor: float, length: float, parameters: Sequence[Tensor]) -> bool:
    """Return whether a change of the gradient over a distance is known in these numbers."""
    rounding = max(torch.finfo(each.dtype).eps for each in parameters)
    walked = factor * length
    if length == 0:  # a stationary point: nothing is walked, and nothing changes
        return True
    return change >= _ROUNDINGS * rounding * length and abs(moved - walked) <= _OFF * walked


def _norm(tensors: Sequence[Tensor]) -> float:
    # Of complex numbers the size, in which both parts count.
    return math.sqrt(sum(float(each.abs().double().square().sum()) for each in tensors))
