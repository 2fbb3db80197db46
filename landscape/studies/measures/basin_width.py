r"""How wide a basin is along lines: the distance at which the loss has risen, or a score has fallen, by so much.

A line through theta* has two radii, one each way. Over many random directions their distribution is the basin's
*most-case* width; along the gradient and the sharpest direction it is the *worst-case* one, and the smaller of the two
ways counts. Both can differ by orders of magnitude, and neither stands for the other (Chen et al. [1]_, on language
models and on benchmark scores as well as losses).

References
----------
.. [1] Chen et al., "Unveiling the Basin-Like Loss Landscape in Large Language Models", ICLR 2026.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from landscape.errors import UsageError
from landscape.surface.grid import Floats
from landscape.surface.surface import Surface


@dataclass(frozen=True, eq=False)
class Radii:
    """Where lines leave a basin, each way."""

    values: Floats  # (2 * lines,): left and right of each, in units of the axis; inf where it is not on the line

    @property
    def beyond(self) -> float:
        """The share of ways that do not leave the basin on the line."""
        return float(np.isinf(self.values).mean())

    def quantile(self, share: float) -> float:
        """Return the radius that so many are below; NaN where it lies beyond what was measured.

        Examples
        --------
        >>> Radii(np.array([1.0, 2.0, np.inf])).quantile(0.5)
        2.0
        """
        # The lower of both neighbours and the upper one: a mean with what is not known is not known.
        ordered = np.sort(self.values)
        place = share * (len(ordered) - 1)
        low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
        if math.isinf(high) and (math.isinf(low) or place > math.floor(place)):
            return math.nan
        return float(low + (high - low) * (place - math.floor(place)))


def radii(surface: Surface, name: str, change: float) -> Radii:
    """Return where lines leave the basin about 0: the first crossing each way, linear between points.

    Parameters
    ----------
    surface : Surface
        A line or repeated lines; 0 is among its points.
    name : str
        "train/loss", or a score: "train/accuracy".
    change : float
        By how much the value at 0 has changed there: above 0 a rise, below 0 a fall. A value that is not finite has
        left the basin.

    Raises
    ------
    UsageError
        No line, no point at 0, or no change.
    """
    if len(surface.directions) != 1:
        raise UsageError(f"a width is measured along lines, this surface has {len(surface.directions)} directions")
    if change == 0:
        raise UsageError("a basin ends where the loss has risen: give a change that is not 0")
    x = surface.axes[0].values
    at = int(np.abs(x).argmin())
    if abs(x[at]) > 1e-9:
        raise UsageError(f"the line has no point at 0, the nearest is {x[at]:g}: use a range such as -1:1:41")
    lines = np.atleast_2d(surface[name])
    found = [_crossing(np.abs(x[way]), line[way], change) for line in lines for way in _ways(at, len(x))]
    return Radii(np.array(found))


def _ways(at: int, number: int) -> tuple[slice, slice]:
    return slice(at, None if at == number - 1 else number), slice(at, None, -1)


def _crossing(distance: Floats, values: Floats, change: float) -> float:
    with np.errstate(invalid="ignore"):
        risen = (values - values[0]) / change
    out = np.flatnonzero(~(risen[1:] < 1)) + 1  # NaN is out
    if not len(out):
        return math.inf
    last = int(out[0])
    before, after = risen[last - 1], risen[last]
    if not math.isfinite(after):
        return float(distance[last])
    part = (1 - before) / (after - before)
    return float(distance[last - 1] + part * (distance[last] - distance[last - 1]))
