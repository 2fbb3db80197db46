"""What was measured of one symmetric matrix: eigenvalues, traces, norm and density, each number with its error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from landscape.surface.derived.intervals import interval_factor
from landscape.surface.derived.unseen import NORMAL
from landscape.surface.grid import Floats

# Sizes below this share of the largest are one bin about 0: the quadrature tells nothing of them.
RESOLVED = 1e-3
_BINS_A_DECADE = 2.5
# The logarithm of a gamma variable of relative spread s has a mean s^2 / 2 too low and skewness -s, which moves its
# lower quantile by another s^2 (z^2 - 1) / 6 (Cornish and Fisher).
_SKEW = 0.5 + (NORMAL**2 - 1) / 6


class Density(NamedTuple):
    """How many eigenvalues lie where."""

    edges: Floats  # (bins + 1,): increasing
    counts: Floats  # (bins,): no whole numbers, means over probes
    errors: Floats  # (bins,): standard errors over probes; NaN for one probe


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Eigenvalues, traces and density of one symmetric matrix of n rows."""

    size: int  # n
    eigenvalues: Floats  # (pairs,): descending, the greatest and then the least
    residuals: Floats  # (pairs,): |A v - lambda v| of each, measured by one more product
    samples_stderr: Floats  # (pairs,): error from which samples were taken; NaN where there is one batch
    greatest: int  # how many of the pairs are from the upper end
    tolerance: float  # the relative residual at which a pair counts as converged
    traces: Floats  # (probes,): unbiased estimates of the trace, one a probe
    trace_samples_stderr: float
    squares: Floats  # (probes,): the same of the squared Frobenius norm
    forms: Floats  # (probes,): u' A u of each probe itself; of D H D, what a random direction shows
    nodes: Floats  # (probes, steps): quadrature of the density; NaN behind the last step of a probe
    weights: Floats  # (probes, steps): they sum to 1 for each probe
    products: int

    @property
    def converged(self) -> NDArray[np.bool_]:
        """Whether each pair's residual is within the tolerance, shape (pairs,)."""
        return self.residuals <= self.tolerance * np.abs(self.eigenvalues)

    @property
    def greatest_eigenvalue(self) -> float:
        """The greatest eigenvalue found; NaN where none was asked for."""
        return float(self.eigenvalues[0]) if self.greatest else math.nan

    @property
    def least_eigenvalue(self) -> float:
        """The least eigenvalue found; NaN where none was asked for."""
        return float(self.eigenvalues[-1]) if len(self.eigenvalues) > self.greatest else math.nan

    @property
    def trace(self) -> float:
        """The trace: the mean over probes."""
        return _mean(self.traces)

    @property
    def trace_stderr(self) -> float:
        """Its standard error over probes."""
        return _error(self.traces)

    @property
    def trace_interval(self) -> tuple[float, float]:
        """A 95 % interval of the trace: Student's, over probes. Which samples were taken is not in it."""
        return _interval(self.trace, self.trace_stderr, len(self.traces))

    @property
    def frobenius(self) -> float:
        """The Frobenius norm."""
        return math.sqrt(max(_mean(self.squares), 0.0)) if len(self.squares) else math.nan

    @property
    def frobenius_stderr(self) -> float:
        """Its standard error over probes, from that of its square."""
        return _error(self.squares) / (2 * self.frobenius) if self.frobenius > 0 else math.nan

    @property
    def frobenius_interval(self) -> tuple[float, float]:
        """A 95 % interval of the Frobenius norm: Student's, over probes.

        Of the logarithm of what the eigenvectors leave, whose mean over few probes is skewed, by the jackknife: as wide
        on both sides of the norm itself it would hold too seldom, since probes that find little also vary little. That
        logarithm is skewed to the other side, and its upper end is moved by as much as a sum of squares has it. NaN for
        one probe.
        """
        known = float(np.square(self.eigenvalues).sum())
        left = np.maximum(self.squares - known, 0.0)
        number, mean = len(left), _mean(self.squares - known)
        if number < 2:
            return math.nan, math.nan
        if mean <= 1e-12 * known:
            return self.frobenius, self.frobenius
        if not (left.sum() - left > 0).all():  # one probe alone found something
            return math.sqrt(known), math.inf
        spread = math.sqrt((number - 1) * float(np.var(np.log((left.sum() - left) / (number - 1)))))
        reach = float(interval_factor(number)) * spread
        with np.errstate(over="ignore"):
            low, high = np.exp(-reach), np.exp(reach + _SKEW * spread**2)
        return math.sqrt(known + mean * low), math.sqrt(known + mean * high)

    @property
    def ratio(self) -> float:
        """The greatest eigenvalue over the last of the greatest that were asked for."""
        if self.greatest < 2:
            return math.nan
        last = float(self.eigenvalues[self.greatest - 1])
        return float(self.eigenvalues[0]) / last if last > 0 else math.inf

    @property
    def participation(self) -> tuple[float, float]:
        """The trace squared over the squared Frobenius norm, and its standard error (jackknife over probes).

        For a matrix without negative eigenvalues: how many eigenvalues of one size would have that trace and that norm.
        """
        number = len(self.traces)
        if not number:
            return math.nan, math.nan
        value = _quotient(self.traces, self.squares)
        if number < 2:
            return value, math.nan
        without = [_quotient(np.delete(self.traces, k), np.delete(self.squares, k)) for k in range(number)]
        with np.errstate(over="ignore", invalid="ignore"):  # next to nothing but its square is what is divided by
            return value, math.sqrt((number - 1) * float(np.var(without)))

    @property
    def least_condition(self) -> float:
        """What the condition number is at least: largest over smallest size of the eigenvalues that have converged.

        Those between both ends were not computed, so the smallest of all is smaller. NaN where fewer than two have.
        """
        sizes = np.abs(self.eigenvalues[self.converged])
        if len(sizes) < 2:
            return math.nan
        return float(sizes.max() / sizes.min()) if sizes.min() > 0 else math.inf

    def negative_share(self) -> tuple[float, float, float]:
        """Return which share of the sum of absolute eigenvalues is negative: by quadrature, and between which bounds.

        Quadrature of few steps knows little of what lies near 0, and the share is not unbiased. The bounds hold for
        whatever spectrum has the probes' moments (Chebyshev, Markov and Stieltjes: below a node lies no less than the
        weights before it, and no more than those with its own; Szego, "Orthogonal polynomials", theorem 3.41.1), and
        are moved outwards by Student's factor times their own standard error over probes.

        Returns
        -------
        tuple of float
            Value, lower and upper bound; NaN where nothing is known.
        """
        if not len(self.nodes):
            return math.nan, math.nan, math.nan
        sizes = np.nan_to_num(self.weights * np.abs(self.nodes))
        totals = sizes.sum(1)
        if not (totals > 0).all():
            return math.nan, math.nan, math.nan
        value = float((np.where(self.nodes < 0, sizes, 0.0).sum(1) / totals).mean())
        least = math.nan
        if len(self.eigenvalues) > self.greatest:
            least = self.least_eigenvalue - float(self.residuals[-1])
        each = np.array([_negative_bounds(*pair, least) for pair in zip(self.nodes, self.weights, strict=True)])
        if len(each) < 2:
            return value, 0.0, 1.0
        reach = float(interval_factor(len(each))) * each.std(0, ddof=1) / math.sqrt(len(each))
        low, high = float(each[:, 0].mean() - reach[0]), float(each[:, 1].mean() + reach[1])
        return value, max(low, 0.0), min(high, 1.0)

    def effective_dimension(self, alpha: float) -> tuple[float, float]:
        """Return the sum of lambda / (lambda + alpha) over positive eigenvalues, and its standard error over probes.

        Parameters
        ----------
        alpha : float
            Positive, in units of the eigenvalues: the curvature of a prior, say.
        """
        positive = np.maximum(np.nan_to_num(self.nodes), 0.0)
        each = self.size * (np.nan_to_num(self.weights) * positive / (positive + alpha)).sum(1)
        return _mean(each), _error(each)

    def density(self, edges: Floats | None = None) -> Density:
        """Return how many eigenvalues lie between edges, and the standard error over probes.

        Parameters
        ----------
        edges : ndarray, shape (bins + 1,), optional
            Increasing; `log_bins` by default.

        Returns
        -------
        Density
            edges, counts and errors: n times the quadrature's weight in each bin.
        """
        edges = self.log_bins() if edges is None else np.asarray(edges, dtype=np.float64)
        counts = np.stack(
            [
                np.histogram(nodes[~np.isnan(nodes)], edges, weights=weights[~np.isnan(nodes)])[0]
                for nodes, weights in zip(self.nodes, self.weights, strict=True)
            ]
        )
        error = counts.std(0, ddof=1) / math.sqrt(len(counts)) if len(counts) > 1 else np.full(counts.shape[1], np.nan)
        return Density(edges, self.size * counts.mean(0), self.size * error)

    @property
    def largest_size(self) -> float:
        """The largest size of what is known of the spectrum, eigenvalues and quadrature nodes."""
        return float(np.nanmax(np.abs(np.concatenate([self.eigenvalues, self.nodes.ravel()])), initial=0.0))

    def log_bins(self) -> Floats:
        """Return edges of bins as wide in the logarithm on both sides of 0, and one bin about 0, shape (bins + 1,)."""
        decades = -math.log10(RESOLVED)
        largest = self.largest_size or 1.0
        positive = largest * np.logspace(-decades, 0.15, int(_BINS_A_DECADE * (decades + 0.15)) + 1)
        return np.concatenate([-positive[::-1], positive])


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else math.nan


