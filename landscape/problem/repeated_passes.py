"""Whether a network gives the same whenever it is asked, and for a sample whatever else is in its batch.

A network that draws random numbers in eval mode, or whose passes depend on those before, has other answers each time;
one without running statistics, answers that depend on which samples share a batch. Nothing in a number tells so.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from landscape.errors import EvaluationError
from landscape.problem.buffers import Buffers

# Between two passes over the same samples.
_RELATIVE, _ABSOLUTE = 1e-3, 1e-5
# How far the same sample may be off in another batch: a part of the largest output, and roundings of it.
_ELSEWHERE, _ROUNDINGS = 1e-2, 8


def require_repeatable(model: nn.Module, ask: Callable[[], list[Tensor]], name: str, so: str) -> list[Tensor]:
    """Return what a network gives, asked twice.

    Parameters
    ----------
    model : Module
        In eval mode.
    ask : callable
        Calls it on a few samples.
    name, so : str
        What it is called, and what cannot be done then, for the error.

    Raises
    ------
    EvaluationError
        It gives something else the second time.
    """
    buffers, drawn = Buffers(model), torch.get_rng_state()
    with buffers.kept():
        first = ask()
        random = not torch.equal(drawn, torch.get_rng_state())
        again = ask()
    if len(first) == len(again) and all(_alike(*pair) for pair in zip(first, again, strict=True)):
        return first
    if random:
        why = "it draws random numbers"
    else:
        written = f"it changes {', '.join(buffers.written)}" if buffers.written else "by random numbers or attributes"
        why = f"each pass depends on those before ({written})"
    raise EvaluationError(f"{name} gives another output each time it is asked, in eval mode: {why}, and {so}")


def _alike(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one, other, rtol=_RELATIVE, atol=_ABSOLUTE, equal_nan=True)


def depends_on_others(whole: Tensor, part: Tensor) -> bool:
    """Whether the first samples of a batch have other outputs where they are asked for alone.

    Parameters
    ----------
    whole : Tensor, shape (n, ...)
        Output for a batch.
    part : Tensor, shape (m, ...)
        Output for its first m samples.
    """
    if part.shape[1:] != whole.shape[1:] or len(part) > len(whole):
        return True
    one, other = whole[: len(part)].double(), part.double()
    largest = float(one.abs().nan_to_num(0.0, 0.0).max())
    room = max(_ELSEWHERE, _ROUNDINGS * torch.finfo(whole.dtype).eps) * largest
    return not torch.allclose(one, other, rtol=0.0, atol=room, equal_nan=True)
