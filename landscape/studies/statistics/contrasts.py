r"""Linear contrasts of variants over seeds, with one-sided p-values, and numbers with an interval of their own.

Where the variants share seeds, the contrast is taken seed by seed and tested by Student's one-sample test, which for
two variants is the paired test; else by Welch's test with Satterthwaite's degrees of freedom. Beside it stands the
exact test that flips signs of the contrasts [1]_, which knows no normal distribution but cannot give less than
:math:`2^{1-n}` for n seeds.

References
----------
.. [1] Fisher, "The Design of Experiments", 1935, Section 21.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special  # scipy.stats, which has the same, takes a second to load

from landscape.errors import UsageError
from landscape.studies.study import ALL
from landscape.surface.grid import Floats
from landscape.surface.statistics import spread

Values = Mapping[str, Mapping[int, float]]  # variant -> seed -> number

# Seeds up to which all 2^n signs are tried.
MOST_FLIPPED = 14
# Half an interval of 95 % of a normal distribution, in standard deviations.
_NORMAL = float(special.ndtri(0.975))


@dataclass(frozen=True)
class Contrast:
    """A linear combination of variants, over seeds."""

    estimate: float
    error: float  # its standard error; 0 or NaN where no spread is known
    freedom: float  # degrees of freedom
    seeds: int  # paired ones, or the fewest of a variant
    paired: Floats | None = None  # (seeds,): seed by seed, where seeds pair

    @property
    def known(self) -> bool:
        """Whether anything can be said: two seeds at least, and a spread."""
        return self.error > 0 and self.freedom >= 1

    @property
    def interval(self) -> tuple[float, float]:
        """The interval of 95 %; NaN where nothing is known of the spread."""
        if not self.known:
            return math.nan, math.nan
        reach = float(special.stdtrit(self.freedom, 0.975)) * self.error
        return self.estimate - reach, self.estimate + reach

    @property
    def deviation(self) -> float:
        """The spread of one seed's contrast."""
        return self.error * math.sqrt(self.seeds) if self.known else math.nan

    def above(self, bound: float) -> float:
        """Return the one-sided p-value for "the contrast is greater than this bound"."""
        return float(special.stdtr(self.freedom, (bound - self.estimate) / self.error)) if self.known else math.nan

    def below(self, bound: float) -> float:
        """Return the one-sided p-value for "the contrast is less than this bound"."""
        return float(special.stdtr(self.freedom, (self.estimate - bound) / self.error)) if self.known else math.nan


def contrast(weights: Mapping[str, float], values: Values) -> Contrast:
    """Return a linear combination of variants over seeds; numbers that are not finite count as not measured.

    Parameters
    ----------
    weights : mapping of str to float
        Variant -> factor. "all" is the mean of all variants of a seed, where there are no numbers of that name.
    values : mapping
        Variant -> seed -> number.

    Raises
    ------
    UsageError
        A variant has no numbers.

    Examples
    --------
    >>> found = contrast({"a": 1, "b": -1}, {"a": {0: 3.0, 1: 5.0}, "b": {0: 1.0, 1: 2.0}})
    >>> found.estimate, found.seeds, found.paired.tolist()
    (2.5, 2, [2.0, 3.0])
    """
    given = {name: _finite(_of(name, values)) for name in weights}
    if not weights or any(not each for each in given.values()):
        missing = [name for name, each in given.items() if not each]
        raise UsageError(f"there are no numbers of {', '.join(missing) or 'any variant'}")
    common = sorted(set.intersection(*(set(each) for each in given.values())))
    if len(common) >= 2 or len(given) == 1:
        parts = np.array([[w * given[name][seed] for name, w in weights.items()] for seed in common])
        paired = parts.sum(1)
        error = spread(paired, float(np.abs(parts).max())) / math.sqrt(len(paired))
        return Contrast(float(paired.mean()), error, len(paired) - 1, len(paired), paired)
    return _welch(weights, {name: np.array(list(each.values())) for name, each in given.items()})


