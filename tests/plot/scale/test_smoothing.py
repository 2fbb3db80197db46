"""Slopes and smooth curves against formulas; holes and cliffs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from landscape.plot.scale.smoothing import COARSE, refine, slopes, smooth_surface, snapped

from landscape.surface.grid import Floats

UNEVEN = np.array([-1.0, -0.7, -0.1, 0.0, 0.45, 0.5, 1.2])


def test_slopes_of_a_parabola_are_exact_at_the_borders_too():
    values = 2.0 - 3.0 * UNEVEN + 1.5 * UNEVEN**2
    np.testing.assert_allclose(slopes(values, UNEVEN), -3.0 + 3.0 * UNEVEN, rtol=0, atol=1e-12)


def test_slopes_beside_a_hole_come_from_the_other_side():
    values = 2.0 - 3.0 * UNEVEN + 1.5 * UNEVEN**2
    values[3] = np.nan
    found = slopes(np.stack([values, np.where(np.isnan(values), np.inf, values)]), UNEVEN)
    known = np.arange(len(UNEVEN)) != 3
    np.testing.assert_allclose(found[:, known], np.tile(-3.0 + 3.0 * UNEVEN, (2, 1))[:, known], rtol=0, atol=1e-12)
    assert np.isnan(found[:, 3]).all()


def test_a_lone_point_and_a_pair_have_slopes():
    np.testing.assert_array_equal(slopes(np.array([np.nan, 5.0, np.nan]), np.arange(3.0)), [np.nan, 0.0, np.nan])
    np.testing.assert_array_equal(slopes(np.array([1.0, 5.0]), np.array([0.0, 2.0])), [2.0, 2.0])
    np.testing.assert_array_equal(slopes(np.array([1.0]), np.array([0.0])), [0.0])


@given(st.lists(st.floats(-10, 10), min_size=7, max_size=7), st.integers(1, 6))
def test_smoothing_keeps_every_measured_point(values, factor):
    finer, x = refine(np.array(values), UNEVEN, factor)
    np.testing.assert_array_equal(finer[::factor], values)
    np.testing.assert_array_equal(x[::factor], UNEVEN)
    assert (np.diff(x) > 0).all()


def test_smoothing_follows_a_slope_better_than_straight_lines_do():
    x = np.linspace(-1, 1, 11)
    finer, places = refine(np.exp(2 * x), x, 8)
    straight = np.abs(np.interp(places, x, np.exp(2 * x)) - np.exp(2 * places)).max()
    # Of second-order slopes: a cube of the step, not a square.
    assert np.abs(finer - np.exp(2 * places)).max() < 0.25 * straight


def test_a_straight_line_stays_straight():
    finer, places = refine(3 - 2 * UNEVEN, UNEVEN, 5)
    np.testing.assert_allclose(finer, 3 - 2 * places, rtol=0, atol=1e-12)


def cliff(side: int = 9) -> Floats:
    return np.where(np.add.outer(np.arange(side), 0.7 * np.arange(side)) < 0.8 * side, 0.3, 9.0)


def checkers(side: int = 8) -> Floats:
    return np.indices((side, side)).sum(axis=0) % 2 * 1.0


def spike(side: int = 7) -> Floats:
    return np.pad([[1e6]], side // 2) + 0.1


@pytest.mark.parametrize("values", [cliff(), checkers(), spike(), -spike(), cliff() + spike(9)])
@pytest.mark.parametrize("step", [1.0, 0.1])
def test_no_value_between_points_lies_beyond_theirs(values, step):
    x = np.cumsum(1 + step * np.arange(values.shape[1]))
    finer, _, _, factor = smooth_surface(values, x, x * 0.7)
    assert factor > 1
    corners = [values[j : len(values) - 1 + j, i : len(values) - 1 + i] for j in (0, 1) for i in (0, 1)]
    for j, i in np.ndindex(corners[0].shape):
        cell = finer[j * factor : (j + 1) * factor + 1, i * factor : (i + 1) * factor + 1]
        # So no iso-line runs through a cell that has all its corners on one side of it.
        assert min(each[j, i] for each in corners) <= cell.min()
        assert cell.max() <= max(each[j, i] for each in corners)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_curve_rises_from_its_very_end_where_a_parabola_would_first_fall(sign):
    # The parabola through 0, 1, 8 falls at its left end, and its mirror image at the right.
    for values in ([0.0, 1.0, 8.0], [-8.0, -1.0, 0.0]):
        finer, _ = refine(sign * np.array(values), np.arange(3.0), 8)
        assert (sign * np.diff(finer) > 0).all()


@given(st.lists(st.floats(-1e6, 1e6), min_size=7, max_size=7), st.integers(2, 9))
def test_a_curve_only_rises_or_only_falls_between_two_points(values, factor):
    finer, _ = refine(np.array(values), UNEVEN, factor)
    for k, (start, end) in enumerate(itertools.pairwise(values)):
        steps = np.diff(finer[k * factor : (k + 1) * factor + 1]) * np.sign(end - start)
        # Rounding of four products, each below 3 times the larger value.
        assert (steps >= -1e-14 * max(abs(start), abs(end))).all()
        assert steps.any() or start == end


@pytest.mark.parametrize("sign", [1, -1])  # heights of losses below 1 are below 0
def test_heights_at_a_level_but_for_rounding_are_set_to_it_and_no_others(sign):
    level = sign * 0.3
    heights = np.array([level, np.nextafter(level, 1), np.nextafter(level, -1), level + 1e-9, sign * 5.0, np.nan])
    np.testing.assert_array_equal(snapped(heights, np.array([level, 7.0])), [level] * 3 + heights[3:].tolist())


def test_nothing_is_drawn_across_a_hole():
    values = np.ones((9, 8)) + np.arange(8)
    values[4, 3] = np.nan
    finer, x, y, factor = smooth_surface(values, np.arange(8.0), np.arange(9.0))
    assert factor > 1
    empty = np.isnan(finer)
    inside = (np.abs(x - 3) < 1)[None, :] & (np.abs(y - 4) < 1)[:, None]
    np.testing.assert_array_equal(empty, inside)


def test_a_fine_grid_is_left_alone():
    side = int(np.sqrt(COARSE))
    values = np.random.default_rng(0).random((side, side))
    same, _, _, factor = smooth_surface(values, np.arange(side * 1.0), np.arange(side * 1.0))
    assert factor == 1
    assert same is values


@pytest.mark.parametrize("shape", [(2, 2), (3, 40), (17, 12)])
def test_both_axes_are_refined_alike(shape):
    y, x = np.arange(shape[0] * 1.0), np.arange(shape[1]) ** 1.2
    finer, fine_x, fine_y, factor = smooth_surface(2 * x[None, :] - 3 * y[:, None], x, y)
    assert finer.shape == ((shape[0] - 1) * factor + 1, (shape[1] - 1) * factor + 1)
    np.testing.assert_allclose(finer, 2 * fine_x[None, :] - 3 * fine_y[:, None], rtol=0, atol=1e-10)
