r"""What samples that are all alike leave to chance: what none of them shows.

Where every sample of a subset is right its accuracy scatters by nothing, and its standard error, made of that scatter,
is 0; but of the data that were not measured some may be wrong. The same holds where estimates from anchors leave no
residual, and where no sample differs between two networks. If a share p of N data were unlike the n samples drawn from
them, none would be drawn with probability below :math:`(1 - n/N)^{pN}`, so that with 95 % confidence

.. math:: p \le \frac{\log 0.05}{N \log(1 - n/N)}

which of endless data is the rule of three, :math:`p \le 3/n` [1]_. A value in [0, 1] is off by no more than p then. Of
a loss it follows that no more than p of the data are unlike, but not by how much: its error is not known.

Where a few samples show it, a scatter of :math:`E = \sum e^2 < 5` in all, an interval of a value in [0, 1] is as wide
as about the longer side of Wilson's [2]_, whose denominators are left out:

.. math:: n w = \frac{z^2 f}{2} + \sqrt{z^2 f E + \frac{z^4 f^2}{4}}, \quad f = 1 - n/N

Of ones and zeros :math:`E = n p (1 - p)`, a little less than the number of those unlike the others, which is up to five
then; five are not counted so where a file says that at least five samples carry the mean. From 1,000 samples on the
width is Wilson's to 1 %; of fewer it is wider, of 100 by 4 to 7 %.

Where anchors leave nothing of samples that do scatter among themselves, as of a quadratic loss or of units that are
dead for all of them, those unlike are taken to be off by as much as the samples scatter
(`landscape.evaluation.anchors.book`), which is an assumption and no bound.

Of every possible accuracy of 1,437 and of 10,000 data, from 100 to 1,000 of them, intervals hold in 93.8 % of draws and
more, nearly always where no more than a few in a thousand are wrong: so few are counted that no interval holds in 95 %.

References
----------
.. [1] Hanley, Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA 249, 1983, 1743-1745.
.. [2] Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
       Statistical Association 22, 1927, 209-212.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscape.surface.anchors import AT_ORIGIN
from landscape.surface.grid import Axis, Floats, grid_shape
from landscape.surface.statistics import ROUNDING
from landscape.surface.surface import Surface, sampling_factor

# Of a normal distribution, 95 %.
NORMAL = 1.959964
# How far above 1 rounding takes a mean of values that are at most 1, and above what values are on another scale.
ABOVE_ONE, _OTHER_SCALE = 1e-6, 2.0


def unlike_share(count: ArrayLike, size: float = math.inf) -> Floats:
    """Return which share of the data may be unlike samples that are all alike, with 95 % confidence.

    Parameters
    ----------
    count : array of int
        How many samples are known; NaN where that is not known, of which no share is either.
    size : float
        How many all data are; infinite where that is not known.

    Examples
    --------
    >>> unlike_share([1000, 10_000], 10_000).round(5)
    array([0.00284, 0.     ])
    """
    number = np.asarray(count, dtype=np.float64)
    with np.errstate(all="ignore"):
        if not math.isfinite(size):
            found = -math.log(0.05) / number
        else:
            found = math.log(0.05) / (size * np.log1p(-np.minimum(number / size, 1.0)))
    return np.asarray(np.where(number <= 0, 1.0, np.minimum(found, 1.0)))


def reach(surface: Surface, name: str) -> Floats:
    """Return how far apart two samples' values can be at each point: 1 of an accuracy, infinite where nothing says so.

    Nothing does where a mean is above 1, but for rounding, nor anywhere on a surface of which one is far above it: its
    accuracies are in percent, and half a percent is no half.
    """
    values = surface.values.get(name)
    if values is None or not name.endswith("/accuracy"):
        return np.full(surface.shape, math.inf)
    above = np.nan_to_num(values)
    return np.where((above > 1.0 + ABOVE_ONE) | (above > _OTHER_SCALE).any(), math.inf, 1.0)


def scatters_by_nothing(error: ArrayLike, value: ArrayLike, count: ArrayLike) -> NDArray[np.bool_]:
    """Return where samples are all alike, but for rounding: by a mean's standard error s / sqrt(n), and the mean."""
    with np.errstate(invalid="ignore"):
        scatter = np.asarray(error) * np.sqrt(np.asarray(count, dtype=np.float64))
        return np.asarray(scatter <= ROUNDING * np.abs(np.nan_to_num(np.asarray(value))))


def all_alike(surface: Surface, name: str, *, paired: bool = False) -> NDArray[np.bool_]:
    """Return at which points samples, or what anchors leave of them, are all alike, though more data are there.

    Of ``paired`` values their differences to theta*. At theta* itself there is nothing that could be unlike, where all
    data are known there, nor is there of differences.
    """
    error, count = (surface.paired_stderr if paired else surface.stderr)[name], counts_of(surface, name)
    found = scatters_by_nothing(error, surface.values[name], count) & (sampling_factor(surface, name) > 0) & (count > 1)
    return found & ~_known_at_start(surface, name, paired=paired)


