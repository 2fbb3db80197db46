"""Distances in the units that inputs are stored in: the network normalises them itself."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from landscape.problem.data.samples import Normalize
from landscape.problem.data.sources import per_channel


class Normalised(nn.Module):
    """A network that gets inputs as they are stored, and normalises them itself: distances are in stored units."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, inputs: Tensor) -> Any:
        """Return the network's output."""
        return self.network((inputs - self.mean) / self.std)


def in_stored_units(
    model: nn.Module, batch: Any, normalize: Normalize, device: torch.device
) -> tuple[nn.Module, tuple[Tensor, Any]]:
    """Return network and batch so that inputs are as they are stored: pixels from 0 to 1, not normalised ones."""
    x, y = batch
    mean, std = (per_channel(each, x) for each in normalize)
    return Normalised(model, mean.to(device), std.to(device)), (x * std + mean, y)
