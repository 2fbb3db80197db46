"""Where in a module's output the samples are, told from what it gives for the same samples in another order.

Shapes alone do not tell: of 10 rows for 5 samples each sample may have two that follow each other, as windows of an
image do, or one in each half, as two views of all images or the steps of a packed sequence have. What belongs to a
sample moves with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

# Numbers of each row that are looked at, spread evenly over it.
_COLUMNS = 64
# Between rows of one sample in two orders, in units of how far rows differ, or of the largest number.
_SAME, _ROUNDING = 0.1, 16.0


@dataclass(frozen=True)
class Place:
    """Where the samples are."""

    tensor: int  # which of the output's floating tensors
    axis: int  # of the samples
    fold: int  # rows of that axis which belong to one sample
    apart: bool = False  # whether these are as far apart as there are samples, and do not follow each other


@dataclass(frozen=True)
class Rows:
    """Some numbers of every row of a tensor along an axis, shape (rows, columns)."""

    numbers: Tensor
    rounding: float  # what its numbers may differ by, relative to the largest


def rows_of(tensor: Tensor) -> tuple[Rows, ...]:
    """Return some numbers of the rows along each axis that samples may be on: the first two."""
    wide = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    rounding = _ROUNDING * torch.finfo(tensor.dtype).eps
    found = []
    for axis in range(min(tensor.ndim, 2)):
        rows = wide.movedim(axis, 0).flatten(1) if wide.ndim > 1 else wide[:, None]
        columns = torch.linspace(0, max(rows.shape[1] - 1, 0), min(_COLUMNS, rows.shape[1])).long()
        found.append(Rows(rows[:, columns.to(rows.device)].double(), rounding))
    return tuple(found)


def places_by_shape(
    first: Sequence[tuple[int, ...]], second: Sequence[tuple[int, ...]], sizes: Sequence[int]
) -> list[Place]:
    """Return where samples may be: what grows with their number, the likeliest first.

    Parameters
    ----------
    first, second : sequence of shapes
        Of an output's tensors, for two numbers of samples.
    sizes : sequence of two
        These numbers.
    """
    found = []
    for number, (one, other) in enumerate(zip(first, second, strict=False)):
        if len(one) != len(other):
            continue
        for axis in range(min(len(one), 2)):
            fold = one[axis] // sizes[0]
            if fold and one[axis] == fold * sizes[0] and other[axis] == fold * sizes[1]:
                found += [Place(number, axis, fold, apart) for apart in ((False, True) if fold > 1 else (False,))]
    return found


def is_right(place: Place, first: Sequence[Sequence[Rows]], turned: Sequence[Sequence[Rows]], samples: int) -> bool:
    """Whether rows of a place go with their samples.

    Parameters
    ----------
    place : Place
    first, turned : sequence of sequence of Rows
        Of each tensor along each axis: for samples 0, 1, 2, ..., and for 1, 2, ..., 0.
    samples : int
    """
    if place.tensor >= len(turned) or place.axis >= len(turned[place.tensor]):
        return False
    rows = first[place.tensor][place.axis]
    one, other = (each[place.tensor][place.axis].numbers for each in (first, turned))
    if one.shape != other.shape:
        return False
    one, other = (_by_sample(each, place, samples) for each in (one, other))
    one = one.roll(-1, 0)
    known = one.isfinite() & other.isfinite()
    if bool((one.isfinite() != other.isfinite()).any()) or not bool(known.any()):
        return not bool(known.any())
    one, other = (torch.where(known, each, 0.0) for each in (one, other))
    spread = float((one.amax((0, 1)) - one.amin((0, 1))).max())
    error, largest = float((one - other).abs().max()), float(one.abs().max())
    return error <= max(_SAME * spread, rows.rounding * largest)


def _by_sample(rows: Tensor, place: Place, samples: int) -> Tensor:
    """Return rows as (samples, rows of each, columns)."""
    if place.apart:
        return rows.reshape(place.fold, samples, -1).transpose(0, 1)
    return rows.reshape(samples, place.fold, -1)
