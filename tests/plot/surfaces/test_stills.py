"""The 3D still as a picture: what hides what, and what is in its PNG, PDF and SVG."""

from __future__ import annotations

import dataclasses
import io
import re
from typing import Any

import numpy as np
import pytest
from landscape.plot.figures import draw
from landscape.plot.planes.contours import contour
from landscape.plot.scale.scale import Scale
from landscape.plot.style.fields import recall
from landscape.plot.style.placement import Box, Room
from landscape.plot.style.style import look, our_style, text_width
from landscape.plot.surfaces.camera import Camera
from landscape.plot.surfaces.panel3d import Panel
from landscape.plot.surfaces.scenes import SurfaceImage
from landscape.plot.surfaces.shading import Light
from landscape.plot.surfaces.still import Still
from landscape.plot.surfaces.surfaces3d import surface
from landscape.plot.surfaces.surroundings import draw_names, placed_names
from matplotlib.figure import Figure

from landscape.cli import main
from landscape.errors import PlotError, UsageError
from landscape.files.store import write_surface
from landscape.surface.grid import Axis
from tests.helpers.panels3d import WHOLE, fine_valley, floor_point, panel_of, pixels
from tests.helpers.plot_fixtures import (
    damaged_valley,
    network,
    random_axis,
    surface_of,
    uneven,
    valley,
    valley_loss,
)
from tests.helpers.runs_on_planes import winding, with_steps


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


def test_a_path_leaving_the_surface_is_cut_there():
    panel = panel_of(damaged_valley())
    x, y, loss = panel.drape([0.5, 3.0], [0.0, 0.0])
    assert np.isfinite(loss[x <= 1.2]).all()
    assert np.isnan(loss[x > 1.2 + 1e-9]).all()
    assert len(panel.visible_parts(x, y, loss)) == 1


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


def test_the_picture_is_as_sharp_as_the_file_it_goes_into():
    panel = panel_of(fine_valley())
    (image,) = (each for each in panel.axes.artists if isinstance(each, SurfaceImage))
    coarse, left, low = image.picture(1.0, 0.0, 0.0)
    fine, finer_left, finer_low = image.picture(2.0, 0.0, 0.0)
    np.testing.assert_allclose(np.array(fine.shape[:2]) / 2, coarse.shape[:2], atol=3)
    np.testing.assert_allclose([finer_left / 2, finer_low / 2], [left, low], atol=2)


@pytest.mark.parametrize("dpi", [72, 300])
def test_a_pdf_holds_text_vectors_and_one_picture_of_300_dots_an_inch(dpi):
    panel = panel_of(valley(15, 12), (2.6, 2.2), title="resnet20", colorbar=True)
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
    figure = draw(valley(15, 12), kind="surface")
    buffer = io.BytesIO()
    with our_style():
        figure.savefig(buffer, format="svg", dpi=72, metadata={"Date": None})
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


def composed(where: str) -> tuple[Figure, Any]:
    """Return a figure of one's own with a still among other panels, and the still's axes."""
    figure = Figure(figsize=(9, 3), layout={"grid": "constrained"}.get(where))
    if where == "subfigure":
        left, right = figure.subfigures(1, 2, width_ratios=[2, 1])
        right.subplots().plot([1, 2])
        return figure, surface(valley(15, 12), ax=left, interpolate=False)
    axes = figure.subplots(1, 3, width_ratios=[1, 2, 1])
    contour(valley(15, 12), ax=axes[0], colorbar=False)
    ax = axes[1].inset_axes((0.1, 0.2, 0.8, 0.7)) if where == "inset" else axes[1]
    assert surface(valley(15, 12), ax=ax, interpolate=False, colorbar=where == "grid") is ax
    if where == "tight":
        ax.set_title("own")
        figure.tight_layout()
    return figure, ax


@pytest.mark.usefixtures("coarse_pictures")
@pytest.mark.parametrize("where", ["grid", "tight", "inset", "subfigure"])
def test_a_still_fills_the_place_it_is_given_whatever_becomes_of_its_size(where):
    figure, ax = composed(where)
    sizes = {}
    for dpi, inches in ((100, (9, 3)), (37, (9, 3)), (100, (8, 4))):
        figure.set_size_inches(inches)
        pixels(figure, dpi)
        width, height = np.array(ax.get_window_extent().size) * 72 / figure.dpi
        sizes[dpi, inches] = width, height
        spots = [(ax.transData.transform(each) - ax.bbox.p0) * 72 / figure.dpi for each in (image_spots(ax), (0, 0))]
        np.testing.assert_allclose(spots[1], 0, atol=1e-6)
        boxes = [text.get_window_extent().transformed(ax.transData.inverted()) for text in ax.texts]
        low = np.min([spots[0].min(axis=0), *(each.min for each in boxes)], axis=0)
        high = np.max([spots[0].max(axis=0), *(each.max for each in boxes)], axis=0)
        assert (low > -1.5).all()
        assert (high < np.array([width, height]) + 1.5).all()
        # One direction is filled, but for the pixel of an edge.
        notes = [text for text in ax.texts if text.get_gid() == "notes"]
        assert not notes
        assert (high - low > np.array([width, height]) - 10).any()
    assert sizes[100, (9, 3)] == pytest.approx(sizes[37, (9, 3)], abs=3)  # ticks of other panels round
    assert sizes[100, (8, 4)][1] > 1.2 * sizes[100, (9, 3)][1]
    buffer = io.BytesIO()
    figure.savefig(buffer, format="pdf", bbox_inches="tight")


