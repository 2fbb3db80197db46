"""What a subset at a point says of all data, from what is known of them at the anchors there are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from landscape.evaluation.anchors.regression import SKETCH, Estimator, estimator_for, log_scale, logarithms
from landscape.evaluation.results import ResultTable
from landscape.surface.anchors import AT_ORIGIN, Anchors
from landscape.surface.derived.unseen import NORMAL, at_start, scatters_by_nothing, unlike_share
from landscape.surface.grid import Floats
from landscape.surface.statistics import Moments, moments_of, standard_error

Key = tuple[str, str]  # data set, metric


class AnchoredEstimates:
    """Holds the anchors of a run in its table, and estimates other points from them.

    Parameters
    ----------
    table : ResultTable
        Whose anchors they are; a new one is put there.
    sizes, numbers : mapping of str to int
        Of each data set that has anchors all samples, and those of a subset.
    values_at_start : mapping of (str, str) to ndarray
        What the samples known at theta* are, by data set and metric.
    """

    def __init__(
        self,
        table: ResultTable,
        sizes: Mapping[str, int],
        numbers: Mapping[str, int],
        values_at_start: Mapping[Key, Floats],
    ) -> None:
        self._table, self._sizes, self._numbers, self._at_start = table, sizes, numbers, values_at_start
        self._origins = at_start(table.axes).reshape(-1)  # which points are theta* itself
        self._fitted: dict[tuple[Key, int], Estimator] = {}

    def anchors_of(self, name: str) -> Anchors:
        """Return the anchors of a data set."""
        there = self._table.anchors.get(name)
        return there if there is not None else Anchors(np.zeros(0, dtype=np.int64), {}, {}, self._sizes[name])

    def knows_origin(self) -> bool:
        """Return whether all data were measured at theta*."""
        return all(AT_ORIGIN in self.anchors_of(name).points for name in self._sizes)

    def add(self, name: str, number: int, found: Mapping[str, Floats]) -> None:
        """Keep what all data are at an anchor; where a sample is not finite it says nothing of other points.

        Parameters
        ----------
        name : str
            The data set.
        number : int
            Of the point, or `AT_ORIGIN`.
        found : mapping of str to ndarray
            All samples of each metric.
        """
        there, subset = self.anchors_of(name), self._numbers[name]
        finite = all(np.isfinite(values).all() for values in found.values())
        if not finite and number != AT_ORIGIN:
            return
        empty = np.zeros((0, subset))
        samples = {
            metric: np.vstack([there.samples.get(metric, empty), values[:subset]]) for metric, values in found.items()
        }
        means = {
            metric: np.append(there.means.get(metric, np.zeros(0)), values.mean()) for metric, values in found.items()
        }
        losses = found["loss"]
        before = there.log_means.get("loss", np.zeros(0))
        logs = np.append(before, logarithms(losses, log_scale(losses[:subset])).mean())
        points = np.append(there.points, number)
        self._table.anchors[name] = Anchors(points, samples, means, self._sizes[name], {"loss": logs})
        self._fitted = {}

    def moments(self, key: Key, number: int, values: Floats, points: Sequence[int]) -> tuple[list[Moments], Floats]:
        """Return what samples at points say of all data, and sketches; the mean itself where they are all.

        Parameters
        ----------
        key : (str, str)
            Data set and metric.
        number : int
            Of samples at each point.
        values : ndarray, shape (points, number)
        points : sequence of int
            Which points these are.
        """
        at_start = self._at_start[key]
        if number == self._sizes[key[0]]:
            # Where points have a subset, a run that was cut knows theta*'s other samples no more: all data leave no
            # error to any difference, and 0 stands for it.
            start = at_start if len(at_start) == number else None
            known = [moments_of(each, start) for each in values]
            return known, np.zeros((len(values), SKETCH))
        estimates = self.regression(key, number).estimate(values)
        at_origin = self._are_origin(key, values, points)
        if at_origin.any():
            mean = self._mean_at_origin(key)
            estimates = replace(estimates, means=np.where(at_origin, mean, estimates.means))
        errors = paired = np.where(at_origin, 0.0, self._with_unseen(key, estimates.stderr, values))
        if not len(self.anchors_of(key[0]).points):  # theta* is not known for all data yet
            paired = np.array([standard_error(each - at_start[:number]) for each in values])
        columns = estimates.means, errors, paired, estimates.thirds, estimates.fourths
        moments = [
            Moments(number, float(mean), float(error), float(of_difference), math.nan, float(third), float(fourth))
            for mean, error, of_difference, third, fourth in zip(*columns, strict=True)
        ]
        return moments, estimates.sketches

    def _are_origin(self, key: Key, values: Floats, points: Sequence[int]) -> NDArray[np.bool_]:
        """Return which points are theta* itself, of which all data are known: so are its values there.

        A regression does not find them where the samples are all alike.
        """
        there = self._origins[list(points)] & self.knows_origin()
        start = self._at_start[key][: values.shape[1]]
        same = np.array([np.allclose(each, start, rtol=1e-3, atol=1e-9) for each in values], dtype=np.bool_)
        return np.asarray(there & same)

    def _mean_at_origin(self, key: Key) -> float:
        anchors = self.anchors_of(key[0])
        return float(anchors.means[key[1]][anchors.points == AT_ORIGIN][0])

    def _with_unseen(self, key: Key, errors: Floats, values: Floats) -> Floats:
        """Return errors, with what is left to chance where anchors leave nothing of samples that do scatter.

        So few of the others as none of the samples shows may be unlike them, and are taken to be off by as much as
        losses differ.
        """
        number, size = values.shape[1], self._sizes[key[0]]
        with np.errstate(all="ignore"):  # inf and NaN are results here
            spread = values.std(axis=1)
        least = float(unlike_share(number, size)) / NORMAL / math.sqrt(1 - number / size) * spread
        return np.where(scatters_by_nothing(errors, spread, number), least, errors)

    def regression(self, key: Key, number: int) -> Estimator:
        """Return the estimator from so many samples."""
        if (key, number) not in self._fitted:
            self._fitted[key, number] = estimator_for(self.anchors_of(key[0]), key[1], number)
        return self._fitted[key, number]
