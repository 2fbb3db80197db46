"""The report: everything about the curvature at the weights a network holds, of the Hessian and of D H D."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from landscape.arguments import require_numbers
from landscape.curvature.gradients import gradient_length
from landscape.curvature.lanczos import Eigenpairs, extreme_eigenpairs, lanczos_quadrature
from landscape.curvature.point import at_weights
from landscape.curvature.products import Product, Products
from landscape.curvature.rows import Room, Rows
from landscape.curvature.slices import slice_curvature
from landscape.curvature.verdict import verdict
from landscape.directions.construct import Plane
from landscape.directions.filters import Filters
from landscape.errors import UsageError
from landscape.parallel.progress import Progress, progress_of
from landscape.parallel.serial import Comm
from landscape.problem.losses.losses import Loss
from landscape.surface.grid import Floats
from landscape.surface.reports.curvature import Curvature, FilterCurvature, LayerCurvature
from landscape.surface.reports.matrix_spectrum import Spectrum
from landscape.surface.statistics import standard_error
from landscape.surface.surface import Surface

LARGEST_BASIS = 60


@dataclass(frozen=True)
class Settings:
    """How exactly things are measured."""

    eigenvalues: int = 5  # of each end of the spectrum; all where there are fewer weights
    tolerance: float = 0.01  # a pair has converged when its residual is within so much of the eigenvalue's size
    most: int = 100  # products for the eigenvalues of one matrix; what has not converged by then says so
    probes: int = 8  # random vectors for traces and density
    steps: int = 10  # products for each
    seed: int = 0  # of the random vectors

    @property
    def products(self) -> int:
        """How many products the Hessian and D H D take at most."""
        return 2 * (self.most + 2 * self.eigenvalues + self.probes * self.steps)

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        require_numbers(self)
        for name, least in (("eigenvalues", 1), ("most", 1), ("probes", 2), ("steps", 1), ("seed", 0)):
            if getattr(self, name) < least:
                shown = "most, the number of products," if name == "most" else name
                raise UsageError(f"{shown} is {getattr(self, name)}, it has to be {least} at least")
        if not 0 < self.tolerance < 1:
            raise UsageError(f"tolerance is {self.tolerance:g}, it has to be between 0 and 1")


def most_vectors(settings: Settings) -> int:
    """Return how many vectors Lanczos' method keeps where there is memory for them."""
    return min(LARGEST_BASIS, settings.most) + 1


