"""What was measured of a loss's curvature at one point: frozen arrays, each number with its error. NumPy only.

Two matrices are described alike: the Hessian H over the chosen weights, and D H D, where D is the diagonal matrix of
the length that filter normalisation gives each weight. The second is in a picture's own units: a random
filter-normalised direction d has d' H d of mean trace(D H D), and no direction with the same length of D^-1 d, whose
square is the number of weights moved, shows more than that number times the greatest eigenvalue of D H D.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.surface.grid import Floats


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
    def frobenius(self) -> float:
        """The Frobenius norm."""
        return math.sqrt(max(_mean(self.squares), 0.0)) if len(self.squares) else math.nan

    @property
    def frobenius_stderr(self) -> float:
        """Its standard error over probes, from that of its square."""
        return _error(self.squares) / (2 * self.frobenius) if self.frobenius > 0 else math.nan

    @property
    def ratio(self) -> float:
        """The greatest eigenvalue over the last of the greatest that were asked for."""
        if self.greatest < 2:
            return math.nan
        last = float(self.eigenvalues[self.greatest - 1])
        return float(self.eigenvalues[0]) / last if last > 0 else math.inf

    def negative_share(self) -> tuple[float, float]:
        """Return what share of the sum of absolute eigenvalues is negative, and its standard error over probes."""
        sizes = np.nan_to_num(self.weights * np.abs(self.nodes))
        each = np.where(self.nodes < 0, sizes, 0.0).sum(1) / sizes.sum(1)
        return _mean(each), _error(each)

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

    def density(self, edges: Floats) -> tuple[Floats, Floats]:
        """Return how many eigenvalues lie between edges, and the standard error over probes.

        Parameters
        ----------
        edges : ndarray, shape (bins + 1,)
            Increasing.

        Returns
        -------
        tuple of ndarray, shape (bins,) each
            n times the quadrature's weight in each bin.
        """
        counts = np.stack(
            [
                np.histogram(nodes[~np.isnan(nodes)], edges, weights=weights[~np.isnan(nodes)])[0]
                for nodes, weights in zip(self.nodes, self.weights, strict=True)
            ]
        )
        error = counts.std(0, ddof=1) / math.sqrt(len(counts)) if len(counts) > 1 else np.full(counts.shape[1], np.nan)
        return self.size * counts.mean(0), self.size * error


@dataclass(frozen=True)
class LayerCurvature:
    """One tensor's diagonal block."""

    name: str
    size: int
    filters: int
    trace: float
    trace_stderr: float  # over probes
    normalised_trace: float
    normalised_trace_stderr: float


@dataclass(frozen=True, eq=False)
class SliceCurvature:
    """The Hessian of the loss in the coordinates of a drawn line or plane."""

    labels: tuple[str, ...]  # of its axes
    hessian: Floats  # (axes, axes): by products with the directions
    samples_stderr: Floats  # (axes, axes): error from which samples were taken
    fitted: Floats  # (axes, axes): of the stored surface, by a fit to its values; NaN without one
    fitted_error: Floats  # (axes, axes): how far fits of two degrees are apart
    rank: tuple[float, ...]  # share of random filter-normalised directions that show less, of each axis; NaN: not one

    @property
    def eigenvalues(self) -> Floats:
        """Curvatures along the plane's own principal directions, in units of its axes, descending."""
        values: Floats = np.linalg.eigvalsh(self.hessian)[::-1].astype(np.float64)
        return values


@dataclass(frozen=True, eq=False)
class Curvature:
    """Curvature of the mean loss of one data set at one point of weight space."""

    data: str
    samples: int
    loss: float
    loss_stderr: float
    gradient_norm: float
    gradient_norm_stderr: float  # from which samples were taken
    gradient_noise: float  # root mean square length of the gradient's own sampling error
    raw: Spectrum
    normalised: Spectrum
    layers: tuple[LayerCurvature, ...] = ()
    gauss_newton_greatest: float = math.nan
    gauss_newton_residual: float = math.nan
    gauss_newton_trace: float = math.nan
    gauss_newton_trace_stderr: float = math.nan
    slice: SliceCurvature | None = None
    verdict: str = ""
    problem: Mapping[str, Any] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""

    @property
    def eigenvalues(self) -> Floats:
        """Eigenvalues of the Hessian, descending."""
        return self.raw.eigenvalues

    @property
    def trace(self) -> float:
        """The trace of the Hessian."""
        return self.raw.trace

    def density(self, edges: Floats) -> tuple[Floats, Floats]:
        """Return how many eigenvalues of the Hessian lie between edges; see `Spectrum.density`."""
        return self.raw.density(edges)

    @property
    def products(self) -> int:
        """How many products were made in all."""
        return self.raw.products + self.normalised.products

    @property
    def random_slice(self) -> tuple[float, float]:
        """Mean and standard deviation of d' H d over random filter-normalised directions that were probed."""
        forms = self.normalised.forms
        return _mean(forms), float(forms.std(ddof=1)) if len(forms) > 1 else math.nan

    @property
    def slice_bound(self) -> float:
        """What d' H d of a direction with such lengths cannot exceed: n times the greatest eigenvalue of D H D."""
        return self.normalised.size * self.normalised.greatest_eigenvalue


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else math.nan


def _error(values: Floats) -> float:
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan
