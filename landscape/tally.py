"""The results of a run under way: arrays over the grid that fill up, and a Surface of them at any time."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.moments import Moments, merge
from landscape.surface import COMPUTED, INTERPOLATED, NOT_COMPUTED, Surface

# (data set, metric) -> moments, for one point.
PointResult = Mapping[tuple[str, str], Moments]


class Tally:
    """Measured values over a grid, point by point.

    Parameters
    ----------
    surface : Surface
        What is known already: an empty surface, or one read from a file that is to be completed or extended.
    metrics : mapping
        Data set -> names of its metrics; values the surface lacks start as NaN.
    """

    def __init__(self, surface: Surface, metrics: Mapping[str, Sequence[str]]) -> None:
        shape = surface.shape
        names = [f"{data}/{metric}" for data, members in metrics.items() for metric in members]
        self._surface = surface
        self._values = {name: _copy(surface.values.get(name), shape) for name in names}
        self._stderr = {name: _copy(surface.stderr.get(name), shape) for name in names}
        self._paired = {name: _copy(surface.paired_stderr.get(name), shape) for name in names}
        self._counts = {
            data: np.array(surface.counts.get(data, np.zeros(shape, dtype=np.int64)), dtype=np.int64)
            for data in metrics
        }
        self._state = surface.state.copy()
        self._quality = dict(surface.quality)

    @property
    def state(self) -> NDArray[np.uint8]:
        """State of each point, as it is now."""
        return self._state

    @property
    def values(self) -> Mapping[str, NDArray[np.float64]]:
        """Means as they are now, NaN where there is none."""
        return self._values

    @property
    def stderr(self) -> Mapping[str, NDArray[np.float64]]:
        """Standard errors as they are now, NaN where they are not known."""
        return self._stderr

    def noted(self, name: str) -> Any:
        """Return what ``Surface.quality`` says under a name, None where it says nothing."""
        return self._quality.get(name)

    def note(self, name: str, value: Any) -> None:
        """Say something more in ``Surface.quality``; None takes back what was said."""
        if value is None:
            self._quality.pop(name, None)
        else:
            self._quality[name] = value

    def fill(self, values: Mapping[str, NDArray[np.float64]], interpolated: NDArray[np.bool_]) -> None:
        """Take these values where nothing was measured, or too little; arrays of the grid's size, in its order."""
        where = interpolated.reshape(self._state.shape)
        self._forget(where)
        for name, array in self._values.items():
            array[where] = values[name].reshape(array.shape)[where]
        self._state[where] = INTERPOLATED

    def clear_interpolated(self) -> None:
        """Forget what was interpolated."""
        filled = self._state == INTERPOLATED
        self._forget(filled)
        self._state[filled] = NOT_COMPUTED
        for name in ("interpolation", "interpolation_error"):
            self.note(name, None)

    def _forget(self, where: NDArray[np.bool_]) -> None:
        """Leave nothing of points: samples of a value that is there no more would be merged with further ones."""
        for group in (self._values, self._stderr, self._paired):
            for array in group.values():
                array[where] = np.nan
        for counts in self._counts.values():
            counts[where] = 0

    def done(self, wanted: Mapping[str, int]) -> NDArray[np.bool_]:
        """Return which points are finished, shape (points,): computed, with at least the samples wanted.

        Not by their values: a network that diverged has a NaN loss, and every resume would compute it again.
        """
        done: NDArray[np.bool_] = self._state != NOT_COMPUTED
        for data, number in wanted.items():
            done &= (self._counts[data] >= number) | (self._state != COMPUTED)
        return done.reshape(-1)

    def counts(self, point: int) -> dict[str, int]:
        """Return how many samples of each data set a point has."""
        return {data: int(counts.flat[point]) for data, counts in self._counts.items()}

    def add(self, point: int, result: PointResult, baselines: Mapping[tuple[str, str], float]) -> None:
        """Record more samples of a point.

        Parameters
        ----------
        point : int
            Its number.
        result : mapping
            Moments over samples that follow those the point has.
        baselines : mapping
            Means at theta* of the samples the point has already, where it has any.
        """
        for (data, metric), new in result.items():
            name = f"{data}/{metric}"
            before = int(self._counts[data].flat[point])
            total = new
            if before:
                total = merge(self._moments(name, point, before, baselines.get((data, metric), math.nan)), new)
            self._values[name].flat[point] = total.mean
            self._stderr[name].flat[point] = total.stderr
            self._paired[name].flat[point] = total.paired_stderr
        for data, number in {data: new.count for (data, _), new in result.items()}.items():
            self._counts[data].flat[point] += number
        self._state.flat[point] = COMPUTED

    def _moments(self, name: str, point: int, count: int, baseline: float) -> Moments:
        value, stderr, paired = (
            float(array.flat[point]) for array in (self._values[name], self._stderr[name], self._paired[name])
        )
        return Moments(count, value, stderr, paired, baseline)

    def surface(self) -> Surface:
        """Return a surface of what is there now; later results do not change it."""
        return dataclasses.replace(
            self._surface,
            values={name: array.copy() for name, array in self._values.items()},
            stderr=_known(self._stderr),
            paired_stderr=_known(self._paired),
            counts={name: array.copy() for name, array in self._counts.items()},
            state=self._state.copy(),
            quality=dict(self._quality),
        )


def _copy(array: NDArray[np.float64] | None, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return np.full(shape, np.nan) if array is None else np.array(array, dtype=np.float64)


def _known(arrays: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    return {name: array.copy() for name, array in arrays.items() if not np.isnan(array).all()}