def measure_curvature(
    model: nn.Module,
    data: Any,
    *,
    loss: str | Callable[..., Any] | Loss = "cross_entropy",
    samples: int | None = None,
    sample_seed: int = 0,
    batch_size: int | None = None,
    include: str | None = None,
    exclude: str | None = None,
    ignore: str = "none",
    memory: float | None = None,
    settings: Settings | None = None,
    gauss_newton: bool = True,
    plane: Plane | None = None,
    surface: Surface | None = None,
    progress: Progress | bool | None = None,
    comm: Comm | None = None,
    **numbers: Any,
) -> Curvature:
    r"""Measure the curvature of a mean loss at the weights that a network holds.

    In eval mode with batch norm's running statistics, over the same samples as a surface: the first ``samples`` of the
    permutation that ``sample_seed`` gives, each of the same weight. The network is left as it was.

    Parameters
    ----------
    model : Module
    data
        One data set, as `landscape.evaluate` takes it.
    loss, samples, sample_seed
        See `landscape.evaluate`.
    batch_size : int, optional
        Samples in one pass; by default 256, or fewer so that there are eight batches, from whose spread the errors from
        sampling come.
    include, exclude : str, optional
        Regular expressions searched in parameters' names: which weights curvature is about.
    ignore : {"none", "biasbn"}
        "biasbn": only tensors that random directions move, those of two dimensions and more.
    memory : float, optional
        Bytes for graphs and vectors that are kept: by default 0.4 of what is free. With less, graphs are made anew for
        each product, vectors are float32, Lanczos' method begins again with what it has more often, and where not even
        2 ``eigenvalues`` + 3 vectors as long as the network has weights fit, vectors lie in a file (see
        `landscape.curvature.rows`). A product takes memory of its own beside (`landscape.curvature.cost`).
    settings : Settings, optional
    **numbers
        Fields of `Settings` instead: eigenvalues, tolerance, most, probes, steps, seed.
    gauss_newton : bool
        Also the greatest eigenvalue and the trace of the Gauss-Newton matrix, where the loss has one.
    plane : Plane, optional
        A drawn line or plane to compare with all directions.
    surface : Surface, optional
        What was measured on it: its own curvature at theta* is fitted.
    progress : callable or bool, optional
        Called with the number of products made so far and the greatest number there may be; True and False as in
        `landscape.evaluate`.
    comm : Comm, optional
        Processes that share each product's batches out (`landscape.parallel.comm.current_comm`), which all have to
        call this, and all get the report; ``memory`` is of each. What rank 0 raises all raise, and may measure again;
        what another rank raises alone is a `ClusterError` on the others, and their last call.

    Returns
    -------
    Curvature
        In units of the loss a squared unit of weight (`raw`), and of the loss a filter length squared (`normalised`).

    Raises
    ------
    UsageError
        A setting makes no sense, nothing is left to be moved, or several data sets were given.
    EvaluationError
        The loss or a product is not finite, depends on random numbers, or has no second derivative; or another rank
        holds other data or weights than rank 0.
    StoreError
        Vectors fit neither into memory nor on the disk.
    """
    settings = settings or Settings(**numbers)
    chosen: dict[str, Any] = {"include": include, "exclude": exclude, "ignore": ignore}
    how: dict[str, Any] = {"loss": loss, "samples": samples, "sample_seed": sample_seed, "batch_size": batch_size}
    how |= {"memory": memory, "comm": comm}
    with (
        progress_of(progress, "curvature", "products") as told,
        at_weights(model, data, **how, **chosen) as point,
    ):
        if point.comm.rank:
            found: Curvature = point.assist()
            return found
        if not any(bool(each.any()) for each in point.scale.values()):
            raise UsageError(
                "none of these weights moves in a random direction (fewer than two dimensions, or 0): there is no "
                "curvature in filter lengths; choose others with include and exclude"
            )
        sampled, values = point.sampled, point.values
        hessian = point.products()
        room = point.room(hessian)
        gradient = gradient_length(hessian, room.held)
        raw = _Matrix(hessian, None, point.filters, settings, room, told).measured()
        scaled = _Matrix(hessian, point.scale, point.filters, settings, room, told).measured()
        drawn = None
        if plane is not None:
            drawn = slice_curvature(
                hessian,
                hessian.flattened,
                plane,
                lambda forms: batch_error(forms, sampled.shares),
                scaled.spectrum,
                point.flat_scale(),
                surface,
                point.data,
            )
        newton: dict[str, Any] = {}
        hessian.forget()
        if gauss_newton and sampled.splits:
            newton = _gauss_newton(point.products("gauss_newton"), settings, room)
        report = Curvature(
            point.data,
            sampled.samples,
            float(values.mean()),
            standard_error(values),
            gradient.norm,
            gradient.norm_stderr,
            gradient.noise,
            raw.spectrum,
            scaled.spectrum,
            _layers(raw, scaled, point.tensors),
            filters=_filters(raw, scaled, point.tensors),
            **newton,
            gradient_null_stderr=gradient.null_stderr,
            batches=len(sampled),
            slice=drawn,
            settings={**vars(settings), **chosen, "mode": "eval"},
            problem={"loss": sampled.loss.name, "sample_seed": sample_seed, "batch_size": sampled.batch_size},
        )
        report = verdict(report)
        point.comm.broadcast(("end", report))
        return report


def batch_error(values: Floats, shares: Floats) -> float:
    """Return the standard error of a mean over batches that are draws of their own, weighted by their samples.

    Parameters
    ----------
    values : ndarray, shape (batches,)
        Each batch's own mean.
    shares : ndarray, shape (batches,)
        Of all samples, which each batch has; they sum to 1.

    Returns
    -------
    float
        NaN for one batch.
    """
    number = len(values)
    if number < 2:
        return math.nan
    mean = float(shares @ values)
    return math.sqrt(float(shares**2 @ (values - mean) ** 2) * number / (number - 1))


@dataclass(frozen=True)
class _Measured:
    spectrum: Spectrum
    layers: dict[str, Floats]  # name -> (probes, filters): estimates of each filter's trace


@dataclass(frozen=True)
class _Probe:
    trace: float
    square: float
    form: float
    batches: Floats  # (batches,): the form of each batch's own Hessian
    filters: dict[str, Floats]
    nodes: Floats
    weights: Floats


