"""Values between scattered points: against polynomials, and SciPy's own interpolation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import RBFInterpolator

from landscape.evaluation.scattered import interpolate, nearest, predict_each


@pytest.mark.parametrize(("axes", "neighbours"), [(1, 8), (2, 24), (3, 50)])
def test_values_are_those_of_a_polyharmonic_spline_through_the_nearest_points(axes, neighbours):
    generator = np.random.default_rng(axes)
    nodes, points = generator.random((120, axes)), generator.random((40, axes))
    values = np.stack([np.sin(3 * nodes).sum(axis=1), np.cos(nodes[:, 0])], axis=-1)
    theirs = RBFInterpolator(nodes, values, neighbors=neighbours, kernel="cubic", degree=2)
    np.testing.assert_allclose(interpolate(nodes, values, points), theirs(points), atol=1e-5)
    np.testing.assert_allclose(interpolate(nodes, values, nodes), values, atol=1e-9)
    others = np.stack([interpolate(np.delete(nodes, i, 0), np.delete(values, i, 0), nodes[[i]])[0] for i in range(10)])
    np.testing.assert_allclose(predict_each(nodes, values)[:10], others, atol=1e-9)


def test_few_points_and_points_on_a_line_give_values_that_stay_in_reach():
    one = np.array([[0.5, 0.5]])
    np.testing.assert_allclose(interpolate(one, np.array([[3.0]]), np.random.default_rng(0).random((5, 2))), 3.0)
    np.testing.assert_array_equal(predict_each(one, np.array([[3.0]])), [[0.0]])
    row = np.stack([np.linspace(0, 1, 40), np.full(40, 0.5)], axis=-1)  # nothing tells how it goes on across
    found = interpolate(row, row[:, :1] ** 2, np.array([[0.33, 0.5], [0.33, 0.52]]))
    np.testing.assert_allclose(found[:, 0], 0.33**2, atol=0.02)


def test_neighbours_come_nearest_first_and_a_node_is_not_its_own():
    nodes = np.array([[0.0], [1.0], [3.0]])
    distances, found = nearest(nodes, nodes, 5, others=True)
    np.testing.assert_array_equal(found, [[1, 2], [0, 2], [1, 0]])
    np.testing.assert_array_equal(distances, [[1, 3], [1, 2], [2, 3]])
    assert nearest(nodes, np.array([[2.9]]), 1)[1].item() == 2
