"""Heat maps: every cell stands at its point and has the colour of its value."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from landscape.plot.figures import draw
from landscape.plot.planes.heatmaps import cell_edges, heatmap
from landscape.plot.planes.marks import hole_cells, hole_colors
from landscape.plot.scale.scale import CAPPED, MISSING, NOT_FINITE, NOT_FINITE_GREY, OK, Scale
from landscape.plot.style.style import MISSING_GREY
from matplotlib.figure import Figure

from landscape.surface.surface import COMPUTED, NOT_COMPUTED
from tests.helpers.plot_fixtures import damaged_valley, pixel_at, valley


def axes_of(surface, **options):
    return heatmap(surface, ax=Figure(figsize=(5, 4), dpi=150).add_subplot(), **options)


@pytest.mark.parametrize(("i", "j"), [(0, 0), (30, 0), (0, 22), (30, 22), (4, 15), (20, 5), (12, 19)])
def test_a_cell_has_the_colour_of_its_point(i, j):
    surface = valley()
    x, y = (axis.values for axis in surface.axes)
    expected = Scale.of(surface, "train/loss").colors(surface["train/loss"][j, i])
    np.testing.assert_allclose(pixel_at(axes_of(surface), x[i], y[j]), expected[:3], atol=0.01)


def test_cells_end_half_way_to_their_neighbours_also_where_steps_differ():
    assert cell_edges(np.array([0.0, 1.0, 3.0, 7.0])).tolist() == [-0.5, 0.5, 2.0, 5.0, 9.0]
    surface = valley()
    ax = axes_of(surface)
    x, y = (axis.values for axis in surface.axes)
    scale = Scale.of(surface, "train/loss")
    border = (x[7] + x[8]) / 2
    width = (x[8] - x[7]) / 10
    for place, value in [(border - width, surface["train/loss"][4, 7]), (border + width, surface["train/loss"][4, 8])]:
        np.testing.assert_allclose(pixel_at(ax, place, y[4]), scale.colors(value)[:3], atol=0.01)
    assert ax.get_xlim() == pytest.approx((1.5 * x[0] - 0.5 * x[1], 1.5 * x[-1] - 0.5 * x[-2]))


def test_cells_without_a_value_are_grey_and_only_they():
    surface = damaged_valley()
    x, y = (axis.values for axis in surface.axes)
    ax = axes_of(surface, scale=Scale.of(surface, "train/loss", cap=1e4))
    for i, j in [(3, 2), (6, 4), (26, 18)]:
        np.testing.assert_allclose(pixel_at(ax, x[i], y[j]), NOT_FINITE_GREY[:3], atol=0.01)
    for i, j in [(2, 2), (7, 4), (25, 18), (26, 17)]:
        assert not np.allclose(pixel_at(ax, x[i], y[j]), NOT_FINITE_GREY[:3], atol=0.05)


def test_cells_above_the_cap_are_hatched():
    surface = damaged_valley()
    x, y = (axis.values for axis in surface.axes)
    ax = axes_of(surface, scale=Scale.of(surface, "train/loss", cap=1e4))
    assert np.ptp(pixel_at(ax, x[4], y[20])) < 0.01
    assert [patch.get_hatch() for patch in ax.patches] == ["/////"]
    assert ax.texts[0].get_text() == "1 of 713 points above 10⁴\n13 not finite"


def test_points_not_computed_are_paler_than_points_that_are_not_finite():
    surface = valley()
    state = np.full(surface.shape, COMPUTED, np.uint8)
    state[0, 0] = NOT_COMPUTED
    values = {"train/loss": np.where(state == COMPUTED, surface["train/loss"], np.nan)}
    ax = axes_of(dataclasses.replace(surface, state=state, values=values))
    x, y = (axis.values for axis in surface.axes)
    np.testing.assert_allclose(pixel_at(ax, x[0], y[0]), MISSING_GREY[:3], atol=0.01)
    assert MISSING_GREY[0] > NOT_FINITE_GREY[0]


@pytest.mark.parametrize("kind", ["contour", "heatmap"])
def test_marks_on_the_border_are_whole(kind):
    surface = valley()
    y = surface.axes[1].values
    moved = tuple(dataclasses.replace(axis, values=axis.values - axis.values[0]) for axis in surface.axes)
    loss = surface["train/loss"].copy()
    loss[-1, 4] = 1e-3
    ax = draw(dataclasses.replace(surface, axes=moved, values={"train/loss": loss}), kind=kind).axes[0]
    marks = {each.get_label(): each for each in ax.lines}
    assert marks["best"].get_ydata()[0] == pytest.approx(y[-1] - y[0])
    assert not marks["best"].get_clip_on()
    assert not marks["checkpoint"].get_clip_on()
    if kind == "contour":
        # Half of the ring, white within its black edge, stands above the frame.
        at = float(moved[0].values[4])
        above = [pixel_at(ax, at, y[-1] - y[0] + part)[0] for part in np.linspace(0.01, 0.05, 12)]
        assert min(above) < 0.4


def test_the_star_and_the_ring_are_those_of_a_contour():
    ax = axes_of(valley())
    assert {line.get_marker() for line in ax.lines} == {"*", "o"}
    assert ax.get_aspect() == 1.0


@pytest.mark.mpl_image_compare(style="default", tolerance=2, savefig_kwargs={"dpi": 100})
def test_heatmap_image():
    return draw(damaged_valley(), kind="heatmap", cap=500.0)


def test_a_cell_with_a_corner_that_is_not_finite_is_not_passed_off_as_unmeasured():
    codes = np.array([[OK, MISSING, NOT_FINITE], [OK, OK, MISSING], [CAPPED, OK, OK]], np.uint8)
    expected = [[MISSING, NOT_FINITE], [OK, MISSING]]
    for turned, wanted in ((codes, expected), (codes[::-1], expected[::-1]), (codes.T, np.transpose(expected))):
        np.testing.assert_array_equal(hole_cells(turned), wanted)
    assert hole_colors(hole_cells(codes))[0].tolist() == [list(MISSING_GREY), list(NOT_FINITE_GREY)]
    assert not hole_colors(np.array([OK, CAPPED], np.uint8)).any()
