"""Which points of a grid have to be measured so that the others can be interpolated, and how wrong that is.

Interpolated is in the picture's own heights z = log(L + eps), by `landscape.evaluation.scattered`, from whatever points
are measured. How wrong that is at a point that is not can be told from the measured ones around it: each is predicted
from the others, as if it had not been measured, and that error, times the square of how much nearer the point is to its
neighbours, is expected here; the largest of the nearest counts. Points are measured coarse to fine (bisecting index
ranges, `landscape.surface.grid.axis_levels`; of one level the middles of cells before those of their sides), wherever
the expected error is above the tolerance. On a rough surface errors do not fall, and it ends fully measured. Losses
decide; of other metrics only where they do not exist, since no value is interpolated beside points that have none.

At the end some interpolated points are drawn at random and measured: their largest error is the stated one, or, of more
of them, the second largest where that alone is above the tolerance. They decide nothing but whether it is good enough,
and are not interpolated from. By Wilks [1]_ the largest error of enough points is, with 95 % confidence, at least that
of 95 % of the points still interpolated, whatever its distribution. A line has too few points for that: there it is at
least the error of 95 % of all its points, the measured ones included. Where it is not good enough the drawn points are
interpolated from like all others, and further ones are drawn from what is left: a surface that is tried again and again
would else pass at last by a lucky draw, so each draw is larger than the one before. The chances that a draw misleads
add up to 5 % over all draws (`held_out_number`).

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

from landscape.evaluation.scattered import interpolate, nearest, predict_each
from landscape.surface.grid import Floats, axis_levels
from landscape.surface.heights import heights_of, scale_of_losses, values_of

Mask = NDArray[np.bool_]

# Level of bisection up to which everything is measured: five points an axis, so that one dip or ridge in the middle
# of a picture is not missed.
BASE_LEVEL = 2
# An error falls at least with this power of the distance to what is known: with a higher one more rough surfaces, such
# as those of networks with few samples, turned out to be off by more than was expected.
ORDER = 2
# Share of the interpolated points, or of a line's points, that may be further off than the stated error.
BEYOND = 0.05
# Chance that an attempt misleads: of the first, and of all the later ones together.
FIRST_RISK, LATER_RISK = 0.03, 0.02
# Shares of that by how many of the points held out are off by more than the tolerance: none, or, of more points, one.
RISKS = (2 / 3, 1 / 3)
# What the tolerance of expected errors is multiplied by after a draw that was not good enough. Where values scatter, as
# estimates from samples do, 0.7 had 711 of 2,601 points measured and this 601 (ResNet-20, 10,000 images, 2 % in all).
STRICTER = 0.85
# Where this share of all points or less would be interpolated in the end, all are measured.
WORTH_IT = 0.1


@dataclass(frozen=True)
class Heights:
    """How values become the heights that are interpolated, and their errors."""

    kind: str  # log, asinh or linear, see `landscape.surface.heights`
    eps: float

    @classmethod
    def of(cls, name: str, values: Floats) -> Heights:
        """Return what suits the values called ``"DATA/METRIC"`` measured on a coarse grid."""
        return cls(*scale_of_losses(values)) if name.endswith("/loss") else cls("linear", 0.0)

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
    beyond: int = 0  # so many of the held-out points are beyond what bounds 95 % of all

    def bound(self, name: str) -> float:
        """Return what bounds the errors of 95 % of the points; 0 where nothing was interpolated."""
        errors = np.sort(self.errors[name])
        return float(errors[-1 - self.beyond]) if errors.size else 0.0

    @property
    def loss_error(self) -> float:
        """The largest of the losses' bounds."""
        return max((self.bound(name) for name in self.errors if name.endswith("/loss")), default=0.0)


@dataclass(frozen=True)
class Checked:
    """Heights of a grid that is good enough, and the errors that say so."""

    filled: Mapping[str, Floats]
    errors: Mapping[str, Floats]
    beyond: int


def describe_interpolation(filled: Filled, tolerance: float | None) -> dict[str, Any] | None:
    """Return what ``Surface.quality`` says of it, as JSON; None where nothing was interpolated."""
    if not filled.interpolated.any():
        return None
    return {
        "tolerance": tolerance,
        "method": "polyharmonic splines of the heights z through the nearest points measured",
        "bounds": "95 % of all points" if filled.interpolated.ndim == 2 else "95 % of the points interpolated",
        "held_out": max((len(errors) for errors in filled.errors.values()), default=0),
        "errors": {
            name: {
                "kind": filled.heights[name].kind,
                "eps": filled.heights[name].eps,
                "median": _number(float(np.median(errors))),
                "largest": _number(float(errors.max())),
                "bound": _number(filled.bound(name)),
            }
            for name, errors in filled.errors.items()
        },
    }


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None


