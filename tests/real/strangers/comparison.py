"""A case and its comparison: the loss on the line between two networks, by the product and by hand."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import landscape

PLACES = (0.0, 0.4, 1.0)
N = 12


@dataclasses.dataclass(frozen=True)
class Case:
    """What is measured by the product, and the same by hand."""

    make: Callable[[], nn.Module]
    data: Any
    own: Callable[[nn.Module], Tensor]  # the mean over all samples, by a plain loop
    loss: Any = "cross_entropy"
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    save: Callable[[nn.Module], Any] = lambda model: model.state_dict()
    trust: bool = False  # where there is more than tensors in its state


CASES: dict[str, tuple[str, str, Callable[[], Case]]] = {}


def case(package: str, what: str) -> Callable[[Callable[[], Case]], Callable[[], Case]]:
    """Register a case: the module it needs, and what it is in a few words."""

    def keep(function: Callable[[], Case]) -> Callable[[], Case]:
        CASES[function.__name__] = (package, what, function)
        return function

    return keep


def draw(*shape: int, seed: int = 1) -> Tensor:
    """Return normal numbers, the same each time."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def whole(most: int, *shape: int, seed: int = 2) -> Tensor:
    """Return whole numbers below ``most``, the same each time."""
    return torch.randint(0, most, shape, generator=torch.Generator().manual_seed(seed))


def mean(values: Sequence[Tensor]) -> Tensor:
    """Return the mean of single values in float64."""
    return torch.stack([each.double() for each in values]).mean()


def error_of(found: Case) -> tuple[float, str]:
    """Return the largest relative error of the loss on the line between two networks, and which engine ran."""
    torch.manual_seed(1)
    first = found.make().eval()
    torch.manual_seed(2)
    second = found.make().eval()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "second.pt"
        torch.save(found.save(second), path)
        plane = landscape.checkpoint_plane(first, [path], trust=found.trust)
        surface = landscape.evaluate(first, found.data, plane, x=list(PLACES), loss=found.loss, **found.settings)
    wanted = []
    for at in PLACES:
        mixed, there = found.make().eval(), second.state_dict()  # a copy might hold functions of the first
        with torch.no_grad():
            for name, here in first.state_dict().items():
                if isinstance(here, Tensor) and (here.is_floating_point() or here.is_complex()):
                    same = here.isclose(there[name], rtol=0, atol=0)  # inf is inf, whatever its multiples
                    mixed.state_dict()[name].copy_(torch.where(same, here, (1 - at) * here + at * there[name]))
        wanted.append(float(found.own(mixed).detach()))
    got = surface["train/loss"]
    return float(np.max(np.abs(got - wanted) / np.abs(wanted))), str(surface.quality.get("engine"))
