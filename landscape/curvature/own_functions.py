"""Second derivatives through functions that bring a backward pass of their own (`torch.autograd.Function`).

PyTorch differentiates such a backward pass as it is written. One that uses a number which its forward pass computed
and kept, rather than its inputs, takes that for a constant: a part of the second derivative is missing, and nothing
says so. Where there are such functions, a product with the Hessian is held against differences of gradients.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction

from landscape.errors import EvaluationError

logger = logging.getLogger(__name__)

# How far weights are moved for a difference, in roots of their mean squares: rounding of the gradient over it, and the
# third derivative times its square, are both far below what is refused.
_STEPS = {torch.float32: 4e-3, torch.float64: 1e-4}
# What is refused: relative to the product's length, and in differences between the two differences of gradients.
_OFF, _NOISES = 0.02, 3.0
# Where the two are farther apart, as with many kinks, nothing is said of the product.
_UNCLEAR = 0.3


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
    """Raise where a backward pass of one's own does not differentiate to what differences of gradients are.

    Parameters
    ----------
    part : callable
        Returns what is differentiated, shape (), with its graph.
    leaves : sequence of Tensor
        By which; as they were when this returns.

    Raises
    ------
    EvaluationError
        The product with a random direction is another than that of differences; the functions are named.
    """
    value = part()
    names = own_functions(value)
    if not names:
        return
    generator = torch.Generator().manual_seed(0)
    along = [_direction(leaf, generator) for leaf in leaves]
    slopes = torch.autograd.grad(value, leaves, create_graph=True, allow_unused=True)
    led = [k for k, slope in enumerate(slopes) if slope is not None and slope.requires_grad]
    if not led:
        return
    curved = torch.autograd.grad([slopes[k] for k in led], leaves, [along[k] for k in led], allow_unused=True)
    product = _joined(curved, leaves)
    step = min(_STEPS.get(leaf.dtype, _STEPS[torch.float32]) for leaf in leaves)
    wide, narrow = (_difference(part, leaves, along, size) for size in (step, step / 2))
    wanted = (4 * narrow - wide) / 3  # without the third derivatives' share
    length, noise, off = (float(torch.linalg.vector_norm(each)) for each in (wanted, narrow - wide, product - wanted))
    if noise > _UNCLEAR * length or noise != noise:
        logger.warning(
            "second derivatives through %s, with a backward pass of its own, could not be held against differences of "
            "gradients: those differ too much from step to step",
            ", ".join(names),
        )
    elif off > _OFF * length + _NOISES * noise:
        raise EvaluationError(
            f"second derivatives through {', '.join(names)} are not true: a product with the Hessian is "
            f"{off / length:.0%} off from differences of gradients. The backward pass of a torch.autograd.Function "
            "takes for a constant what its forward pass computed and kept; let it compute from what save_for_backward "
            "keeps of its inputs, or use the function without a backward pass of its own"
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
