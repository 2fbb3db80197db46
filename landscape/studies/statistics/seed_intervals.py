r"""Intervals over seeds: what other seeds of the same recipe would be expected to show.

The unit is a seed, a network trained from other random numbers. Several directions at one network are nested in it:
they make its own number, a median or a mean over them, better known and add no seed, so an interval has as many
degrees of freedom as there are seeds less one, however many directions were drawn. What their draw adds to a seed's
number is in the spread over seeds.

Intervals of means are Student's, of correlations Fisher's [1]_. What is not finite was not measured: it is left out and
counted.

References
----------
.. [1] Fisher, "On the probable error of a coefficient of correlation deduced from a small sample", Metron 1, 1921.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special  # scipy.stats, which has the same, takes a second to load

from landscape.errors import UsageError
from landscape.surface.grid import Floats
from landscape.surface.statistics import spread

LEVEL = 0.95


@dataclass(frozen=True)
class SeedInterval:
    """A mean over seeds, and where the mean of all seeds is expected."""

    estimate: float
    low: float  # ends of the interval of 95 %; NaN for one seed, and where all are equal
    high: float
    seeds: int  # that were measured
    deviation: float  # standard deviation over seeds; NaN for one
    left_out: int = 0  # seeds without a finite value

    @property
    def with_ends(self) -> tuple[float, float, float]:
        """Mean, lower and upper end."""
        return self.estimate, self.low, self.high


@dataclass(frozen=True)
class Correlation:
    """How two numbers of the same networks go together."""

    estimate: float  # Pearson's r
    low: float  # ends of its interval of 95 %, by Fisher's transformation; NaN for under four networks
    high: float
    rank: float  # Spearman's
    p_value: float  # of no correlation, two-sided
    networks: int
    groups: int  # variants whose means were taken out; 1 where only the common one was


def seed_interval(values: ArrayLike, *, level: float = LEVEL) -> SeedInterval:
    """Return the mean over seeds with Student's interval.

    There is none where all seeds have the same value: nothing says how far others would be.

    Parameters
    ----------
    values : array of float, shape (seeds,)
        One value a seed; those that are not finite are left out and counted.
    level : float
        How often the interval holds.

    Examples
    --------
    >>> found = seed_interval([1.0, 2.0, 3.0])
    >>> round(found.estimate, 2), round(found.low, 2), round(found.high, 2)
    (2.0, -0.48, 4.48)
    """
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 1:
        raise UsageError(f"one value a seed is expected, got an array of shape {given.shape}")
    known = given[np.isfinite(given)]
    left_out = len(given) - len(known)
    if not len(known):
        return SeedInterval(math.nan, math.nan, math.nan, 0, math.nan, left_out)
    estimate = float(known.mean())
    if len(known) < 2:
        return SeedInterval(estimate, math.nan, math.nan, 1, math.nan, left_out)
    deviation = spread(known)
    if not deviation:
        return SeedInterval(estimate, math.nan, math.nan, len(known), 0.0, left_out)
    reach = float(special.stdtrit(len(known) - 1, (1 + level) / 2)) * deviation / math.sqrt(len(known))
    return SeedInterval(estimate, estimate - reach, estimate + reach, len(known), deviation, left_out)


def correlation(x: ArrayLike, y: ArrayLike, groups: Sequence[str] | None = None) -> Correlation:
    """Return how two numbers of the same networks go together.

    Parameters
    ----------
    x, y : array of float, shape (networks,)
        Networks without both are left out.
    groups : sequence of str, optional
        Each network's variant: the correlation is then that within variants, each variant's means taken out, so that a
        difference between two recipes does not pass for a law that holds between their networks.

    Raises
    ------
    UsageError
        The numbers of values differ.

    Examples
    --------
    >>> found = correlation([1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 3.0, 2.0, 5.0, 4.0])
    >>> round(found.estimate, 2), round(found.low, 2), round(found.high, 2), found.networks
    (0.8, -0.28, 0.99, 5)
    """
    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1 or (groups is not None and len(groups) != len(first)):
        raise UsageError(f"a correlation needs as many values of both, got shapes {first.shape} and {second.shape}")
    from scipy import stats

    known = np.isfinite(first) & np.isfinite(second)
    first, second = first[known], second[known]
    named = np.array(groups if groups is not None else [""] * len(known), dtype=object)[known]
    sizes = [float(np.abs(each).max(initial=0.0)) for each in (first, second)]
    first, second, number = _centred(first, second, named)
    # Each variant's mean that is taken out costs a degree of freedom; the common one is in the formulas already.
    counted = len(first) - (number - 1)
    if counted < 3 or not (spread(first, sizes[0]) and spread(second, sizes[1])):
        return Correlation(math.nan, math.nan, math.nan, math.nan, math.nan, len(first), number)
    estimate = float(np.clip(np.corrcoef(first, second)[0, 1], -1, 1))
    rank = float(stats.spearmanr(first, second).statistic)
    with np.errstate(divide="ignore"):
        scaled = estimate * math.sqrt(counted - 2) / np.sqrt(1 - estimate**2)
    p_value = float(2 * special.stdtr(counted - 2, -abs(scaled)))
    low = high = math.nan
    if counted > 3:
        with np.errstate(divide="ignore"):
            middle = float(np.arctanh(estimate))
        reach = float(special.ndtri((1 + LEVEL) / 2)) / math.sqrt(counted - 3)
        low, high = math.tanh(middle - reach), math.tanh(middle + reach)
    return Correlation(estimate, low, high, rank, p_value, len(first), number)


def _centred(x: Floats, y: Floats, groups: np.ndarray) -> tuple[Floats, Floats, int]:
    """Return both without the means of their groups, and of how many groups there were."""
    names = sorted(set(groups.tolist()))
    if len(names) < 2:
        return x, y, 1
    x, y = x.copy(), y.copy()
    for name in names:
        of_it = groups == name
        x[of_it] -= x[of_it].mean()
        y[of_it] -= y[of_it].mean()
    return x, y, len(names)
