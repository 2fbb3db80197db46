"""The 3D still: its vectors put back into the fixture's formula, its panels compared, its files opened."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import subprocess
import sys
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from landscape.plot.camera import GAP, Camera
from landscape.plot.figures import draw
from landscape.plot.frame3d import thin_ticks
from landscape.plot.panel3d import Panel
from landscape.plot.scale import Scale
from landscape.plot.scenes import SurfaceImage
from landscape.plot.style import our_style, text_width
from landscape.plot.surfaces3d import draw_panel, surface
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from plot_fixtures import (
    damaged_valley,
    half_finished_valley,
    network,
    random_axis,
    surface_of,
    uneven,
    valley,
    valley_loss,
)

from landscape.errors import PlotError
from landscape.grid import Floats
from landscape.surface import Surface

WHOLE = (0.0, 0.0, 1.0, 1.0)


def panel_of(given: Surface | None = None, size: tuple[float, float] = (5.0, 4.0), **options: Any) -> Panel:
    return draw_panel(Figure(figsize=size), WHOLE, valley() if given is None else given, **options)


def fine_valley() -> Surface:
    return valley(121, 97)


def floor_point(panel: Panel, flat: Floats) -> Floats:
    """Return x and y of points on the floor from where they are in the picture, by intersecting rays with the floor."""
    view, box = panel.frame.view, panel.scene.box
    across = (np.asarray(flat) - view.centre) / view.scale
    right, up, back = view.directions
    rays = across[:, :1] * right + across[:, 1:] * up - back
    points = view.eye + rays * ((-GAP - view.eye[2]) / rays[:, 2])[:, None]
    found = []
    for k, (low, high) in enumerate((box.x, box.y)):
        found.append((points[:, k] / box.half[k] + 1) / 2 * (high - low) + low)
    return np.stack(found, axis=-1)


def floor_lines(panel: Panel) -> dict[float, list[Floats]]:
    return {
        float(each.get_gid().removeprefix("level ")): each.get_segments()
        for each in panel.axes.collections
        if isinstance(each, LineCollection) and (each.get_gid() or "").startswith("level ")
    }


def texts_of(panel: Panel, gid: str | None = None) -> list[str]:
    return [each.get_text() for each in panel.axes.texts if gid is None or each.get_gid() == gid]


def pixels(figure: Figure, dpi: float = 100) -> Any:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    buffer.seek(0)
    return matplotlib.image.imread(buffer)


# --- what the vectors say -------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("wrong", [lambda z: z[::-1], lambda z: z[:, ::-1]])
def test_flipped_data_would_not_pass_for_the_valley(wrong):
    given = fine_valley()
    flipped = dataclasses.replace(given, values={"train/loss": wrong(given["train/loss"]).copy()})
    panel = panel_of(flipped)
    scale = panel.scene.sheet.scale
    errors = [
        np.abs(scale.forward(valley_loss(*floor_point(panel, segment).T)) - scale.forward(level)).max()
        for level, segments in floor_lines(panel).items()
        for segment in segments
    ]
    assert max(errors) > 1


def test_iso_lines_of_the_surface_are_the_levels_of_the_scale():
    panel = panel_of()
    scale, box = panel.scene.sheet.scale, panel.scene.box
    paint = panel.scene.paint(1.0, next(c for c in panel.axes.artists if isinstance(c, SurfaceImage)).light)
    heights = paint.levels / (box.rise(box.z[1])) * (box.z[1] - box.z[0]) + box.z[0]
    np.testing.assert_allclose(scale.inverse(heights), scale.levels, rtol=1e-9)
    np.testing.assert_allclose(paint.colors[-1], scale.colors(scale.high)[:3], atol=1e-9)
    np.testing.assert_allclose(paint.colors[0], scale.colors(scale.low)[:3], atol=1e-9)


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


def polygon(label: Any, spot: Floats) -> Floats:
    """Return the four corners of a label's text in the picture."""
    width, height = text_width(label.text, label.size) * 72, label.size * 0.75
    c, s = np.cos(np.deg2rad(label.rotation)), np.sin(np.deg2rad(label.rotation))
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (width / 2, height / 2)
    return spot + label.direction * label.offset + square @ np.array([[c, s], [-s, c]])


def apart(one: Floats, other: Floats) -> bool:
    """Whether a straight line separates two convex polygons."""
    for points in (one, other):
        for edge in np.roll(points, -1, axis=0) - points:
            normal = np.array([-edge[1], edge[0]])
            if (one @ normal).max() < (other @ normal).min() or (other @ normal).max() < (one @ normal).min():
                return True
    return False


