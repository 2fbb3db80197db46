"""Outputs and targets of a few samples, drawn from a seed."""

from __future__ import annotations

import torch
from torch import Tensor

N = 12
WEIGHT = torch.tensor([0.1, 1.0, 5.0], dtype=torch.float64)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def whole(number: int, *shape: int, seed: int = 1) -> Tensor:
    return torch.randint(0, number, shape, generator=torch.Generator().manual_seed(seed))
