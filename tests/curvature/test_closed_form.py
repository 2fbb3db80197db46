"""Every number of a report of a network whose Hessian is diagonal and known on paper, batch by batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from landscape.curvature.analysis import measure_curvature
from landscape.directions.construct import random_plane
from landscape.surface.reports.curvature import Curvature

# Four filters of one weight each; 23 samples in five batches, the last one short.
SLOPES, WEIGHTS = np.array([3.0, -2.0, 1.0, 0.5]), np.array([0.5, 2.0, -1.0, 4.0])
SIZES = np.array([5, 5, 5, 5, 3])


class Separate(nn.Module):
    """Outputs a_k w_k x: of the mean square over k the Hessian is diagonal, 2 a_k^2 mean(x^2) / 4."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(1, 4, bias=False).double()
        self.register_buffer("slopes", torch.from_numpy(SLOPES))
        with torch.no_grad():
            self.inner.weight.copy_(torch.from_numpy(WEIGHTS)[:, None])

    def forward(self, x: Tensor) -> Tensor:
        return self.slopes * self.inner(x)


@pytest.fixture(scope="module")
def x() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).standard_normal(23) + 0.5


@pytest.fixture(scope="module")
def report(x: np.ndarray[Any, Any]) -> Curvature:
    model, data = Separate(), (torch.from_numpy(x)[:, None], torch.zeros(23, 4, dtype=torch.float64))
    options: dict[str, Any] = {"eigenvalues": 2, "probes": 3, "steps": 6, "batch_size": 5, "tolerance": 1e-9}
    return measure_curvature(model, data, loss="mse", plane=random_plane(model, dimensions=2), **options)


@pytest.fixture(scope="module")
def squares(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The mean of x^2 over each batch."""
    return np.array([part.mean() for part in np.split(x**2, np.cumsum(SIZES)[:-1])])


def spread(values: np.ndarray[Any, Any]) -> float:
    """The standard error of a mean over the five batches."""
    shares = SIZES / 23
    return float(np.sqrt((shares**2 * (values - shares @ values) ** 2).sum() * 5 / 4))


def test_eigenvalues_traces_and_densities_are_those_on_paper_with_their_errors_from_samples(report, x, squares):
    of_raw, of_scaled = SLOPES**2 / 2, (SLOPES * WEIGHTS) ** 2 / 2
    for found, factors in ((report.raw, of_raw), (report.normalised, of_scaled)):
        values, descending = factors * (x**2).mean(), np.sort(factors)[::-1]
        np.testing.assert_allclose(found.eigenvalues, descending * (x**2).mean(), rtol=1e-9)
        np.testing.assert_allclose(found.samples_stderr, descending * spread(squares), rtol=1e-9)
        np.testing.assert_allclose(found.traces, values.sum(), rtol=1e-9)
        np.testing.assert_allclose(found.forms, values.sum(), rtol=1e-9)
        np.testing.assert_allclose(found.squares, (values**2).sum(), rtol=1e-9)
        assert found.trace_samples_stderr == pytest.approx(factors.sum() * spread(squares), rel=1e-9)
        for nodes, weights in zip(found.nodes, found.weights, strict=True):
            np.testing.assert_allclose(nodes, [*np.sort(values), np.nan, np.nan], rtol=1e-9)
            np.testing.assert_allclose(weights, [0.25] * 4 + [np.nan] * 2, rtol=1e-9)
        assert found.negative_share()[0] == 0
        assert found.effective_dimension(0.5)[0] == pytest.approx((values / (values + 0.5)).sum(), rel=1e-9)
    np.testing.assert_allclose(report.filters.trace, of_raw * (x**2).mean(), rtol=1e-9)
    np.testing.assert_allclose(report.filters.normalised_trace, of_scaled * (x**2).mean(), rtol=1e-9)
    (layer,) = report.layers
    assert (layer.trace, layer.normalised_trace) == pytest.approx((report.trace, report.normalised.trace))
    assert report.gauss_newton_greatest == pytest.approx(report.raw.greatest_eigenvalue, rel=1e-9)
    assert report.gauss_newton_trace == pytest.approx(report.trace, rel=1e-9)
    assert report.slice_bound == pytest.approx(4 * of_scaled.max() * (x**2).mean(), rel=1e-9)


def test_loss_and_gradient_are_those_on_paper_with_their_errors_from_samples(report, x, squares):
    losses = x**2 * ((SLOPES * WEIGHTS) ** 2).mean()
    assert report.loss == pytest.approx(losses.mean(), rel=1e-12)
    assert report.loss_stderr == pytest.approx(losses.std(ddof=1) / np.sqrt(23), rel=1e-12)
    steep, shares = float(np.linalg.norm(SLOPES**2 * WEIGHTS / 2)), SIZES / 23
    assert report.gradient_norm == pytest.approx(steep * (x**2).mean(), rel=1e-12)
    assert report.gradient_norm_stderr == pytest.approx(steep * spread(squares), rel=1e-9)
    noise = (shares**2 * (squares - (x**2).mean()) ** 2).sum() / (1 - (shares**2).sum())
    assert report.gradient_noise == pytest.approx(steep * np.sqrt(noise), rel=1e-9)


def test_a_plane_shows_what_its_directions_do_on_paper_with_errors_from_samples(report, x, squares):
    plane = random_plane(Separate(), dimensions=2)
    directions = [each.tensors["inner.weight"].double().numpy()[:, 0] for each in plane.directions]
    forms = np.array([[(one * other * SLOPES**2 / 2).sum() for other in directions] for one in directions])
    np.testing.assert_allclose(report.slice.hessian, forms * (x**2).mean(), rtol=1e-9)
    np.testing.assert_allclose(report.slice.samples_stderr, np.abs(forms) * spread(squares), rtol=1e-9)
