"""What a projected run says about its picture."""

import numpy as np
import pytest

from landscape.surface.derived.projected_runs import distances, shares_off_plane, values_below
from landscape.surface.derived.variance_shares import component_label, random_walk_shares
from landscape.surface.grid import Axis
from landscape.surface.surface import Surface, Trajectory


def test_a_component_is_of_all_runs_that_it_was_found_from():
    runs = {"source": "pca", "runs": [{"name": "sgd"}, {"name": "adam"}]}
    assert component_label("PC 2 (20 % of variance)", runs) == "PC 2 (20 % of the variance of sgd, adam)"
    assert component_label("PC 2 (20 % of variance)", {}) == "PC 2 (20 % of variance)"


def plane(x, y, function, lengths=(1.0, 1.0), cosine=0.0, state=None):
    axes = tuple(Axis(np.asarray(v, float), length=length) for v, length in zip((x, y), lengths, strict=True))
    values = function(axes[0].values[None, :], axes[1].values[:, None])
    done = np.ones(values.shape, np.uint8) if state is None else state
    return Surface(axes, {"train/loss": values}, done, cosines=np.array([[1.0, cosine], [cosine, 1.0]]))


def path(*points, residual=None):
    points = np.array(points, dtype=float)
    off = np.zeros(len(points)) if residual is None else np.array(residual)
    return Trajectory(points, residual=off, loss=np.full(len(points), np.nan), step=np.arange(len(points)))


def test_distances_are_those_in_weight_space_for_skewed_unequal_directions():
    rng = np.random.default_rng(0)
    x, y, off = rng.normal(size=(3, 7))
    off -= np.stack([x, y], 1) @ np.linalg.lstsq(np.stack([x, y], 1), off)[0]
    lengths = (np.linalg.norm(x), np.linalg.norm(y))
    surface = plane([0, 1], [0, 1], lambda x, y: x + y, lengths, x @ y / lengths[0] / lengths[1])
    run = path((0.3, -0.7), (0, 0), (0, 0), residual=[np.linalg.norm(off), 0.0, 2.0])
    expected = [np.linalg.norm(0.3 * x - 0.7 * y + off), 0.0, 2.0]
    np.testing.assert_allclose(distances(surface, run), expected, rtol=1e-12)
    np.testing.assert_allclose(shares_off_plane(surface, run), [np.linalg.norm(off) / expected[0], 0.0, 1.0])


def test_values_below_are_exact_for_a_bilinear_surface_on_an_uneven_grid():
    surface = plane([-1, 0, 0.5, 3], [0, 2, 2.5], lambda x, y: 1 + 2 * x - y + 3 * x * y)
    points = [(-1.0, 0.0), (3.0, 2.5), (0.2, 2.1), (-0.7, 1.3)]
    expected = [1 + 2 * x - y + 3 * x * y for x, y in points]
    np.testing.assert_allclose(values_below(surface, path(*points), "train/loss"), expected, rtol=1e-12)


def test_values_below_are_unknown_outside_and_beside_holes():
    state = np.ones((3, 3), np.uint8)
    state[2, 2] = 0
    surface = plane([0, 1, 2], [0, 1, 2], lambda x, y: x + y, state=state)
    surface.values["train/loss"][0, 2] = np.inf
    found = values_below(surface, path((2.1, 0), (1.5, 1.5), (1, 1.5), (1.5, 0.5), (1.0, 0.5)), "train/loss")
    np.testing.assert_array_equal(found, [np.nan, np.nan, 2.5, np.nan, 1.5])


@pytest.mark.parametrize("outside", [(2.1, 1), (-0.1, 1), (1, 2.1), (1, -0.1)])
def test_values_below_are_unknown_beyond_each_edge(outside):
    surface = plane([0, 1, 2], [0, 1, 2], lambda x, y: x + y)
    assert np.isnan(values_below(surface, path(outside), "train/loss")).all()


def test_values_below_a_path_that_ends_at_the_edge_are_known():
    x = np.linspace(-0.3, 0.9, 7)
    surface = plane(x, x, lambda x, y: x + 0 * y)
    assert values_below(surface, path((0.9 + 1e-16, -0.3 - 1e-16)), "train/loss")[0] == pytest.approx(0.9)


def test_a_line_and_one_of_several_seeds_have_values_below_too():
    line = Surface((Axis(np.array([0.0, 1.0])),), {"a/loss": np.array([1.0, 3.0])}, np.ones(2, np.uint8))
    np.testing.assert_allclose(values_below(line, path((0.5,)), "a/loss"), [2.0])
    seeds = (*line.axes, Axis(np.array([0.0, 1.0]), kind="repeat"))
    repeated = Surface(seeds, {"a/loss": np.array([[1.0, 3.0], [5.0, 5.0]])}, np.ones((2, 2), np.uint8))
    np.testing.assert_allclose(values_below(repeated, path((0.5,)), "a/loss"), [2.0])


@pytest.mark.parametrize("number", [5, 40])
def test_a_random_walk_has_the_shares_it_should_have(number):
    # Isotropic steps in 20,000 dimensions: inner products of different steps are 0.7 % of their squares.
    steps = np.random.default_rng(0).normal(size=(number, 20_000))
    walk = np.cumsum(steps, axis=0)
    values = np.linalg.svd(walk - walk.mean(axis=0), compute_uv=False)[: number - 1] ** 2
    np.testing.assert_allclose(random_walk_shares(number), values / values.sum(), atol=0.01)


def test_a_long_random_walk_has_the_shares_of_its_limit():
    np.testing.assert_allclose(random_walk_shares(5000)[:3], 6 / (np.pi * np.arange(1, 4)) ** 2, rtol=1e-3)
