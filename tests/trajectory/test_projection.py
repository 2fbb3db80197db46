"""Projecting onto a plane, against NumPy's least squares."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from landscape.errors import CheckpointError, DirectionError
from landscape.trajectory.projection import project_points

SHAPES = {"conv.weight": (3, 2, 2), "conv.bias": (3,), "scale": (), "fc.weight": (5, 4)}


def draw(generator, dtype=torch.float64):
    return {name: torch.randn(shape, generator=generator, dtype=dtype) for name, shape in SHAPES.items()}


def plus(*terms):
    return {name: sum(factor * tree[name] for factor, tree in terms) for name in SHAPES}


def flat(tree):
    return np.concatenate([tensor.double().numpy().ravel() for tensor in tree.values()])


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 3),
    st.floats(-1e3, 1e3).filter(lambda value: abs(value) > 1e-3),
    st.floats(-0.99, 0.99),
    st.sampled_from([7, 10**6]),
)
def test_coordinates_are_those_of_numpys_least_squares(seed, dimensions, stretch, lean, numbers):
    generator = torch.Generator().manual_seed(seed)
    origin, first = draw(generator), draw(generator)
    # Of unequal lengths and at any angle.
    directions = [first, *(plus((stretch, draw(generator)), (stretch * lean, first)) for _ in range(dimensions - 1))]
    points = [draw(generator) for _ in range(4)]
    found = project_points(points, origin, directions, numbers=numbers)
    matrix = np.stack([flat(direction) for direction in directions], axis=1)
    right = np.stack([flat(point) - flat(origin) for point in points], axis=1)
    expected = np.linalg.lstsq(matrix, right)[0]
    np.testing.assert_allclose(
        found.coordinates.T * np.linalg.norm(matrix, axis=0)[:, None],
        expected * np.linalg.norm(matrix, axis=0)[:, None],
        rtol=1e-9,
        atol=1e-9,
    )
    np.testing.assert_allclose(found.residual, np.linalg.norm(right - matrix @ expected, axis=0), rtol=1e-9)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-14), (torch.float32, 1e-6)])
def test_a_point_of_the_plane_is_found_where_it_is(dtype, tolerance):
    generator = torch.Generator().manual_seed(1)
    origin, x, way = (draw(generator, dtype) for _ in range(3))
    y = plus((40.0, x), (3.0, way))  # long, and at 8 degrees to x
    found = project_points([plus((1.0, origin), (0.3, x), (-0.7, y))], origin, [x, y])
    np.testing.assert_allclose(found.coordinates, [[0.3, -0.7]], atol=100 * tolerance)
    assert found.residual[0] < tolerance * 50 + 1e-12  # y is about 50 long


def test_the_distance_off_the_plane_is_exact():
    generator = torch.Generator().manual_seed(2)
    origin, x, y, off = (draw(generator) for _ in range(4))
    # Off becomes orthogonal to both directions and of length 1.
    basis, _ = np.linalg.qr(np.stack([flat(x), flat(y)], axis=1))
    for column in basis.T:
        inner, start = float(flat(off) @ column), 0
        for name, tensor in off.items():
            part = column[start : start + tensor.numel()].reshape(tensor.shape)
            off[name], start = tensor - inner * torch.from_numpy(part), start + tensor.numel()
    length = np.linalg.norm(flat(off))
    points = [plus((1.0, origin), (2.0, x), (-1.0, y), (height / length, off)) for height in (0.0, 1e-6, 0.25, 4.0)]
    found = project_points(points, origin, [x, y])
    np.testing.assert_allclose(found.residual, [0.0, 1e-6, 0.25, 4.0], rtol=1e-7, atol=1e-13)
    np.testing.assert_allclose(found.coordinates, [[2.0, -1.0]] * 4, atol=1e-12)


def test_what_a_plane_does_not_move_is_off_it():
    origin = {"a": torch.zeros(2), "b": torch.zeros(2)}
    found = project_points(
        [{"a": torch.tensor([3.0, 0.0]), "b": torch.tensor([0.0, 4.0])}], origin, [{"a": torch.eye(2)[0]}]
    )
    np.testing.assert_allclose((found.coordinates[0, 0], found.residual[0]), (3.0, 4.0))


def test_no_points_are_no_harm():
    generator = torch.Generator().manual_seed(4)
    found = project_points([], draw(generator), [draw(generator)])
    assert found.coordinates.shape == (0, 1)


def test_directions_that_span_no_plane_are_refused():
    generator = torch.Generator().manual_seed(5)
    origin, x = draw(generator), draw(generator)
    with pytest.raises(DirectionError, match="parallel"):
        project_points([origin], origin, [x, plus((-2.0, x))])
    with pytest.raises(DirectionError, match="direction 2 is zero"):
        project_points([origin], origin, [x, plus((0.0, x))])


def test_weights_that_are_not_finite_are_named():
    generator = torch.Generator().manual_seed(6)
    origin, x, bad = (draw(generator) for _ in range(3))
    bad["conv.bias"][1] = math.nan
    with pytest.raises(CheckpointError, match=r"step 7: conv\.bias holds values that are not finite"):
        project_points([origin, bad], origin, [x], labels=["step 0", "step 7"])


def test_complex_numbers_count_with_both_parts():
    generator = torch.Generator().manual_seed(4)
    trees = [{"w": torch.randn(3, 2, generator=generator, dtype=torch.cdouble)} for _ in range(5)]
    real = [{"w": torch.view_as_real(tree["w"])} for tree in trees]
    found, wanted = (project_points(each[:2], each[2], each[3:], numbers=7) for each in (trees, real))
    np.testing.assert_array_equal(found.coordinates, wanted.coordinates)
    np.testing.assert_array_equal(found.residual, wanted.residual)
    assert float(wanted.residual.min()) > 0.1