@pytest.mark.parametrize("azimuth", [-52, -20, 0, 33, 88, 90, 135, 200, 290])
@pytest.mark.parametrize(("elevation", "size"), [(34, (5.4, 4.3)), (12, (3.4, 2.8)), (60, (2.9, 2.4))])
def test_labels_stay_in_the_panel_and_apart_from_each_other(azimuth, elevation, size):
    given = network(2.5, 12.0, 5, side=25)
    panel = panel_of(given, size, camera=Camera(azimuth, elevation))
    shapes = [polygon(label, panel.flat(label.anchor)) for label in panel.frame.labels]
    for k, shape in enumerate(shapes):
        assert shape.min() > -1
        assert (shape.max(axis=0) < np.array(size) * 72 + 1).all()
        for other in shapes[:k]:
            assert apart(shape, other)


def test_a_long_title_shrinks_to_its_letter_in_a_small_panel():
    assert "α  (random direction 1)" in texts_of(panel_of())
    small = texts_of(panel_of(size=(2.2, 1.9)))
    assert "α" in small
    assert "β" in small


def test_seen_from_straight_above_there_is_no_height_axis():
    panel = panel_of(camera=Camera(-90, 90))
    assert panel.frame.z_ticks == ()
    assert panel.frame.height_axis.size == 0
    assert panel.scene.sheet.scale.label not in texts_of(panel)


# --- panels that are compared ---------------------------------------------------------------------------------------


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


# --- what is not there ----------------------------------------------------------------------------------------------


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


# --- what hides what ------------------------------------------------------------------------------------------------


def test_the_checkpoint_is_starred_on_the_surface_where_it_can_be_seen_and_always_on_the_floor():
    x, y = uneven(-1, 1, 41), uneven(-1, 1, 31)
    xx, yy = np.meshgrid(x, y)
    hill = np.exp(3 - 8 * ((xx - 0.35) ** 2 + (yy + 0.45) ** 2)) + 0.5
    for azimuth, shown in ((-52, False), (128, True)):
        given = surface_of({"train/loss": hill}, random_axis(x, 0), random_axis(y, 1))
        panel = panel_of(given, camera=Camera(azimuth, 15))
        stars = {line.get_label(): line for line in panel.axes.lines if line.get_marker() == "*"}
        assert ("checkpoint" in stars) == shown
        np.testing.assert_allclose(
            floor_point(panel, stars["checkpoint, on the floor"].get_xydata()), [[0, 0]], atol=1e-9
        )


def test_a_path_is_laid_on_the_surface_and_hidden_by_it():
    x = np.linspace(-1, 1, 61)
    xx, _ = np.meshgrid(x, x)
    given = surface_of({"train/loss": 0.5 + 20 * np.exp(-((xx / 0.12) ** 2))}, random_axis(x, 0), random_axis(x, 1))
    across = np.array([-0.8, 0.8]), np.array([0.1, 0.15])
    hidden = {}
    for azimuth in (0, 180):
        panel = panel_of(given, camera=Camera(azimuth, 20), interpolate=False)
        path = panel.drape(*across)
        np.testing.assert_allclose(path[2], 0.5 + 20 * np.exp(-((path[0] / 0.12) ** 2)), rtol=0.2)
        seen = panel.visible(*path)
        hidden[azimuth] = path[0][~seen]
        parts = panel.visible_parts(*path)
        assert 1 <= len(parts) <= 3
        length = sum(np.hypot(*np.diff(part, axis=0).T).sum() for part in parts)
        whole = np.hypot(*np.diff(panel.project(*path), axis=0).T).sum()
        assert 0.2 * whole < length < 0.95 * whole
    # Each side hides what is behind the ridge, and only that.
    assert len(hidden[0]) > 5
    assert hidden[0].max() < 0.05
    assert hidden[180].min() > -0.05


def test_a_path_leaving_the_surface_is_cut_there():
    panel = panel_of(damaged_valley())
    x, y, loss = panel.drape([0.5, 3.0], [0.0, 0.0])
    assert np.isfinite(loss[x <= 1.2]).all()
    assert np.isnan(loss[x > 1.2 + 1e-9]).all()
    assert len(panel.visible_parts(x, y, loss)) == 1


# --- the picture and its files --------------------------------------------------------------------------------------


def test_the_surface_hides_the_floor_and_not_the_other_way_round():
    given = fine_valley()
    panel = panel_of(given)
    picture = pixels(panel.axes.figure)
    height = picture.shape[0]
    scene = panel.scene
    spots = scene.placed[5:-5:9, 5:-5:9].reshape(-1, 3)
    spots = spots[panel.raster.visible(spots)]
    for point in spots:
        if np.hypot(*(panel.flat(point) - panel.project(0.0, 0.0, valley_loss(0.0, 0.0)))) < 6:
            continue  # the star
        x, y = panel.flat(point) * 100 / 72
        color = picture[int(height - y), int(x), :3]
        # The floor is white and grey, the surface is never.
        assert np.ptp(color) > 0.08


def test_a_surface_that_is_not_finished_in_one_draw_is_the_same_in_the_next():
    panel = panel_of(valley())
    assert pixels(panel.axes.figure).tobytes() == pixels(panel.axes.figure).tobytes()
    assert pixels(panel.axes.figure).tobytes() == pixels(panel_of(valley()).axes.figure).tobytes()


