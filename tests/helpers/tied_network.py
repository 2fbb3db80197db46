"""A small network with all that checkpoints trip over: batch norm, tied, frozen and unsaved tensors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from landscape.problem.params import digest


class Net(nn.Module):
    """Batch norm with an integer buffer, a buffer that is not saved, a frozen and a tied weight."""

    def __init__(self, tied: bool = True) -> None:
        super().__init__()
        self.embed = nn.Embedding(5, 4)
        self.norm = nn.BatchNorm1d(4)
        self.head = nn.Linear(4, 5, bias=False)
        if tied:
            self.head.weight = self.embed.weight
        self.scale = nn.Parameter(torch.ones(4), requires_grad=False)
        self.register_buffer("position", torch.arange(4.0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm((self.embed(x) + self.position) * self.scale))


def net(seed: int, **options: Any) -> Net:
    torch.manual_seed(seed)
    model = Net(**options)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return model.eval()


def same(first: nn.Module, second: nn.Module) -> bool:
    return digest(first.state_dict()) == digest(second.state_dict())
