"""Axes, grids and the order in which points are visited.

Indices follow NumPy: an array over a grid has the shape ``(..., ny, nx)``, so ``values[j, i]`` belongs to
``(x[i], y[j])``, while ``axes[0]`` is x. A point's number is its index in the flattened array.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.errors import UsageError

Floats = NDArray[np.float64]

# 2**31 points of one float64 metric are 16 GiB: past any grid somebody means, and below what overflows an index.
MAX_POINTS = 2**31 - 1
# Squares of larger coordinates, which distances and pictures need, are no floats, nor are inverses of smaller steps.
LARGEST = 1e100


@dataclass(frozen=True, eq=False)
class Axis:
    """One axis of a grid: the coefficients, and what one unit of them means.

    ``kind`` is ``"direction"`` for a direction in weight space, or ``"repeat"`` for an axis that numbers
    repetitions with other seeds (then ``recipe["repeats"]`` lists the axes of each).
    """

    values: Floats  # (n,), strictly increasing, in multiples of the direction
    label: str = ""
    source: str = "random"  # random | checkpoint | file | pca | ...
    recipe: Mapping[str, Any] = field(default_factory=dict)  # JSON: all it takes to build the direction again
    length: float = float("nan")  # Euclidean length of the direction
    sha256: str = ""  # of the direction's tensors
    kind: str = "direction"

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=np.float64)
        if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
            raise ValueError("an axis needs a one-dimensional, non-empty array of finite values")
        if values.size > 1 and not (np.diff(values) > 0).all():
            raise ValueError("the values of an axis must increase")
        object.__setattr__(self, "values", values)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def differs(self) -> tuple[str, ...]:
        """What of another checkpoint is not there at 1: names of tensors that differ and were left behind."""
        return tuple(map(str, self.recipe.get("differs") or ()))

    @property
    def reaches_checkpoint(self) -> bool:
        """Whether 1 is another checkpoint as a whole, so that there may be a barrier between both."""
        known = "differs" in self.recipe  # else the file is of a version that did not compare
        partial = bool(self.differs) if known else any(self.recipe.get(key) for key in ("include", "exclude"))
        return self.source == "checkpoint" and not partial


def parse_range(text: str | Sequence[float] | Floats) -> Floats:
    """Turn ``"-1:1:51"`` (first, last, number of points; both ends included) into its values.

    Parameters
    ----------
    text : str or sequence of float
        ``MIN:MAX:NUM``, or the values themselves, increasing.

    Returns
    -------
    ndarray of float64, shape (n,)

    Raises
    ------
    UsageError
        Not of that form, not finite, not increasing, or no points.

    Examples
    --------
    >>> parse_range("-1:1:5")
    array([-1. , -0.5,  0. ,  0.5,  1. ])
    """
    if not isinstance(text, str):
        try:
            return Axis(np.asarray(text, dtype=np.float64)).values
        except (TypeError, ValueError) as error:
            raise UsageError(f"a range needs increasing finite numbers, got {text!r}: {error}") from error
    example = "write MIN:MAX:NUM, as in -1:1:51"
    parts = text.split(":")
    if len(parts) != 3:
        raise UsageError(f"{text!r} is not a range of points; {example}")
    try:
        first, last = float(parts[0]), float(parts[1])
        number = int(parts[2])
    except ValueError:
        raise UsageError(f"{text!r} is not a range of points; {example}") from None
    if not (np.isfinite(first) and np.isfinite(last)):
        raise UsageError(f"{text!r} does not have finite ends; {example}")
    if max(abs(first), abs(last)) > LARGEST or 0 < last - first < number / LARGEST:
        raise UsageError(f"{text!r} goes beyond {LARGEST:g}, or has points less than {1 / LARGEST:g} apart; {example}")
    if number < 1 or number > MAX_POINTS:
        raise UsageError(f"{text!r} has {number} points, at least 1 and at most {MAX_POINTS} are possible; {example}")
    if number == 1 and first != last:
        raise UsageError(f"{text!r} has one point but two ends; write {first:g}:{first:g}:1 or more points")
    if number > 1 and not first < last:
        raise UsageError(f"{text!r} does not increase: MIN must be below MAX; {example}")
    values: Floats = np.linspace(first, last, number)
    if number > 1:
        # linspace may give 1e-17 where 0 is meant; the centre of the picture has to be theta* itself, exactly.
        step = (last - first) / (number - 1)
        values[np.abs(values) < 1e-9 * step] = 0.0
        if not (np.diff(values) > 0).all():
            raise UsageError(f"{text!r} has points too close to tell apart in double precision")
    return values


def grid_shape(axes: Sequence[Axis]) -> tuple[int, ...]:
    """Return the shape of an array over the axes, ``(..., ny, nx)``."""
    return tuple(len(axis) for axis in reversed(axes))


def point_coordinates(axes: Sequence[Axis], points: NDArray[np.intp]) -> Floats:
    """Return the coordinates of numbered points, shape ``(len(points), len(axes))``, x first."""
    indices = np.unravel_index(points, grid_shape(axes))
    return np.stack([axis.values[index] for axis, index in zip(axes, reversed(indices), strict=True)], axis=-1)


def axis_levels(number: int) -> NDArray[np.intp]:
    """Return at which level of bisection each index of an axis comes, both ends at level 0.

    Level 1 adds the middle, level 2 the middles of both halves, and so on, whatever the number of points:
    the indices up to any level are spread as evenly as whole indices can be.

    Examples
    --------
    >>> axis_levels(6)
    array([0, 2, 1, 2, 3, 0])
    """
    levels = np.zeros(number, dtype=np.intp)
    spans = [(0, number - 1)]
    level = 0
    while spans:
        level += 1
        halves = []
        for low, high in spans:
            if high - low < 2:
                continue
            middle = (low + high) // 2
            levels[middle] = level
            halves += [(low, middle), (middle, high)]
        spans = halves
    return levels


def grid_levels(axes: Sequence[Axis]) -> NDArray[np.intp]:
    """Return the level at which each point of a grid comes: the finest level of its indices, shape of the grid.

    An axis that numbers repetitions has no levels: every repetition is refined at the same pace.
    """
    levels = np.zeros(grid_shape(axes), dtype=np.intp)
    for position, axis in enumerate(reversed(axes)):
        if axis.kind == "repeat":
            continue
        shape = [1] * len(axes)
        shape[position] = len(axis)
        levels = np.maximum(levels, axis_levels(len(axis)).reshape(shape))
    return levels


def visiting_order(axes: Sequence[Axis]) -> NDArray[np.intp]:
    """Return all point numbers, coarse grid first, so that a run cut short is already a picture."""
    return np.argsort(grid_levels(axes), axis=None, kind="stable")
