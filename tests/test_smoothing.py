"""Slopes and smooth curves against formulas; holes and cliffs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from landscape.plot.smoothing import COARSE, refine, slopes, smooth_surface

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


def test_smoothing_follows_a_cubic_basin_better_than_straight_lines_do():
    def basin(x):
        return 0.3 * x**3 + 2 * (x - 0.13) ** 2

    x = np.linspace(-1, 1, 11)
    finer, places = refine(basin(x), x, 8)
    straight = np.abs(np.interp(places, x, basin(x)) - basin(places)).max()
    assert np.abs(finer - basin(places)).max() < 0.1 * straight


def test_a_straight_line_stays_straight():
    finer, places = refine(3 - 2 * UNEVEN, UNEVEN, 5)
    np.testing.assert_allclose(finer, 3 - 2 * places, rtol=0, atol=1e-12)


@given(st.lists(st.floats(0, 1), min_size=12, max_size=12), st.floats(0, 1e6))
def test_a_curve_leaves_the_measured_values_by_little(values, spike):
    values = np.array(values)
    values[5] += spike
    x = np.arange(12.0)
    finer, _ = refine(values, x, 7)
    usual = np.ptp(np.quantile(values, [0.05, 0.95]))
    # 2 % on each side of an interval, and rounding in numbers as large as the spike.
    assert finer.min() >= values.min() - 0.05 * usual - 1e-9 * spike
    assert finer.max() <= values.max() + 0.05 * usual + 1e-9 * spike


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
