"""A drawn plane's curvature by products and by its values: two routes to one number."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

import landscape
from landscape.curvature.analysis import measure_curvature
from landscape.curvature.slices import fitted_curvature
from landscape.directions.construct import random_plane
from landscape.errors import UsageError
from landscape.surface.surface import COMPUTED, NOT_COMPUTED
from tests.helpers.plot_fixtures import random_axis, surface_of


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(25, 3), nn.Tanh(), nn.Linear(3, 3)).double().eval()


def test_products_and_a_surfaces_own_values_agree(network, images):
    plane = random_plane(network, seed=1)
    surface = landscape.evaluate(network, images, plane, x="-0.1:0.1:7", y="-0.1:0.1:7")
    found = measure_curvature(
        network, images, eigenvalues=1, probes=12, steps=1, plane=plane, surface=surface, gauss_newton=False
    ).slice
    assert found is not None
    assert (found.fitted_error < 0.01 * np.abs(found.fitted).max()).all()
    np.testing.assert_allclose(found.hessian, found.fitted, atol=1e-3 * np.abs(found.hessian).max())
    np.testing.assert_allclose(found.eigenvalues, np.linalg.eigvalsh(found.hessian)[::-1])
    assert all(0 <= rank <= 1 for rank in found.rank)
    assert (found.samples_stderr > 0).all()
    assert found.routes_agree
    assert not dataclasses.replace(found, fitted=2 * found.fitted).routes_agree


def test_a_direction_of_another_length_has_no_rank_among_random_ones(network, images):
    plane = random_plane(network, norm="layer", dimensions=1)
    scaled = random_plane(network, norm="none", dimensions=1)
    moving = random_plane(network, dimensions=1, ignore="none")  # biases, which random ones leave alone
    drawings = ((random_plane(network, dimensions=1), True), (scaled, False), (moving, False), (plane, None))
    for drawn, ranked in drawings:
        found = measure_curvature(network, images, eigenvalues=1, probes=4, steps=1, plane=drawn, gauss_newton=False)
        assert found.slice is not None
        assert np.isnan(found.slice.fitted).all()
        if ranked is not None:
            assert np.isfinite(found.slice.rank[0]) == ranked


def polynomial(x, y):
    return 1 + 0.3 * x - 0.2 * y + 1.5 * x**2 - 0.7 * x * y + 0.25 * y**2 + 0.1 * x**3 - 0.2 * x**2 * y**2


def surface(number: int, shift: float = 0.0) -> landscape.Surface:
    x, y = np.linspace(-1, 1, number) + shift, np.linspace(-2, 2, number)
    return surface_of({"train/loss": polynomial(*np.meshgrid(x, y))}, random_axis(x, 0), random_axis(y, 1))


def test_a_polynomial_of_degree_four_is_fitted_exactly():
    fitted, error = fitted_curvature(surface(21), "train/loss")
    np.testing.assert_allclose(fitted, [[3.0, -0.7], [-0.7, 0.5]], atol=1e-9)
    assert (error < 0.02).all()
    turned = dataclasses.replace(surface(21), values={"train/loss": -surface(21)["train/loss"]})
    for one, other in zip(fitted_curvature(turned, "train/loss"), (-fitted, error), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)
    coarse = fitted_curvature(surface(5), "train/loss")[1]
    assert coarse.max() > error.max(), "terms of higher degree show in coarse grids"


def test_holes_do_not_count_and_too_few_points_fit_nothing():
    whole = surface(21)
    state = whole.state.copy()
    state[9, 9] = NOT_COMPUTED
    holed = dataclasses.replace(
        whole, state=state, values={"train/loss": np.where(state == COMPUTED, whole["train/loss"], 1e9)}
    )
    np.testing.assert_allclose(fitted_curvature(holed, "train/loss")[0], [[3.0, -0.7], [-0.7, 0.5]], atol=1e-9)
    assert np.isnan(fitted_curvature(surface(3), "train/loss")[0]).all()
    assert np.isnan(fitted_curvature(surface(21, shift=5.0), "train/loss")[0]).all(), "theta* is not on it"
    assert np.isnan(fitted_curvature(whole, "test/loss")[0]).all()


def test_directions_beyond_the_weights_measured_are_refused(network, images):
    plane = random_plane(network, dimensions=1)
    with pytest.raises(UsageError, match=r"the directions move 1\.weight"):
        measure_curvature(network, images, include="^3", plane=plane, eigenvalues=1, probes=2, steps=1)
    with pytest.raises(UsageError, match="slice of 3 directions"):
        measure_curvature(network, images, plane=random_plane(network, dimensions=3), eigenvalues=1, probes=2, steps=1)