class _Matrix:
    """The Hessian, or D H D, from eigenvalues to traces of filters."""

    def __init__(
        self,
        hessian: Products,
        scale: Mapping[str, Tensor] | None,
        filters: Mapping[str, Filters],
        settings: Settings,
        room: Room,
        progress: Progress | None,
    ) -> None:
        self._hessian, self._scale, self._filters = hessian, scale, filters
        self._settings, self._progress = settings, progress
        self._shares = hessian.loss.shares
        self._room = room
        # Weights that stay where they are have no part in D H D.
        self.size = hessian.size if scale is None else sum(int((each > 0).sum()) for each in scale.values())

    def product(self, vector: Tensor) -> Product:
        """Return the product of this matrix."""
        if self._scale is None:
            found = self._hessian(vector)
        else:
            found = self._hessian(self._scaled(vector.clone(), self._scale))
            self._scaled(found.vector, self._scale)
        if self._progress is not None:
            self._progress(self._hessian.made, self._settings.products)
        return found

    def multiply(self, vector: Tensor) -> Tensor:
        """Return the product alone."""
        return self.product(vector).vector

    def measured(self) -> _Measured:
        """Return all there is to know."""
        settings, before = self._settings, self._hessian.made
        pairs = self._pairs()
        vectors = pairs.vectors
        values, residuals, errors = self._checked(vectors)
        order = np.concatenate(
            [np.argsort(-values[: pairs.greatest]), pairs.greatest + np.argsort(-values[pairs.greatest :])]
        )
        along = torch.from_numpy(values).to(vectors.device)
        probes = [self._probed(number, vectors, along) for number in range(settings.probes)]
        # What the eigenvectors found make up is known.
        known = self._by_filter(vectors.combined(along, squared=True))
        spectrum = Spectrum(
            self.size,
            values[order],
            residuals[order],
            errors[order],
            pairs.greatest,
            settings.tolerance,
            np.array([each.trace for each in probes]),
            batch_error(np.mean([each.batches for each in probes], axis=0), self._shares),
            np.array([each.square for each in probes]),
            np.array([each.form for each in probes]),
            np.stack([_padded(each.nodes, settings.steps) for each in probes]),
            np.stack([_padded(each.weights, settings.steps) for each in probes]),
            self._hessian.made - before,
        )
        return _Measured(spectrum, {n: np.stack([each.filters[n] for each in probes]) + known[n] for n in known})

    def _checked(self, vectors: Rows) -> tuple[Floats, Floats, Floats]:
        """Return each pair's Rayleigh quotient, true residual and error from sampling, by one more product each."""
        values, residuals, errors = [], [], []
        for row in vectors:
            vector = row.double()
            image = self.product(vector)
            values.append(float(vector @ image.vector))
            residuals.append(float(image.vector.sub_(vector, alpha=values[-1]).norm()))
            errors.append(batch_error(image.forms.cpu().numpy(), self._shares))
        return np.array(values), np.array(residuals), np.array(errors)

    def _probed(self, number: int, vectors: Rows, values: Tensor) -> _Probe:
        """Return what one probe tells; only what the eigenvectors leave is estimated, unbiased whatever they are."""
        probe = self._probe(number)
        length = float(probe.norm())
        forms: list[Tensor] = []

        def multiply(vector: Tensor) -> Tensor:
            found = self.product(vector)
            forms.append(found.forms)
            return found.vector

        steps = min(self._settings.steps, self._hessian.size)
        rows = self._room.rows(steps, steps)
        start = probe.to(rows.dtype)
        del probe  # drawn again: there is memory for few vectors
        quadrature = lanczos_quadrature(multiply, start, steps, rows=rows)
        del rows
        probe = self._probe(number)
        left = quadrature.image.mul_(length)
        form = float(probe @ left)
        vectors.subtract(values * vectors.inner_products(probe), left)
        return _Probe(
            float(values.sum() + probe @ left),
            float(values.square().sum() + left @ left),
            form,
            forms[0].cpu().numpy() * length**2,
            self._by_filter(probe.mul_(left)),
            quadrature.nodes,
            quadrature.weights,
        )

    def _pairs(self) -> Eigenpairs:
        most = min(self._settings.eigenvalues, self.size)
        least = min(self._settings.eigenvalues, self.size - most)
        rows = self._room.rows(most + least + 3, most_vectors(self._settings))
        return extreme_eigenpairs(
            self.multiply,
            self._random(0).to(rows.dtype),
            greatest=most,
            least=least,
            tolerance=self._settings.tolerance,
            most=self._settings.most,
            rows=rows,
        )

    def _random(self, number: int) -> Tensor:
        """Return a normal random vector over what moves."""
        draw = np.random.Generator(np.random.PCG64([self._settings.seed, number])).standard_normal(self._hessian.size)
        vector = torch.from_numpy(draw).to(self._hessian.device)
        return vector if self._scale is None else self._scaled(vector, {n: each > 0 for n, each in self._scale.items()})

    def _probe(self, number: int) -> Tensor:
        """Return a probe whose u u' is the identity on average.

        Signs; of D H D a random direction as a picture draws it, in units of D: each filter of length sqrt(its size).
        """
        vector = self._random(number + 1)
        if self._scale is None:
            return vector.sign_().add_(0.5).sign_()  # 1 for a 0
        for name, part in self._hessian.named(vector).items():
            rows = self._filters[name].rows(part)
            lengths = torch.linalg.vector_norm(rows, dim=1)
            factors = torch.where(lengths > 0, math.sqrt(rows.shape[1]) / lengths, torch.zeros_like(lengths))
            part.mul_(self._filters[name].spread(factors, part.shape))
        return vector

    def _scaled(self, vector: Tensor, scale: Mapping[str, Tensor]) -> Tensor:
        """Multiply each number of a vector, in its place, with that of its weight."""
        for name, part in self._hessian.named(vector).items():
            part.mul_(scale[name])
        return vector

    def _by_filter(self, products: Tensor) -> dict[str, Floats]:
        named = self._hessian.named(products)
        return {name: self._filters[name].rows(each).sum(1).cpu().numpy() for name, each in named.items()}


