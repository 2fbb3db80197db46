"""Second derivatives through functions that bring a backward pass of their own (`torch.autograd.Function`).

PyTorch differentiates such a backward pass as it is written. One that uses a number which its forward pass computed
and kept, rather than its inputs, takes that for a constant: a part of the second derivative is missing, and nothing
says so. Where there are such functions, it is tried whether the matrix is symmetric, and a product with it is held
against a difference of gradients.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction

from landscape.errors import EvaluationError

logger = logging.getLogger(__name__)

# How far weights are moved for a difference, in roots of their mean squares. In double precision hardly an activation
# meets a kink on so short a way; in single precision many do, so that what differences say is no proof.
_STEPS = {torch.float32: 4e-3, torch.float64: 1e-7}
# What is too far off, relative to the product's length.
_OFF = 0.02
# How far a symmetric matrix may seem from one, relative to its products: a thousand roundings in single precision.
_SKEW = 1e-4


def own_functions(value: Tensor) -> list[str]:
    """Return the names of the functions with a backward pass of their own that lead to a value."""
    waiting, seen = [value.grad_fn], set()
    found: set[str] = set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if isinstance(node, BackwardCFunction):
            found.add(type(node).__name__.removesuffix("Backward"))
        waiting += [following for following, _ in node.next_functions]
    return sorted(found)


def require_true_second(part: Callable[[], Tensor], leaves: Sequence[Tensor]) -> None:
    """Raise, or warn, where a backward pass of one's own does not differentiate to a Hessian.

    A Hessian is symmetric, whatever kinks there are: what is not is none. And in double precision its product with a
    direction is the change of the gradient along it. In single precision a difference between the two may come from
    kinks, and is a warning.

    Parameters
    ----------
    part : callable
        Returns what is differentiated, shape (), with its graph.
    leaves : sequence of Tensor
        By which; as they were when this returns.

    Raises
    ------
    EvaluationError
        The matrix is not symmetric, or its product is another than that of differences; the functions are named.
    """
    value = part()
    names = ", ".join(own_functions(value))
    if not names:
        return
    generator = torch.Generator().manual_seed(0)
    along, across = ([_direction(leaf, generator) for leaf in leaves] for _ in range(2))
    slopes = torch.autograd.grad(value, leaves, create_graph=True, allow_unused=True)
    led = [k for k, slope in enumerate(slopes) if slope is not None and slope.requires_grad]
    if not led:
        return

    def product(direction: Sequence[Tensor]) -> Tensor:
        given = [direction[k] for k in led]
        found = torch.autograd.grad([slopes[k] for k in led], leaves, given, retain_graph=True, allow_unused=True)
        return _joined(found, leaves)

    one, other = product(along), product(across)
    flat, flat_across = _joined(along, leaves), _joined(across, leaves)
    norm = torch.linalg.vector_norm
    size = float(norm(one) * norm(flat_across) + norm(other) * norm(flat))
    skew = float((one @ flat_across - other @ flat).abs())
    if skew > _SKEW * size:
        raise EvaluationError(
            f"second derivatives through {names} are not true: what should be symmetric differs by "
            f"{skew / size:.0e} of its products; {_WHY}"
        )
    step = max(_STEPS[leaf.dtype] for leaf in leaves)  # of the coarser precision
    wanted = _difference(part, leaves, along, step)
    off, length = float(norm(one - wanted)), max(float(norm(wanted)), float(norm(one)))
    if not off > _OFF * length:
        return
    said = f"a product with the Hessian is {off / length:.0%} off from the difference of gradients a step apart; {_WHY}"
    if all(leaf.dtype == torch.float64 for leaf in leaves):
        raise EvaluationError(f"second derivatives through {names} are not true: {said}")
    logger.warning(
        "second derivatives through %s may not be true: %s. Or there are kinks: double() would tell", names, said
    )


_WHY = (
    "the backward pass of a torch.autograd.Function takes for a constant what its forward pass computed and kept, or "
    "is not its derivative; let it compute from what save_for_backward keeps of its inputs, or do without it"
)


def _direction(leaf: Tensor, generator: torch.Generator) -> Tensor:
    numbers = torch.randn(leaf.shape, generator=generator, dtype=torch.float64)
    size = float(leaf.detach().double().square().mean().sqrt()) if leaf.numel() else 0.0
    return (numbers * (size or 1.0)).to(leaf.dtype).to(leaf.device)


def _difference(part: Callable[[], Tensor], leaves: Sequence[Tensor], along: Sequence[Tensor], step: float) -> Tensor:
    """Return the change of the gradient along a direction, shape (n,), float64, by a step to both sides."""
    start = [leaf.detach().clone() for leaf in leaves]
    ends = []
    try:
        for factor in (step, -step):
            for leaf, at, by in zip(leaves, start, along, strict=True):
                leaf.data.copy_(at + factor * by)  # no change that a graph made before would be told of
            ends.append(_joined(torch.autograd.grad(part(), leaves, allow_unused=True), leaves))
    finally:
        for leaf, at in zip(leaves, start, strict=True):
            leaf.data.copy_(at)
    return (ends[0] - ends[1]) / (2 * step)


def _joined(parts: Sequence[Tensor | None], leaves: Sequence[Tensor]) -> Tensor:
    return torch.cat(
        [
            torch.zeros(leaf.numel(), dtype=torch.float64, device=leaf.device)
            if part is None
            else part.detach().double().reshape(-1)
            for part, leaf in zip(parts, leaves, strict=True)
        ]
    )
