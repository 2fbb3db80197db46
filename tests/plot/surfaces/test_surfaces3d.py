"""The 3D still: its vectors put back into the fixture's formula, its panels compared, what is not there."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from landscape.plot.scale.scale import Scale
from landscape.plot.surfaces.camera import GAP, Box, Camera
from landscape.plot.surfaces.frame3d import fit_frame, thin_ticks
from landscape.plot.surfaces.scenes import SurfaceImage
from landscape.plot.surfaces.surfaces3d import draw_panel
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch

from landscape.errors import PlotError
from tests.helpers.panels3d import WHOLE, fine_valley, floor_lines, floor_point, panel_of, pixels, texts_of
from tests.helpers.plot_fixtures import (
    damaged_valley,
    half_finished_valley,
    network,
    random_axis,
    surface_of,
    valley,
    valley_loss,
)


def test_floor_contours_have_the_loss_that_their_colour_stands_for():
    panel = panel_of(fine_valley())
    scale = panel.scene.sheet.scale
    drawn = floor_lines(panel)
    assert set(drawn) == {level for level in scale.levels if scale.low < level < scale.high}
    for level, segments in drawn.items():
        for segment in segments:
            loss = valley_loss(*floor_point(panel, segment).T)
            assert np.abs(scale.forward(loss) - scale.forward(level)).max() < 0.03
    colors = {
        float(each.get_gid().removeprefix("level ")): each.get_colors()[0]
        for each in panel.axes.collections
        if isinstance(each, LineCollection) and (each.get_gid() or "").startswith("level ")
    }
    for level, color in colors.items():
        np.testing.assert_allclose(color, scale.colors(level), atol=1e-6)


def test_iso_lines_of_the_surface_are_the_levels_of_the_scale():
    panel = panel_of()
    scale, box = panel.scene.sheet.scale, panel.scene.box
    paint = panel.scene.paint(1.0, next(c for c in panel.axes.artists if isinstance(c, SurfaceImage)).light)
    heights = paint.levels / (box.rise(box.z[1])) * (box.z[1] - box.z[0]) + box.z[0]
    np.testing.assert_allclose(scale.inverse(heights), scale.levels, rtol=1e-9)
    np.testing.assert_allclose(paint.colors[-1], scale.colors(scale.high)[:3], atol=1e-9)
    np.testing.assert_allclose(paint.colors[0], scale.colors(scale.low)[:3], atol=1e-9)


@pytest.mark.parametrize("elevation", [0, 4, 12])
def test_numbers_of_a_floor_seen_from_its_edge_stand_away_from_it_on_one_side(elevation):
    """Outwards the floor is nearly its own edge in the picture: numbers there would lie along it."""
    ends = np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0]])
    camera = Camera(-130, elevation)
    scale, box = Scale.of(valley(), "train/loss"), Box((-1e-4, 1e-4), (-1e-4, 1e-4), (0.0, 1.0))
    frame = fit_frame(camera, box, scale, ("x", "y", "loss"), ends, (360.0, 290.0))
    numbers = [label for label in frame.labels if label.tick and label.axis in (0, 1)]
    assert len(numbers) > 4
    for label in numbers:
        step = np.zeros(3)
        step[label.axis] = 0.01
        places = frame.view.project(np.array([label.anchor - step, label.anchor + step]))[:, :2]
        along = (places[1] - places[0]) / np.linalg.norm(places[1] - places[0])
        assert abs(along[0] * label.direction[1] - along[1] * label.direction[0]) > 0.499, label.text
        assert label.direction[1] < 0 or elevation > 0, "below a floor that is a line"


def test_ticks_of_the_height_axis_stand_at_their_loss():
    panel = panel_of()
    scale, frame = panel.scene.sheet.scale, panel.frame
    corner = frame.height_axis[0, :2]
    labels = {label.text: label for label in frame.labels if np.allclose(label.anchor[:2], corner) and label.tick}
    assert len(frame.z_ticks) >= 3
    for value in frame.z_ticks:
        label = labels[scale.text(value)]
        assert label.anchor[2] == pytest.approx(float(panel.scene.box.rise(scale.forward(value))))
    # In loss units, and the same ladder as everywhere.
    assert set(frame.z_ticks) <= set(scale.ticks)
    assert scale.label in texts_of(panel)


def test_ticks_of_the_floor_stand_at_their_coefficient():
    panel = panel_of()
    view = panel.frame.view
    for label in panel.frame.labels:
        if label.tick and label.anchor[2] == -GAP:
            x, y = floor_point(panel, view.project(label.anchor)[None, :2])[0]
            value = float(label.text.replace("−", "-"))
            assert min(abs(x - value), abs(y - value)) < 1e-6


def test_thinned_ticks_keep_the_powers_of_ten():
    scale = Scale.of(valley(), "train/loss")
    kept = thin_ticks((0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0, 1000.0), scale, 60.0, 9.0)
    assert {1.0, 10.0, 100.0, 1000.0} <= set(kept)
    assert 2.0 not in kept
    places = scale.normalized(kept) * 60
    assert np.diff(places).min() >= 9.0


def test_a_long_title_shrinks_to_its_letter_in_a_small_panel():
    assert "α  (random direction 1)" in texts_of(panel_of())
    small = texts_of(panel_of(size=(2.2, 1.9)))
    assert "α" in small
    assert "β" in small


def test_seen_from_straight_above_there_is_no_height_axis_and_level_none_into_the_picture():
    panel = panel_of(camera=Camera(-90, 90))
    assert panel.frame.z_ticks == ()
    assert panel.frame.height_axis.size == 0
    assert panel.scene.sheet.scale.label not in texts_of(panel)
    for camera, seen, gone in (("side", "α", "β"), ("along", "β", "α")):
        texts = texts_of(panel_of(camera=camera))
        assert any(each.startswith(seen) for each in texts)
        assert not any(each.startswith(gone) for each in texts)


def test_panels_of_one_figure_have_one_framing_so_that_heights_compare():
    low, high = network(0.3, 3.0, 1, title="low"), network(2.5, 12.0, 5, title="high")
    figure = Figure(figsize=(8, 3.2))
    scale = Scale.of([low, high], "train/loss")
    among = [(low, "train/loss"), (high, "train/loss")]
    left = draw_panel(figure, (0, 0, 0.5, 1), low, "train/loss", scale, among=among)
    right = draw_panel(figure, (0.5, 0, 0.5, 1), high, "train/loss", scale, among=among)
    np.testing.assert_array_equal(left.frame.view.eye, right.frame.view.eye)
    assert left.frame.view.scale == right.frame.view.scale
    assert left.frame.view.centre == right.frame.view.centre
    np.testing.assert_allclose(left.project(0.3, -0.2, 7.0), right.project(0.3, -0.2, 7.0))
    # Alone, the low one would fill its panel.
    alone = draw_panel(Figure(figsize=(4, 3.2)), WHOLE, low, "train/loss")
    assert np.ptp(alone.scene.content[:, 2]) > 2 * np.ptp(left.scene.content[:, 2])


def test_panels_of_different_ranges_share_one_box():
    wide = valley()
    narrow = wide.select(np.arange(8, 23), np.arange(5, 18))
    among = [(wide, "train/loss"), (narrow, "train/loss")]
    panel = panel_of(narrow, scale=Scale.of([wide, narrow], "train/loss"), among=among)
    box = panel.scene.box
    assert box.x == (wide.axes[0].values[0], wide.axes[0].values[-1])
    assert box.y == (wide.axes[1].values[0], wide.axes[1].values[-1])
    assert panel.scene.placed[0, 0, 0] > -0.9


def test_a_strip_says_that_its_axes_are_not_to_scale():
    given = valley()
    axes = given.axes[0], dataclasses.replace(given.axes[1], values=given.axes[1].values * 0.05)
    assert "axes not to scale" in texts_of(panel_of(dataclasses.replace(given, axes=axes)), "notes")[0]
    assert not any("scale" in each for each in texts_of(panel_of(), "notes"))


def test_holes_are_holes_and_are_counted():
    given = damaged_valley()
    panel = panel_of(given)
    assert any("13 not finite" in each for each in texts_of(panel, "notes"))
    view, scene = panel.frame.view, panel.scene
    x, y = given.axes[0].values, given.axes[1].values
    hole = scene.box.place(x[5], y[3], scene.sheet.scale.forward(valley_loss(x[5], y[3])))
    column, row, _ = view.scaled(2).project(hole)
    assert panel.raster.triangle[int(row), int(column)] < 0 or not panel.raster.visible(hole)
    # On the floor they are grey, each where it is.
    (grey,) = (each for each in panel.axes.collections if each.get_gid() == "holes")
    assert isinstance(grey, PolyCollection)
    corners = np.concatenate([floor_point(panel, path.vertices) for path in grey.get_paths()])
    block = corners[corners[:, 0] < 0]
    np.testing.assert_allclose([block[:, 0].min(), block[:, 0].max()], x[[2, 7]], atol=1e-9)
    np.testing.assert_allclose([block[:, 1].min(), block[:, 1].max()], y[[1, 5]], atol=1e-9)


def test_networks_and_the_checkpoint_stand_on_the_surface_at_their_own_loss_and_on_the_floor():
    axes = fine_valley().axes
    recipe = {"source": "checkpoint", "differs": []}
    axes = tuple(
        dataclasses.replace(axis, source="checkpoint", recipe={**recipe, "path": f"{name}.pt"})
        for axis, name in zip(axes, "ab", strict=True)
    )
    unit = axes[1].values.max()
    axes = (axes[0], dataclasses.replace(axes[1], values=axes[1].values / unit))
    panel = panel_of(dataclasses.replace(fine_valley(), axes=axes), camera=Camera(-52, 80))
    places = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]
    marks = [line for line in panel.axes.lines if line.get_marker() in ("*", "D")]
    floor = [line.get_xydata()[0] for line in marks if line.get_label().endswith(", on the floor")]
    above = [line.get_xydata()[0] for line in marks if not line.get_label().endswith(", on the floor")]
    np.testing.assert_allclose(floor, [panel.floor(*place) for place in places])
    own = [panel.project(x, y, valley_loss(x, unit * y)) for x, y in places]
    np.testing.assert_allclose(above, own, atol=1.0)
    assert np.hypot(*(np.array(own) - floor).T).min() > 2


def test_what_is_above_the_cap_is_cut_away_hatched_and_counted():
    given = fine_valley()
    scale = Scale.of(given, "train/loss", cap=50.0)
    panel = panel_of(given, scale=scale)
    above = int((given["train/loss"] > 50).sum())
    assert any(f"{above} of {given['train/loss'].size} points above 50" in each for each in texts_of(panel, "notes"))
    patches = [each for each in panel.axes.patches if isinstance(each, PathPatch) and each.get_gid() == "above the cap"]
    assert patches
    for patch in patches:
        vertices = floor_point(panel, patch.get_path().vertices)
        x, y = given.axes[0].values, given.axes[1].values
        rim = (np.abs(vertices[:, 0, None] - x[[0, -1]]) < 1e-6).any(1)
        rim |= (np.abs(vertices[:, 1, None] - y[[0, -1]]) < 1e-6).any(1)
        heights = scale.forward(valley_loss(*vertices.T))
        assert (heights >= scale.forward(50.0) - 0.05).all()
        assert np.abs(heights[~rim] - scale.forward(50.0)).max() < 0.05
        assert patch.get_hatch()
    raster = panel.raster
    seen = np.flatnonzero(raster.triangle.ravel() >= 0)
    corners, weights, _ = raster.weights(seen)
    assert (raster.mesh.vertices[corners, 2] * weights).sum(axis=0).max() <= panel.scene.lid + 1e-9
    assert panel.scene.content[:, 2].max() == panel.scene.lid  # nor is room left for what is above


def test_an_unfinished_surface_is_drawn_coarse_and_says_so():
    given = half_finished_valley()
    panel = panel_of(given)
    ny, nx = given.finished_part().shape
    assert any(f"unfinished: {nx} × {ny} of 31 × 23 points" in each for each in texts_of(panel, "notes"))
    assert np.isfinite(panel.scene.heights).all()


def test_a_coarse_grid_is_smoothed_and_says_so_and_a_fine_one_is_not():
    coarse, plain, fine = panel_of(), panel_of(interpolate=False), panel_of(fine_valley())
    assert any(f"smoothed ×{coarse.scene.smoothed}" in each for each in texts_of(coarse, "notes"))
    assert coarse.scene.smoothed > 1
    assert plain.scene.smoothed == fine.scene.smoothed == 1
    assert texts_of(plain, "notes") == texts_of(fine, "notes") == []
    # Measured points are where they were.
    step = coarse.scene.smoothed
    np.testing.assert_allclose(coarse.scene.heights[::step, ::step], plain.scene.heights, rtol=1e-12)


def test_a_surface_without_four_neighbouring_points_is_an_error():
    given = valley(6, 5)
    loss = given["train/loss"].copy()
    loss[::2, ::2] = np.nan
    with pytest.raises(PlotError, match="heatmap"):
        panel_of(dataclasses.replace(given, values={"train/loss": loss}))


def test_heights_with_much_in_common_say_it_once():
    given = valley(9, 7)
    loss = 1e6 + 1e-3 * given["train/loss"] / given["train/loss"].max()
    panel = panel_of(dataclasses.replace(given, values={"train/loss": loss}))
    assert "training loss (10⁶ + …)" in texts_of(panel)
    assert not any("1.0000" in text for text in texts_of(panel))


def test_a_constant_surface_is_level_and_has_no_contours():
    x = np.linspace(-1, 1, 9)
    panel = panel_of(surface_of({"train/loss": np.full((9, 9), 0.7)}, random_axis(x, 0), random_axis(x, 1)))
    assert floor_lines(panel) == {}
    assert np.ptp(panel.scene.placed[..., 2]) < 1e-9


@pytest.mark.parametrize("values", [np.array([[1.0, 2.0], [3.0, 10.0]]), -np.array([[1.0, 2.0], [3.0, 1e4]])])
def test_the_smallest_grid_is_drawn_and_signed_values_too(values):
    axis = np.array([0.0, 1.0])
    panel = panel_of(surface_of({"train/loss": values}, random_axis(axis, 0), random_axis(axis, 1)))
    assert pixels(panel.axes.figure)[..., :3].std() > 0.05


@pytest.mark.parametrize(("camera", "moved"), [(Camera(-52, 90), (0, 0, 1)), ("side", (0, 1, 0)), ("along", (1, 0, 0))])
def test_from_the_top_and_the_sides_a_point_stands_at_its_coordinates_however_near_it_is(camera, moved):
    panel = panel_of(camera=camera)
    spots = panel.scene.placed[::20, ::20]
    # Tenths of a point: in perspective the star stood half-way to the next tick.
    assert np.abs(panel.flat(spots) - panel.flat(spots + 0.4 * np.array(moved))).max() < 0.1
    size = np.ptp(panel.flat(panel.scene.content), axis=0) / panel.frame.view.size
    assert size.max() > 0.6, "as large as the labels allow"
