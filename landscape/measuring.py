"""What a process does with a piece of work: move the weights to each of its points, and measure there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from landscape.baseline import Baseline
from landscape.errors import EvaluationError, LandscapeError
from landscape.grid import Axis, Floats, point_coordinates
from landscape.moments import Moments, moments_of
from landscape.motion import Motion
from landscape.objective import Chunk, Objective, SampleValues, Span
from landscape.planes import Planes
from landscape.references import failure
from landscape.schedule import Piece
from landscape.tally import PointResult
from landscape.weight_decay import WeightDecay

Result = dict[tuple[str, str], Moments]


class Measuring:
    """Measures pieces, one after the other."""

    def __init__(
        self,
        objective: Objective,
        baseline: Baseline,
        motion: Motion,
        planes: Planes,
        decay: WeightDecay,
        axes: Sequence[Axis],
        resident: Sequence[Span] = (),
    ) -> None:
        self._objective, self._baseline = objective, baseline
        self._motion, self._planes, self._decay = motion, planes, decay
        self._axes = axes
        self._resident = resident  # what stays on the device, whichever part of it a piece asks for
        self._repeat = 0

    def __call__(self, piece: Piece) -> Iterator[PointResult]:
        """Yield the moments of the piece's samples at each of its points, each point when it is done."""
        coordinates = point_coordinates(self._axes, np.asarray(piece.points, dtype=np.intp))
        chunks = self._chunks(piece)
        for point, at in zip(piece.points, coordinates, strict=True):
            try:
                self._move(at)
                measured = self._objective.measure(chunks, seed=point)
            except LandscapeError as error:
                raise type(error)(f"at {_where(at)}: {error}") from error
            except (Exception, SystemExit) as error:  # a user's code may do anything
                raise EvaluationError(f"measuring failed at {_where(at)}: {failure(error)}") from error
            yield self._moments(measured, chunks, at)

    def _chunks(self, piece: Piece) -> list[Chunk]:
        """Return the piece's samples, read anew only where the piece before had others."""
        kept = set(piece.spans) <= set(self._resident)
        loaded = self._objective.load(self._resident if kept else piece.spans)
        wanted = set(piece.spans)
        chunks = [chunk for chunk in loaded if (chunk.name, chunk.start, chunk.stop) in wanted]
        return _slices(chunks, piece.part, self._objective.batch_size)

    def _moments(self, measured: SampleValues, chunks: Sequence[Chunk], at: Floats) -> Result:
        starts = {chunk.name: chunk.start for chunk in chunks}
        found = {
            key: moments_of(
                values, self._baseline.slice(key, starts[key[0]], len(values)), per_sample=measured.per_sample[key]
            )
            for key, values in measured.values.items()
        }
        for chunk in chunks:
            for metric, value in self._decay.values(at).items():
                number = chunk.stop - chunk.start
                found[chunk.name, metric] = Moments(number, value, math.nan, math.nan, self._decay.at_start)
        return found

    def _move(self, at: Floats) -> None:
        number = int(at[-1]) if self._planes.repeats > 1 else 0
        if number != self._repeat:
            self._motion.restore()  # directions are scaled against theta*
            self._motion.set_directions([])  # else two planes were in memory while one is made of the other's seed
            plane = self._planes[number]
            self._motion.set_directions([d.tensors for d in plane.directions])
            self._decay.along(self._motion, plane)
            self._repeat = number
        self._motion.move_to(at[: len(self._planes[number])])


def _slices(chunks: Sequence[Chunk], part: Sequence[Span], batch_size: int) -> list[Chunk]:
    """Return the batches of some samples; spans start and end between two batches of the chunks."""
    whole = {chunk.name: chunk for chunk in chunks}
    found = []
    for name, start, stop in part:
        chunk = whole[name]
        first = (start - chunk.start) // batch_size
        end = -((chunk.start - stop) // batch_size)
        found.append(Chunk(name, start, stop, chunk.batches[first:end]))
    return found


def _where(at: Floats) -> str:
    return ", ".join(f"{letter}={value:g}" for letter, value in zip("xyz", at, strict=False))