def base_points(coordinates: Sequence[Floats]) -> Mask:
    """Return which points of a grid, shape (..., ny, nx), are measured before anything is decided."""
    mask = np.zeros(tuple(len(each) for each in reversed(coordinates)), dtype=np.bool_)
    mask[np.ix_(*(axis_levels(number) <= BASE_LEVEL for number in mask.shape))] = True
    return mask


def held_out_number(left: int, attempt: int, beyond: int | None = None, *, larger: int = 0) -> int:
    r"""Return how many of the points left have to be drawn so that the largest of their errors can be stated.

    Or the second largest: all but so many as are ``larger``, m. With n drawn of N at random, more than ``beyond`` of
    the others have larger errors than that only where of the k = beyond + 1 + m largest errors at most m are drawn; not
    given, ``beyond`` is 5 % of N - n. The chance of that is

    .. math:: \sum_{j=0}^m \binom{k}{j} \binom{N - k}{n - j} \Big/ \binom{N}{n}

    and n is the smallest number for which it is at most a risk: 3 % at the first attempt, one percent at the second,
    and half as much at each further one, 5 % over all of them; two thirds of each for m = 0 and one third for m = 1.

    Examples
    --------
    >>> held_out_number(2000, attempt=0), held_out_number(2000, attempt=0, larger=1)
    (78, 133)
    """
    risk = (FIRST_RISK if attempt == 0 else LATER_RISK / 2**attempt) * RISKS[larger]
    for number in range(left):
        others = left - number
        most = int(BEYOND * others if beyond is None else beyond) + 1
        if most > others or _few_drawn(left, number, most + larger, larger) <= risk:
            return number
    return left


def _few_drawn(left: int, drawn: int, largest: int, most: int) -> float:
    """Return how likely at most so many of the largest are among those drawn: hypergeometric."""
    there = np.arange(max(0, drawn + largest - left), min(most, drawn) + 1)
    ways = _log_ways(largest, there) + _log_ways(left - largest, drawn - there) - _log_ways(left, np.array(drawn))
    return float(np.exp(ways).sum())


def _log_ways(total: int, chosen: NDArray[np.int64]) -> Floats:
    from scipy.special import gammaln  # needed only here

    return np.asarray(gammaln(total + 1) - gammaln(chosen + 1) - gammaln(total - chosen + 1))


