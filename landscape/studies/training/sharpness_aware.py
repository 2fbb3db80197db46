r"""Sharpness-aware minimisation: the gradient is taken where the loss near by is greatest, to first order.

.. math:: \theta \leftarrow \theta - \eta\, \nabla L\Big(\theta + \rho \frac{\nabla L(\theta)}{|\nabla L(\theta)|}\Big)

of one batch, with whatever optimizer makes the step [1]_. The second pass leaves batch norm's running statistics alone,
since they are to describe theta.

References
----------
.. [1] Foret et al., "Sharpness-Aware Minimization for Efficiently Improving Generalization", ICLR 2021, Algorithm 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def sharpness_aware_gradient(model: nn.Module, loss: Callable[[], Tensor], rho: float) -> Tensor:
    """Leave in each parameter the gradient at the edge of the ball, and return the loss at theta.

    Parameters
    ----------
    model : Module
        Its weights are as before.
    loss : callable
        Returns the mean loss of one batch.
    rho : float
        Radius of the ball, as a length of all weights together.
    """
    value = loss()
    torch.autograd.backward(value)
    moved = [each for each in model.parameters() if each.grad is not None]
    gradients = [each.grad.detach().clone() for each in moved if each.grad is not None]
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(each) for each in gradients]))
    start = [each.detach().clone() for each in moved]
    with torch.no_grad():
        for parameter, gradient in zip(moved, gradients, strict=True):
            parameter.add_(rho * gradient / (norm + 1e-12))
    model.zero_grad()
    with _statistics_kept(model):
        torch.autograd.backward(loss())
    with torch.no_grad():
        for parameter, at in zip(moved, start, strict=True):
            parameter.copy_(at)
    return value.detach()


@contextmanager
def _statistics_kept(model: nn.Module) -> Iterator[None]:
    norms = [each for each in model.modules() if isinstance(each, _BatchNorm) and each.track_running_stats]
    momenta = [each.momentum for each in norms]
    counts = [each.num_batches_tracked.clone() for each in norms if each.num_batches_tracked is not None]
    for each in norms:
        each.momentum = 0.0
    try:
        yield
    finally:
        for each, momentum in zip(norms, momenta, strict=True):
            each.momentum = momentum
        with torch.no_grad():
            for each, count in zip([e for e in norms if e.num_batches_tracked is not None], counts, strict=True):
                assert each.num_batches_tracked is not None
                each.num_batches_tracked.copy_(count)