def uncounted(surface: Surface, name: str, *, paired: bool = False) -> NDArray[np.bool_]:
    """Return at which points an error of 0 says nothing, as a file does not say of how many samples it is."""
    if name.partition("/")[0] in surface.counts:
        return np.zeros(surface.shape, dtype=np.bool_)
    error = (surface.paired_stderr if paired else surface.stderr)[name]
    return scatters_by_nothing(error, surface.values[name], 1) & ~_known_at_start(surface, name, paired=paired)


def _known_at_start(surface: Surface, name: str, *, paired: bool) -> NDArray[np.bool_]:
    """Return where theta* is, if nothing is left to chance there: of differences, and where an anchor has all data."""
    anchors = surface.anchors.get(name.partition("/")[0])
    if paired or (anchors is not None and (anchors.points == AT_ORIGIN).any()):
        return at_start(surface.axes)
    return np.zeros(surface.shape, dtype=np.bool_)


def alike_text(points: int, what: str, share: float, most: float) -> str:
    """Return what samples that are all alike leave open: at how many points, and by how much others may be unlike.

    Parameters
    ----------
    points : int
    what : str
        Such as ``"samples are"``.
    share : float
        See `unlike_share`.
    most : float
        The greatest `reach` there.
    """
    unknown = "" if math.isfinite(most) else ", by how much is not known"
    where = f"{points:,} {'point' if points == 1 else 'points'}"
    return f"at {where} all {what} alike: up to {100 * share:.2g} % of the data may be unlike them{unknown}"


def at_start(axes: Sequence[Axis]) -> NDArray[np.bool_]:
    """Return which points of a grid are theta* itself, shape of the grid."""
    found = np.ones(grid_shape(axes), dtype=np.bool_)
    for number, axis in enumerate(axes):
        if axis.kind == "direction":
            along = [1] * len(axes)
            along[len(axes) - 1 - number] = -1
            found &= (axis.values == 0).reshape(along)
    return found


def left_to_chance(surface: Surface, name: str, *, paired: bool = False) -> Floats | None:
    """Return each value's standard error, with what is left to chance where all samples are alike.

    Times sqrt(1 - n/N) for n of N samples, and of an accuracy no less than goes with `unlike_share`; NaN where samples
    are all alike and nothing bounds what others may be, or their number is not known. Where that is not known, errors
    above 0 are as they were.

    Parameters
    ----------
    surface : Surface
    name : str
        Such as ``"train/loss"``.
    paired : bool
        Of the differences to theta*.

    Returns
    -------
    ndarray of the grid's shape, or None
        None where no standard error is known.
    """
    error = (surface.paired_stderr if paired else surface.stderr).get(name)
    if error is None:
        return None
    left = sampling_factor(surface, name)
    with np.errstate(invalid="ignore"):  # an infinite error of all samples
        found = np.where(left > 0, error * left, 0.0 * error)
    alike, bounded = all_alike(surface, name, paired=paired), np.isfinite(reach(surface, name))
    least = unlike_share_of(surface, name) / NORMAL
    found = np.where(bounded & (left > 0) & (alike | (found > 0)), np.fmax(found, least), found)
    return np.asarray(np.where((alike & ~bounded) | uncounted(surface, name, paired=paired), np.nan, found))


def unlike_share_of(surface: Surface, name: str) -> Floats:
    """Return `unlike_share` at each point."""
    entry = _mapping(_mapping(surface.problem.get("data")).get(name.partition("/")[0]))
    size = entry.get("size")
    return unlike_share(counts_of(surface, name), size if isinstance(size, int) and size > 0 else math.inf)


def score_width(squares: ArrayLike, count: ArrayLike, left: ArrayLike) -> Floats:
    """Return half the width of a score interval of a mean of values in [0, 1] of which few are unlike the others.

    Parameters
    ----------
    squares : array of float
        The sum of squared deviations.
    count : array of int
    left : array of float
        sqrt(1 - n/N).

    Examples
    --------
    >>> score_width([0.0, 1.0, 4.0], 1000, 1.0).round(5)
    array([0.00384, 0.00466, 0.00629])
    """
    shares = NORMAL**2 * np.asarray(left, dtype=np.float64) ** 2
    return np.asarray((shares / 2 + np.sqrt(shares * np.asarray(squares) + shares**2 / 4)) / np.asarray(count))


def counts_of(surface: Surface, name: str) -> Floats:
    """Return of how many samples each point is; NaN where a file does not say."""
    counts = surface.counts.get(name.partition("/")[0])
    return np.full(surface.shape, np.nan) if counts is None else counts.astype(np.float64)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
