"""What a process does with a piece of work: move the weights to each of its points, and measure there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from landscape.errors import EvaluationError, LandscapeError
from landscape.evaluation.quantities import PointResult, Quantity
from landscape.evaluation.setup import Setup
from landscape.parallel.scheduler import WorkItem
from landscape.problem.references import failure
from landscape.surface.grid import Floats, point_coordinates


class Worker:
    """Measures pieces, one after the other. When it is made the network is at theta*."""

    def __init__(self, setup: Setup, quantities: Sequence[Quantity]) -> None:
        self._axes, self._planes, self._displacement = setup.axes, setup.planes, setup.displacement
        self._quantities = {quantity.name: quantity for quantity in quantities}
        self._begin(0)

    def __call__(self, piece: WorkItem) -> Iterator[PointResult]:
        """Yield what is measured at each of the piece's points, each when it is done."""
        quantity = self._quantities[piece.quantity]
        coordinates = [self._place(number) for number in piece.points]
        prepared = quantity.prepare(piece)
        for number, at in zip(piece.points, coordinates, strict=True):
            try:
                self._move(at)
                measured = quantity.measure(prepared, number, at)
            except LandscapeError as error:
                raise type(error)(f"at {_where(at)}: {error}") from error
            except (Exception, SystemExit) as error:  # a user's code may do anything
                raise EvaluationError(f"measuring failed at {_where(at)}: {failure(error)}") from error
            yield measured

    def _place(self, number: int) -> Floats:
        """Return the coordinates of a point; theta* itself, an anchor wherever the grid lies, follows the last one."""
        if number == math.prod(len(axis) for axis in self._axes):
            return np.zeros(len(self._axes))
        return np.asarray(point_coordinates(self._axes, np.asarray([number], dtype=np.intp))[0])

    def _move(self, at: Floats) -> None:
        repeat = int(at[-1]) if self._planes.repeats > 1 else 0
        if repeat != self._repeat:
            self._displacement.restore()  # directions are scaled against theta*
            # Else two planes were in memory while one is made of the other's seed.
            self._displacement.set_directions([])
            self._displacement.set_directions([d.tensors for d in self._planes[repeat].directions])
            self._begin(repeat)
        self._displacement.move_to(at[: len(self._planes[repeat])])

    def _begin(self, repeat: int) -> None:
        self._repeat = repeat
        for quantity in self._quantities.values():
            quantity.begin_plane(self._planes[repeat])


def _where(at: Floats) -> str:
    return ", ".join(f"{letter}={value:g}" for letter, value in zip("xyz", at, strict=False))
