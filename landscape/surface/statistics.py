r"""Means and standard errors of samples, in a form that can be continued exactly with more samples.

From n, mean and standard error the sum of squared deviations follows, :math:`M_2 = s_{\bar x}^2\, n (n - 1)`, and
two parts are merged by Chan, Golub and LeVeque's update [1]_.

References
----------
.. [1] Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from landscape.surface.grid import Floats

# What sums leave of a spread that is none, as a share of the numbers' size.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Moments:
    """Mean and errors of one metric at one point, over one run of samples."""

    count: int
    mean: float
    stderr: float  # s / sqrt(n); NaN where it is not known
    paired_stderr: float  # the same of the samples' differences to theta*
    baseline: float  # mean at theta* of the same samples
    third: float = math.nan  # sums of third and fourth powers of deviations, where a run keeps them
    fourth: float = math.nan
    # (n,): the samples themselves, where a run keeps them to estimate means over all data from
    samples: Floats | None = field(default=None, repr=False, compare=False)


def moments_of(
    values: Floats, baseline: Floats | None = None, *, per_sample: bool = True, keep: bool = False, tails: bool = False
) -> Moments:
    """Return the moments of samples, and of their differences to the same samples at theta*.

    Parameters
    ----------
    values, baseline : ndarray of float64, shape (n,)
        ``baseline`` None stands for ``values`` themselves: these are the samples at theta*.
    per_sample : bool
        False where only batch means are known, each repeated for its samples: then there is no standard error.
    keep : bool
        Keep the samples themselves, too.
    tails : bool
        Say how far they lie out, too: the third and fourth powers.
    """
    at_start = values if baseline is None else baseline
    with np.errstate(all="ignore"):  # inf and NaN are results here
        mean = float(values.mean())
        if not per_sample:
            return Moments(len(values), mean, math.nan, math.nan, float(at_start.mean()))
        return Moments(
            len(values),
            mean,
            standard_error(values),
            standard_error(values - at_start),
            float(at_start.mean()),
            *(powers(values - mean) if tails else (math.nan, math.nan)),
            samples=values if keep else None,
        )


def spread(values: Floats, size: float = 0.0) -> float:
    """Return the standard deviation, with n - 1 in it; NaN for fewer than two values.

    It is exactly 0 where values differ by rounding alone: by that of numbers as large as they are, or as ``size`` where
    they are differences of such.
    """
    if len(values) < 2:
        return math.nan
    found = float(values.std(ddof=1))
    return 0.0 if found <= ROUNDING * max(float(np.abs(values).max()), size) else found


def standard_error(values: Floats) -> float:
    """Return s / sqrt(n), with n - 1 in s; NaN for fewer than two samples."""
    if len(values) < 2:
        return math.nan
    return float(values.std(ddof=1) / math.sqrt(len(values)))


def merge(first: Moments, second: Moments) -> Moments:
    """Return the moments of two runs of samples together."""
    if first.count == 0 or second.count == 0:
        return second if first.count == 0 else first
    count = first.count + second.count
    share = second.count / count
    mean = first.mean + (second.mean - first.mean) * share
    if math.isnan(mean) and not (math.isnan(first.mean) or math.isnan(second.mean)):
        mean = first.mean * (1 - share) + second.mean * share  # inf - inf above, where the mean is inf
    baseline = first.baseline + (second.baseline - first.baseline) * share
    gap = second.mean - first.mean
    paired_gap = gap - (second.baseline - first.baseline)
    return Moments(
        count,
        mean,
        _merged_error(first.count, first.stderr, second.count, second.stderr, gap),
        _merged_error(first.count, first.paired_stderr, second.count, second.paired_stderr, paired_gap),
        baseline,
        *_merged_powers(first, second, gap),
        samples=None
        if first.samples is None or second.samples is None
        else np.concatenate([first.samples, second.samples]),
    )


def powers(deviations: Floats) -> tuple[float, float]:
    """Return the sums of third and fourth powers."""
    squares = deviations**2
    return float((squares * deviations).sum()), float((squares * squares).sum())


def tails_of(moments: Moments) -> tuple[float, float]:
    """Return the skewness of samples, and how many of them carry their mean; NaN where that is not known."""
    square = _square(moments.count, moments.stderr)
    with np.errstate(all="ignore"):
        skewness = np.float64(moments.third) * math.sqrt(moments.count) / np.float64(square) ** 1.5
        return float(skewness), float(np.float64(square) ** 2 / moments.fourth)


def powers_of(count: int, stderr: float, skewness: float, effective: float) -> tuple[float, float]:
    """Return the sums of powers that `tails_of` made these of."""
    square = _square(count, stderr)
    with np.errstate(all="ignore"):
        return float(skewness * square**1.5 / math.sqrt(count)), float(np.float64(square) ** 2 / effective)


def _square(count: int, stderr: float) -> float:
    return 0.0 if count == 1 else stderr * stderr * count * (count - 1)


def _merged_powers(first: Moments, second: Moments, gap: float) -> tuple[float, float]:
    # Pebay, "Formulas for robust, one-pass parallel computation of covariances and arbitrary-order statistical
    # moments", SAND2008-6212, equations 2.1 and 2.2.
    n1, n2 = first.count, second.count
    n = n1 + n2
    square1, square2 = _square(n1, first.stderr), _square(n2, second.stderr)
    with np.errstate(all="ignore"):
        gap = np.float64(gap)
        third = first.third + second.third + gap**3 * n1 * n2 * (n1 - n2) / n**2
        third += 3 * gap * (n1 * square2 - n2 * square1) / n
        fourth = first.fourth + second.fourth + gap**4 * n1 * n2 * (n1 * n1 - n1 * n2 + n2 * n2) / n**3
        fourth += 6 * gap**2 * (n1 * n1 * square2 + n2 * n2 * square1) / n**2
        fourth += 4 * gap * (n1 * second.third - n2 * first.third) / n
    return float(third), float(fourth)


def _merged_error(n1: int, error1: float, n2: int, error2: float, gap: float) -> float:
    # A single sample has no error of its own but takes part in the merged one.
    square1 = 0.0 if n1 == 1 else error1 * error1 * n1 * (n1 - 1)
    square2 = 0.0 if n2 == 1 else error2 * error2 * n2 * (n2 - 1)
    n = n1 + n2
    return math.sqrt((square1 + square2 + gap * gap * n1 * n2 / n) / (n * (n - 1)))
