"""A shaded plane, pixel by pixel, against the light on an inclined plane worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from landscape.plot.planes.marks import Sheet
from landscape.plot.planes.relief import HEIGHT, PIXELS, STRENGTH, bilinear, draw_relief
from landscape.plot.scale.scale import Scale
from matplotlib.figure import Figure

from tests.helpers.plot_fixtures import random_axis, surface_of, uneven

X, Y = uneven(-2, 2, 9), uneven(-1, 1, 7)


def shaded(loss, **options):
    surface = surface_of({"train/loss": loss}, random_axis(X, 0), random_axis(Y, 1))
    scale = Scale.of(surface, "train/loss", kind="log", eps=0.1, **options)
    ax = Figure().add_subplot()
    draw_relief(ax, Sheet.of(surface, "train/loss", scale))
    return ax.images[0], scale


@pytest.mark.parametrize("slope", [(0.3, 0.1), (-0.3, 0.1), (0.1, -0.6), (0.0, 0.0)])
def test_an_inclined_plane_has_its_colours_in_the_light_from_the_north_west(slope):
    loss = np.exp(2 + slope[0] * X + slope[1] * Y[:, None]) - 0.1
    image, scale = shaded(loss)
    assert (image.get_extent(), image.origin) == ([-2, 2, -1, 1], "lower")
    colors = image.get_array()
    assert colors.shape == (PIXELS // 2, PIXELS, 4)
    bottom, top = scale.forward([scale.low, scale.high])
    steep = np.array(slope) * HEIGHT * 4 / (top - bottom)  # the box is as high as 0.55 of its longer side
    sun = np.array([-0.5, 0.5, np.sqrt(0.5)])
    facing = max(0.0, float(np.array([*-steep, 1.0]) @ sun) / np.sqrt(1 + steep @ steep))
    light = 1 + STRENGTH * (facing / sun[2] - 1)
    for row, column in ((10, 20), (300, 50), (170, 640)):
        px, py = -2 + 4 * (column + 0.5) / PIXELS, -1 + 2 * (row + 0.5) / (PIXELS // 2)
        own = scale.colors(np.exp(2 + slope[0] * px + slope[1] * py) - 0.1)[:3]
        np.testing.assert_allclose(colors[row, column, :3], np.clip(own**2.2 * light, 0, 1) ** (1 / 2.2), atol=0.01)
    assert (colors[..., 3] == 1).all()


def test_a_high_window_has_as_many_pixels_as_a_wide_one_upwards():
    surface = surface_of({"train/loss": np.exp(X[:, None] + Y)}, random_axis(Y, 0), random_axis(X, 1))
    ax = Figure().add_subplot()
    draw_relief(ax, Sheet.of(surface, "train/loss", Scale.of(surface, "train/loss")))
    assert ax.images[0].get_array().shape == (PIXELS, PIXELS // 2, 4)
    assert ax.images[0].get_extent() == [-1, 1, -2, 2]


def test_nothing_is_drawn_in_cells_that_touch_a_hole_nor_above_the_cap():
    loss = np.exp(2 + 0.5 * X + 0 * Y[:, None]) - 0.1
    loss[1, 1] = np.nan
    image, scale = shaded(loss, cap=float(np.exp(2.5)))
    drawn = image.get_array()[..., 3]
    assert set(np.unique(drawn)) == {0, 1}
    xs = -2 + 4 * (np.arange(PIXELS) + 0.5) / PIXELS
    ys = -1 + 2 * (np.arange(PIXELS // 2) + 0.5) / (PIXELS // 2)
    hole = (xs < X[2]) & (ys[:, None] < Y[2])
    above = scale.inverse(2 + 0.5 * xs) > scale.cap
    assert above.any()
    np.testing.assert_array_equal(drawn == 0, hole | above)


def test_between_the_points_of_an_uneven_grid_a_bilinear_function_is_what_it_is():
    def function(x, y):
        return 1 + 2 * x - 3 * y + 0.5 * x * y

    xs, ys = np.linspace(-2, 2, 23), np.linspace(-1, 1, 19)
    np.testing.assert_allclose(bilinear(function(X, Y[:, None]), X, Y, xs, ys), function(xs, ys[:, None]), atol=1e-12)