@dataclass(frozen=True)
class OwnInterval:
    """A number with the interval of 95 % that it was measured with, taken for that of a normal distribution.

    An interval may reach further to one side: each side has its own standard error.
    """

    estimate: float
    low: float
    high: float
    seeds: int  # of the networks it was measured of

    @property
    def known(self) -> bool:
        """Whether there is an interval at all."""
        ends = (self.low, self.estimate, self.high)
        return all(map(math.isfinite, ends)) and self.low <= self.estimate <= self.high and self.low < self.high

    @property
    def interval(self) -> tuple[float, float]:
        """The interval of 95 %; NaN where there is none."""
        return (self.low, self.high) if self.known else (math.nan, math.nan)

    def above(self, bound: float) -> float:
        """Return the one-sided p-value for "the number is greater than this bound"."""
        return self._p(self.estimate - bound, self.estimate - self.low, self.high - self.estimate)

    def below(self, bound: float) -> float:
        """Return the one-sided p-value for "the number is less than this bound"."""
        return self._p(bound - self.estimate, self.high - self.estimate, self.estimate - self.low)

    def _p(self, beyond: float, towards: float, away: float) -> float:
        """Return the p-value for an estimate so far beyond a bound, with its reach on that side and the other."""
        if not self.known:
            return math.nan
        reach = towards if beyond > 0 else away
        if beyond == 0 or reach == 0:
            return 0.5 if beyond == 0 else float(beyond < 0)
        return float(special.ndtr(-beyond / reach * _NORMAL))

    def scaled(self, weight: float) -> OwnInterval:
        """Return so many times the number, for a weight above 0."""
        return OwnInterval(weight * self.estimate, weight * self.low, weight * self.high, self.seeds)


def sign_flip_test(differences: ArrayLike) -> float:
    """Return the exact two-sided p-value of "differences are as often above 0 as below", by all signs of their mean.

    Parameters
    ----------
    differences : array of float, shape (n,)
        Paired ones; n at most 14.

    Examples
    --------
    >>> sign_flip_test([1.0, 2.0, 3.0])
    0.25
    """
    given = np.asarray(differences, dtype=np.float64)
    if not 1 <= len(given) <= MOST_FLIPPED:
        raise UsageError(f"all signs of {len(given)} differences cannot be tried, 1 to {MOST_FLIPPED} can")
    bits = (np.arange(2 ** len(given))[:, None] >> np.arange(len(given))) & 1
    sums = np.abs((1.0 - 2.0 * bits) @ given)
    # Sums that are equal but for rounding are equal.
    return float(np.mean(sums >= abs(given.sum()) * (1 - 1e-9) - 1e-300))


def _of(name: str, values: Values) -> Mapping[int, float]:
    if name in values or name != ALL:
        return values.get(name, {})
    common = set.intersection(*(set(_finite(each)) for each in values.values())) if values else set()
    return {seed: float(np.mean([each[seed] for each in values.values()])) for seed in sorted(common)}


def _finite(numbers: Mapping[int, float]) -> dict[int, float]:
    return {seed: float(number) for seed, number in numbers.items() if math.isfinite(number)}


def _welch(weights: Mapping[str, float], values: Mapping[str, Floats]) -> Contrast:
    """Return the contrast of means of groups that share no seeds."""
    fewest = min(len(each) for each in values.values())
    estimate = sum(w * float(values[name].mean()) for name, w in weights.items())
    if fewest < 2:
        return Contrast(estimate, math.nan, 0, fewest)
    parts = {name: (w * spread(values[name])) ** 2 / len(values[name]) for name, w in weights.items()}
    total = sum(parts.values())
    divided = sum(part**2 / (len(values[name]) - 1) for name, part in parts.items())
    return Contrast(estimate, math.sqrt(total), total**2 / divided if divided > 0 else 0.0, fewest)
