"""A case and its comparison: the loss on the line between two networks, by the product and by hand."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

import landscape
from landscape.errors import EvaluationError, UsageError

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


def eigenvalue_error_of(found: Case) -> float | None:
    """Return the relative error of the Hessian's greatest eigenvalue; None where the product says it has none.

    That of a loss which draws random numbers is none of a case's business.
    """
    if "noise" in found.settings:
        return None
    torch.manual_seed(1)
    model = found.make().eval()
    try:
        got = landscape.curvature(
            model, found.data, loss=found.loss, eigenvalues=1, most=90, probes=2, steps=1, tolerance=1e-4
        )
    except (UsageError, EvaluationError):
        return None
    wanted = greatest_eigenvalue(found, model)
    return abs(float(got.raw.eigenvalues[0]) - wanted) / abs(wanted)


def greatest_eigenvalue(found: Case, model: nn.Module) -> float:
    """Return the greatest eigenvalue over all weights, by a loop of its own and ARPACK."""
    weights = list(model.parameters())
    sizes = [each.numel() for each in weights]

    def product(vector: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        parts = torch.as_tensor(np.ascontiguousarray(vector).reshape(-1)).split(sizes)
        along = [part.view(each.shape).to(each.dtype) for part, each in zip(parts, weights, strict=True)]
        model.train(), model.eval()  # what a pass keeps is dropped
        with sdpa_kernel(SDPBackend.MATH):  # the others have no second derivative
            slopes = torch.autograd.grad(found.own(model), weights, create_graph=True, allow_unused=True)
            slope = sum((a * b).sum() for a, b in zip(slopes, along, strict=True) if a is not None)
            curved = torch.autograd.grad(slope, weights, allow_unused=True)
        flat = [torch.zeros_like(w) if c is None else c for c, w in zip(curved, weights, strict=True)]
        return torch.cat([each.reshape(-1).double() for each in flat]).numpy()

    operator = LinearOperator((sum(sizes),) * 2, matvec=product, dtype=np.float64)
    return float(eigsh(operator, k=1, which="LA", return_eigenvectors=False, tol=1e-5, v0=np.ones(sum(sizes)))[0])
