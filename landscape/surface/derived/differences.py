r"""The difference between two networks on the same samples, point by point, with its error.

Two networks find the same samples hard, so their losses are off in the same way, and their difference is known better
than either. Where both values are estimates from anchors the files keep sketches of the residuals,
:math:`a_k = \sum_i s_{ik} e_i` with random signs s that are the same for all files
(`landscape.evaluation.anchors.regression.signs`), so that

.. math:: \mathrm{var}(L_2 - L_1) \approx \frac1K \sum_k \big( f_1 a_k^2 + f_2 b_k^2 - 2 \min(f_1, f_2)\, a_k b_k \big)

with f = 1 - n/N, the factor of a finite population. The interval is that of Student's distribution with as many degrees
of freedom as samples carry the values, or as the sketch has columns, whichever is less. Where there are no sketches the
half widths of both intervals add up, which holds whatever the two have in common, and so they do where losses of all
samples differ alike; where none or few of the samples are right in one and wrong in the other the interval goes by
their number (`landscape.surface.derived.unseen`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.errors import SurfaceMismatch
from landscape.surface.derived.intervals import FEWEST, effective_samples, half_widths, interval_factor
from landscape.surface.derived.unseen import NORMAL, counts_of, left_to_chance, reach, score_width, unlike_share_of
from landscape.surface.grid import Floats
from landscape.surface.surface import COMPUTED, Surface, sampling_factor

# Sums of residuals are kept in float32: what differs by no more than this share of them does not differ.
ROUNDING = 1e-5


@dataclass(frozen=True, eq=False)
class Difference:
    """The second surface less the first, of one value. Arrays have the grid's shape."""

    name: str  # "train/loss"
    values: Floats  # NaN where not both were measured
    half_widths: Floats  # of the 95 % interval; 0 where both are of all data, NaN where an error is not known
    at_most: NDArray[np.bool_]  # where the half width is the sum of two, since nothing is known of what they share
    at_start: float  # at theta* of each, NaN where not known
    half_width_at_start: float

    @property
    def higher(self) -> NDArray[np.bool_]:
        """Where the second is higher, by more than its interval."""
        return self.values > self.half_widths

    @property
    def lower(self) -> NDArray[np.bool_]:
        """Where the second is lower, by more than its interval."""
        return -self.values > self.half_widths


def difference(first: Surface, second: Surface, name: str) -> Difference:
    """Return how much higher a value is on the second of two surfaces, at equal coordinates.

    Parameters
    ----------
    first, second : Surface
        On the same grid, of the same samples. Their directions may be others, each around its own network.
    name : str
        Such as ``"train/loss"``.

    Raises
    ------
    SurfaceMismatch
        The grids, the samples or the losses are not the same.
    """
    _require_comparable(first, second, name)
    both = (first.state == COMPUTED) & (second.state == COMPUTED)
    with np.errstate(invalid="ignore"):  # of two that are infinite
        values = np.where(both, second[name] - first[name], np.nan)
    widths, at_most = _half_widths(first, second, name)
    starts = [_start(surface, name) for surface in (first, second)]
    return Difference(
        name, values, np.where(both, widths, np.nan), at_most & both, starts[1][0] - starts[0][0], _sum_of(starts)
    )


def standard_errors(first: Surface, second: Surface, name: str) -> Floats | None:
    """Return the standard error of the difference at each point, None where files do not say what values share.

    Then it is at most the sum of both errors, as it is at points where one of the two is not left to chance.

    Raises
    ------
    SurfaceMismatch
        As for `difference`.
    """
    _require_comparable(first, second, name)
    shared = _shared_errors(first, second, name)
    if shared is None or name not in first.stderr or name not in second.stderr:
        return None
    each = [_given(left_to_chance(surface, name)) for surface in (first, second)]
    known = np.isfinite(shared) & (each[0] > 0) & (each[1] > 0) & (shared > 0)
    return np.where(known, np.maximum(shared, _least(first, second, name) / NORMAL), each[0] + each[1])


def _half_widths(first: Surface, second: Surface, name: str) -> tuple[Floats, NDArray[np.bool_]]:
    each = [half_widths(surface, name) for surface in (first, second)]
    if each[0] is None or each[1] is None:
        return np.full(first.shape, np.nan), np.zeros(first.shape, dtype=np.bool_)
    sums, by_chance = each[0] + each[1], (each[0] > 0) & (each[1] > 0)
    shared = _shared_errors(first, second, name)
    if shared is None:
        return sums, by_chance
    freedom = np.full(first.shape, _columns(first, name) + 1.0)
    for number in (effective_samples(surface, name) for surface in (first, second)):
        freedom = freedom if number is None else np.fmin(freedom, number)
    widths = interval_factor(freedom) * shared
    # Where few samples differ they are counted, and where none does some of the others may.
    counts, left = _fewer(first, second, name), _left(first, second, name)
    with np.errstate(all="ignore"):
        squares = (shared / left) ** 2 * counts * (counts - 1)
        few = _bounded(first, second, name) & (squares < FEWEST)
        widths = np.where(few, score_width(squares, np.maximum(counts, 1), left), widths)
    widths = np.maximum(widths, _least(first, second, name))
    # Where one of them is of all data its file's own interval is no approximation. Where no sample differs, of values
    # that nothing bounds, nothing is known of those that may.
    known = np.isfinite(widths) & by_chance & (widths > 0)
    return np.where(known, widths, sums), by_chance & ~known


