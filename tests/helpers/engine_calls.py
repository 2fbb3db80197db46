"""Inputs for engines, networks of few layers, and what a lowered program makes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from landscape.engine.kernels import onednn_fuses
from landscape.engine.lowering import Program, lower
from tests.helpers.engine_networks import as_trained

CPU = torch.device("cpu")
needs_onednn = pytest.mark.skipif(not onednn_fuses(torch.float32, CPU), reason="torch was built without oneDNN")


def images(number: int = 6, side: int = 16, seed: int = 5) -> Tensor:
    return torch.randn(number, 3, side, side, generator=torch.Generator().manual_seed(seed))


def state_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@torch.no_grad()
def plain(model: nn.Module, *args: Any) -> Any:
    return model(*args)


def lowered(model: nn.Module, x: Tensor, **options: Any) -> Program:
    return lower(model, (x,), {}, dtype=options.pop("dtype", x.dtype), **options)


def both(model: nn.Module, program: Program, x: Tensor) -> tuple[Any, Any]:
    """Return what the program and the network give for an input neither may change for the other."""
    program.refresh()
    with torch.inference_mode():
        ours = program.run(x.clone().to(program.dtype))
    with torch.no_grad():
        return ours, model(x.clone())


class Written(nn.Module):
    """A network whose forward pass is a function of itself and x; its layers are given by name."""

    def __init__(self, forward: Callable[[Any, Tensor], Any], **layers: Any) -> None:
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self._forward = forward
        as_trained(self)

    def forward(self, x: Tensor) -> Any:
        return self._forward(self, x)


def conv(inside: int = 3, outside: int = 3, **options: Any) -> nn.Conv2d:
    return nn.Conv2d(inside, outside, 3, padding=1, **options)
