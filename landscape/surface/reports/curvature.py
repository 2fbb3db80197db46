"""What was measured of a loss's curvature at one point: frozen arrays, each number with its error. NumPy only.

Two matrices are described alike: the Hessian H over the chosen weights, and D H D, where D is the diagonal matrix of
the length that filter normalisation gives each weight. The second is in a picture's own units: a random
filter-normalised direction d has d' H d of mean trace(D H D), and no direction with the same length of D^-1 d, whose
square is the number of weights moved, shows more than that number times the greatest eigenvalue of D H D.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from landscape.surface.derived.intervals import interval_factor
from landscape.surface.grid import Floats
from landscape.surface.reports.matrix_spectrum import Density, Spectrum


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
class FilterCurvature:
    """Each filter's diagonal block: the filters of all layers behind each other, in the layers' order."""

    trace: Floats  # (filters,)
    trace_stderr: Floats  # (filters,): over probes
    normalised_trace: Floats  # (filters,)
    normalised_trace_stderr: Floats  # (filters,)

    def part(self, start: int, stop: int) -> FilterCurvature:
        """Return some of them."""
        return FilterCurvature(*(each[start:stop] for each in vars(self).values()))


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
    def routes_agree(self) -> bool:
        """Whether products and fit agree, as far as the fit's error and a twentieth of the curvature go.

        They need not: a network with ReLU has kinks, whose curvature is in the values and in no Hessian; and the values
        may be estimates for all data where products are of some samples. True where there is no fit.
        """
        if np.isnan(self.fitted).any():
            return True
        room = 3 * np.nan_to_num(self.fitted_error) + 0.05 * float(np.abs(self.hessian).max())
        return bool((np.abs(self.hessian - self.fitted) <= room).all())

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
    filters: FilterCurvature | None = None  # None: a file that does not say
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
    gradient_null_stderr: float = math.nan  # of `gradient_square` if the gradient over endless data were 0
    batches: int = 0  # whose spread tells the errors from sampling; 0 in files that do not say

    @property
    def eigenvalues(self) -> Floats:
        """Eigenvalues of the Hessian, descending."""
        return self.raw.eigenvalues

    @property
    def trace(self) -> float:
        """The trace of the Hessian."""
        return self.raw.trace

    def density(self, edges: Floats | None = None) -> Density:
        """Return how many eigenvalues of the Hessian lie between edges; see `Spectrum.density`."""
        return self.raw.density(edges)

    def filters_of(self, layer: str) -> FilterCurvature:
        """Return the traces of a layer's filters.

        Raises
        ------
        KeyError
            There is no such layer, or nothing is known of filters.
        """
        start = 0
        for each in self.layers:
            if each.name == layer and self.filters is not None:
                return self.filters.part(start, start + each.filters)
            start += each.filters
        raise KeyError(f"no filters of {layer!r} are known; there are {', '.join(each.name for each in self.layers)}")

    @property
    def products(self) -> int:
        """How many products were made in all."""
        return self.raw.products + self.normalised.products

    @property
    def gradient_square(self) -> tuple[float, float]:
        """Squared length of the gradient over endless data, unbiased, and its standard error from sampling.

        The gradient of some samples is longer than that of all: by `gradient_noise` squared, on average, in its square.
        It may come out negative where nothing but noise is there. NaN for one batch. Of fewer than five, and in files
        that do not say, the error is too large: of the noise's own square all of it is taken.
        """
        value = self.gradient_norm**2 - self.gradient_noise**2
        return value, math.hypot(2 * math.sqrt(max(value, 0.0)) * self.gradient_norm_stderr, self._null_error)

    @property
    def gradient_square_interval(self) -> tuple[float, float]:
        """A 95 % interval of the squared length of the gradient over endless data, by Student's factor over batches.

        It holds the lengths that the samples do not speak against: of a longer gradient the square varies more, so that
        the error at what came out would be too small above it. Never below 0. NaN for one batch, and in files that do
        not say how many there were.
        """
        if self.batches < 2:
            return math.nan, math.nan
        value, factor = self.gradient_square[0], float(interval_factor(self.batches))
        # (x - value)^2 = factor^2 (4 x stderr^2 + null^2), solved for x.
        room = 2 * (factor * self.gradient_norm_stderr) ** 2
        reach = math.sqrt(max(room * (2 * value + room) + (factor * self._null_error) ** 2, 0.0))
        return max(value + room - reach, 0.0), max(value + room + reach, 0.0)

    @property
    def _null_error(self) -> float:
        return self.gradient_noise**2 if math.isnan(self.gradient_null_stderr) else self.gradient_null_stderr

    @property
    def random_slice(self) -> tuple[float, float]:
        """Mean and standard deviation of d' H d over random filter-normalised directions that were probed."""
        forms = self.normalised.forms
        deviation = float(forms.std(ddof=1)) if len(forms) > 1 else math.nan
        return float(forms.mean()) if len(forms) else math.nan, deviation

    @property
    def slice_bound(self) -> float:
        """What d' H d of a direction with such lengths cannot exceed: n times the greatest eigenvalue of D H D."""
        return self.normalised.size * self.normalised.greatest_eigenvalue

    def _repr_html_(self) -> str:
        """Show the numbers with their errors, and the picture, in a notebook."""
        from landscape.plot.notebook import curvature_html  # drawing is needed only when somebody looks

        html: str = curvature_html(self)
        return html


@dataclass(frozen=True, eq=False)
class CurvatureRun:
    """Curvature of one data set along a training run: a report at each recorded step."""

    name: str
    unit: str  # what is counted: "step", "epoch", ...
    steps: tuple[int, ...]
    learning_rates: tuple[float, ...]  # as recorded; NaN where a record knows none
    reports: tuple[Curvature, ...]
    complete: bool = True  # False: steps behind these were not measured yet
    path: str = ""

    def __post_init__(self) -> None:
        """Refuse what does not belong together."""
        if not len(self.steps) == len(self.learning_rates) == len(self.reports):
            raise ValueError("a run has a step, a learning rate and a report each")

    @property
    def edge_of_stability(self) -> Floats:
        """2 / learning rate of each step, NaN where it is not known.

        Where the greatest eigenvalue is above it, gradient descent without momentum, on all of the data, grows along
        that eigenvector instead of shrinking (Cohen et al. 2021, section 2).
        """
        rates = np.array(self.learning_rates, dtype=np.float64)
        with np.errstate(all="ignore"):
            return np.where(rates > 0, 2.0 / rates, np.nan)

    def over_steps(self, of: Callable[[Curvature], float]) -> Floats:
        """Return a number of each report, shape (steps,)."""
        return np.array([of(report) for report in self.reports], dtype=np.float64)

    def _repr_html_(self) -> str:
        """Show the picture over steps in a notebook."""
        from landscape.plot.notebook import curvature_run_html  # drawing is needed only when somebody looks

        html: str = curvature_run_html(self)
        return html