def _shared_errors(first: Surface, second: Surface, name: str) -> Floats | None:
    """Return the difference's standard error by what sketches say, None where not both files have them."""
    a, b = (_sketch(surface, name) for surface in (first, second))
    if a is None or b is None or a.shape != b.shape:
        return None
    left = [(sampling_factor(surface, name) ** 2)[..., None] for surface in (first, second)]
    squares = left[0] * a**2 + left[1] * b**2 - 2 * np.minimum(left[0], left[1]) * a * b
    own = np.sqrt((left[0] * a**2).mean(axis=-1))
    shared = np.sqrt(np.maximum(squares.mean(axis=-1), 0.0))
    # Where all residuals are the same what is left is the rounding of sums that files keep in float32.
    return np.asarray(np.where(shared <= ROUNDING * own, 0.0, shared))


def _least(first: Surface, second: Surface, name: str) -> Floats:
    """Return how far off a difference may be where no sample shows one: 0 where nothing bounds it, or not known."""
    shares = [unlike_share_of(surface, name) for surface in (first, second)]
    return np.where(_bounded(first, second, name), np.nan_to_num(np.maximum(*shares)), 0.0)


def _bounded(first: Surface, second: Surface, name: str) -> NDArray[np.bool_]:
    return np.isfinite(reach(first, name)) & np.isfinite(reach(second, name))


def _fewer(first: Surface, second: Surface, name: str) -> Floats:
    return np.minimum(counts_of(first, name), counts_of(second, name))


def _left(first: Surface, second: Surface, name: str) -> Floats:
    return np.maximum(sampling_factor(first, name), sampling_factor(second, name))


def _given(array: Floats | None) -> Floats:
    assert array is not None  # of a name that has standard errors
    return array


def _columns(surface: Surface, name: str) -> int:
    sketch = _sketch(surface, name)
    return 0 if sketch is None else sketch.shape[-1]


def _sketch(surface: Surface, name: str) -> Floats | None:
    data, _, metric = name.partition("/")
    there = surface.anchors.get(data)
    array = None if there is None else there.sketches.get(metric)
    if array is None or len(array) != math.prod(surface.shape):
        return None
    return array.astype(np.float64).reshape(*surface.shape, -1)


def _start(surface: Surface, name: str) -> tuple[float, float]:
    """Return a value at theta* and the half width of its interval, NaN where that is not known."""
    data = name.partition("/")[0]
    value = _mapping(surface.origin.get("values")).get(name)
    anchors, entry = surface.anchors.get(data), _mapping(_mapping(surface.problem.get("data")).get(data))
    places = [np.flatnonzero(axis.values == 0) for axis in reversed(surface.directions)]
    width = math.nan
    if (anchors is not None and (anchors.points == -1).any()) or entry.get("samples") == entry.get("size") is not None:
        width = 0.0
    elif (found := half_widths(surface, name)) is not None and surface.repeats == 1 and all(map(len, places)):
        width = float(found[tuple(int(place[0]) for place in places)])
    return (float(value) if isinstance(value, int | float) else math.nan), width


def _sum_of(starts: list[tuple[float, float]]) -> float:
    return starts[0][1] + starts[1][1]


def _require_comparable(first: Surface, second: Surface, name: str) -> None:
    data = name.partition("/")[0]
    found = []
    if first.shape != second.shape or any(
        one.kind != other.kind or not np.array_equal(one.values, other.values)
        for one, other in zip(first.axes, second.axes, strict=True)
    ):
        found.append("their grids are not the same")
    for surface in (first, second):
        if name not in surface.values:
            found.append(f"{surface.path or surface.title} has no {name}")
    one, other = (_mapping(_mapping(surface.problem.get("data")).get(data)) for surface in (first, second))
    if one.get("size") != other.get("size"):
        found.append(f"{data} has {one.get('size')} samples in one and {other.get('size')} in the other")
    keys = {"loss": "loss", "sample_seed": "sample seed", "normalize": "normalisation"}
    for key, words in keys.items():
        if first.problem.get(key) != second.problem.get(key):
            found.append(f"their {words} is {first.problem.get(key)} and {second.problem.get(key)}")
    prints, counted = (
        [_mapping(surface.origin.get(key)).get(data) for surface in (first, second)]
        for key in ("fingerprints", "fingerprint_samples")
    )
    if counted[0] == counted[1] and prints[0] != prints[1]:
        found.append(f"the samples of {data} are not the same")
    if found:
        raise SurfaceMismatch(
            f"{first.path or first.title} and {second.path or second.title} cannot be compared: {'; '.join(found)}. "
            "Measure both with the same --x, --y, --data, --loss and --sample-seed"
        )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
