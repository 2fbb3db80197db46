"""Whether two forward passes give the same: results compared, where a network stands and at another point."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from landscape.engine.kernels import BatchNorm
from landscape.problem.batches import tensors_in
from landscape.problem.chunks import chunk_slices, one_thread, real_numbers
from landscape.problem.params import can_move

# Largest difference of any output, over the largest output. Sums formed in another order differ by about 1e-7 of
# their size, which 56 layers amplify to 1e-6 or 1e-5; a layer wrongly matched is off by 1e-2 and more.
AGREEMENT = {torch.float32: 2e-4, torch.float64: 1e-10}
# In low precision only what is plainly broken is looked for: rounding alone may amount to a few percent.
LOW_AGREEMENT = 0.5
# How far the other point lies, in sizes of each tensor: far enough for a statistic that was not made again to show.
STEP = 0.1


class Disagreement(Exception):
    """Two forward passes do not give the same."""


def difference(ours: Any, plain: Any) -> float:
    """Return the largest difference between tensors of two results, over the largest value of that tensor.

    Both may be tuples, mappings or dataclasses of tensors. It is infinite where one is finite and the other is not,
    or where they are not made the same way.
    """
    firsts, seconds = (
        [real_numbers(torch.as_tensor(each)).detach().double() for each in tensors_in(result)]
        for result in (ours, plain)
    )
    if [first.shape for first in firsts] != [second.shape for second in seconds]:
        return math.inf
    worst = 0.0
    for first, second in zip(firsts, seconds, strict=True):
        finite = second.isfinite()
        if not torch.equal(first.isfinite(), finite):
            return math.inf
        if finite.any():
            scale = second[finite].abs().max().clamp(min=1e-30)
            worst = max(worst, float((first[finite] - second[finite]).abs().max() / scale))
    return worst


def require(found: float, limit: float) -> float:
    """Return a difference that is within the limit, raise Disagreement for one that is not."""
    if not found <= limit:
        raise Disagreement(f"its results differ from the plain network's by {found:.1e}, more than {limit:.0e}")
    return found


@contextmanager
def elsewhere(model: nn.Module, kept: Mapping[str, Tensor] | None = None) -> Iterator[None]:
    """Move every parameter and every running statistic a little, and put them back bit for bit.

    ``kept`` are copies of parameters and buffers as they are, by name, where there are some: none is made of these.
    """
    kept = kept or {}
    names = {id(tensor): name for name, tensor in (*model.named_parameters(), *model.named_buffers())}
    generator = torch.Generator().manual_seed(0)
    statistics = [s for m in model.modules() if isinstance(m, BatchNorm) for s in (m.running_mean, m.running_var)]
    moved = {id(t): t for t in (*model.parameters(), *statistics) if t is not None and can_move(t)}
    copies = {own: kept.get(names.get(own, "")) for own in moved}
    pairs = [(t, t.detach().clone() if (copy := copies[own]) is None else copy) for own, t in moved.items()]
    try:
        with torch.no_grad(), one_thread():
            for tensor, before in pairs:
                size = before.abs().mean()
                for where in chunk_slices(tensor.shape):
                    # Factors about 1 and additions above 0: a variance stays positive.
                    part = tensor[where]
                    noise = torch.rand(part.shape, generator=generator, dtype=torch.float64).to(part)
                    part.mul_(1 + STEP * (2 * noise - 1)).add_(STEP * size * noise)
        yield
    finally:
        with torch.no_grad():
            for tensor, before in pairs:
                tensor.copy_(before)