def image_spots(ax: Any) -> Any:
    """Return the corners of the box around the drawn surface, in the axes' data."""
    (image,) = (each for each in ax.artists if isinstance(each, SurfaceImage))
    return image.view.project(image.scene.content)[:, :2]


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda figure: figure.add_subplot(projection="3d"), "plain axes.* these are 3d"),
        (lambda figure: figure.subplots(1, 2, sharey=True)[0], "share limits"),
    ],
)
def test_axes_that_cannot_hold_a_still_are_refused(made, message):
    with pytest.raises(PlotError, match=message):
        surface(valley(9, 8), ax=made(Figure()))


@pytest.mark.parametrize("camera", ["20,30", (20, 30), "side", "along", "top", "paper"])
def test_a_camera_is_given_by_its_angles_or_by_name(camera):
    wanted = {"side": (-90, 0), "along": (0, 0), "top": (-90, 90), "paper": (-52, 34)}.get(str(camera), (20, 30))
    assert Camera.of(camera) == Camera(*map(float, wanted))


@pytest.mark.parametrize("camera", ["20", "20,30,40", "a,b", "front", "nan,30", "20,91", "20,-5", (1,), 7])
def test_what_is_no_camera_is_refused_in_one_line(camera, tmp_path, capsys):
    with pytest.raises(UsageError, match="camera"):
        surface(valley(9, 8), camera=camera)
    if isinstance(camera, str):
        write_surface(tmp_path / "net.h5", valley(9, 8))
        assert main(["plot", str(tmp_path / "net.h5"), "--kind", "surface", "--camera", camera]) == 2
        assert "camera" in capsys.readouterr().err


def test_an_unknown_light_is_refused():
    with pytest.raises(ValueError, match="light"):
        panel_of(light="sun")


def test_light_can_be_fixed_to_the_camera():
    plain = Light()
    for azimuth in (-52, 20, 38, 128, 250):
        camera = Camera(azimuth, 34)
        for light in ("scene", "camera"):
            panel = panel_of(valley(5, 4), camera=camera, light=light, interpolate=False)
            (image,) = (each for each in panel.axes.artists if isinstance(each, SurfaceImage))
            for direction, plainly in ((image.light.key, plain.key), (image.light.fill, plain.fill)):
                # As seen by the camera, or in the scene's own coordinates.
                turn, own = (camera.directions, Camera().directions) if light == "camera" else (np.eye(3), np.eye(3))
                np.testing.assert_allclose(turn @ direction, own @ plainly, atol=1e-12)


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


def test_the_floor_has_the_contours_below_the_cap():
    given = valley()
    for cap in (None, 5.0):
        scale = Scale.of(given, "train/loss", cap=cap, levels=[2.0, 4.0, 6.0])
        drawn = {str(found.get_gid()) for found in panel_of(given, scale=scale).axes.collections}
        levels = {float(name.split()[1]) for name in drawn if name.startswith("level")}
        assert levels == ({2.0, 4.0, 6.0} if cap is None else {2.0, 4.0}), cap


@pytest.mark.parametrize("cap", [None, 5.0])
def test_the_star_is_on_the_surface_only_where_the_surface_is_drawn(cap):
    given = dataclasses.replace(valley(), values={"train/loss": valley()["train/loss"] + 9.5})
    assert given["train/loss"].min() > 9
    values = {"train/loss": given["train/loss"] - 9.4 * (np.indices(given.shape)[1] > 20)}
    given = dataclasses.replace(given, values=values)
    panel = panel_of(given, scale=None if cap is None else Scale.of(given, "train/loss", cap=cap), camera=Camera(0, 60))
    labels = {line.get_label() for line in panel.axes.lines if line.get_marker() == "*"}
    # The checkpoint's loss is above 9: over a surface cut at 5 a star would float in the air.
    assert ("checkpoint" in labels) == (cap is None)
    assert "checkpoint, on the floor" in labels


@pytest.mark.parametrize("kind", ["contour", "heatmap", "surface"])
def test_a_second_network_in_the_plane_is_marked_and_named(kind):
    values = np.linspace(-0.5, 1.5, 9)
    towards = Axis(values, "towards b.pt", "checkpoint", {"source": "checkpoint", "path": "runs/b.pt", "differs": []})
    zz = valley_loss(*np.meshgrid(values, values))
    given = surface_of({"train/loss": zz}, random_axis(values, 0), towards)
    figure = draw(given, kind=kind, interpolate=False) if kind != "heatmap" else draw(given, kind=kind)
    (mark,) = (line for line in figure.axes[0].lines if line.get_label() == "another network")
    place = mark.get_xydata()[0]
    if kind == "surface":
        panel = figure.axes[0].get_axes_locator().panel
        place = place - panel.project(0, 1, float(zz[6, 2])) + (0, 1)
        assert "another network, on the floor" in {line.get_label() for line in panel.axes.lines}
    np.testing.assert_allclose(place, (0, 1), atol=1e-6)
    said = recall(figure)["Description"]
    assert "tar: the checkpoint; diamond: b.pt" in said
    assert "along a random direction, filter-normalised and the way to b.pt (1)" in said
    # Only some of its weights reached: no network stands there.
    partly = dataclasses.replace(towards, recipe={**towards.recipe, "differs": ["fc.bias"]})
    figure = draw(dataclasses.replace(given, axes=(given.axes[0], partly)), kind=kind)
    assert "diamond" not in recall(figure)["Description"]


