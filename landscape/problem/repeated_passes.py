"""Whether a network gives the same whenever it is asked, and for a sample whatever else is in its batch.

A network that draws random numbers in eval mode, or whose passes depend on those before, has other answers each time;
one without running statistics, answers that depend on which samples share a batch. Nothing in a number tells so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from landscape.errors import EvaluationError
from landscape.problem.buffers import Buffers

log = logging.getLogger(__name__)

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
    relative = max(_RELATIVE, _ROUNDINGS * _rounding_of(one))
    return one.shape == other.shape and torch.allclose(one, other, rtol=relative, atol=_ABSOLUTE, equal_nan=True)


def _rounding_of(output: Tensor) -> float:
    return torch.finfo(output.dtype).eps if output.is_floating_point() or output.is_complex() else 0.0


def goes_by_others(output: Tensor, ask: Callable[[list[int]], Tensor]) -> bool:
    """Whether a sample's output goes by its place in a batch, or by the others there.

    Parameters
    ----------
    output : Tensor, shape (n, ...)
        For a batch.
    ask : callable
        Gives the output for some of its samples, by their numbers. Not known is what it raises for: a network may take
        sequences in the order of their lengths only.
    """
    others = among_themselves(len(output))
    if len(output) < 2:
        return False
    try:
        other = ask(others)
    except Exception as error:
        log.debug("whether outputs go by their batch could not be asked: %s", error)
        return False
    return depends_on_others(output, other, others)


def among_themselves(number: int, *, in_place: bool = False) -> list[int]:
    """Return which samples of a batch make another one of that size: its last half backwards, and that again.

    ``in_place`` its first half as it is, where what is drawn for a place stays there: what goes by a batch's first
    sample is not seen then.
    """
    half = number // 2
    some = [*range(number)] if in_place else [*reversed(range(number))]
    return some[:half] + some[: number - half]


def depends_on_others(output: Tensor, other: Tensor, others: Sequence[int]) -> bool:
    """Whether half of a batch has other outputs among themselves, in other places, than with the other half beside it.

    The size stays: a last batch of two or three has norms that would fail for a single sample.

    Parameters
    ----------
    output : Tensor, shape (n, ...)
        For a batch.
    other : Tensor, shape (n, ...)
        For ``others``.
    others : sequence of int
        The samples that `among_themselves` names.
    """
    if output.shape != other.shape:
        return True
    half = len(output) // 2
    one, same = output[list(others[:half])].double(), other[:half].double()
    largest = float(one.abs().nan_to_num(0.0, 0.0).max()) if one.numel() else 0.0
    room = max(_ELSEWHERE, _ROUNDINGS * _rounding_of(output)) * largest
    return not torch.allclose(one, same, rtol=0.0, atol=room, equal_nan=True)