def visiting_levels(numbers: Sequence[int]) -> NDArray[np.intp]:
    """Return in which step from coarse to fine each point of a grid comes, shape of the grid.

    A level of bisection is a step an axis: the middles of cells first, which halve all axes, those of sides last.

    Examples
    --------
    >>> visiting_levels([3, 3])
    array([[0, 2, 0],
           [2, 1, 2],
           [0, 2, 0]])
    """
    levels = np.stack(np.meshgrid(*(axis_levels(number) for number in numbers), indexing="ij"))
    finest = levels.max(axis=0)
    halved = (levels == finest).sum(axis=0)
    return np.asarray(np.where(finest > 0, len(numbers) * finest - (halved - 1), 0))


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
        self._coordinates = [np.asarray(each, dtype=np.float64) for each in coordinates]
        self._tolerance, self._seed = tolerance, seed
        self._shape = tuple(len(each) for each in reversed(self._coordinates))
        # In these units every picture is a square: an axis from 0 to 1.
        scaled = [(each - each[0]) / (each[-1] - each[0] or 1.0) for each in reversed(self._coordinates)]
        self._places = np.stack(np.meshgrid(*scaled, indexing="ij"), axis=-1).reshape(-1, len(scaled))
        self._levels = visiting_levels(self._shape)
        # How far each attempt came, by repetition: points interpolated from, and the step they belong to.
        self._reached: dict[tuple[int, int], tuple[Mask, int]] = {}

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
        base = np.broadcast_to(base_points(self._coordinates), known.shape)
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
        tolerance = self._tolerance
        used = base
        for attempt in range(64):
            used = np.stack(
                [
                    self._refine((r, attempt), {name: z[name][r] for name in z}, deciding, known[r], used[r], tolerance)
                    for r in range(len(known))
                ]
            )
            if (used & ~known).any():
                return np.asarray(used & ~known)
            found = self._checked(z, deciding, known, used, attempt)
            if found is None:
                break
            if isinstance(found, Checked):
                back = {name: _within(name, heights[name].back(found.filled[name])) for name in z}
                kept = {name: np.where(known, array, back.get(name, np.nan)) for name, array in values.items()}
                return Filled(kept, ~known, found.errors, heights, found.beyond)
            if (found & ~known).any():
                return np.asarray(found & ~known)
            # These have now decided something: they count as measured like any other, and further ones are drawn.
            used, tolerance = used | found, tolerance * STRICTER
        if not known.all():
            return ~known
        return Filled(dict(values), ~known, {name: np.zeros(0) for name in z}, heights)

    def _checked(
        self, z: Mapping[str, Floats], deciding: Sequence[str], known: Mask, used: Mask, attempt: int
    ) -> Mask | Checked | None:
        """Return the grid as it is interpolated, if it is good enough, else points that say so.

        They are to be measured, or known and the grid is not good enough. None where hardly any would be left.
        """
        left, held_out = ~used, ~known
        beyond = int(BEYOND * known.size) if len(self._shape) == 1 else None
        for larger in range(len(RISKS)):
            number = held_out_number(int(left.sum()), attempt, beyond, larger=larger)
            if left.sum() - number <= WORTH_IT * known.size:
                return held_out if larger else None
            held_out = self._draw(left, number, attempt)
            if (held_out & ~known).any():
                return held_out
            filled = self._fill(z, deciding, used)
            errors = {name: _differences(filled[name][held_out], z[name][held_out]) for name in z}
            strange = [np.where(np.isfinite(each), 0.0, np.inf) for each in errors.values()]
            worst = np.max([*(errors[name] for name in deciding), *strange], axis=0)
            beyond_it = (worst > self._tolerance).sum() if np.isfinite(worst).all() else len(RISKS)
            if beyond_it <= larger:
                return Checked(filled, errors, larger)
            if beyond_it >= len(RISKS):
                break  # more of them would not do either
        return held_out

    def _draw(self, left: Mask, number: int, attempt: int) -> Mask:
        """Return points drawn by chance, fewer being the first of more."""
        chosen = np.zeros(left.shape, dtype=np.bool_)
        generator = np.random.default_rng([self._seed, attempt, int(left.sum())])
        chosen.flat[generator.permutation(np.flatnonzero(left))[:number]] = True
        return chosen

    def _refine(
        self,
        at: tuple[int, int],
        z: Mapping[str, Floats],
        deciding: Sequence[str],
        known: Mask,
        used: Mask,
        tolerance: float,
    ) -> Mask:
        """Return the points to interpolate from: those given, and coarse to fine, as far as they are known, others."""
        used, level = self._reached.get(at, (used, 0))
        while level <= self._levels.max():
            if (used & ~known).any():
                return used
            self._reached[at] = used, level
            due = ~used & (self._levels <= level)
            due &= due.any() and self._expected_errors(z, deciding, used, due) > tolerance
            # What is new says more of what was near enough before: a level is left when nothing in it is to be done.
            used, level = used | due, level + (not due.any())
        return used

    def _expected_errors(self, z: Mapping[str, Floats], deciding: Sequence[str], used: Mask, due: Mask) -> Floats:
        """Return how far off the heights of losses would be at points, 0 elsewhere; infinite beside what is missing."""
        nodes, points = self._places[used.reshape(-1)], self._places[due.reshape(-1)]
        known = np.stack([_finite(z[name][used], nodes, cliff=True) for name in deciding], axis=-1)
        off = np.abs(predict_each(nodes, known) - known).max(axis=-1)
        missing = np.any([~np.isfinite(array[used]) for array in z.values()], axis=0)
        apart = nearest(nodes, nodes, 1, others=True)[0][:, 0]
        distances, beside = nearest(nodes, points, 2 * len(self._shape))
        expected = (off[beside] * (distances[:, :1] / apart[beside]) ** ORDER).max(axis=1)
        errors = np.zeros(self._shape)
        errors[due] = np.where(missing[beside].any(axis=1), np.inf, expected)
        return errors

    def _fill(self, z: Mapping[str, Floats], deciding: Sequence[str], used: Mask) -> dict[str, Floats]:
        """Return heights at all points, from those used."""
        filled = {name: np.where(used, array, np.nan) for name, array in z.items()}
        for r, there in enumerate(used):
            nodes, points = self._places[there.reshape(-1)], self._places[~there.reshape(-1)]
            known = [_finite(array[r][there], nodes, cliff=name in deciding) for name, array in z.items()]
            found = interpolate(nodes, np.stack(known, axis=-1), points)
            for name, column in zip(z, found.T, strict=True):
                filled[name][r][~there] = column
        return filled


def _differences(guess: Floats, measured: Floats) -> Floats:
    """Return errors of heights; infinite where what was measured is not finite."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(measured), np.abs(guess - measured), np.inf)


def _finite(heights: Floats, places: Floats, *, cliff: bool) -> Floats:
    """Return heights without holes: with a cliff there, so that nothing at its edge predicts, or what is nearest."""
    finite = np.isfinite(heights)
    if finite.all():
        return heights
    if not finite.any():
        return np.zeros_like(heights)
    if cliff:
        return np.where(finite, heights, heights[finite].max() + 1.0)
    filled = heights.copy()
    filled[~finite] = heights[finite][nearest(places[finite], places[~finite], 1)[1][:, 0]]
    return filled


def _within(name: str, values: Floats) -> Floats:
    """Return values inside the range that a metric can have."""
    return np.clip(values, 0.0, 1.0) if name.endswith("/accuracy") else values
