"""Whether a loss that gives one number a batch is a mean over its samples at other weights, too."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from landscape.errors import ProblemError
from landscape.problem.attributes import attributes_kept
from landscape.problem.losses.losses import Loss

# How far, relative to their size, weights are moved for a second look at a loss, and how many bytes of them.
_ELSEWHERE, _ELSEWHERE_BYTES = 0.3, 1 << 26


def require_mean_elsewhere(loss: Loss, model: nn.Module, batch: Any, *, low: bool) -> None:
    """Ask at other weights: where all samples' losses are alike, much is a mean that is none elsewhere.

    Parameters
    ----------
    loss : Loss
        Gives one number a batch.
    model : Module
        Moved for it, and put back.
    batch
        As the network takes it.
    low : bool
        Whether less than float32 computes.

    Raises
    ------
    ProblemError
        There the number is no mean.
    """
    generator = torch.Generator().manual_seed(0)
    moved, room = [], _ELSEWHERE_BYTES
    for p in sorted(model.parameters(), key=Tensor.numel):
        room -= p.numel() * p.element_size()
        if room >= 0 and p.is_floating_point() and p.numel():
            moved.append((p, p.detach().clone()))
    why = None
    with attributes_kept(model):
        try:
            with torch.no_grad():
                for p, values in moved:
                    length = float(values.float().square().mean().sqrt()) + _ELSEWHERE
                    p.add_(_ELSEWHERE * length * torch.randn(p.shape, generator=generator).to(p))
            with suppress(Exception):  # far from where it was trained a network may do anything
                why = loss.why_no_mean(model, batch, low=low)
        finally:
            with torch.no_grad():
                for p, values in moved:
                    p.copy_(values)
                    p.grad = None  # what it was is put back at the end
    if why is not None:
        raise ProblemError(f"at weights nearby {why}")