def test_names_of_networks_keep_off_each_other_their_marks_and_the_edges():
    numbers, size = np.random.default_rng(3), (200.0, 160.0)
    left_out = 0
    with our_style():
        for trial in range(200):
            named = [("epoch" + k * "0", numbers.uniform((0, 0), size)) for k in range(1, 3 + trial % 2)]
            found = placed_names(named, size)
            left_out += len(named) - len(found)
            boxes = [(x, y, x + text_width(text, look().small) * 72, y + look().small) for (x, y), text in found]
            for k, (a, (_, text)) in enumerate(zip(boxes, found, strict=True)):
                assert min(a) >= 0
                assert a[2] <= size[0]
                assert a[3] <= size[1]
                others = boxes[:k] + [(*at - 4, *at + 4) for name, at in named if name != text]
                assert not any(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for b in others)
        assert left_out < 60  # of 500
        assert placed_names([("", np.array([50.0, 50.0]))], size) == []


def held(ax: Any) -> tuple[int, ...]:
    """Return how many lines, texts, collections, pictures and legends axes hold."""
    return len(ax.lines), len(ax.texts), len(ax.collections), len(ax.artists), int(ax.get_legend() is not None)


@pytest.mark.parametrize("given", [valley(15, 11), winding(), damaged_valley()], ids=["plain", "legend", "notes"])
def test_a_still_that_was_too_small_for_a_while_is_whole_again(given):
    figure = draw(given, kind="surface", size=(7, 6), interpolate=False, cap=100.0)
    ax = figure.axes[0]
    whole, own = held(ax), [text.get_text() for text in ax.texts]
    view = ax.get_axes_locator().panel.frame.view
    for size in ((1.0, 0.8), (7, 6)):
        figure.set_size_inches(size)
        pixels(figure, 60)
        # The last picture, shrunk, and then all of it again.
        assert held(ax) == whole
        assert [text.get_text() for text in ax.texts] == own
    assert ax.get_xlim() == (0, view.size[0])


def test_missing_points_are_spoken_of_at_a_size_that_leaves_no_room_to():
    still = Still.of(damaged_valley(), scale=Scale.of(damaged_valley(), "train/loss", cap=100.0), interpolate=False)
    ax = Figure(figsize=(5, 4)).add_axes(WHOLE)
    still.enter(ax)
    (note,) = (text for text in ax.texts if text.get_gid() == "notes")
    whole = held(ax)
    with our_style(), pytest.raises(PlotError, match="no room"):
        still.fill(ax, (80.0, 70.0))
    assert note in ax.texts
    assert held(ax) == whole
    assert ax.get_xlim() == (0, 360)


def test_runs_that_no_legend_tells_apart_are_spoken_of_once(caplog):
    figure = draw(with_steps("adam"), kind="surface", size=(4, 4))
    figure.set_size_inches(2.4, 1.8)
    for dpi in (40, 30):
        pixels(figure, dpi)
    assert figure.axes[0].get_legend() is None
    (said,) = [each.getMessage() for each in caplog.records if "legend" in each.getMessage()]
    assert "which of 2 runs is which" in said
    assert "times as wide" in said


def test_nothing_is_put_on_the_name_of_a_network():
    panel, room = panel_of(valley(15, 11)), Room()
    with our_style():
        draw_names(panel, room, [("epoch30", np.array([80.0, 90.0]))])
        (name,) = (text for text in panel.axes.texts if text.get_gid() == "network")
        assert room.depth(Box.of_text("x", 7.0, np.add(name.get_position(), 4.0))) > 0
        assert room.depth(Box.of_text("x", 7.0, (200.0, 90.0))) < 0


def test_where_no_try_has_room_for_notes_the_last_picture_and_strip_stay(monkeypatch):
    still = Still.of(damaged_valley(), interpolate=False)
    still.enter(Figure(figsize=(5, 4)).add_axes(WHOLE))
    before, ax = still.strip, still.panel.axes
    whole = held(ax)
    monkeypatch.setattr("landscape.plot.surfaces.still.draw_notes", lambda panel, room, strip: refuse(strip))
    with our_style(), pytest.raises(PlotError, match="no room"):
        still.fill(ax, (300.0, 240.0))
    assert still.strip == before
    assert held(ax) == whole
    assert ax.get_xlim() == (0, 360)


def refuse(strip):
    strip.needed += 5.0