def test_the_picture_is_as_sharp_as_the_file_it_goes_into():
    panel = panel_of(fine_valley())
    (image,) = (each for each in panel.axes.artists if isinstance(each, SurfaceImage))
    coarse, left, low = image.picture(1.0, 0.0, 0.0)
    fine, finer_left, finer_low = image.picture(4.0, 0.0, 0.0)
    np.testing.assert_allclose(np.array(fine.shape[:2]) / 4, coarse.shape[:2], atol=3)
    np.testing.assert_allclose([finer_left / 4, finer_low / 4], [left, low], atol=2)


@pytest.mark.parametrize("dpi", [72, 300])
def test_a_pdf_holds_text_vectors_and_one_picture_of_300_dots_an_inch(dpi):
    panel = panel_of(fine_valley(), title="resnet20", colorbar=True)
    buffer = io.BytesIO()
    with our_style():
        panel.axes.figure.savefig(buffer, format="pdf", dpi=dpi, metadata={"CreationDate": None})
    data = buffer.getvalue()
    pictures = re.findall(rb"/Width (\d+) /Height (\d+)", data) or [
        (w, h) for h, w in re.findall(rb"/Height (\d+)[^>]*?/Width (\d+)", data)
    ]
    assert b"/FontFile2" in data  # TrueType, as journals ask
    assert b"/Type3" not in data
    widths = sorted({int(width) for width, _ in pictures})
    columns = np.ptp(panel.flat(panel.scene.content)[:, 0]) * 300 / 72
    assert widths[-1] == pytest.approx(columns, rel=0.02)
    assert len(data) < 1_000_000


def test_an_svg_holds_text_vectors_and_one_picture():
    figure = draw(valley(), kind="surface")
    buffer = io.BytesIO()
    with our_style():
        figure.savefig(buffer, format="svg", dpi=300, metadata={"Date": None})
    text = buffer.getvalue().decode()
    assert "random direction 1" in text
    assert "<text" in text
    # The surface, and the colour bar's gradient.
    assert 1 <= text.count("<image") <= 2


def test_a_figure_of_its_own_has_colour_bar_title_and_caption():
    ax = surface(valley())
    figure = ax.figure
    assert isinstance(figure, Figure)
    assert any(each.get_label() == "colorbar" for each in figure.axes)
    assert any("cross entropy" in each.get_text() for each in figure.texts)
    assert any(isinstance(each, SurfaceImage) for each in ax.artists)
    given = Figure(figsize=(5, 4))
    assert surface(valley(), figure=given).figure is given


def test_an_unknown_light_is_refused():
    with pytest.raises(ValueError, match="light"):
        panel_of(light="sun")


def test_light_can_be_fixed_to_the_camera():
    images = {}
    for light in ("scene", "camera"):
        panel = panel_of(camera=Camera(128, 34), light=light)
        (images[light],) = (each for each in panel.axes.artists if isinstance(each, SurfaceImage))
    assert images["scene"].light.key == (-0.55, -0.35, 0.75)
    np.testing.assert_allclose(images["camera"].light.key, (0.55, 0.35, 0.75))


def without_text(panel: Panel) -> Figure:
    """Return the figure without letters, whose shapes depend on the version of FreeType."""
    for text in panel.axes.texts:
        text.set_visible(False)
    return panel.axes.figure


@pytest.mark.mpl_image_compare(
    filename="surface3d_valley.png", style="default", tolerance=2, savefig_kwargs={"dpi": 72}
)
def test_picture_of_a_damaged_valley_with_a_cap():
    given = damaged_valley()
    return without_text(panel_of(given, scale=Scale.of(given, "train/loss", cap=300.0)))


@pytest.mark.mpl_image_compare(
    filename="surface3d_turned.png", style="default", tolerance=2, savefig_kwargs={"dpi": 72}
)
def test_picture_of_a_rough_network_from_another_side():
    return without_text(panel_of(network(2.5, 12.0, 5), camera=Camera(30, 30)))


MEASURE = """
import json, resource, time
import matplotlib
matplotlib.use("agg")
from landscape.plot.figures import draw
import sys
sys.path.insert(0, sys.argv[1])
from plot_fixtures import valley
given = valley(251, 251)
draw(valley(), kind="contour")  # fonts and imports are not what is measured
before = time.process_time()
figure = draw(given, kind="surface")
figure.set_size_inches(7.0, 5.25)
figure.savefig(sys.argv[2], dpi=200)
seconds = time.process_time() - before
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20]))
"""


@pytest.mark.slow
def test_a_still_of_251_by_251_points_takes_less_than_ten_seconds_and_1500_megabytes(tmp_path, request):
    target = tmp_path / "still.png"
    command = [sys.executable, "-c", MEASURE, str(request.config.rootpath / "tests"), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    seconds, gigabytes = json.loads(done.stdout)
    assert matplotlib.image.imread(target).shape[:2] == (1050, 1400)
    assert seconds < 10
    assert gigabytes < 1.5
