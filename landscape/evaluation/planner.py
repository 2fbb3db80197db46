"""What is to be measured next: it follows from what is known, so that a resumed run goes on as if it never stopped.

A point is measured in steps, runs of samples that follow each other: one step, all its samples, where nothing else is
asked for. Data that do not fit into memory make a step a chunk, and every point gets its first step before any gets its
second: a chunk is read once for all of them, and a run cut short keeps what it has. A stopping rule ends a point's
steps early (`StoppingRule`), a refinement leaves points out (`landscape.evaluation.adaptive`). Quantities beside the
losses follow at the points that have theirs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from landscape.errors import EvaluationError
from landscape.evaluation.adaptive import Filled, Refinement, base_points
from landscape.evaluation.anchors.book import AnchorBook
from landscape.evaluation.quantities import Quantity, samples_of
from landscape.evaluation.results import ResultTable
from landscape.parallel.scheduler import Task
from landscape.surface.derived.intervals import interval_factor
from landscape.surface.derived.unseen import NORMAL, at_start, scatters_by_nothing
from landscape.surface.grid import Axis, Floats, axis_levels, visiting_order
from landscape.surface.heights import scale_of_losses
from landscape.surface.surface import COMPUTED, INTERPOLATED

# Points from whose samples anchors are chosen, at most: 9 x 9 of a plane, then 17 x 17.
SPREAD, FINEST = (128, 1024), (4, 6)


def visiting_level(coordinates: Sequence[Floats]) -> NDArray[np.intp]:
    """Return the finest level of bisection of each point's indices, shape (..., ny, nx)."""
    levels = np.meshgrid(*(axis_levels(len(each)) for each in reversed(coordinates)), indexing="ij")
    return np.asarray(np.max(levels, axis=0), dtype=np.intp)


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
    by_intervals : bool
        Whether the interval has to be as narrow as that of a normal distribution with such a standard error.
    """

    target: float
    eps: Mapping[str, float]
    looks_of: Mapping[str, Sequence[int]]
    off_at_start: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    by_intervals: bool = False

    def met(self, name: str, count: int, loss: float, error: float) -> bool:
        """Return whether a data set needs no more samples at a point. A loss that is not finite never will."""
        if count not in self.looks_of[name]:
            return False
        if not math.isfinite(loss):
            return True
        allowed = self.target * (abs(loss) + self.eps.get(name, 0.0))
        # Not known where theta*'s own loss is not finite: NaN is larger than nothing.
        return error <= allowed and not self.off_at_start.get(name, {}).get(count, 0.0) > allowed


class Planner:
    """Tasks, and those that follow from results.

    Parameters
    ----------
    table : ResultTable
        What is known already, and what comes in.
    axes : sequence of Axis
    quantities : sequence of Quantity
        In this order each point gets them, the losses first.
    rule : StoppingRule, optional
        Of the losses.
    tolerance : float, optional
        Interpolate where that is right to so much of loss + eps.
    anchors : AnchorBook, optional
        Estimate the losses of points from anchors.
    """

    def __init__(
        self,
        table: ResultTable,
        axes: Sequence[Axis],
        quantities: Sequence[Quantity],
        *,
        rule: StoppingRule | None = None,
        tolerance: float | None = None,
        anchors: AnchorBook | None = None,
    ) -> None:
        self._table, self._quantities, self._rule, self._book = table, quantities, rule, anchors
        self._wanted = {quantity.name: samples_of(quantity) for quantity in quantities}
        self.tolerance = tolerance
        self._order = visiting_order(axes)
        self._coordinates = [axis.values for axis in axes if axis.kind == "direction"]
        self._at_start = at_start(axes).reshape(-1)
        self._repeats = len(axes[-1]) if axes[-1].kind == "repeat" else 1
        self.filled: Filled | None = None  # the grid with missing points interpolated, when all that takes is measured
        self._pending: set[int] = set()
        self.finished = 0  # how many points need nothing more
        if not self._interpolation_stands():
            table.clear_interpolated()
        self._rounds = self._all_rounds()

    def start(self) -> list[Task]:
        """Return what can be measured at once."""
        return self._next_round()

    def after(self, point: int) -> list[Task]:
        """Return what follows from a point's step, which is in the table."""
        # While eps is not chosen, or anchors are not, whether a first step was enough cannot be asked.
        looked_at = self._first_looks and point < self._table.state.size and not self._is_anchor(point)
        task = None if looked_at else self._next_task(point)
        if task is not None:
            return [task]
        self._pending.discard(point)
        if point < self._table.state.size:  # not theta*, which is no point of the grid
            self.finished += 1
        return [] if self._pending else self._next_round()

    def _is_anchor(self, point: int) -> bool:
        return self._book is not None and point in self._book.chosen

    @property
    def _first_looks(self) -> bool:
        chosen = self._book is None or self._book.settled
        return self._rule is not None and not (self._rule.eps and chosen)

    def done(self) -> NDArray[np.bool_]:
        """Return which points need nothing more, shape (points,)."""
        state = self._table.state.reshape(-1)
        done = self._table.done(self._wanted)
        if self._rule is not None and self._rule.eps:
            for looked_at in np.flatnonzero(~done & (state == COMPUTED)):
                done[looked_at] = self._next_task(int(looked_at)) is None
        if self._book is not None:
            done &= self._book.current() | (state == INTERPOLATED)
            for point in self._book.chosen:
                done[point] &= self._next_task(point) is None
        return done

    # -- a point's samples -------------------------------------------------------------------------------------

    def _next_task(self, point: int) -> Task | None:
        for quantity in self._quantities:
            book = self._book if quantity is self._quantities[0] else None
            counts = self._table.counts(point, quantity.name) if book is None else book.counts(point)
            open_sets = {data for data, count in counts.items() if not self._enough(point, quantity, data, count)}
            # Parts of what is not divisible cannot be joined, nor samples that nobody keeps: all are measured.
            whole = not quantity.divisible or (book is not None and not book.holds(point))
            begun = dict.fromkeys(counts, 0) if whole else counts
            open_sets = set(counts) if book is not None and whole and open_sets else open_sets
            for step in [*quantity.steps, *(book.full_steps_of(point) if book is not None else ())]:
                spans = tuple(
                    (data, max(start, begun[data]), stop)
                    for data, start, stop in step
                    if data in open_sets and stop > begun[data]
                )
                if spans:
                    return Task(point, spans, quantity.name, quantity.weight, quantity.divisible)
            if self._book is not None and point == self._book.origin:
                return None
        return None

    def _enough(self, point: int, quantity: Quantity, data: str, count: int) -> bool:
        book = self._book if quantity is self._quantities[0] else None
        if book is not None and (wanted := book.wants(point, data)) is not None:
            return count >= wanted
        if book is not None and book.stale(point):
            return False
        if count >= self._wanted[quantity.name][data]:
            return True
        if self._rule is None or not count or quantity is not self._quantities[0]:
            return False
        loss, error = (float(each[f"{data}/loss"].flat[point]) for each in (self._table.values, self._table.stderr))
        if self._says_nothing(point, data, count, loss, error):
            return False
        if book is not None and data in book.sizes:
            error *= math.sqrt(1 - count / book.sizes[data])
        if self._rule.by_intervals:
            skewness, effective = self._table.tails(f"{data}/loss", point)
            error *= float(interval_factor(effective, skewness / math.sqrt(count))) / NORMAL
        return self._rule.met(data, count, loss, error)

    def _says_nothing(self, point: int, data: str, count: int, loss: float, error: float) -> bool:
        """Return whether samples are all alike, so that their error of 0 says nothing of the others'.

        At theta* nothing is left to say, where all data were measured there.
        """
        known = self._book is not None and data in self._book.sizes and self._book.knows_origin()
        if known and self._at_start[point]:
            return False
        return math.isfinite(loss) and bool(scatters_by_nothing(error, loss, count))

    # -- rounds of points --------------------------------------------------------------------------------------

    def _next_round(self) -> list[Task]:
        for points in self._rounds:
            self.finished = int(self.done().sum())
            chosen = set(points)
            order = [each for each in (self._table.state.size,) if each in chosen] + [int(p) for p in self._order]
            tasks = [self._next_task(point) for point in order if point in chosen]
            found = [task for task in tasks if task is not None]
            if found:
                self._pending = {task.point for task in found}
                return found
        self.finished = int(self.done().sum())
        return []

    def _all_rounds(self) -> Iterator[Iterable[int]]:
        everything = [int(point) for point in self._order if self._table.state.flat[point] != INTERPOLATED]
        if self._rule is not None and not self._rule.eps:
            yield from self._until_eps_is_known()
        if self._book is not None:
            yield from self._anchors_first(self._book)
        if self.tolerance is None or len(everything) < self._order.size:
            yield everything
            return
        refinement, asked = Refinement(self._coordinates, self.tolerance), None
        while True:
            known = self.done().reshape(self._by_repeat)
            if asked is not None and not known[asked].all():
                raise EvaluationError("points that were measured are not done: the file holds what cannot be")
            values = {name: array.reshape(self._by_repeat) for name, array in self._table.values.items()}
            found = refinement.look(values, known)
            if isinstance(found, Filled):
                self.filled = found
                return
            asked = found
            yield [int(point) for point in np.flatnonzero(found)]

    def _anchors_first(self, book: AnchorBook) -> Iterator[Iterable[int]]:
        """Measure all data at theta*, the subset on a coarse grid, and all data where that says it does most good.

        Then the subset on a finer grid, and all data where these points say so: what stands between the nodes of the
        first is not seen by it.
        """
        rounds, rule = self._spread_points(), self._rule
        target, eps = (None, None) if rule is None else (rule.target, rule.eps)
        while not book.settled:
            # A file may have been left in its second round, and be gone on with by a run that has one only.
            points = rounds[min(book.rounds, len(rounds) - 1)]
            new = [point for point in points if rule is None or not book.holds(point)]
            for _ in self._quantities[0].steps:  # as many as it takes for all data sets to have samples at each point
                yield [book.origin, *book.chosen, *new]
                new = [] if rule is None else self._without_first_look(points)
                if not new:
                    break
            book.refresh()
            book.choose(points, last=book.rounds >= len(rounds) - 1, target=target, eps=eps)
        yield [book.origin, *book.chosen]
        book.refresh()

    def _spread_points(self) -> list[list[int]]:
        """Return the points of a coarse grid, and of a finer one, that say which points become anchors.

        One grid where there is none finer, and where points of it may have no need to be measured at all.
        """
        levels = np.broadcast_to(visiting_level(self._coordinates), self._by_repeat).reshape(-1)
        found: list[list[int]] = []
        for most, finest in zip(SPREAD, FINEST, strict=True):
            level = max([each for each in range(1, finest + 1) if (levels <= each).sum() <= most], default=1)
            points = [int(point) for point in self._order if levels[point] <= level][: SPREAD[-1]]
            if not found or (self.tolerance is None and len(points) > len(found[-1])):
                found.append(points)
        return found

    def _until_eps_is_known(self) -> Iterator[Iterable[int]]:
        """Measure a coarse grid, and take the eps that a picture of it has."""
        rule = self._rule
        assert rule is not None
        coarse = np.flatnonzero(np.broadcast_to(base_points(self._coordinates), self._by_repeat))
        # A first look each; whether it was enough is asked when eps is there.
        first, losses = {name: ends[0] for name, ends in rule.looks_of.items()}, self._quantities[0]
        for _ in losses.steps:  # one, or several where not all samples fit into memory at once
            todo = self._without_first_look(map(int, coarse))
            if not todo:
                break
            yield todo
        values = {name: self._table.values[f"{name}/loss"].flat[coarse] for name in self._wanted[losses.name]}
        rule.eps = {name: scale_of_losses(each)[1] for name, each in values.items()}
        self._table.note("standard_error", {"target": rule.target, "eps": dict(rule.eps), "first_look": first})

    def _without_first_look(self, points: Iterable[int]) -> list[int]:
        """Return those of the points at which some data set has not had its first look."""
        assert self._rule is not None
        first = {name: ends[0] for name, ends in self._rule.looks_of.items()}
        name, book = self._quantities[0].name, self._book
        counts = {point: self._table.counts(point, name) if book is None else book.counts(point) for point in points}
        return [point for point, there in counts.items() if any(there[name] < first[name] for name in there)]

    @property
    def _by_repeat(self) -> tuple[int, ...]:
        return (self._repeats, *(len(each) for each in reversed(self._coordinates)))

    def _interpolation_stands(self) -> bool:
        """Return whether what was interpolated before is good enough now, and its points need no more samples."""
        state = self._table.state
        if not (state == INTERPOLATED).any():
            return True
        made = self._table.noted("interpolation")
        made_for = made.get("tolerance") if isinstance(made, Mapping) else None
        if self.tolerance is None or not isinstance(made_for, (int, float)) or made_for > self.tolerance:
            return False
        return bool(self.done().all())
