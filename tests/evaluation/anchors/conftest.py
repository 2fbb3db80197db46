"""A linear network and samples of which a few carry the loss."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.helpers.anchored_lines import SIZE


@pytest.fixture
def linear() -> nn.Module:
    return nn.Linear(5, 1, bias=False).double()


@pytest.fixture
def data() -> tuple[torch.Tensor, torch.Tensor]:
    """Few samples carry the loss."""
    chance = torch.Generator().manual_seed(1)
    x = torch.randn(SIZE, 5, generator=chance, dtype=torch.float64) ** 3
    return x, x.sum(dim=1, keepdim=True) + torch.randn(SIZE, 1, generator=chance, dtype=torch.float64)
