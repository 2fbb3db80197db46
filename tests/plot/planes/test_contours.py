"""Contours: read from the artists what was drawn, and put it back into the formula of the fixture."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from landscape.plot.figures import draw
from landscape.plot.planes.contours import contour, draw_contours
from landscape.plot.planes.corner_notes import draw_corner
from landscape.plot.planes.marks import Sheet, label_axis
from landscape.plot.scale.levels import number_text
from landscape.plot.scale.scale import NOT_FINITE_GREY, Scale
from landscape.plot.style.fields import recall
from landscape.plot.style.placement import Room
from landscape.plot.style.style import MISSING_GREY
from matplotlib.collections import QuadMesh
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from landscape.errors import PlotError
from landscape.surface.grid import Axis
from landscape.surface.surface import COMPUTED, INTERPOLATED, NOT_COMPUTED
from tests.helpers.panels3d import floor_lines, floor_point, panel_of
from tests.helpers.plot_fixtures import (
    damaged_valley,
    half_finished_valley,
    pixel_at,
    random_axis,
    surface_of,
    uneven,
    valley,
    valley_loss,
)


def axes_of(surface, **options):
    figure = Figure(figsize=(5, 4))
    return contour(surface, ax=figure.add_subplot(), **options)


def sets_of(ax):
    """Return the filled contours (None with hill shading) and the lines."""
    found = [each for each in ax.collections if isinstance(each, QuadContourSet)]
    fills, lines = [each for each in found if each.filled], [each for each in found if not each.filled]
    return (fills[0] if fills else None), lines[0]


def vertices_of(lines, k):
    return lines.get_paths()[k].vertices


def is_true_to(ax, formula, scale):
    """Whether the vertices of every iso-line have the loss that the line stands for."""
    _, lines = sets_of(ax)
    errors = [
        np.abs(scale.forward(formula(*vertices_of(lines, k).T)) - level).max()
        for k, level in enumerate(lines.levels)
        if len(vertices_of(lines, k))
    ]
    # Heights are interpolated linearly between points: a cell of this grid is off by at most about 0.1.
    return len(errors) >= 6 and max(errors) < 0.12


def test_iso_lines_lie_where_the_loss_has_their_level():
    surface = valley(61, 47)
    ax = axes_of(surface)
    assert is_true_to(ax, valley_loss, Scale.of(surface, "train/loss"))


@pytest.mark.parametrize("mutation", ["transposed", "x flipped", "y flipped", "level off by one", "x off by one"])
def test_a_picture_that_is_wrong_is_noticed(mutation, monkeypatch):
    """The check above is worth something only if it fails for each of these."""
    surface = valley(61, 47)
    scale = Scale.of(surface, "train/loss")
    loss = surface["train/loss"]
    mutated = {"x flipped": loss[:, ::-1], "y flipped": loss[::-1], "x off by one": np.roll(loss, 1, axis=1)}
    ax = Figure().add_subplot()
    if mutation == "transposed":
        drawn = surface_of({"train/loss": loss.T}, *reversed(surface.axes), counts={})
    else:
        drawn = dataclasses.replace(surface, values={"train/loss": mutated.get(mutation, loss)})
    draw_contours(ax, Sheet.of(drawn, "train/loss", scale))
    if mutation == "level off by one":
        _, lines = sets_of(ax)
        monkeypatch.setattr(lines, "levels", np.roll(lines.levels, 1))
    assert not is_true_to(ax, valley_loss, scale)


def test_levels_are_those_of_the_scale_that_are_crossed():
    surface = valley()
    scale = Scale.of(surface, "train/loss")
    _, lines = sets_of(axes_of(surface))
    np.testing.assert_allclose(scale.inverse(lines.levels), [each for each in scale.levels if each > scale.low])


def test_lines_are_thin_dark_and_never_dashed():
    surface = valley()
    ax = axes_of(surface)
    _, lines = sets_of(ax)
    # Heights below 0 are dashed by matplotlib unless told otherwise.
    assert min(lines.levels) < 0
    assert {str(style) for _, style in lines.get_linestyle()} == {"None"}
    assert max(lines.get_linewidth()) <= 0.5


PLACES = [(0.5, 0.1), (-0.9, 0.84), (-0.9, -0.77), (1.1, -0.3), (1.1, 0.85), (-0.3, 0.3)]


@pytest.mark.parametrize("place", PLACES)
def test_every_place_has_the_colour_of_its_loss(place):
    surface = valley(61, 47)
    expected = Scale.of(surface, "train/loss").colors(valley_loss(*place))
    np.testing.assert_allclose(pixel_at(axes_of(surface, labels=False), *place), expected[:3], atol=0.02)


@pytest.mark.parametrize("levels", [None, [5.0, 50.0]])
def test_the_minimum_below_the_lowest_level_is_no_hole(levels):
    surface = valley(61, 47)
    scale = Scale.of(surface, "train/loss", levels=levels)
    ax = axes_of(surface, scale=scale, labels=False)
    fill, lines = sets_of(ax)
    assert fill.extend == "both"
    assert scale.inverse(lines.levels[0]) > valley_loss(0.35, -0.14)
    np.testing.assert_allclose(pixel_at(ax, 0.35, -0.14), scale.colors(valley_loss(0.35, -0.14))[:3], atol=0.02)


def test_the_checkpoint_has_a_star_and_the_lowest_point_a_ring():
    surface = valley()
    ax = axes_of(surface)
    star = next(line for line in ax.lines if line.get_marker() == "*")
    ring = next(line for line in ax.lines if line.get_marker() == "o")
    assert star.get_xydata().tolist() == [[0.0, 0.0]]
    j, i = np.unravel_index(np.argmin(surface["train/loss"]), surface.shape)
    np.testing.assert_allclose(ring.get_xydata(), [[surface.axes[0].values[i], surface.axes[1].values[j]]])
    assert star.get_markerfacecolor() == "white"
    assert star.get_markeredgecolor() == "black"


def test_the_best_point_of_an_accuracy_is_its_highest():
    surface = valley()
    ring = next(line for line in axes_of(surface, name="train/accuracy").lines if line.get_marker() == "o")
    j, i = np.unravel_index(np.argmax(surface["train/accuracy"]), surface.shape)
    np.testing.assert_allclose(ring.get_xydata(), [[surface.axes[0].values[i], surface.axes[1].values[j]]])


def test_a_checkpoint_outside_the_window_has_no_star():
    x, y = np.linspace(0.2, 1, 9), np.linspace(-0.5, 0.5, 7)
    surface = surface_of({"train/loss": valley_loss(*np.meshgrid(x, y))}, random_axis(x, 0), random_axis(y, 1))
    assert not [line for line in axes_of(surface).lines if line.get_marker() == "*"]


def test_interpolated_points_are_dotted_counted_and_never_the_lowest():
    surface = valley()
    state = surface.state.copy()
    state[:, ::2] = INTERPOLATED
    j, i = np.unravel_index(np.argmin(surface["train/loss"]), surface.shape)
    state[j, i] = INTERPOLATED
    ax = axes_of(dataclasses.replace(surface, state=state))
    dots = next(line for line in ax.lines if line.get_label() == "interpolated")
    assert len(dots.get_xydata()) == int((state == INTERPOLATED).sum())
    ring = next(line for line in ax.lines if line.get_marker() == "o").get_xydata()[0]
    assert not np.allclose(ring, [surface.axes[0].values[i], surface.axes[1].values[j]])
    assert f"{int((state == INTERPOLATED).sum())} interpolated" in corner_of(ax)


def corner_of(ax):
    texts = [text.get_text() for text in ax.texts if text.get_gid() != "level"]
    return texts[0] if texts else ""


def test_nothing_is_drawn_across_what_is_not_finite():
    surface = damaged_valley()
    ax = axes_of(surface, scale=Scale.of(surface, "train/loss", cap=1e4))
    x, y = (axis.values for axis in surface.axes)
    _, lines = sets_of(ax)
    inside = np.concatenate([vertices_of(lines, k) for k in range(len(lines.levels))])
    hidden = (inside[:, 0] > x[3]) & (inside[:, 0] < x[6]) & (inside[:, 1] > y[2]) & (inside[:, 1] < y[4])
    assert not hidden.any()
    for i, j in [(4, 3), (5, 2), (3, 4), (26, 18)]:
        np.testing.assert_allclose(pixel_at(ax, x[i], y[j]), NOT_FINITE_GREY[:3], atol=0.01)
    # A cell away there are values, and they are drawn.
    assert not np.allclose(pixel_at(ax, x[8], y[3]), NOT_FINITE_GREY[:3], atol=0.05)


def test_what_is_missing_capped_or_not_finite_is_counted_in_the_corner():
    surface = damaged_valley()
    capped = int((surface["train/loss"][np.isfinite(surface["train/loss"])] > 100).sum())
    ax = axes_of(surface, scale=Scale.of(surface, "train/loss", cap=100))
    assert corner_of(ax).split("\n") == [f"{capped} of 713 points above 100", "13 not finite", "smoothed ×7"]
    assert corner_of(axes_of(valley(75, 75))) == ""


def test_where_room_is_scarce_counts_are_told_before_how_it_is_drawn(caplog):
    lines = ["6 of 713 points above 100", "13 not finite", "axes not to scale", "smoothed ×7", "levels: 10⁶ + …"]
    told = []
    for width in (2.0, 1.6, 1.4, 1.2, 1.0, 0.8):
        caplog.clear()
        ax = Figure(figsize=(width, width)).add_axes((0, 0, 1, 1))
        draw_corner(ax, lines, Room.of(ax))
        told.append(corner_of(ax).split("\n"))
        left_out = [
            line for line in lines if line not in told[-1] and line.replace(" of 713 points", "") not in told[-1]
        ]
        assert [record.args[-1] for record in caplog.records] == (["; ".join(left_out)] if left_out else [])
    # First words are shorter, then how it is drawn is left out, then counts; what all levels have in common stays.
    short = ["6 above 100", *lines[1:]]
    assert told == [lines, short, short[:3] + short[4:], short[:2] + short[4:], short[:1] + short[4:], short[4:]]


def test_what_lies_above_the_cap_is_hatched_and_not_filled():
    surface = valley()
    ax = axes_of(surface, scale=Scale.of(surface, "train/loss", cap=100))
    hatched = [each for each in ax.patches if isinstance(each, Rectangle) and each.get_hatch()]
    assert len(hatched) == 1
    assert hatched[0].get_facecolor() == (1.0, 1.0, 1.0, 1.0)
    _, lines = sets_of(ax)
    top = (-0.95, 0.85)
    assert valley_loss(*top) > 100
    # White or a grey line of the hatching, but no colour.
    assert np.ptp(pixel_at(ax, *top)) < 0.01
    assert max(lines.levels) < Scale.of(surface, "train/loss").forward(100.0)
    assert not [each for each in axes_of(surface).patches if each.get_hatch()]


def test_axes_are_named_equal_in_scale_and_end_where_the_grid_ends():
    surface = valley()
    ax = axes_of(surface)
    x, y = (axis.values for axis in surface.axes)
    assert ax.get_xlabel() == "α  (random direction 1)"
    assert ax.get_ylabel() == "β  (random direction 2)"
    assert ax.get_aspect() == 1.0
    assert (*ax.get_xlim(), *ax.get_ylim()) == (x[0], x[-1], y[0], y[-1])


def test_along_a_short_axis_stands_its_name_alone():
    words = ("α  (towards b.pt)", "PC 1 (93.3 % of variance)", "training loss, z = log(L + 0.1)")
    for width, texts in ((4.0, words), (0.6, ("α", "PC 1", "training loss"))):
        ax = Figure(figsize=(width, 4)).add_axes((0, 0, 1, 1))
        for text, shown in zip(words, texts, strict=True):
            label_axis(ax.xaxis, text)
            assert ax.get_xlabel() == shown
            label_axis(ax.yaxis, text)
            assert ax.get_ylabel() == text, "the axis upwards is long"


def test_a_principal_component_keeps_its_own_name():
    surface = valley()
    axes = (dataclasses.replace(surface.axes[0], source="pca", label="PC 1 (61.2 % of variance)"), surface.axes[1])
    assert axes_of(dataclasses.replace(surface, axes=axes)).get_xlabel() == "PC 1 (61.2 % of variance)"


def test_axes_that_are_not_to_scale_say_so():
    assert "axes not to scale" in corner_of(axes_of(valley(), equal=False))
    x, y = np.linspace(-5, 5, 21), np.linspace(-0.5, 0.5, 11)
    strip = surface_of({"train/loss": valley_loss(*np.meshgrid(x / 5, y))}, random_axis(x, 0), random_axis(y, 1))
    ax = axes_of(strip)
    assert ax.get_aspect() == "auto"
    assert "axes not to scale" in corner_of(ax)


def test_a_file_half_done_draws_its_finest_complete_grid_and_says_so():
    surface = half_finished_valley()
    part = surface.finished_part()
    assert part.complete
    ax = axes_of(surface)
    assert corner_of(ax) == f"unfinished: {part.shape[1]} × {part.shape[0]} of 31 × 23 points\nsmoothed ×12"
    _, lines = sets_of(ax)
    scale = Scale.of(part, "train/loss")
    assert len(lines.levels) >= 6
    for k, level in enumerate(lines.levels):
        # Cells twice as wide: four times the error.
        assert np.abs(scale.forward(valley_loss(*vertices_of(lines, k).T)) - level).max() < 0.8


def test_a_file_hardly_begun_shows_what_is_missing():
    surface = valley()
    state = np.full(surface.shape, NOT_COMPUTED, np.uint8)
    state[5:9, 4:12] = COMPUTED
    values = {"train/loss": np.where(state == COMPUTED, surface["train/loss"], np.nan)}
    ax = axes_of(dataclasses.replace(surface, state=state, values=values))
    assert "681 of 713 points missing" in corner_of(ax)
    mesh = next(each for each in ax.collections if isinstance(each, QuadMesh))
    assert mesh.get_array()[0, 0].tolist() == pytest.approx(MISSING_GREY)
    np.testing.assert_allclose(pixel_at(ax, -0.9, 0.8), MISSING_GREY[:3], atol=0.01)


def test_hill_shading_lights_the_slopes_that_face_north_west():
    x = uneven(-1, 1, 21)
    xx, yy = np.meshgrid(x, np.linspace(-1, 1, 31))
    ridge = 5 + 4 * np.exp(-((xx - yy) ** 2) / 0.1)
    surface = surface_of({"train/loss": ridge}, random_axis(x, 0), random_axis(np.linspace(-1, 1, 31), 1))
    ax = axes_of(surface, hillshade=True)
    image = ax.images[0].get_array()
    extent = ax.images[0].get_extent()

    def brightness(px, py):
        i = int((px - extent[0]) / (extent[1] - extent[0]) * image.shape[1])
        j = int((py - extent[2]) / (extent[3] - extent[2]) * image.shape[0])
        return float(image[j, i, :3].sum())

    # The ridge runs along y = x. The same loss on both sides of it, so the same colour: only the light differs.
    for along in (-0.5, 0.1, 0.6):
        assert brightness(along - 0.1, along + 0.1) > 1.1 * brightness(along + 0.1, along - 0.1)
    assert ax.images[0].origin == "lower"


def test_hill_shading_leaves_level_ground_as_the_scale_colours_it():
    x = np.linspace(-1, 1, 11)
    flat = np.full((9, 11), 3.0)
    surface = surface_of({"train/loss": flat}, random_axis(x, 0), random_axis(np.linspace(-1, 1, 9), 1))
    scale = Scale.of(surface, "train/loss")
    sheet = Sheet.of(surface, "train/loss", scale)
    ax = Figure().add_subplot()
    from landscape.plot.planes.relief import draw_relief

    draw_relief(ax, sheet)
    np.testing.assert_allclose(ax.images[0].get_array()[5, 5], scale.colors(3.0), atol=1e-6)


@pytest.mark.parametrize(("value", "noise"), [(0.7, 0.0), (-0.7, 2e-16)])
def test_a_constant_surface_has_the_colour_of_its_value_and_no_lowest_point(value, noise):
    x, y = np.linspace(-1, 1, 11), np.linspace(-1, 1, 9)
    values = value + noise * np.random.default_rng(0).integers(-1, 2, (9, 11))
    surface = surface_of({"train/loss": values}, random_axis(x, 0), random_axis(y, 1))
    figure = draw(surface)
    ax = figure.axes[0]
    for place in [(-0.93, -0.9), (0.31, 0.52), (0.9, -0.4)]:
        # Colours come in 128 steps.
        np.testing.assert_allclose(pixel_at(ax, *place), Scale.of(surface, "train/loss").colors(value)[:3], atol=0.01)
    assert [each.get_label() for each in ax.lines] == ["checkpoint"]
    assert f"Star: the checkpoint; every value drawn is {number_text(value)}." in recall(figure)["Description"]
    # A line through rounding would be noise.
    assert not any(isinstance(each, QuadContourSet) and not each.filled for each in ax.collections)


def test_a_constant_surface_beside_another_has_its_colour_on_their_scale():
    x, y = np.linspace(-1, 1, 11), np.linspace(-1, 1, 9)
    plain = surface_of({"train/loss": np.full((9, 11), 0.7)}, random_axis(x, 0), random_axis(y, 1))
    loss = plain["train/loss"].copy()
    loss[3:6, 2:5] = np.nan
    scale = Scale.of([plain, valley()], "train/loss")
    ax = axes_of(dataclasses.replace(plain, values={"train/loss": loss}), scale=scale)
    np.testing.assert_allclose(pixel_at(ax, 0.7, 0.3), scale.colors(0.7)[:3], atol=0.02)
    np.testing.assert_allclose(pixel_at(ax, x[3], y[4]), NOT_FINITE_GREY[:3], atol=0.01)


def test_a_line_is_not_a_plane():
    x = np.linspace(-1, 1, 5)
    with pytest.raises(PlotError, match=r"picture is of a plane, net\.h5 is a line: --kind line"):
        axes_of(surface_of({"train/loss": x**2}, random_axis(x, 0)))


def test_a_row_of_points_is_not_a_plane():
    x, y = np.linspace(-1, 1, 5), np.array([0.0])
    surface = surface_of({"train/loss": valley_loss(*np.meshgrid(x, y))}, random_axis(x, 0), random_axis(y, 1))
    with pytest.raises(PlotError, match="at least 2 x 2 points, got 5 x 1; draw it as a line"):
        axes_of(surface)


@pytest.mark.parametrize("every", [(1, 2), (2, 1), (4, 4)])
def test_holes_everywhere_are_refused_and_a_heat_map_is_named(every):
    surface = valley()
    loss = np.full(surface.shape, np.nan)
    loss[:: every[0], :: every[1]] = surface["train/loss"][:: every[0], :: every[1]]
    broken = dataclasses.replace(surface, values={"train/loss": loss})
    for hillshade in (False, True):
        with pytest.raises(PlotError, match=r"net\.h5 has no three neighbouring points .* --kind heatmap"):
            axes_of(broken, hillshade=hillshade)
    # Half of one cell is enough.
    loss[4, 4:6] = loss[5, 4] = 1.0
    axes_of(broken)
    assert Sheet.of(broken, "train/loss", None).smooth[3] == 1, "between three points there is nothing to smooth"


def test_math_signs_in_names_are_written_as_they_are():
    surface = valley()
    axes = (Axis(surface.axes[0].values, "a_$1^{b"), surface.axes[1])
    figure = draw(dataclasses.replace(surface, axes=axes, title="$x_{"))
    figure.canvas.draw()
    texts = [each for each in figure.findobj(Text) if "$" in each.get_text()]
    # The title, the axis, and the caption that names it.
    assert {"$x_{", "a_$1^{b"} <= {each.get_text().split("  ")[-1].strip("()") for each in texts}
    assert not any(each.get_parse_math() for each in texts)


@pytest.mark.mpl_image_compare(style="default", tolerance=2, savefig_kwargs={"dpi": 100})
def test_contour_image():
    surface = damaged_valley()
    return draw(surface, cap=500.0)


@settings(max_examples=40)
@given(st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.3, float("nan")]), min_size=42, max_size=42), st.booleans())
def test_every_iso_line_is_closed_or_ends_at_the_border_or_at_a_hole(values, interpolate):
    # Accuracies of ten samples: whole regions lie exactly at a level, some of them off by rounding.
    values = np.reshape(values, (6, 7)) + np.resize([0.0, 1e-17, 3e-17], 42).reshape(6, 7)
    values[:2, :2], values[2:4, 2:4] = 0.1, [[0.1, 0.3], [0.0, 0.1]]
    x, y = np.arange(7.0), np.arange(6.0)
    surface = surface_of({"train/accuracy": values}, random_axis(x, 0), random_axis(y, 1))
    axes = [contour(surface, ax=Figure().add_subplot(), labels=False, colorbar=False, interpolate=interpolate)]
    lines = [each for each in axes[0].collections if isinstance(each, QuadContourSet) and not each.filled]
    holes = np.argwhere(~np.isfinite(values))
    for path in (path for each in lines for path in each.get_paths()):
        for line in path.to_polygons(closed_only=False):
            for end_x, end_y in [] if np.allclose(line[0], line[-1], atol=1e-9) else line[[0, -1]]:
                at_border = min(end_x, 6 - end_x, end_y, 5 - end_y) < 1e-9
                near_hole = (np.abs(holes - (end_y, end_x)) <= 1 + 1e-9).all(axis=1).any()
                assert at_border or near_hole


def test_a_plateau_at_a_level_is_not_scribbled_over():
    rng = np.random.default_rng(3)
    values = np.full((12, 12), 0.1) + rng.choice([0.0, 1.4e-17, -1.4e-17], (12, 12))
    values[:, 6:] = 0.5
    axis = np.arange(12.0)
    ax = contour(
        surface_of({"train/accuracy": values}, random_axis(axis, 0), random_axis(axis, 1)),
        ax=Figure().add_subplot(),
    )
    (lines,) = [each for each in ax.collections if isinstance(each, QuadContourSet) and not each.filled]
    for path in lines.get_paths():
        assert 5 - 1e-9 <= path.vertices[:, 0].min() <= path.vertices[:, 0].max() <= 6


def test_contours_of_a_plane_are_those_on_the_floor_of_its_surface():
    surface = valley(17, 13)
    flat = contour(surface, ax=Figure().add_subplot(), labels=False, colorbar=False)
    (lines,) = [each for each in flat.collections if isinstance(each, QuadContourSet) and not each.filled]
    panel = panel_of(surface)
    floor = floor_lines(panel)
    assert len(floor) == len(lines.levels)
    scale = Scale.of(surface, "train/loss")
    for level, path in zip(lines.levels, lines.get_paths(), strict=True):
        drawn = np.concatenate([floor_point(panel, each) for each in floor[float(f"{float(scale.inverse(level)):g}")]])
        for point in path.vertices[::7]:
            assert np.hypot(*(drawn - point).T).min() < 1e-6
    assert "smoothed ×12" in corner_of(flat)
    assert "smoothed" not in corner_of(contour(surface, ax=Figure().add_subplot(), interpolate=False))