def _padded(values: Floats, steps: int) -> Floats:
    return np.concatenate([values, np.full(steps - len(values), np.nan)])


def _gauss_newton(matrix: Products, settings: Settings, room: Room) -> dict[str, Any]:
    """Return the greatest eigenvalue, its residual, the trace and its standard error, by the report's names."""
    draw = np.random.Generator(np.random.PCG64([settings.seed, 0])).standard_normal(matrix.size)
    rows = room.rows(4, most_vectors(settings))
    pairs = extreme_eigenpairs(
        lambda vector: matrix(vector).vector,
        torch.from_numpy(draw).to(matrix.device, rows.dtype),
        greatest=1,
        least=0,
        tolerance=settings.tolerance,
        most=settings.most,
        rows=rows,
    )
    vector = pairs.vectors[0].double()
    image = matrix(vector).vector
    value = float(vector @ image)
    residual = float(image.sub_(vector, alpha=value).norm())
    del image
    traces = []
    for number in range(settings.probes):
        draw = np.random.Generator(np.random.PCG64([settings.seed, number + 1])).standard_normal(matrix.size)
        probe = torch.from_numpy(np.copysign(1.0, draw, out=draw)).to(matrix.device)
        left = matrix(probe).vector.sub_(vector, alpha=value * float(vector @ probe))
        traces.append(value + float(probe @ left))
    matrix.forget()
    spread = np.array(traces)
    return {
        "gauss_newton_greatest": value,
        "gauss_newton_residual": residual,
        "gauss_newton_trace": float(spread.mean()),
        "gauss_newton_trace_stderr": standard_error(spread),
    }


def _layers(raw: _Measured, scaled: _Measured, tensors: Mapping[str, Tensor]) -> tuple[LayerCurvature, ...]:
    found = []
    for name, tensor in tensors.items():
        sums = [each.layers[name].sum(1) for each in (raw, scaled)]
        numbers = [number for each in sums for number in (float(each.mean()), standard_error(each))]
        found.append(LayerCurvature(name, tensor.numel(), raw.layers[name].shape[1], *numbers))
    return tuple(found)


def _filters(raw: _Measured, scaled: _Measured, names: Iterable[str]) -> FilterCurvature:
    parts = []
    for each in (raw, scaled):
        values = np.concatenate([each.layers[name] for name in names], axis=1)
        parts += [values.mean(0), values.std(0, ddof=1) / math.sqrt(len(values))]
    return FilterCurvature(*parts)
