r"""From HSIC of batches to CKA and its error: averaged over batches first, divided last.

.. math:: \mathrm{CKA}_{ij} = \frac{\bar H_{ij}}{\sqrt{\bar H_{ii} \bar H_{jj}}}

with averages over batches (Nguyen, Raghu, Kornblith 2021 [1]_, equations 2 and 3), each batch weighted by its samples.
Nothing is clamped: of features that are independent the average is around 0, above or below it.

The batches of one pass share no sample, so they are independent, and the spread of what each contributes gives a
variance: the jackknife in its linear form [2]_, with w_b the share of samples in batch b,

.. math:: V_p = \frac{B}{B-1} \sum_b w_b^2 \mathrm{CKA}_{ij}^2
    \left( \frac{H^b_{ij}}{\bar H_{ij}} - \frac{H^b_{ii}}{2 \bar H_{ii}} - \frac{H^b_{jj}}{2 \bar H_{jj}} \right)^2

Further passes over the same samples in another order are not independent of it. HSIC1 is a U-statistic: its part that
is linear in the samples is the same in each pass, the rest is another draw. So with the variance U of the passes'
values among each other the variance of their mean is V - U (1 - 1/P), not V / P.

References
----------
.. [1] Nguyen, Raghu, Kornblith, "Do Wide and Deep Networks Learn the Same Things?", ICLR 2021.
.. [2] Efron, "The Jackknife, the Bootstrap and Other Resampling Plans", SIAM 1982, Section 6.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from landscape.surface.grid import Floats

# Of fewer passes the variance among them is too uncertain to be taken off: the error of a single pass is stated.
PASSES_THAT_TELL = 3


class PassMoments:
    """What one pass's batches add up to.

    Parameters
    ----------
    rows : int
        Layers of all networks.
    shares : ndarray, shape (batches,)
        Of the samples, which each batch has; they sum to 1.
    """

    def __init__(self, rows: int, shares: Floats) -> None:
        self.shares = shares
        self.done: NDArray[np.bool_] = np.zeros(len(shares), dtype=bool)
        self.sums, self.squares, self.crosses, self.products = (np.zeros((rows, rows)) for _ in range(4))

    def add(self, batch: int, hsic: Floats) -> None:
        """Add a batch's HSIC of all pairs, shape (rows, rows); NaN for a layer that is not finite there."""
        weight, diagonal = float(self.shares[batch]), np.diagonal(hsic)
        self.sums += weight * hsic
        self.squares += (weight * hsic) ** 2
        self.crosses += weight**2 * hsic * diagonal[:, None]
        self.products += weight**2 * np.outer(diagonal, diagonal)
        self.done[batch] = True

    def variance(self) -> Floats:
        """Return the variance of each pair's CKA from these batches, NaN where there is one batch alone."""
        number, share = int(self.done.sum()), float(self.shares[self.done].sum())
        if number < 2:
            return np.full_like(self.sums, np.nan)
        mean, own = self.sums / share, np.diagonal(self.sums) / share
        with np.errstate(all="ignore"):
            scale = np.sqrt(np.outer(own, own))
            value = mean / scale
            # H_ij / scale - value (H_ii / 2 own_i + H_jj / 2 own_j), squared: no division by a mean that may be 0.
            square = self.squares / scale**2
            square -= value / scale * (self.crosses / own[:, None] + self.crosses.T / own[None, :])
            ends = np.diagonal(self.squares) / own**2
            square += value**2 / 4 * (ends[:, None] + ends[None, :] + 2 * self.products / np.outer(own, own))
        found: Floats = np.maximum(square, 0.0) / share**2 * (number / (number - 1))
        return found


class Moments:
    """What all passes add up to, in memory that does not grow with their number."""

    def __init__(self, rows: int) -> None:
        self.passes = 0
        self.sums, self.values, self.value_squares, self.variances = (np.zeros((rows, rows)) for _ in range(4))

    def add(self, finished: PassMoments) -> None:
        """Add a pass all of whose batches are done."""
        value = ratio(finished.sums)
        self.passes += 1
        self.sums += finished.sums
        self.values += value
        self.value_squares += value**2
        self.variances += finished.variance()

    def cka(self) -> tuple[Floats, Floats]:
        """Return CKA of all pairs and its standard error, shape (rows, rows) each."""
        value = ratio(self.sums)
        variance = self.variances / self.passes
        if self.passes >= PASSES_THAT_TELL:
            among = np.maximum(self.value_squares - self.values**2 / self.passes, 0.0) / (self.passes - 1)
            variance = np.maximum(variance - among * (1 - 1 / self.passes), among / self.passes)
        error = np.sqrt(variance)
        known = np.isfinite(np.diagonal(value))
        # A layer is as much like itself as anything can be, whichever samples are taken.
        value[known, known] = 1.0
        error[known, known] = 0.0
        return value, error


def ratio(sums: Floats) -> Floats:
    """Return HSIC over the root of both layers' own, shape (rows, rows); NaN where a layer has no variance."""
    own = np.diagonal(sums)
    own = np.where(own > 0, own, np.nan)
    with np.errstate(invalid="ignore"):
        found: Floats = sums / np.sqrt(np.outer(own, own))
    return found
