"""Which points of a grid have to be measured so that the others can be interpolated, and how wrong that is.

Coarse to fine, by bisecting index ranges (`landscape.grid.axis_levels`). Between neighbouring points of a coarse grid
lies a cell. The points that halve it are measured, and compared with what the coarse grid predicts there, in the
picture's own heights z = log(L + eps). Once they are measured the grid there is twice as fine, and its error is smaller
by a rate that is measured too: how much the 95 % quantile of the errors fell from the last halving to this one. Where
error times rate is within the tolerance at all points of a cell, the cell is left, and what lies inside is
interpolated. Elsewhere the halves are cells in turn, down to single points: on a rough surface errors do not fall, and
it ends fully measured. Losses decide; of other metrics only where they do not exist, since no value is interpolated
from points that have none.

At the end some interpolated points are drawn at random and measured: their largest error is the stated one. They decide
nothing but whether it is good enough, and are not interpolated from. By Wilks [1]_ the largest error of enough points
is, with 95 % confidence, at least that of 95 % of the points still interpolated, whatever its distribution. Where it is
not good enough others are drawn from what is left, and more of them: a surface that is tried again and again would else
pass at last by a lucky draw. The chances that a draw misleads add up to 5 % over all draws (`held_out_number`).

References
----------
.. [1] Wilks, "Determination of sample sizes for setting tolerance limits", Ann. Math. Statist. 12, 1941, 91-96.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.cells import Mask, cells_with, corners_of, grid_up_to, parents, places_in
from landscape.grid import Floats, axis_levels
from landscape.heights import PAPER_EPS, heights_of, suitable_eps, values_of
from landscape.interpolation import spline_along

# Level of bisection up to which everything is measured: five points an axis, so that one dip or ridge in the middle
# of a picture is not missed.
BASE_LEVEL = 2
# Halving the distances divides the error of a cubic spline by 16 (de Boor, "A Practical Guide to Splines", 1978).
BEST_RATE = 1 / 16
# Share of the interpolated points that may be further off than the stated error.
BEYOND = 0.05
# Chance that a draw misleads: of the first, and of all the later ones together.
FIRST_RISK, LATER_RISK = 0.04, 0.01
# How many of the points held out may be off by more than the tolerance.
ALLOWED = 1
# Fewer interpolated points than this many times the held-out ones are not worth it: all are measured.
WORTH_IT = 2


@dataclass(frozen=True)
class Heights:
    """How values become the heights that are interpolated, and their errors."""

    kind: str  # log, asinh or linear, see `landscape.heights`
    eps: float

    @classmethod
    def of(cls, name: str, values: Floats) -> Heights:
        """Return what suits the values called ``"DATA/METRIC"`` measured on a coarse grid."""
        if not name.endswith("/loss"):
            return cls("linear", 0.0)
        finite = values[np.isfinite(values)]
        if not finite.size:
            return cls("log", PAPER_EPS)
        kind = "log" if finite.min() >= 0 else "asinh"
        return cls(kind, suitable_eps(finite, kind))

    def to(self, values: Floats) -> Floats:
        """Return heights; differences of them are errors relative to L + eps, or absolute where linear."""
        return heights_of(values, self.kind, self.eps)

    def back(self, heights: Floats) -> Floats:
        """Return values."""
        return values_of(heights, self.kind, self.eps)


@dataclass(frozen=True)
class Filled:
    """A grid whose missing points were interpolated."""

    values: Mapping[str, Floats]  # "DATA/METRIC" -> all points, as interpolated where nothing was measured
    interpolated: Mask
    errors: Mapping[str, Floats]  # at the held-out points: relative to L + eps for losses, else absolute
    heights: Mapping[str, Heights]

    @property
    def loss_error(self) -> float:
        """Largest error of a loss at the held-out points; 0 where nothing was interpolated."""
        return max(
            (float(e.max()) for name, e in self.errors.items() if name.endswith("/loss") and e.size), default=0.0
        )


def describe_interpolation(filled: Filled, tolerance: float | None) -> dict[str, Any] | None:
    """Return what ``Surface.quality`` says of it, as JSON; None where nothing was interpolated."""
    if not filled.interpolated.any():
        return None
    return {
        "tolerance": tolerance,
        "method": "cubic splines of the heights z along each axis",
        "held_out": max((len(errors) for errors in filled.errors.values()), default=0),
        "errors": {
            name: {
                "kind": filled.heights[name].kind,
                "eps": filled.heights[name].eps,
                "median": _number(float(np.median(errors))),
                "largest": _number(float(errors.max())),
            }
            for name, errors in filled.errors.items()
        },
    }


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None


def base_points(coordinates: Sequence[Floats]) -> Mask:
    """Return which points of a grid, shape (..., ny, nx), are measured before anything is decided."""
    mask = np.ones(tuple(len(each) for each in reversed(coordinates)), dtype=np.bool_)
    for kept, axis in zip(grid_up_to(coordinates, BASE_LEVEL), range(mask.ndim), strict=True):
        inside = np.zeros(mask.shape[axis], dtype=np.bool_)
        inside[kept] = True
        mask &= inside.reshape([-1 if each == axis else 1 for each in range(mask.ndim)])
    return mask


def held_out_number(left: int, attempt: int) -> int:
    r"""Return how many of the points left have to be drawn so that the largest of their errors can be stated.

    With n drawn of N at random, more than 5 % of the others have larger errors only where all of the k largest errors
    are among those others, k being the least number above 5 % of N - n. The chance of that is

    .. math:: \prod_{i=0}^{k-1} \frac{N - n - i}{N - i}

    and n is the smallest number for which it is at most 4 % at the first attempt, half a percent at the second, and
    half as much at each further one: 5 % over all of them.

    Examples
    --------
    >>> held_out_number(2000, attempt=0), held_out_number(2000, attempt=1)
    (64, 106)
    """
    risk = FIRST_RISK if attempt == 0 else LATER_RISK / 2**attempt
    for number in range(left):
        others = left - number
        k = int(BEYOND * others) + 1
        places = np.arange(k)
        if np.log((others - places) / (left - places)).sum() <= np.log(risk):
            return number
    return left


class Refinement:
    """The plan for one grid, or for repetitions of it in other planes.

    It follows from the measured values alone, so a resumed run comes to the same decisions.

    Parameters
    ----------
    coordinates : sequence of ndarray, x first
        Of the points along each axis.
    tolerance : float
        Largest difference of heights that counts as predicted.
    seed : int
        Of the held-out points.
    """

    def __init__(self, coordinates: Sequence[Floats], tolerance: float, *, seed: int = 0) -> None:
        self._coordinates = [np.asarray(each, dtype=np.float64) for each in reversed(coordinates)]
        self._grids = []
        for level in range(max(int(axis_levels(len(each)).max()) for each in coordinates) + 1):
            self._grids.append(grid_up_to(coordinates, level))
        self._tolerance, self._seed = tolerance, seed
        self._shape = tuple(len(each) for each in self._coordinates)

    def look(self, values: Mapping[str, Floats], known: Mask) -> Mask | Filled:
        """Return the points to be measured next, or, where that is enough, the whole grid.

        Parameters
        ----------
        values : mapping
            "DATA/METRIC" -> array of shape (repetitions, ..., ny, nx).
        known : ndarray of bool
            The same shape: where values were measured.

        Returns
        -------
        ndarray of bool or Filled
        """
        base = np.broadcast_to(base_points(self._coordinates[::-1]), known.shape)
        if (base & ~known).any():
            return np.asarray(base & ~known)
        heights = {name: Heights.of(name, array[base]) for name, array in values.items()}
        deciding = [name for name in values if name.endswith("/loss")] or list(values)
        # A metric that exists nowhere is not interpolated, and does not have everything measured either.
        z = {
            name: heights[name].to(array)
            for name, array in values.items()
            if name in deciding or np.isfinite(array[base]).any()
        }
        suspects = np.zeros(known.shape, dtype=np.bool_)
        tolerance = self._tolerance
        drawn = np.zeros(known.shape, dtype=np.bool_)
        for attempt in range(64):
            plans = [
                self._refine({name: z[name][r] for name in z}, deciding, known[r], suspects[r], tolerance)
                for r in range(len(known))
            ]
            used = np.stack([plan.used for plan in plans])
            missing = used & ~known
            if missing.any():
                return missing
            left = ~used & ~drawn
            number = held_out_number(int(left.sum()), attempt)
            if left.sum() <= WORTH_IT * number:
                break
            held_out = self._draw(left, number, attempt)
            drawn |= held_out
            if (held_out & ~known).any():
                return np.asarray(held_out & ~known)
            filled = {name: np.stack([plan.z[name] for plan in plans]) for name in z}
            errors = {name: _differences(filled[name][held_out], z[name][held_out]) for name in z}
            decisive = [errors[name] for name in deciding]
            strange = [np.where(np.isfinite(each), 0.0, np.inf) for each in errors.values()]
            worst = np.max([*decisive, *strange], axis=0)
            wrong = worst > self._tolerance
            if wrong.sum() <= ALLOWED and np.isfinite(worst).all():
                back = {name: _within(name, heights[name].back(filled[name])) for name in z}
                kept = {name: np.where(known, array, back.get(name, np.nan)) for name, array in values.items()}
                return Filled(kept, ~known, errors, heights)
            # These have now decided something. Others are drawn when their cells, and all that look alike, are finer.
            suspects[held_out] |= wrong
            tolerance /= 2
        if not known.all():
            return ~known
        return Filled(dict(values), ~known, {name: np.zeros(0) for name in z}, heights)

    def _draw(self, left: Mask, number: int, attempt: int) -> Mask:
        chosen = np.zeros(left.shape, dtype=np.bool_)
        generator = np.random.default_rng([self._seed, attempt, int(left.sum())])
        chosen.flat[generator.choice(np.flatnonzero(left), number, replace=False)] = True
        return chosen

    def _refine(
        self, z: Mapping[str, Floats], deciding: Sequence[str], known: Mask, suspects: Mask, tolerance: float
    ) -> _Plan:
        """Go from grid to grid as far as points are known."""
        level = min(BASE_LEVEL, len(self._grids) - 1)
        grid = self._grids[level]
        used = np.zeros(self._shape, dtype=np.bool_)
        used[np.ix_(*grid)] = True
        filled = {name: _finite(array[np.ix_(*grid)], cliff=name in deciding) for name, array in z.items()}
        before = self._error_within(filled, deciding, level)
        active = np.ones([max(len(each) - 1, 1) for each in grid], dtype=np.bool_)
        for finer in self._grids[level + 1 :]:
            above = [parents(grid[axis], finer[axis]) for axis in range(len(grid))]
            at = np.ix_(*finer)
            new = corners_of(active[np.ix_(*above)], [len(each) for each in finer])
            new[places_in(grid, finer)] = False
            used[at] |= new
            if (used[at] & ~known[at]).any():
                return _Plan(used, {})
            error = np.zeros(new.shape)
            strange = np.zeros(new.shape, dtype=np.bool_)
            predicted = {}
            for name, coarse in filled.items():
                guess, measured = self._predict(coarse, grid, finer), z[name][at]
                if name in deciding:
                    error = np.maximum(error, np.where(new, _differences(guess, measured), 0.0))
                strange |= used[at] & ~np.isfinite(measured)
                predicted[name] = np.where(used[at], _finite(measured, cliff=name in deciding), guess)
            now = _typical(error[new])
            bad = (error * _rate(before, now) > tolerance) | strange
            active &= cells_with(bad, above, active.shape) | self._cells_with_suspects(suspects, grid)
            before = now
            filled, active, grid = predicted, active[np.ix_(*above)], finer
        return _Plan(used, filled)

    def _error_within(self, filled: Mapping[str, Floats], deciding: Sequence[str], level: int) -> float:
        """Return how well the grid one level coarser predicts a grid, all of which is measured."""
        if level == 0:
            return np.inf
        coarser, grid = self._grids[level - 1], self._grids[level]
        new = np.ones([len(each) for each in grid], dtype=np.bool_)
        new[places_in(coarser, grid)] = False
        found = [
            _differences(self._predict(filled[name][places_in(coarser, grid)], coarser, grid), filled[name])[new]
            for name in deciding
        ]
        return _typical(np.max(found, axis=0))

    def _predict(self, coarse: Floats, grid: Sequence[NDArray[np.intp]], finer: Sequence[NDArray[np.intp]]) -> Floats:
        for axis, (old, new) in enumerate(zip(grid, finer, strict=True)):
            points = self._coordinates[axis]
            coarse = spline_along(axis, points[old], coarse, points[new])
        return coarse

    def _cells_with_suspects(self, suspects: Mask, grid: Sequence[NDArray[np.intp]]) -> Mask:
        """Return which cells between the points of a grid hold a suspect."""
        cells = np.zeros([max(len(each) - 1, 1) for each in grid], dtype=np.bool_)
        found = np.nonzero(suspects)
        places = [
            np.clip(np.searchsorted(each, where, side="right") - 1, 0, max(len(each) - 2, 0))
            for each, where in zip(grid, found, strict=True)
        ]
        cells[tuple(places)] = True
        return cells


@dataclass(frozen=True)
class _Plan:
    used: Mask  # points that are interpolated from
    z: Mapping[str, Floats]  # heights everywhere; empty while points that are used are not known


def _typical(errors: Floats) -> float:
    """Return the error that 95 % of the points stay below, of those that are finite."""
    finite = errors[np.isfinite(errors)]
    return float(np.quantile(finite, 0.95)) if finite.size else np.inf


def _rate(before: float, now: float) -> float:
    """Return what halving the distances once more is expected to leave of an error; 1 where it did not fall."""
    return float(np.clip(now / before, BEST_RATE, 1.0)) if 0 < before < np.inf and now < np.inf else 1.0


def _differences(guess: Floats, measured: Floats) -> Floats:
    """Return errors of heights; infinite where what was measured is not finite."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(measured), np.abs(guess - measured), np.inf)


def _finite(heights: Floats, *, cliff: bool) -> Floats:
    """Return heights without holes: with a cliff there, so that no cell at its edge predicts, or what is nearest."""
    finite = np.isfinite(heights)
    if finite.all():
        return heights
    if not finite.any():
        return np.zeros_like(heights)
    if cliff:
        return np.where(finite, heights, heights[finite].max() + 1.0)
    from scipy.ndimage import distance_transform_edt  # needed only here

    nearest = distance_transform_edt(~finite, return_distances=False, return_indices=True)
    return np.asarray(heights[tuple(nearest)])


def _within(name: str, values: Floats) -> Floats:
    """Return values inside the range that a metric can have."""
    return np.clip(values, 0.0, 1.0) if name.endswith("/accuracy") else values
