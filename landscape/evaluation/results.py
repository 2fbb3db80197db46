"""The results of a run under way: arrays over the grid that fill up, and a Surface of them at any time."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.evaluation.quantities import PointResult, Quantity
from landscape.surface.grid import Axis
from landscape.surface.statistics import Moments, merge, powers_of, tails_of
from landscape.surface.surface import COMPUTED, INTERPOLATED, NOT_COMPUTED, Surface


class ResultTable:
    """Measured values over a grid, point by point.

    Parameters
    ----------
    surface : Surface
        What is known already: an empty surface, or one read from a file that is to be completed or extended. Values in
        it that none of the quantities measures stay as they are.
    quantities : sequence of Quantity
        The losses first, whose numbers of samples are the surface's. Those of another quantity are kept as
        ``DATA/QUANTITY_samples``. Values that the surface lacks start as NaN.
    """

    def __init__(self, surface: Surface, quantities: Sequence[Quantity]) -> None:
        self._surface = surface
        self.state = surface.state.copy()  # of each point, as it is now
        self._quality = dict(surface.quality)
        self._origin = dict(surface.origin)
        # From how many anchors values are estimates; empty where a run has none.
        self.anchored = {name: self._counts_in(array.astype(np.float64)) for name, array in surface.anchored.items()}
        self.anchors = dict(surface.anchors)
        # (data set, metric) -> (points, columns), of estimates from anchors.
        self._sketches = {
            (name, metric): np.array(array)
            for name, anchors in surface.anchors.items()
            for metric, array in anchors.sketches.items()
            if len(array) == self.state.size
        }
        self._divisible = {each.name: each.divisible for each in quantities}
        self._measured = [
            f"{data}/{value}" for each in quantities for data, values in each.stores.items() for value in values
        ]
        first, *others = quantities
        self._counts = {first.name: {data: self._counts_in(surface.counts.get(data)) for data in first.stores}}
        for each in others:
            self._counts[each.name] = {
                data: self._counts_in(surface.values.get(_samples(data, each.name))) for data in each.stores
            }
        kept = [name for name in surface.values if name not in self._counted() and name not in self._measured]
        self._tails = {name: np.array(array, dtype=np.float64) for name, array in surface.tails.items()}
        self._values, self.stderr, self._paired = (
            {name: self._floats_in(group.get(name)) for name in [*self._measured, *kept]}
            for group in (surface.values, surface.stderr, surface.paired_stderr)
        )
        # A file whose states and counts disagree: a point that is not computed, but known, would never be done.
        self._forget(self.state == NOT_COMPUTED)

    def _floats_in(self, array: NDArray[np.float64] | None) -> NDArray[np.float64]:
        return np.full(self.state.shape, np.nan) if array is None else np.array(array, dtype=np.float64)

    def _counts_in(self, array: NDArray[Any] | None) -> NDArray[np.int64]:
        return np.nan_to_num(self._floats_in(array)).astype(np.int64)

    def _counted(self) -> dict[str, NDArray[np.int64]]:
        """Return the numbers of samples of all quantities but the first, by the names they have among values."""
        _, *others = self._counts.items()
        return {_samples(data, name): counts for name, members in others for data, counts in members.items()}

    @property
    def values(self) -> Mapping[str, NDArray[np.float64]]:
        """Values of all quantities as they are now, NaN where there is none."""
        return {name: self._values[name] for name in self._measured}

    @property
    def axes(self) -> tuple[Axis, ...]:
        """Of the grid."""
        return self._surface.axes

    def noted(self, name: str) -> Any:
        """Return what ``Surface.quality`` says under a name, None where it says nothing."""
        return self._quality.get(name)

    def note(self, name: str, value: Any) -> None:
        """Say something more in ``Surface.quality``; None takes back what was said."""
        self._quality[name] = value
        if value is None:
            del self._quality[name]

    def begin_anchors(self, data: Sequence[str]) -> None:
        """Keep, from now on, from how many anchors each point's values are estimates."""
        for name in data:
            self.anchored.setdefault(name, np.zeros(self.state.shape, dtype=np.int64))

    def note_origin(self, name: str, value: Any) -> None:
        """Say something else in ``Surface.origin``."""
        self._origin[name] = value

    def origin(self, name: str) -> Any:
        """Return what ``Surface.origin`` says under a name, None where it says nothing."""
        return self._origin.get(name)

    def fill(self, values: Mapping[str, NDArray[np.float64]], interpolated: NDArray[np.bool_]) -> None:
        """Take these values where nothing was measured, or too little; arrays of the grid's size, in its order."""
        where = interpolated.reshape(self.state.shape)
        self._forget(where)
        for name, array in values.items():
            self._values[name][where] = array.reshape(where.shape)[where]
        self.state[where] = INTERPOLATED

    def clear_interpolated(self) -> None:
        """Forget what was interpolated."""
        filled = self.state == INTERPOLATED
        self._forget(filled)
        self.state[filled] = NOT_COMPUTED
        for name in ("interpolation", "interpolation_error"):
            self.note(name, None)

    def _forget(self, where: NDArray[np.bool_]) -> None:
        """Leave nothing of points: samples of a value that is there no more would be merged with further ones."""
        for group in (self._values, self.stderr, self._paired, self._tails):
            for array in group.values():
                array[where] = np.nan
        for members in [*self._counts.values(), self.anchored]:
            for counts in members.values():
                counts[where] = 0
        for sketches in self._sketches.values():
            sketches[where.reshape(-1)] = np.nan

    def done(self, wanted: Mapping[str, Mapping[str, int]]) -> NDArray[np.bool_]:
        """Return which points are finished, shape (points,): computed, with at least the samples wanted.

        Not by their values: a network that diverged has a NaN loss, and every resume would compute it again.

        Parameters
        ----------
        wanted : mapping
            Quantity -> data set -> samples.
        """
        done: NDArray[np.bool_] = self.state != NOT_COMPUTED
        for quantity, numbers in wanted.items():
            for data, number in numbers.items():
                done &= (self._counts[quantity][data] >= number) | (self.state != COMPUTED)
        return done.reshape(-1)

    def counts(self, point: int, quantity: str) -> dict[str, int]:
        """Return over how many samples of each data set a quantity is known at a point."""
        return {data: int(counts.flat[point]) for data, counts in self._counts[quantity].items()}

    def problem(self, name: str) -> Any:
        """Return what ``Surface.problem`` says under a name, None where it says nothing."""
        return self._surface.problem.get(name)

    def tails(self, name: str, point: int) -> tuple[float, float]:
        """Return the samples' skewness and how many carry a mean at a point, NaN where that is not known."""
        arrays = [self._tails.get(each) for each in _tail_names(name)]
        skewness, effective = (math.nan if array is None else float(array.flat[point]) for array in arrays)
        return skewness, effective

    def counts_of(self, quantity: str, data: str) -> NDArray[np.int64]:
        """Return over how many samples of a data set a quantity is known at each point, shape of the grid."""
        return self._counts[quantity][data]

    def add(self, point: int, quantity: str, result: PointResult, baselines: Mapping[tuple[str, str], float]) -> None:
        """Record what was measured at a point.

        Parameters
        ----------
        point : int
            Its number.
        quantity : str
        result : mapping
            Of samples that follow those the point has; of all of them where the quantity is not divisible.
        baselines : mapping
            Means at theta* of the samples the point has already, where it has any.
        """
        counts = self._counts[quantity]
        before = self.counts(point, quantity) if self._divisible[quantity] else dict.fromkeys(counts, 0)
        known = self.moments(point, quantity, [key for key in result if before[key[0]]], baselines)
        for (data, value), total in result.items():
            counts[data].flat[point] = before[data] + total.count
            self._set(f"{data}/{value}", point, merge(known[data, value], total) if before[data] else total)
        self.state.flat[point] = COMPUTED

    def moments(
        self,
        point: int,
        quantity: str,
        keys: Sequence[tuple[str, str]],
        baselines: Mapping[tuple[str, str], float],
    ) -> dict[tuple[str, str], Moments]:
        """Return what is known of some values of a quantity at a point, by data set and name, see `add`."""
        counts = self.counts(point, quantity)
        return {
            (data, value): self._moments(f"{data}/{value}", point, counts[data], baselines.get((data, value), math.nan))
            for data, value in keys
        }

    def put(
        self,
        point: int,
        quantity: str,
        result: PointResult,
        anchored: Mapping[str, int],
        sketches: Mapping[tuple[str, str], NDArray[np.float64]],
    ) -> None:
        """Record what is known of a point's losses, in the place of what was known before.

        Parameters
        ----------
        point : int
        quantity : str
        result : mapping
            Of all samples the point has.
        anchored : mapping
            Data set -> from how many anchors its values were estimated.
        sketches : mapping
            Of their errors (`landscape.evaluation.anchors.regression.signs`).
        """
        for (data, value), total in result.items():
            name = f"{data}/{value}"
            self._counts[quantity][data].flat[point] = total.count
            self._set(name, point, total)
        for data, number in anchored.items():
            self.anchored[data].flat[point] = number
        for key, sketch in sketches.items():
            if key not in self._sketches:
                self._sketches[key] = np.full((self.state.size, len(sketch)), np.nan, dtype=np.float32)
            self._sketches[key][point] = sketch
        self.state.flat[point] = COMPUTED

    def _moments(self, name: str, point: int, count: int, baseline: float) -> Moments:
        mean, stderr, paired = (float(group[name].flat[point]) for group in (self._values, self.stderr, self._paired))
        tails = [self._tails[each].flat[point] if each in self._tails else math.nan for each in _tail_names(name)]
        return Moments(count, mean, stderr, paired, baseline, *powers_of(count, stderr, tails[0], tails[1]))

    def _set(self, name: str, point: int, total: Moments) -> None:
        self._values[name].flat[point] = total.mean
        self.stderr[name].flat[point] = total.stderr
        self._paired[name].flat[point] = total.paired_stderr
        for each, value in zip(_tail_names(name), tails_of(total), strict=True):
            if each in self._tails or not math.isnan(value):
                self._tails.setdefault(each, np.full(self.state.shape, np.nan)).flat[point] = value

    def surface(self) -> Surface:
        """Return a surface of what is there now; later results do not change it."""
        return dataclasses.replace(
            self._surface,
            values={
                **{name: array.copy() for name, array in self._values.items()},
                **{name: np.where(counts, counts, np.nan) for name, counts in self._counted().items()},
            },
            stderr=_known(self.stderr),
            paired_stderr=_known(self._paired),
            tails=_known(self._tails),
            counts={name: array.copy() for name, array in next(iter(self._counts.values())).items()},
            state=self.state.copy(),
            quality=dict(self._quality),
            origin=dict(self._origin),
            anchored={name: array.copy() for name, array in self.anchored.items()},
            anchors={
                name: dataclasses.replace(
                    anchors,
                    sketches={metric: array.copy() for (data, metric), array in self._sketches.items() if data == name},
                )
                for name, anchors in self.anchors.items()
            },
        )

    def whole_points(self) -> Surface:
        """Return a surface without what is known of points that have samples of some data sets alone.

        Where not all data fit into memory at once points are so for a while: they are not computed yet.
        """
        begun = self.state == COMPUTED
        begun &= np.any([counts == 0 for counts in next(iter(self._counts.values())).values()], axis=0)
        if not begun.any():
            return self.surface()
        left = copy.deepcopy(self, {id(self._surface): self._surface})
        left._forget(begun)
        left.state[begun] = NOT_COMPUTED
        return left.surface()


def _tail_names(name: str) -> tuple[str, str]:
    return f"{name}_skewness", f"{name}_effective"


def _samples(data: str, quantity: str) -> str:
    return f"{data}/{quantity}_samples"


def _known(arrays: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    return {name: array.copy() for name, array in arrays.items() if not np.isnan(array).all()}
