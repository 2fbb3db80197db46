"""Axes, ranges, numbering and visiting order of grids."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landscape.errors import UsageError
from landscape.surface.grid import (
    MAX_POINTS,
    Axis,
    axis_levels,
    grid_levels,
    grid_shape,
    parse_range,
    point_coordinates,
    visiting_order,
)


def axes(*lengths: int) -> tuple[Axis, ...]:
    return tuple(Axis(np.arange(n) * 10.0**k) for k, n in enumerate(lengths))


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.integers(2, 200))
def test_a_range_has_its_ends_its_number_and_equal_steps(first, length, number):
    values = parse_range(f"{first!r}:{first + length!r}:{number}")
    assert (len(values), values[0], values[-1]) == (number, pytest.approx(first, abs=1e-8 * length), first + length)
    np.testing.assert_allclose(np.diff(values), (values[-1] - values[0]) / (number - 1), rtol=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 7, 25])
@pytest.mark.parametrize("end", [0.1, 0.7, 1.3, 3.0])
def test_the_origin_is_exactly_on_a_range_that_passes_it(end, steps):
    for beyond in (1, 2, 3, 5):
        values = parse_range(f"{-end!r}:{beyond * end!r}:{(beyond + 1) * steps + 1}")
        assert values[steps] == 0.0  # where NumPy's linspace may give 1e-17


@pytest.mark.parametrize(
    "text",
    [
        "1:-1:51",
        "0:1:0",
        "0:1:-3",
        "a:b",
        "a:b:c",
        "nan:1:5",
        "0:inf:5",
        "0:1",
        "0:1:2:3",
        "0:1:1",
        "1:1:2",
        "0:1:2.5",
        f"0:1:{MAX_POINTS + 1}",
        "1:1.0000000000000002:9",
        "-1e308:1e308:5",
        "0:1e-310:5",
        "",
    ],
)
def test_what_is_no_range_is_a_usage_error(text):
    with pytest.raises(UsageError):
        parse_range(text)


def test_values_are_a_range_too_if_they_increase():
    np.testing.assert_array_equal(parse_range([-1, 0, 4]), [-1.0, 0.0, 4.0])
    assert parse_range("2:2:1").tolist() == [2.0]
    for values in ([0, 0], [1, 0], [], [0, float("nan")], [[0, 1]], ["abc"]):
        with pytest.raises(UsageError):
            parse_range(values)


def test_a_point_number_is_its_place_in_the_flat_array_and_x_changes_fastest():
    grid = axes(3, 2, 4)
    assert grid_shape(grid) == (4, 2, 3)
    x, y, z = (axis.values for axis in grid)
    expected = [[x[i], y[j], z[k]] for k in range(4) for j in range(2) for i in range(3)]
    np.testing.assert_array_equal(point_coordinates(grid, np.arange(24)), expected)


@given(st.integers(1, 300))
def test_levels_bisect_both_ends_first_and_every_gap_at_each_level(number):
    levels = axis_levels(number)
    assert levels[0] == levels[-1] == 0
    for level in range(1, levels.max() + 1):
        before, now = (np.flatnonzero(levels <= each) for each in (level - 1, level))
        gaps = np.diff(before)
        assert len(now) == len(before) + (gaps > 1).sum()  # one in each gap that has room
        assert np.diff(now).max() <= (gaps.max() + 1) // 2  # in its middle


def test_a_plane_is_visited_coarse_to_fine_and_repetitions_side_by_side():
    grid = axes(5, 3)
    # The finest of both: ends 0, middles 1, the rest 2.
    np.testing.assert_array_equal(grid_levels(grid), [[0, 2, 1, 2, 0], [1, 2, 1, 2, 1], [0, 2, 1, 2, 0]])
    order = visiting_order(grid)
    assert sorted(order) == list(range(15))
    assert order[:4].tolist() == [0, 4, 10, 14]
    repeats = (axes(3)[0], Axis(np.arange(3.0), kind="repeat"))
    assert visiting_order(repeats).tolist() == [0, 2, 3, 5, 6, 8, 1, 4, 7]


@pytest.mark.parametrize("values", [[], [0.0, 0.0], [1.0, 0.0], [np.nan], [np.inf], [[0.0]], 3.0])
def test_an_axis_is_finite_and_increasing(values):
    with pytest.raises(ValueError, match="axis"):
        Axis(np.array(values))


@pytest.mark.parametrize(
    ("source", "recipe", "reaches", "differs"),
    [
        ("checkpoint", {}, True, ()),
        ("checkpoint", {"differs": None}, True, ()),
        ("checkpoint", {"differs": []}, True, ()),
        ("checkpoint", {"differs": ["bn.weight"]}, False, ("bn.weight",)),
        ("checkpoint", {"differs": [], "include": "conv"}, True, ()),  # compared: what was left out is the same there
        ("checkpoint", {"include": "conv"}, False, ()),  # of a version that did not compare
        ("checkpoint", {"exclude": "fc"}, False, ()),
        ("checkpoint", {"include": "", "exclude": None}, True, ()),
        ("random", {}, False, ()),
        ("pca", {"differs": []}, False, ()),
    ],
)
def test_an_axis_ends_at_a_checkpoint_where_nothing_of_it_was_left_behind(source, recipe, reaches, differs):
    axis = Axis(np.array([0.0, 1.0]), source=source, recipe=recipe)
    assert axis.reaches_checkpoint is reaches
    assert axis.differs == differs
