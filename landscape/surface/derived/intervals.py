r"""Intervals around means of samples, honest where few samples carry the mean.

The loss of a trained network is carried by a few samples: a subset may hold too many of them or too few, and its own
standard error knows no better, being made from the same few. What it is made from is the scatter of about

.. math:: n_\mathrm{eff} = \frac{\big( \sum_i d_i^2 \big)^2}{\sum_i d_i^4}

samples, d being deviations from the mean, or residuals of an estimate. An interval of 95 % is that of Student's
distribution with as many degrees of freedom less one, instead of n - 1: the idea of Satterthwaite [1]_, who has twice
as many for a variance whose relative variance is 1 / n_eff. Half of that is taken, since large deviations lie on one
side, and of fewer than five samples less, down to half of that again; and then both sides are no shorter than the
longer one of Hall's interval [2]_, which goes by the mean's skewness. How often such intervals hold is measured by
``python -m tests.benchmarks.coverage``: of 250 of 1,437 samples, on eight networks on digits at 17 points each, without
anchors, with one and with five. Of 312 points at which at least five samples carry the mean in most draws they hold in
92 to 98.5 % of 400 draws, but for four (up to 99 %). Where fewer carry it, at 48 points, they hold at two in less, the
least 88.8 %: a subset that holds none of those few samples cannot know of them. So intervals by fewer than five are not
to be relied on. 1.96 standard errors hold in 81 to 97.5 %.

References
----------
.. [1] Satterthwaite, "An approximate distribution of estimates of variance components", Biometrics Bulletin 2, 1946,
       110-114.
.. [2] Hall, "On the removal of skewness by transformation", Journal of the Royal Statistical Society B 54, 1992,
       221-228.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscape.surface.derived.unseen import (
    NORMAL,
    all_alike,
    left_to_chance,
    reach,
    score_width,
    uncounted,
    unlike_share_of,
)
from landscape.surface.grid import Floats
from landscape.surface.surface import Surface, sampling_factor

CONFIDENCE = 0.95
# Where fewer samples than this carry a mean no interval is to be relied on: it may be twice as wide and still miss.
FEWEST = 5.0


def interval_factor(effective: ArrayLike, skewness: ArrayLike | None = None) -> Floats:
    r"""Return by what standard errors are multiplied for an interval of 95 %.

    Parameters
    ----------
    effective : array of float
        How many samples carry each mean; NaN where that is not known.
    skewness : array of float, optional
        That of each mean, :math:`\sum d^3 / (\sum d^2)^{3/2}`: where fewer than five samples carry a mean no side is
        shorter than the longer one of Hall's interval [2]_.

    Examples
    --------
    >>> interval_factor([2.0, 10.0, 1e6, np.nan]).round(2)
    array([12.71,  2.26,  1.96,  1.96])
    """
    from scipy.special import stdtrit  # of all that sees surfaces only who asks for intervals needs it

    known = np.isfinite(np.asarray(effective, dtype=np.float64))
    number = np.where(known, effective, 2.0)
    freedom = np.maximum((number - 1.0) * np.clip(number / FEWEST, 0.5, 1.0), 1.0)
    factor = np.where(known, stdtrit(freedom, 0.5 + CONFIDENCE / 2), NORMAL)
    if skewness is None:
        return factor
    # A sum of cubes is at most the 3/2 power of that of squares; beyond it, where a sample is none, squares overflowed.
    skew = np.clip(np.abs(np.nan_to_num(np.asarray(skewness, dtype=np.float64))), 1e-6, 1.0)
    quantile = stdtrit(np.maximum(number - 1.0, 1.0), 0.5 + CONFIDENCE / 2)
    longer = 3.0 / skew * (1.0 - np.cbrt(1.0 - skew * (quantile + skew / 6.0)))
    return np.where(known & (number < FEWEST), np.maximum(factor, longer), factor)


def effective_samples(surface: Surface, name: str) -> Floats | None:
    """Return how many samples carry each mean called ``"DATA/METRIC"``; None where a file does not say."""
    return surface.tails.get(f"{name}_effective")


def _skewness(surface: Surface, name: str) -> Floats | None:
    """Return the skewness of each mean; None where a file does not say."""
    of_samples, counts = surface.tails.get(f"{name}_skewness"), surface.counts.get(name.partition("/")[0])
    return None if of_samples is None or counts is None else of_samples / np.sqrt(np.maximum(counts, 1))


def half_widths(surface: Surface, name: str) -> Floats | None:
    """Return half the width of each value's 95 % interval; None where no standard error is known.

    0 where all data were measured. NaN where samples are all alike and nothing bounds what others may be, or their
    number is not known (`landscape.surface.derived.unseen`).
    """
    error = left_to_chance(surface, name)
    if error is None:
        return None
    effective = effective_samples(surface, name)
    with np.errstate(invalid="ignore"):
        width = error * (NORMAL if effective is None else interval_factor(effective, _skewness(surface, name)))
    few, left = _counted(surface, name), sampling_factor(surface, name)
    if few.any():
        counts = surface.counts[name.partition("/")[0]]
        least = unlike_share_of(surface, name)
        with np.errstate(invalid="ignore", over="ignore"):  # where others than few carry the mean
            counted = score_width(_squares(surface, name), np.maximum(counts, 1), left)
        width = np.where(few, np.maximum(counted, least), width)
    return np.where(left > 0, np.where(all_alike(surface, name), NORMAL * error, width), 0.0)


def carried_by_few(surface: Surface, name: str) -> NDArray[np.bool_]:
    """Return at which points so few samples carry the mean that its interval is not to be relied on.

    Nor is there one where they are all alike, unless values are bounded: there as well samples can be counted.
    """
    if name not in surface.stderr:
        return np.zeros(surface.shape, dtype=np.bool_)
    alike = (all_alike(surface, name) & np.isinf(reach(surface, name))) | uncounted(surface, name)
    effective = effective_samples(surface, name)
    if effective is None:
        return alike
    few = (effective < FEWEST) & (sampling_factor(surface, name) > 0) & (surface.stderr[name] > 0)
    return alike | (few & ~_counted(surface, name))


def _counted(surface: Surface, name: str) -> NDArray[np.bool_]:
    """Return where an accuracy's interval goes by how many samples are unlike the others: few, but some."""
    if name.partition("/")[0] not in surface.counts:
        return np.zeros(surface.shape, dtype=np.bool_)
    bounded, left = np.isfinite(reach(surface, name)), sampling_factor(surface, name)
    known = bounded & (left > 0) & (surface.stderr[name] > 0) & ~all_alike(surface, name)
    effective = effective_samples(surface, name)
    many = False if effective is None else effective >= FEWEST
    return np.asarray(known & (_squares(surface, name) < FEWEST) & ~np.asarray(many))


def _squares(surface: Surface, name: str) -> Floats:
    """Return the sum of squares that a standard error was made of."""
    counts = surface.counts[name.partition("/")[0]].astype(np.float64)
    with np.errstate(over="ignore"):  # errors of 1e200, of values without bounds, are none that samples are counted by
        return np.asarray(surface.stderr[name] ** 2 * counts * (counts - 1))