def _error(values: Floats) -> float:
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan


def _interval(mean: float, stderr: float, draws: int) -> tuple[float, float]:
    half = float(interval_factor(draws)) * stderr if draws > 1 else math.nan
    return mean - half, mean + half


def _quotient(traces: Floats, squares: Floats) -> float:
    below = float(squares.mean())
    return float(traces.mean()) ** 2 / below if below > 0 else math.nan


def _negative_bounds(nodes: Floats, weights: Floats, least: float) -> tuple[float, float]:
    """Return between what the negative share lies for any spectrum whose quadrature these nodes and weights are."""
    known = ~np.isnan(nodes)
    nodes, weights = nodes[known], weights[known]
    below = np.concatenate([[0.0], np.cumsum(weights)])
    start = min(float(nodes[0]), least) if math.isfinite(least) else float(nodes[0])
    # From one node to the next, up to 0: how much of the measure lies below.
    edges = np.minimum(np.concatenate([[start], nodes, [max(float(nodes[-1]), 0.0)]]), 0.0)
    lengths = np.diff(edges)
    highest = below[np.minimum(np.arange(len(nodes) + 1) + 1, len(nodes))]
    lowest = below[np.maximum(np.arange(len(nodes) + 1) - 1, 0)]
    mean = float(weights @ nodes)
    shares = []
    for negative in (float(lengths @ lowest), float(lengths @ highest)):
        negative = max(negative, -mean, 0.0)  # what is positive is not less than nothing
        size = mean + 2 * negative
        shares.append(negative / size if size > 0 else 0.0)
    return min(shares), max(shares)
