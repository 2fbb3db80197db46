r"""The mean over all data, estimated from a subset and from points at which all data were measured.

Of n samples, drawn from N without repetition, the losses y at a point are known, and their losses x at k anchors; the
means of x over all N samples are known as well. The regression estimator [1]_ corrects the subset's mean by how much
the subset is off at the anchors:

.. math:: \hat Y = \bar y_n + (\bar X_N - \bar x_n)^T \hat\beta

with beta by least squares. What is left to chance is the scatter of the residuals e, not that of the losses. Its error
is that of the weighted residuals of survey sampling [2]_, each residual divided by 1 - h, its leverage, as where it is
left out (the jackknife's, which degrees of freedom are part of):

.. math:: s^2 = \frac{1}{n (n - 1)} \sum_i \Big( \frac{g_i e_i}{1 - h_i} \Big)^2, \quad
          g_i = 1 + n (\bar X_N - \bar x_n)^T (X_c^T X_c)^{-1} (x_i - \bar x_n)

The error s is shown times :math:`\sqrt{1 - n/N}`, like that of a plain mean, which this is where there is no anchor.

Losses at an anchor are followed linearly, and so are their logarithms, whose mean over all data is known as well: on
six networks on digits that lowered errors by up to a quarter for no further pass. Where one sample in many thousands is
a million at an anchor, the subset's losses there say nothing of all the data's; the logarithms alone do far better
then, as the stated errors show. But a sample that is a million at one anchor may be so at other points, too, and if the
subset does not hold it its residuals cannot tell. So where the subset's mean at an anchor is off by many times its own
standard error, errors are not those of the logarithms alone, and intervals are said to be not to be relied on; where
that is so at most anchors the logarithms, which leave out what nearly all of the loss is then, do not make values.

References
----------
.. [1] Cochran, "Sampling Techniques", 3rd edition, 1977, chapter 7.
.. [2] Särndal, Swensson, Wretman, "The weighted residual technique for estimating the variance of the general
       regression estimator of the finite population total", Biometrika 76, 1989, 527-537.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from landscape.surface.anchors import Anchors
from landscape.surface.grid import Floats
from landscape.surface.heights import TINY, heights_of

# Fewer samples than so many times what is followed leave the last of it out: each takes a degree of freedom.
SAMPLES_A_SLOPE = 8
# Logarithms alone are taken where their error is below this share of that of losses and logarithms together: what is
# chosen for its small stated error has too small a one, unless that is as rare as this.
MUCH_BETTER = 0.5
# Where the samples' mean at an anchor is off by more than so many of their own standard errors they hold none of the
# samples that carry it. Of an accuracy an error is at least 1/n here: all right, its samples scatter by nothing.
FAR_OFF = 30.0
# Columns of a sketch: what it says of a variance is off by a quarter, sqrt(2 / 32), and of an error by half of that.
SKETCH = 32
# An anchor of which no more than this share of its scatter is not that of the anchors before it says nothing new, but
# for rounding: losses are computed to about 1e-7 of themselves.
NEW = 1e-5
# What float64 leaves of residuals that are none.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Estimates:
    """Means over all data at several points."""

    means: Floats  # (points,)
    stderr: Floats  # (points,): to be multiplied by sqrt(1 - n/N)
    thirds: Floats  # (points,): sums of powers of the weighted residuals, see `landscape.surface.statistics.Moments`
    fourths: Floats
    anchors: int  # how many were used
    sketches: Floats  # (points, SKETCH): see `signs`


class Estimator:
    """What points are estimated by: the anchors' values, and of losses their logarithms, too.

    Parameters
    ----------
    samples, means : ndarray of float64, shapes (k, n) and (k,)
        As for `Regression`.
    size : int
    log_means : ndarray of float64, shape (k,), optional
        Means over all data of the logarithms (`logarithms`) at the anchors.
    scales : ndarray of float64, shape (k,), optional
        The scales of those.
    most : float
        What no sample is above.
    """

    def __init__(
        self,
        samples: Floats,
        means: Floats,
        size: int,
        *,
        log_means: Floats | None = None,
        scales: Floats | None = None,
        most: float = math.inf,
    ) -> None:
        self._logs, self._number = None, samples.shape[1]
        far = _far_off(samples, means, most)
        # What none of the samples shows carries the means at some anchors: at other points it may as well.
        self._unseen, self._everywhere = bool(far.any()), 2 * far.sum() > len(far)
        if log_means is not None and scales is not None and len(samples):
            logs = np.stack([logarithms(row, scale) for row, scale in zip(samples, scales, strict=True)])
            self._logs = Regression(logs, log_means, size, most=most)
            # Losses first: where samples are few a further anchor says more than the logarithms at another.
            samples, means = np.vstack([samples, logs]), np.append(means, log_means)
        self._all = Regression(samples, means, size, most=most)

    def residuals(self, values: Floats) -> Floats:
        """Return what the anchors leave of samples at points, shape (points, n), of mean 0 each."""
        return self._all.residuals(values)

    def estimate(self, values: Floats) -> Estimates:
        """Return the means over all data of what the samples are at points, shape (points, n)."""
        found = self._all.estimate(values)
        if self._logs is not None and not self._everywhere:
            other = self._logs.estimate(values)
            better = other.stderr < MUCH_BETTER * found.stderr
            means = np.where(better, other.means, found.means)
            better &= not self._unseen  # the small errors of logarithms know nothing of it
            found = Estimates(
                means,
                np.where(better, other.stderr, found.stderr),
                np.where(better, other.thirds, found.thirds),
                np.where(better, other.fourths, found.fourths),
                found.anchors,
                np.where(better[:, None], other.sketches, found.sketches),
            )
        if self._unseen:  # as if one sample carried all that is left: no interval is to be relied on then
            squares = self._number * (self._number - 1) * found.stderr**2
            found = replace(found, thirds=squares**1.5, fourths=squares**2)
        return found


def _far_off(samples: Floats, means: Floats, most: float) -> NDArray[np.bool_]:
    """Return at which anchors, of those with finite values, the samples' mean is off by far more than they scatter."""
    usable = np.isfinite(samples).all(axis=1) & np.isfinite(means)
    errors = samples[usable].std(axis=1) / math.sqrt(max(samples.shape[1], 1))
    if math.isfinite(most):  # one sample that is wrong where all are right
        errors = np.maximum(errors, most / max(samples.shape[1], 1))
    return np.asarray(np.abs(means[usable] - samples[usable].mean(axis=1)) > FAR_OFF * errors)


