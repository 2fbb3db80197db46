"""Two norms of a change of an example: how far it goes, the unit ball, and the step that follows a gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from landscape.errors import UsageError

NORMS = ("linf", "l2")


def require_norm(norm: str) -> None:
    """Raise UsageError for a norm that is none of `NORMS`."""
    if norm not in NORMS:
        raise UsageError(f"the norm is {norm!r}, it has to be one of {', '.join(NORMS)}")


def size_of(change: Tensor, norm: str) -> Tensor:
    """Return each example's norm: shape (n, ...) to (n,), in the units of the input."""
    flat = change.flatten(1)
    return flat.abs().amax(1) if norm == "linf" else flat.norm(dim=1)


def to_unit(change: Tensor, norm: str) -> Tensor:
    """Scale each example's change to norm 1; what is zero stays zero."""
    size = per_example(size_of(change, norm), change)
    return torch.where(size > 0, change / size.clamp_min(torch.finfo(change.dtype).tiny), change)


def steepest(gradient: Tensor, norm: str) -> Tensor:
    """Return the change of norm 1 that raises a linear function with this gradient most: its sign, or itself scaled."""
    return gradient.sign() if norm == "linf" else to_unit(gradient, "l2")


def into_ball(change: Tensor, norm: str, epsilon: float) -> Tensor:
    """Return the nearest change of at most this norm."""
    if norm == "linf":
        return change.clamp(-epsilon, epsilon)
    size = per_example(size_of(change, norm), change)
    return change * (epsilon / size.clamp_min(epsilon)) if epsilon else torch.zeros_like(change)


def random_in_ball(like: Tensor, norm: str, epsilon: float, generator: torch.Generator) -> Tensor:
    """Draw a change for each example: uniform in the cube, or of uniform direction and uniform length in the ball."""
    if norm == "linf":
        drawn = torch.rand(like.shape, generator=generator, dtype=torch.float64) * 2 - 1
    else:
        drawn = to_unit(torch.randn(like.shape, generator=generator, dtype=torch.float64), "l2")
        drawn = drawn * per_example(torch.rand(len(like), generator=generator, dtype=torch.float64), drawn)
    return (epsilon * drawn).to(like)


def per_example(values: Tensor, like: Tensor) -> Tensor:
    """Give (n,) values as many dimensions as examples have, (n, 1, 1, ...)."""
    return values.reshape(-1, *[1] * (like.ndim - 1))
