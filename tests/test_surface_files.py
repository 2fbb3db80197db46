"""The 3D still as a picture: what hides what, and what is in its PNG, PDF and SVG."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest
from landscape.plot.camera import Camera
from landscape.plot.figures import draw
from landscape.plot.panel3d import Panel
from landscape.plot.scale import Scale
from landscape.plot.scenes import SurfaceImage
from landscape.plot.style import our_style
from landscape.plot.surfaces3d import surface
from matplotlib.figure import Figure
from panels3d import fine_valley, floor_point, panel_of, pixels
from plot_fixtures import (
    damaged_valley,
    network,
    random_axis,
    surface_of,
    uneven,
    valley,
    valley_loss,
)


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
