"""What is to be measured next: it follows from what is known, so that a resumed run goes on as if it never stopped.

A point is measured in steps, runs of samples that follow each other: one step, all its samples, where nothing else is
asked for. Data that do not fit into memory make a step a chunk, and every point gets its first step before any gets its
second: a chunk is read once for all of them, and a run cut short keeps what it has. A stopping rule ends a point's
steps early (`StoppingRule`), a refinement leaves points out (`landscape.refinement`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from landscape.grid import Axis, Floats, visiting_order
from landscape.heights import PAPER_EPS, suitable_eps
from landscape.refinement import Filled, Refinement, base_points
from landscape.schedule import Span, Task
from landscape.surface import COMPUTED, INTERPOLATED
from landscape.tally import Tally

Step = tuple[Span, ...]

# Samples after which a standard error is looked at first, doubled from then on. Few looks keep small the bias of
# stopping: a sample that happens to scatter little ends its point early.
FIRST_LOOK = 256


def looks(number: int) -> list[int]:
    """Return after how many of a data set's samples its standard error is looked at: 256, 512, ... and all.

    Examples
    --------
    >>> looks(1000)
    [256, 512, 1000]
    """
    found = []
    at = FIRST_LOOK
    while at < number:
        found.append(at)
        at *= 2
    return [*found, number]


def steps_between(looks_of: Mapping[str, Sequence[int]]) -> list[Step]:
    """Return the steps that end where the standard errors of the data sets are looked at.

    Examples
    --------
    >>> steps_between({"train": [256, 400], "test": [100]})
    [(('train', 0, 256), ('test', 0, 100)), (('train', 256, 400),)]
    """
    steps = []
    for number in range(max(map(len, looks_of.values()))):
        spans = []
        for name, ends in looks_of.items():
            if number < len(ends):
                spans.append((name, ends[number - 1] if number else 0, ends[number]))
        steps.append(tuple(spans))
    return steps


@dataclass
class StoppingRule:
    """A point has enough samples when the standard error of its loss is below a share of loss + eps.

    A standard error says nothing of samples that are not among those measured. Near theta* few samples carry the loss:
    where the first 256 hold none of them, they scatter hardly at all. So what these samples are off by at theta*, which
    is known, has to be below the same share of the point's loss + eps.

    Parameters
    ----------
    target : float
    eps : mapping
        Data set -> eps of the picture's scale, in loss units. Empty until it is chosen from the first points.
    looks_of : mapping
        Data set -> numbers of samples after which this may be asked.
    off_at_start : mapping, optional
        Data set -> such a number of samples -> how far their mean loss at theta* is from that of all samples.
    """

    target: float
    eps: Mapping[str, float]
    looks_of: Mapping[str, Sequence[int]]
    off_at_start: Mapping[str, Mapping[int, float]] = field(default_factory=dict)

    def met(self, name: str, count: int, loss: float, error: float) -> bool:
        """Return whether a data set needs no more samples at a point. A loss that is not finite never will."""
        if count not in self.looks_of[name]:
            return False
        if not math.isfinite(loss):
            return True
        allowed = self.target * (abs(loss) + self.eps.get(name, 0.0))
        # Not known where theta*'s own loss is not finite: NaN is larger than nothing.
        return error <= allowed and not self.off_at_start.get(name, {}).get(count, 0.0) > allowed


class Agenda:
    """Tasks, and those that follow from results.

    Parameters
    ----------
    tally : Tally
        What is known already, and what comes in.
    axes : sequence of Axis
    steps : sequence of Step
        In this order each point gets its samples.
    wanted : mapping
        Data set -> samples of a point that has all.
    rule : StoppingRule, optional
    tolerance : float, optional
        Interpolate where that is right to so much of loss + eps.
    """

    def __init__(
        self,
        tally: Tally,
        axes: Sequence[Axis],
        steps: Sequence[Step],
        wanted: Mapping[str, int],
        *,
        rule: StoppingRule | None = None,
        tolerance: float | None = None,
    ) -> None:
        self._tally, self._steps, self._wanted, self._rule = tally, steps, dict(wanted), rule
        self._tolerance = tolerance
        self._order = visiting_order(axes)
        self._coordinates = [axis.values for axis in axes if axis.kind == "direction"]
        self._repeats = len(axes[-1]) if axes[-1].kind == "repeat" else 1
        self._filled: Filled | None = None
        self._pending: set[int] = set()
        self.finished = 0  # how many points need nothing more
        if not self._interpolation_stands():
            tally.clear_interpolated()
        self._rounds = self._all_rounds()

    def start(self) -> list[Task]:
        """Return what can be measured at once."""
        return self._next_round()

    def after(self, point: int) -> list[Task]:
        """Return what follows from a point's step, which is in the tally."""
        # While eps is not chosen, whether a first step was enough cannot be asked.
        task = None if self._rule is not None and not self._rule.eps else self._next_task(point)
        if task is not None:
            return [task]
        self._pending.discard(point)
        self.finished += 1
        return [] if self._pending else self._next_round()

    def done(self) -> NDArray[np.bool_]:
        """Return which points need nothing more, shape (points,)."""
        state = self._tally.state.reshape(-1)
        done = self._tally.done(self._wanted)
        if self._rule is not None and self._rule.eps:
            for point in np.flatnonzero(~done & (state == COMPUTED)):
                done[point] = self._next_task(int(point)) is None
        return done

    def filled(self) -> Filled | None:
        """Return the grid with its missing points interpolated, when all that takes is measured; None for none."""
        return self._filled

    # -- a point's samples -------------------------------------------------------------------------------------

    def _next_task(self, point: int) -> Task | None:
        counts = self._tally.counts(point)
        open_sets = {name for name, count in counts.items() if not self._enough(point, name, count)}
        for step in self._steps:
            spans = tuple(
                (name, max(start, counts[name]), stop)
                for name, start, stop in step
                if name in open_sets and stop > counts[name]
            )
            if spans:
                return Task(point, spans)
        return None

    def _enough(self, point: int, name: str, count: int) -> bool:
        if count >= self._wanted[name]:
            return True
        if self._rule is None or not count:
            return False
        loss, error = (float(each[f"{name}/loss"].flat[point]) for each in (self._tally.values, self._tally.stderr))
        return self._rule.met(name, count, loss, error)

    # -- rounds of points --------------------------------------------------------------------------------------

    def _next_round(self) -> list[Task]:
        for points in self._rounds:
            self.finished = int(self.done().sum())
            chosen = set(points)
            tasks = [self._next_task(int(point)) for point in self._order if int(point) in chosen]
            found = [task for task in tasks if task is not None]
            if found:
                self._pending = {task.point for task in found}
                return found
        self.finished = int(self.done().sum())
        return []

    def _all_rounds(self) -> Iterator[Iterable[int]]:
        everything = [int(point) for point in self._order if self._tally.state.flat[point] != INTERPOLATED]
        if self._rule is not None and not self._rule.eps:
            yield from self._until_eps_is_known()
        if self._tolerance is None or len(everything) < self._order.size:
            yield everything
            return
        refinement = Refinement(self._coordinates, self._tolerance)
        while True:
            known = self.done().reshape(self._by_repeat)
            values = {name: array.reshape(self._by_repeat) for name, array in self._tally.values.items()}
            found = refinement.look(values, known)
            if isinstance(found, Filled):
                self._filled = found
                return
            yield [int(point) for point in np.flatnonzero(found)]

    def _until_eps_is_known(self) -> Iterator[Iterable[int]]:
        """Measure a coarse grid, and take the eps that a picture of it has."""
        rule = self._rule
        assert rule is not None
        coarse = np.flatnonzero(np.broadcast_to(base_points(self._coordinates), self._by_repeat))
        # A first step each; whether it was enough is asked when eps is there.
        todo = [int(point) for point in coarse if not all(self._tally.counts(int(point)).values())]
        if todo:
            yield todo
        losses = {name: self._tally.values[f"{name}/loss"].flat[coarse] for name in self._wanted}
        rule.eps = {name: _eps(each) for name, each in losses.items()}
        self._tally.note("standard_error", {"target": rule.target, "eps": dict(rule.eps), "first_look": FIRST_LOOK})

    @property
    def _by_repeat(self) -> tuple[int, ...]:
        return (self._repeats, *(len(each) for each in reversed(self._coordinates)))

    def _interpolation_stands(self) -> bool:
        """Return whether what was interpolated before is good enough now, and its points need no more samples."""
        state = self._tally.state
        if not (state == INTERPOLATED).any():
            return True
        made = self._tally.noted("interpolation")
        made_for = made.get("tolerance") if isinstance(made, Mapping) else None
        if self._tolerance is None or not isinstance(made_for, (int, float)) or made_for > self._tolerance:
            return False
        return bool(self.done().all())


def _eps(losses: Floats) -> float:
    finite = losses[np.isfinite(losses)]
    if not finite.size:
        return PAPER_EPS
    return suitable_eps(finite, "log" if finite.min() >= 0 else "asinh")
