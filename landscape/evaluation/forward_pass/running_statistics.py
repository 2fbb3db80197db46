"""Batch norm's running statistics at weights that were moved: estimated again on fixed batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn


@torch.no_grad()
def estimate_statistics(
    model: nn.Module, norms: Sequence[Any], batches: Sequence[Any], measure: Callable[[Any], object]
) -> None:
    """Estimate running means and variances at the current weights, as averages over the batches.

    Parameters
    ----------
    model : Module
    norms : sequence of batch norms
        Its own; left in eval mode.
    batches : sequence
    measure : callable
        Runs the network on a batch.
    """
    momenta = [module.momentum for module in norms]
    model.eval()
    for module in norms:
        module.reset_running_stats()
        module.momentum = None  # None means a cumulative average over the batches
        module.train()
    try:
        for batch in batches:
            measure(batch)
    finally:
        for module, momentum in zip(norms, momenta, strict=True):
            module.momentum = momentum
            module.eval()
