"""What rank 0 knows of anchors in a run under way, and the estimates that follow from it.

Anchors are points at which all data are measured: theta* first, then points of the grid
(`landscape.evaluation.anchors.choice`), chosen in rounds as the run goes. Every other point has a subset; what it says
of all data follows from how its samples' values go along with those at the anchors
(`landscape.evaluation.anchors.estimates`). Samples of points are kept in memory while there is room, so that points
measured before an anchor gain from it as well.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from landscape.evaluation.anchors.choice import Wanted, choose_anchors, most_anchors
from landscape.evaluation.anchors.estimates import AnchoredEstimates, Key
from landscape.evaluation.anchors.kept_samples import longest_rows, padded
from landscape.evaluation.anchors.regression import SAMPLES_A_SLOPE
from landscape.evaluation.looks import FIRST_LOOK
from landscape.evaluation.losses_and_metrics import LossesAndMetrics
from landscape.evaluation.quantities import PointResult, Step
from landscape.evaluation.results import ResultTable
from landscape.surface.anchors import AT_ORIGIN
from landscape.surface.grid import Floats
from landscape.surface.heights import scale_of_losses
from landscape.surface.statistics import Moments, merge

logger = logging.getLogger(__name__)

# Bytes of samples kept of points that are done: of 51 x 51 points on 1,000 samples, loss and accuracy are 42 MB.
ROOM = 1 << 30

# Share of the points that are measured where others are interpolated: it is known only in the end. On smooth planes of
# 41 x 41 and 51 x 51 points, of digits, ResNet-20 and ResNet-56, it was 6 to 27 %, and mostly 8 to 14 %.
INTERPOLATING = 0.15

# Bytes of samples in the file of a run under way: beyond them a run that was cut measures points again.
IN_FILE = 1 << 28


class AnchorBook:
    """Takes what is measured, puts estimates into the table.

    Parameters
    ----------
    table : ResultTable
    losses : LossesAndMetrics
        Whose points are estimated.
    asked : int or "auto"
        How many anchors, theta* among them.
    interpolating : bool
        Whether points that are smooth are not measured at all.
    """

    def __init__(
        self, table: ResultTable, losses: LossesAndMetrics, asked: int | str, *, interpolating: bool = False
    ) -> None:
        self._table, self._asked = table, asked
        self._points_expected = INTERPOLATING if interpolating else 1.0
        self.sizes = dict(losses.anchored)
        self._numbers = {name: min(losses.objective.sizes[name], size) for name, size in self.sizes.items()}
        self._at_start = losses.baseline.samples.values
        self.name, self._full_steps = losses.name, losses.full_steps
        self.origin = int(table.state.size)  # the number of theta* among points
        per_sample = losses.baseline.samples.per_sample
        self._keys = [key for key, known in per_sample.items() if known and key[0] in self.sizes]
        self._samples: dict[int, dict[Key, Floats]] = {
            self.origin: {key: self._at_start[key] for key in self._keys},
        }
        self._others: dict[int, dict[Key, Moments]] = {}  # of what has no samples, weight decay for one
        self._kept = 0  # bytes
        self._estimates = AnchoredEstimates(table, self.sizes, self._numbers, self._at_start)
        table.begin_anchors(list(self.sizes))
        noted = table.noted("anchors") or {}
        self.chosen: list[int] = [int(point) for point in noted.get("points", ())]
        self.rounds = int(noted.get("rounds", 0))  # in how many it has been decided which points are anchors
        self.settled = bool(noted.get("settled", noted))  # whether none is to follow; one was all, once
        self._take_kept(losses)
        if self._numbers == self.sizes and not self.knows_origin():
            self._add_origin()

    # -- what is known -----------------------------------------------------------------------------------------

    def knows_origin(self) -> bool:
        """Return whether all data were measured at theta*."""
        return self._estimates.knows_origin()

    def wants(self, point: int, data: str) -> int | None:
        """Return how many samples an anchor has to have; None for other points, and data sets without anchors."""
        return self.sizes.get(data) if point == self.origin or point in self.chosen else None

    def counts(self, point: int) -> dict[str, int]:
        """Return how many samples of each data set are known at a point of the grid, or at theta*."""
        if point != self.origin:
            counts = self._table.counts(point, self.name)
            if not self.holds(point):
                return counts
            # Of an anchor some of the rest may be there, which no estimate counts; and while a point is measured again,
            # the table knows data sets of which no samples are here yet. Of those known in full they are needed only
            # where anchors are yet to be chosen.
            held, exact = {name: self._held(point, name) for name in self.sizes}, self._exact(point)
            return counts | {
                name: there for name, there in held.items() if name not in exact or not (self.settled or there)
            }
        known = self.knows_origin()
        return {name: size if known else self._held(point, name) for name, size in self.sizes.items()}

    def holds(self, point: int) -> bool:
        """Return whether a point's samples are here, so that further ones may follow them."""
        return point in self._samples

    def full_steps_of(self, point: int) -> Sequence[Step]:
        """Return the steps in which an anchor gets all other data; none for other points."""
        return self._full_steps if point == self.origin or point in self.chosen else ()

    def stale(self, point: int) -> bool:
        """Return whether a point has to be measured again, since its samples are gone and anchors have changed."""
        if point == self.origin or self.holds(point):
            return False
        k = [
            self._table.anchored[name].flat[point] < len(self._estimates.anchors_of(name).points) for name in self.sizes
        ]
        return (not self.settled or any(k)) and not all(
            count >= self.sizes.get(name, 0) for name, count in self.counts(point).items() if name in self.sizes
        )

    def current(self) -> NDArray[np.bool_]:
        """Return which points are estimated from all anchors there are, shape (points,)."""
        current = np.full(self._table.state.size, self.settled and self.knows_origin())
        for name, size in self.sizes.items():
            anchored = self._table.anchored[name].reshape(-1)
            exact = np.array([count >= size for count in self._counts_of(name)])
            current &= (anchored >= len(self._estimates.anchors_of(name).points)) | exact
        return current

    def _counts_of(self, name: str) -> NDArray[np.int64]:
        return self._table.counts_of(self.name, name).reshape(-1)

    # -- what a run that is cut leaves to the next -------------------------------------------------------------

    def keep(self, finished: NDArray[np.bool_]) -> None:
        """Leave samples to the file as long as they may yet be needed.

        They say which points become anchors; then only points that are not ``finished``, shape (points,), need theirs.
        """
        for name in self.sizes:
            there = self._table.anchors.get(name)
            if there is not None:
                points, kept = self._to_keep(name, finished)
                self._table.anchors[name] = replace(there, kept_points=np.array(points, dtype=np.int64), kept=kept)

    def _all_known(self) -> bool:
        """Return whether nothing is left to measure at anchors; of those that are not finite none comes of it."""
        known = [(self._counts_of(name)[self.chosen] >= size).all() for name, size in self.sizes.items()]
        return self.settled and all(known)

    def _to_keep(self, name: str, finished: NDArray[np.bool_]) -> tuple[list[int], dict[str, Floats]]:
        counts, settled = self._counts_of(name), self._all_known()
        points = {
            point: int(counts[point])
            for point in self._samples
            if point != self.origin
            and 0 < counts[point] <= min(self._numbers[name], self._held(point, name))  # not while it is measured again
            and not (settled and finished[point])
        }
        chosen, number = longest_rows(points, IN_FILE // (8 * len(self._keys)))
        metrics = [metric for data, metric in self._keys if data == name] if chosen else []
        return chosen, {
            metric: padded([self._samples[point][name, metric][: points[point]] for point in chosen], number)
            for metric in metrics
        }

    def _take_kept(self, losses: LossesAndMetrics) -> None:
        """Take the samples that a run which was cut left in the file, of points of which it left those of all data."""
        found: dict[int, dict[Key, Floats]] = {}
        for name in self.sizes:
            there, counts = self._estimates.anchors_of(name), self._counts_of(name)
            for metric in [metric for data, metric in self._keys if data == name]:
                for point, values in zip(there.kept_points, there.kept.get(metric, ()), strict=False):
                    if 0 < counts[point] <= len(values):
                        found.setdefault(int(point), {})[name, metric] = values[: counts[point]]
                for point, values in zip(there.points, there.samples.get(metric, ()), strict=True):
                    if point != AT_ORIGIN and not self._all_known():
                        found.setdefault(int(point), {})[name, metric] = values
        others = [(data, value) for data, values in losses.stores.items() for value in values]
        others = [key for key in others if key not in self._keys]
        for point, held in found.items():
            if held.keys() == set(self._keys):
                self._samples[point] = held
                self._kept += sum(values.nbytes for values in held.values())
                known = losses.baseline.prefix_means(self._table.counts(point, self.name))
                self._others[point] = self._table.moments(point, self.name, others, known)

    # -- what comes in -----------------------------------------------------------------------------------------

    def add(self, point: int, result: PointResult) -> None:
        """Take what was measured at a point, behind what is known of it, and put what follows into the table."""
        held = self._samples.setdefault(point, {})
        others = self._others.setdefault(point, {})
        for key, total in result.items():
            if key in self._keys and total.samples is not None:
                before = held.get(key)
                held[key] = total.samples if before is None else np.concatenate([before, total.samples])
                self._kept += total.samples.nbytes
            else:
                others[key] = merge(others[key], total) if key in others else total
        whole = [name for name in self.sizes if self._held(point, name) == self.sizes[name]]
        if point == self.origin:
            if len(whole) == len(self.sizes):
                self._add_origin()
            return
        self._put([point])
        for name in whole:
            if point in self.chosen and point not in self._estimates.anchors_of(name).points:
                self._add_anchor(name, point, point)
        if whole:
            for key in held:
                held[key] = held[key][: self._numbers[key[0]]]
        elif self._kept > ROOM and self.settled and self._complete(point) and point not in self.chosen:
            self._kept -= sum(values.nbytes for values in held.values())
            del self._samples[point]

    def _held(self, point: int, name: str) -> int:
        return next((len(values) for key, values in self._samples[point].items() if key[0] == name), 0)

    def _complete(self, point: int) -> bool:
        return all(self._held(point, name) >= number for name, number in self._numbers.items())

    def _add_origin(self) -> None:
        values = dict(self._table.origin("values") or {})
        self._table.note_origin("sample_values", dict(values))
        for key, samples in self._samples[self.origin].items():
            values["/".join(key)] = float(samples.mean())
        self._table.note_origin("values", values)
        for name in self.sizes:
            self._add_anchor(name, self.origin, AT_ORIGIN)

    def _add_anchor(self, name: str, point: int, number: int) -> None:
        found = {key[1]: values for key, values in self._samples[point].items() if key[0] == name}
        self._estimates.add(name, number, found)

    # -- what follows ------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Estimate every point whose samples are here from all anchors there are now."""
        self._put([point for point in self._samples if point != self.origin])

    def _put(self, points: Iterable[int]) -> None:
        found: dict[int, dict[Key, Moments]] = {point: dict(self._others.get(point, {})) for point in points}
        sketches: dict[int, dict[Key, Floats]] = {point: {} for point in found}
        alike: dict[tuple[Key, int], list[int]] = {}
        for point in found:
            exact = self._exact(point)
            for key, values in self._samples[point].items():
                # While an anchor has some of the rest it is estimated like others: samples at anchors end here.
                number = len(values) if len(values) == self.sizes[key[0]] else min(len(values), self._numbers[key[0]])
                if key[0] not in exact:
                    alike.setdefault((key, number), []).append(point)
        for (key, number), members in alike.items():
            values = np.stack([self._samples[point][key][:number] for point in members])
            for point, moments, sketch in zip(
                members, *self._estimates.moments(key, number, values, members), strict=True
            ):
                found[point][key], sketches[point][key] = moments, sketch
        for point, result in found.items():
            there = {name: self._held(point, name) for name in self.sizes if name not in self._exact(point)}
            used = {  # not of a data set whose samples are not here again: it stays what older anchors made of it
                name: len(self._estimates.anchors_of(name).points) if held < self.sizes[name] else 0
                for name, held in there.items()
                if held
            }
            self._table.put(point, self.name, result, used, sketches[point])

    def _exact(self, point: int) -> set[str]:
        """Return the data sets of which a point has had all samples before: their means stay as they are."""
        counts = self._table.counts(point, self.name)
        return {name for name, size in self.sizes.items() if counts[name] >= size}

    # -- which points ------------------------------------------------------------------------------------------

    def choose(
        self,
        coarse: Iterable[int],
        *,
        last: bool,
        target: float | None = None,
        eps: Mapping[str, float] | None = None,
    ) -> None:
        """Decide which of some points, whose samples are here, become anchors beside those there are.

        Parameters
        ----------
        coarse : iterable of int
        last : bool
            Whether that is all. Else a finer grid of points follows, and of so many anchors as were asked for half are
            left to them.
        target : float, optional
            The standard error that is asked for, as a share of loss + ``eps`` of each data set.
        """
        points = [point for point in coarse if self.holds(point)]
        residuals: list[Floats] = []
        wanted: list[Wanted] = []
        for name, size in self.sizes.items():
            key = name, "loss"
            number = min((self._held(point, name) for point in points), default=0)
            values = np.stack([self._samples[point][key][:number] for point in points])
            with np.errstate(all="ignore"):  # inf is a result here
                losses = values.mean(axis=1)
            _, found = scale_of_losses(losses)
            left = self._estimates.regression(key, number).residuals(values)
            with np.errstate(all="ignore"):
                residuals.append(left / (np.abs(losses) + (eps or {}).get(name, found))[:, None])
            if target is not None and self._asked == "auto":
                wanted.append(partial(samples_for, target=target, size=size))
        most = most_anchors(self._table.state.size, self._numbers, self.sizes, self._asked)
        if isinstance(self._asked, int) and most < self._asked and not self.rounds:
            logger.warning(
                "%d anchors instead of %d: each takes %d samples a point, and there are %d",
                most,
                self._asked,
                SAMPLES_A_SLOPE,
                min(self._numbers.values()),
            )
        images, passes = self._images()
        worth = 0.0 if self._asked != "auto" else passes / (images + passes)
        price = len(points) / (self._points_expected * self._table.state.size) * sum(self.sizes.values())
        open_places = most - 1 - len(self.chosen)
        if isinstance(self._asked, int) and not last:
            open_places = (open_places + 1) // 2
        found_anchors = choose_anchors(residuals, most=open_places, worth=worth, wanted=wanted, price=price)
        self.chosen += [points[each] for each in found_anchors]
        self.rounds += 1
        self.settled = last
        self.note()

    def note(self) -> None:
        """Say in the file which points are anchors, measured in full or yet to be."""
        noted = {"asked": self._asked, "points": list(self.chosen), "rounds": self.rounds, "settled": self.settled}
        self._table.note("anchors", noted)

    def _images(self) -> tuple[int, int]:
        """Return how many samples all points take together, and how many more one anchor takes."""
        numbers = sum(self._numbers.values())
        return self._table.state.size * numbers, sum(self.sizes.values()) - numbers


def samples_for(variances: Floats, *, target: float, size: int) -> Floats:
    """Return how many of N samples a standard error takes, at least the first look's.

    Parameters
    ----------
    variances : ndarray
        Of a sample, relative to the square of what the error is relative to.
    target : float
    size : int
        N.

    Examples
    --------
    >>> samples_for(np.array([0.0, 1.0]), target=0.02, size=10_000)
    array([ 256., 2000.])
    """
    without_end = variances / target**2
    return np.maximum(without_end * size / (without_end + size), float(min(FIRST_LOOK, size)))