def estimator_for(anchors: Anchors, metric: str, number: int) -> Estimator:
    """Return what estimates means over all data of a metric from a point's first samples, so many of them."""
    samples = anchors.samples.get(metric, np.zeros((0, number)))
    return Estimator(
        samples[:, :number],
        anchors.means.get(metric, np.zeros(0)),
        anchors.size,
        log_means=anchors.log_means.get(metric),
        scales=np.array([log_scale(each) for each in samples]),
        most=1.0 if metric == "accuracy" else math.inf,
    )


def log_scale(values: Floats) -> float:
    """Return what is small among losses at an anchor, for `logarithms`: a twentieth of their mean, but for the largest.

    Not finite where losses are not.
    """
    with np.errstate(invalid="ignore"):
        sizes = np.abs(values)
        return float(0.05 * np.minimum(sizes, np.quantile(sizes, 0.99)).mean()) or TINY


def logarithms(values: Floats, scale: float) -> Floats:
    """Return asinh(L / eps) of losses, eps being the scale: logarithms where a loss is large, of either sign."""
    return heights_of(values, "asinh", scale)


class Regression:
    """Anchors, as far as the samples that are known at other points go.

    Parameters
    ----------
    anchors : ndarray of float64, shape (k, n)
        The samples' values at the anchors, the most important first. Those with a value that is not finite are left
        out.
    means : ndarray of float64, shape (k,)
        Means over all data there.
    size : int
        N, how many samples all data are.
    most : float
        What no sample is above: 1 of an accuracy.
    """

    def __init__(self, anchors: Floats, means: Floats, size: int, *, most: float = math.inf) -> None:
        self.number, self.size, self._most = anchors.shape[1], size, most
        usable = np.isfinite(anchors).all(axis=1) & np.isfinite(means)
        basis, off = _orthonormal(anchors[usable], means[usable], self.number // SAMPLES_A_SLOPE)
        self.used = len(basis)
        self._basis, self._off = basis, off  # (k, n), each of mean 0 and length 1; (k,)
        leverage = (basis**2).sum(axis=0)  # beside that of the mean, which n - 1 stands for
        self._weights = (1 + self.number * (off @ basis)) / np.maximum(1 - leverage, 1e-3)

    def residuals(self, values: Floats) -> Floats:
        """Return what the anchors leave of samples at points, shape (points, n), of mean 0 each; no rounding."""
        with np.errstate(all="ignore"):
            centred = values - values.mean(axis=1, keepdims=True)
            left = np.asarray(centred - (centred @ self._basis.T) @ self._basis)
            left[np.linalg.norm(left, axis=1) <= NEW * np.linalg.norm(centred, axis=1)] = 0
            return left

    def estimate(self, values: Floats) -> Estimates:
        """Return the means over all data of what the samples are at points.

        Parameters
        ----------
        values : ndarray of float64, shape (points, n)

        Notes
        -----
        Where a sample is not finite the mean is not either, and the error is NaN.
        """
        n = self.number
        with np.errstate(all="ignore"):  # inf and NaN are results here
            middle = values.mean(axis=1)
            centred = values - middle[:, None]
            slopes = centred @ self._basis.T
            means = middle + slopes @ self._off
            residuals = centred - slopes @ self._basis
            # Of an anchor itself nothing is left, and no page says so in powers of ten.
            residuals[np.linalg.norm(residuals, axis=1) <= ROUNDING * np.linalg.norm(centred, axis=1)] = 0
            weighted = residuals * self._weights
            squares = weighted**2
            stderr = np.sqrt(squares.sum(axis=1) / (n * (n - 1))) if n > 1 else np.full(len(values), np.nan)
            # What the subset has bounds the mean over all, where no sample is below 0, or above some number.
            low = values.min(axis=1)
            means = np.where(low >= 0, np.maximum(means, middle * n / self.size), means)
            if math.isfinite(self._most):
                means = np.minimum(means, self._most - (self._most - middle) * n / self.size)
        strange = ~np.isfinite(values).all(axis=1)
        means[strange] = middle[strange]
        stderr[strange] = np.nan
        with np.errstate(all="ignore"):
            sketches = weighted @ signs(n) / math.sqrt(n * (n - 1)) if n > 1 else np.full((len(values), SKETCH), np.nan)
            thirds, fourths = (squares * weighted).sum(axis=1), (squares**2).sum(axis=1)
            return Estimates(means, stderr, thirds, fourths, self.used, sketches)


@lru_cache(maxsize=8)
def signs(number: int) -> Floats:
    r"""Return 1 or -1 for each sample, by chance but always the same, in each of `SKETCH` columns.

    The residuals of two networks on the same samples are needed for the error of their difference, and one a sample and
    point is too much to keep. Their sums with random signs are enough (Alon, Matias, Szegedy, "The space complexity of
    approximating the frequency moments", Journal of Computer and System Sciences 58, 1999, section 2.2): of two such
    sketches a and b,

    .. math:: \mathrm{E}\, (a - b)^2 = \sum_i (e_i - f_i)^2

    The rows of fewer samples are the first of those of more.
    """
    drawn = np.random.Generator(np.random.PCG64(0)).random((number, SKETCH))
    return np.where(drawn < 0.5, -1.0, 1.0)


def _orthonormal(anchors: Floats, means: Floats, most: int) -> tuple[Floats, Floats]:
    """Return orthonormal directions that the anchors span, in their order, and how far their means are from all's.

    Gram and Schmidt, twice, since once is not enough for what is nearly collinear; an anchor that adds nothing is
    left out.
    """
    basis = np.zeros((0, anchors.shape[1]))
    off = np.zeros(0)
    for values, mean in zip(anchors, means, strict=True):
        if len(basis) >= most:
            break
        middle = values.mean()
        rest, left = values - middle, mean - middle
        length = np.linalg.norm(rest)
        if not length > 0:
            continue
        for _ in range(2):
            slopes = basis @ rest
            rest, left = rest - slopes @ basis, left - slopes @ off
        new = np.linalg.norm(rest)
        if new > NEW * length:
            basis, off = np.vstack([basis, rest / new]), np.append(off, left / new)
    return basis, off
