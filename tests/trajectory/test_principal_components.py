"""Principal components of points in weight space, against a dense singular value decomposition."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from landscape.errors import CheckpointError, DirectionError
from landscape.trajectory.principal_components import pieces, principal_components


def flat(tree, names=None):
    return np.concatenate([tree[name].double().numpy().ravel() for name in (names or tree)])


def walk(seed, steps=9, dtype=torch.float32, drift=(5.0, 2.0, 1.0)):
    """Return trees that drift along a few directions of clearly different lengths, with some noise everywhere."""
    generator = torch.Generator().manual_seed(seed)

    def draw():
        shapes = {"conv.weight": (3, 2, 2, 2), "conv.bias": (3,), "fc.weight": (4, 3), "scale": ()}
        return {name: torch.randn(shape, generator=generator, dtype=torch.float64) for name, shape in shapes.items()}

    start, ways = draw(), [draw() for _ in drift]
    trees = []
    for _ in range(steps):
        noise, tree = draw(), {}
        factors = torch.randn(len(drift), generator=generator, dtype=torch.float64)
        for name, tensor in start.items():
            moved = sum(f * d * way[name] for f, d, way in zip(factors, drift, ways, strict=True))
            tree[name] = (tensor + moved + 0.01 * noise[name]).to(dtype)
        trees.append(tree)
    return trees


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(4, 12), st.sampled_from([3, 64, 10**6]))
def test_components_are_those_of_a_dense_decomposition(seed, steps, numbers):
    trees = walk(seed, steps)
    found = principal_components(trees, trees[-1], components=3, numbers=numbers)
    rows = np.stack([flat(tree) for tree in trees]) - flat(trees[-1])
    _, values, right = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    variance = values[: steps - 1] ** 2 / (steps - 1)
    np.testing.assert_allclose(found.variance, variance, rtol=1e-6, atol=1e-6 * variance[0])
    np.testing.assert_allclose(found.ratio.sum(), 1.0)
    gaps = -np.diff(variance, append=0.0) / variance[0]
    for k in range(3):
        # Directions of equal variance are free to turn among themselves.
        if min(gaps[max(k - 1, 0) : k + 1]) < 1e-2:
            continue
        expected = rows @ right[k]
        sign = np.sign(expected[np.abs(expected).argmax()])
        np.testing.assert_allclose(found.coordinates[:, k], sign * expected, rtol=1e-6, atol=1e-6 * np.abs(rows).max())
        np.testing.assert_allclose(flat(found.directions[k]), sign * right[k], atol=1e-6)


def test_directions_are_orthonormal_and_in_the_precision_of_moves():
    for dtype, expected, tolerance in ((torch.float16, torch.float32, 1e-6), (torch.float64, torch.float64, 1e-12)):
        found = principal_components(walk(3, dtype=dtype), walk(3, dtype=dtype)[0], components=3)
        matrix = np.stack([flat(tree) for tree in found.directions])
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=tolerance)
        assert {tensor.dtype for tree in found.directions for tensor in tree.values()} == {expected}
        assert found.directions[0]["scale"].shape == ()


def test_directions_do_not_depend_on_the_origin_but_coordinates_are_about_it():
    trees = walk(5, dtype=torch.float64)
    ends = [principal_components(trees, origin) for origin in (trees[-1], trees[2])]
    for tree, other in zip(*(found.directions for found in ends), strict=True):
        sign = np.sign(flat(tree) @ flat(other))
        np.testing.assert_allclose(flat(tree), sign * flat(other), atol=1e-12)
    np.testing.assert_allclose(ends[0].coordinates[-1], 0.0, atol=1e-12)
    np.testing.assert_allclose(ends[1].coordinates[2], 0.0, atol=1e-12)


def test_the_farthest_point_lies_on_the_positive_side():
    trees = walk(7)
    coordinates = principal_components(trees, trees[-1], components=3).coordinates
    assert (coordinates[np.abs(coordinates).argmax(axis=0), range(3)] > 0).all()


def test_what_is_left_out_is_not_moved_but_counts_in_the_variance():
    trees = walk(11, dtype=torch.float64)
    weights = ["conv.weight", "fc.weight"]
    found = principal_components(trees, trees[-1], ignored=lambda name: name not in weights)
    rows = np.stack([flat(tree, weights) for tree in trees])
    values = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)
    np.testing.assert_allclose(found.variance, values[:8] ** 2 / 8, rtol=1e-6, atol=1e-9)
    everything = np.stack([flat(tree) for tree in trees])
    np.testing.assert_allclose(found.total, everything.var(axis=0, ddof=1).sum())
    for tree in found.directions:
        assert not tree["conv.bias"].any()
        assert not tree["scale"].any()


def test_small_changes_of_large_weights_are_seen():
    # Differences of 1e-4 on weights of 1000: squares of the weights themselves would lose them in float64.
    steps = [{"w": (1000.0 + 1e-4 * torch.tensor([i, (-1) ** i], dtype=torch.float64))} for i in range(6)]
    found = principal_components(steps, steps[-1])
    rows = np.stack([step["w"].numpy() for step in steps])
    expected = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False) ** 2 / 5
    np.testing.assert_allclose(found.variance[:2], expected, rtol=1e-6)


def test_more_tensors_in_a_point_than_in_the_origin_are_no_harm():
    trees = walk(2)
    narrow = {name: trees[-1][name] for name in ("fc.weight", "scale")}
    found = principal_components(trees, narrow)
    assert set(found.directions[0]) == {"fc.weight", "scale"}


@pytest.mark.parametrize(("rows", "numbers"), [(4, 8), (100, 8), (1, 1000)])
def test_pieces_cover_every_number_once_and_never_hold_more_than_asked(rows, numbers):
    tree = {"a": torch.zeros(3, 5), "b": torch.zeros(()), "c": torch.zeros(0, 2), "d": torch.zeros(7)}
    covered = {name: [] for name in tree}
    for name, part in pieces(tree, rows, numbers):
        assert (part.stop - part.start) * rows <= max(numbers, rows)
        covered[name] += range(part.start, part.stop)
    assert all(covered[name] == list(range(tensor.numel())) for name, tensor in tree.items())


def point(*values):
    return {"w": torch.tensor(values, dtype=torch.float64)}


@pytest.mark.parametrize(
    ("points", "components", "message"),
    [
        ([point(1.0, 2.0)], 1, "at least two different points of a run, got 1"),
        ([point(1.0, 2.0)] * 4, 2, "the 4 points of the run differ nowhere"),
        ([point(0.0, 0.0), point(1.0, 2.0)], 2, "2 points have at most 1"),
        ([point(0.1 * i, 0.3 * i) for i in range(5)], 2, "the 5 points span only 1"),
        ([point(0.1 * i, 0.3 * i) for i in range(5)], 0, "0 principal components"),
    ],
)
def test_points_that_span_no_plane_are_refused(points, components, message):
    with pytest.raises(DirectionError, match=message):
        principal_components(points, points[-1], components=components)


def test_points_that_differ_only_in_what_is_left_out_are_refused():
    points = [{"w": torch.ones(2), "b": torch.tensor(float(i))} for i in range(4)]
    with pytest.raises(DirectionError, match="only in tensors that are left out"):
        principal_components(points, points[-1], ignored=lambda name: name == "b")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_named(value):
    points = [point(0.0, 0.0), point(1.0, 0.0), point(1.0, value), point(0.0, 1.0)]
    with pytest.raises(CheckpointError, match="epoch 2: w holds values that are not finite"):
        principal_components(points, points[-1], labels=[f"epoch {number}" for number in range(4)])
    with pytest.raises(CheckpointError, match="the end of the run: w holds values"):
        principal_components(points, points[2])


def test_complex_numbers_count_with_both_parts():
    generator = torch.Generator().manual_seed(4)
    trees = [{"w": torch.randn(3, 2, generator=generator, dtype=torch.cdouble)} for _ in range(5)]
    real = [{"w": torch.view_as_real(tree["w"])} for tree in trees]
    found, wanted = (principal_components(each, each[-1], numbers=7) for each in (trees, real))
    np.testing.assert_array_equal(found.coordinates, wanted.coordinates)
    np.testing.assert_array_equal(found.ratio, wanted.ratio)
    for mine, other in zip(found.directions, wanted.directions, strict=True):
        assert torch.equal(torch.view_as_real(mine["w"]), other["w"])
