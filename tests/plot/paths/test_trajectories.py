"""Runs in pictures: where they are drawn, what hides them, and what the picture says that it does not show."""

import dataclasses
import re

import numpy as np
import pytest
from landscape.plot.figures import draw
from landscape.plot.paths.path_words import explained, losses_of, path_lines, path_notes
from landscape.plot.paths.step_panels import steps
from landscape.plot.paths.trajectories import CASING, COLORS, WIDTH, gradient, marked, paths_of
from landscape.plot.planes.contours import contour
from landscape.plot.scale.scale import Scale
from landscape.plot.style.fields import recall
from landscape.plot.style.placement import Box as PlacedBox
from landscape.plot.style.style import our_style
from landscape.plot.surfaces.axis_texts import ground_of
from landscape.plot.surfaces.camera import Camera
from landscape.plot.surfaces.surfaces3d import draw_panel
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from landscape.cli import main
from landscape.commands.surfaces.summary import describe_paths
from landscape.errors import UsageError
from landscape.files.store import write_surface
from tests.helpers.runs_on_planes import BENT, SHARES, lines_of, principal_surface, run_on


def path_collection(ax, name):
    (found,) = [each for each in ax.collections if isinstance(each, LineCollection) and each.get_label() == name]
    return found


def test_a_path_runs_through_its_points_over_a_wider_white_casing(one):
    ax = contour(one)
    path = path_collection(ax, "sgd")
    segments = np.array(path.get_segments())
    np.testing.assert_allclose(segments[::12, 0], BENT[:-1], atol=1e-12)
    np.testing.assert_allclose(segments[-1, 1], BENT[-1], atol=1e-12)
    np.testing.assert_allclose(segments[1:, 0], segments[:-1, 1], atol=1e-12)
    assert path.get_linewidths() == [WIDTH]
    (casing,) = [line for line in ax.lines if line.get_linewidth() == CASING]
    np.testing.assert_array_equal(casing.get_xydata(), BENT)
    assert casing.get_color() == "white"
    assert casing.get_zorder() < path.get_zorder()


def test_colour_deepens_from_start_to_end(one):
    colors = path_collection(contour(one), "sgd").get_colors()[:, :3]
    assert (np.diff(colors.mean(axis=1)) <= 1e-12).all()
    np.testing.assert_allclose(colors[-1], to_rgb(COLORS[0]), atol=0.02)
    assert colors[0].mean() > colors[-1].mean() + 0.2


def test_start_is_a_hollow_circle_and_end_a_star(one):
    ax = contour(one)
    (start,), (end,) = lines_of(ax, "start of sgd"), lines_of(ax, "end of sgd")
    assert (start.get_marker(), start.get_markerfacecolor()) == ("o", "white")
    assert end.get_marker() == "*"
    np.testing.assert_array_equal(start.get_xydata(), BENT[:1])
    np.testing.assert_array_equal(end.get_xydata(), BENT[-1:])


def test_drops_and_marks_are_ticks_straight_across_the_path(one):
    ax = contour(one, marks=[10])
    ticks = {line.get_gid(): line.get_xydata() for line in ax.lines if str(line.get_gid()).startswith("mark")}
    # Step 25 lies half-way between the third and the fourth record, step 10 is the second.
    np.testing.assert_allclose(ticks["mark 25"].mean(axis=0), (0.75, 0.95), atol=1e-9)
    np.testing.assert_allclose(ticks["mark 10"].mean(axis=0), BENT[1], atol=1e-9)
    across = np.diff(ax.transData.transform(ticks["mark 25"]), axis=0)[0]
    along = np.subtract(*ax.transData.transform([BENT[3], BENT[2]]))
    assert abs(across @ along) < 1e-6 * np.linalg.norm(across) * np.linalg.norm(along)
    assert np.linalg.norm(across) == pytest.approx(9 / 72 * ax.figure.dpi)
    (half,) = paths_of(one, until=0.5)
    assert marked(half, [10, 20, 30]) == [(10, 1.0), (20, 2.0)], "none where a run has not come to yet"


@pytest.mark.parametrize("kind", ["contour", "heatmap", "surface"])
def test_the_command_marks_steps_on_every_picture_of_a_plane(one, tmp_path, kind, capsys):
    write_surface(tmp_path / "run.h5", one)
    out = tmp_path / "marked.svg"
    assert main(["plot", str(tmp_path / "run.h5"), "--kind", kind, "--marks", "10,30", "-o", str(out)]) == 0
    found = set(re.findall(r'id="mark (\d+)"', out.read_text()))
    assert found == {"10", "25", "30"}  # at 25 the learning rate fell
    assert "ticks across: the learning rate fell; step 10, 30" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--marks", "50"], 2, "step 50 is to be marked, the runs go from 0 to 40"),
        (["--marks=-1"], 2, "step -1 is to be marked, the runs go from 0 to 40"),
        (["--marks", "ten"], 2, "steps are whole numbers with commas between them, not 'ten'"),
        (["--marks", "10", "--film", "orbit", "-o", "a.gif"], 2, "--marks is for pictures"),
        (["--marks", "10", "--kind", "line"], 2, "--marks is for planes and --kind steps"),
    ],
)
def test_marks_that_would_mark_nothing_are_refused(one, tmp_path, capsys, monkeypatch, words, code, message):
    monkeypatch.chdir(tmp_path)
    write_surface(tmp_path / "run.h5", one)
    assert main(["plot", "run.h5", *words]) == code
    assert message in capsys.readouterr().err
    with pytest.raises(UsageError, match="has none"):
        draw(dataclasses.replace(one, trajectories={}), marks=[1])


def test_ticks_on_the_surface_cross_the_path_where_it_is_seen():
    run = run_on([(2.6, 0.2), (2.6, 1.5)], every=100)
    for azimuth, seen in ((0.0, True), (180.0, False)):
        figure = Figure(figsize=(5, 4))
        camera = Camera(azimuth=azimuth, elevation=12)
        panel = draw_panel(figure, (0, 0, 1, 1), ridge({"run": run}), "train/loss", camera=camera, marks=[50])
        ticks = [line.get_xydata() for line in panel.axes.lines if line.get_gid() == "mark 50"]
        assert bool(ticks) == seen
        if seen:
            np.testing.assert_allclose(ticks[0].mean(axis=0), panel.project(2.6, 0.85, 0.1), atol=1.0)
            along = np.subtract(*panel.project([2.6, 2.6], [0.8, 0.9], [0.1, 0.1]))
            across = np.diff(ticks[0], axis=0)[0]
            assert abs(across @ along) < 0.05 * np.linalg.norm(across) * np.linalg.norm(along)


def test_a_legend_names_each_run_with_its_range(two):
    ax = contour(two)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["sgd: step 0 to 40", "adam: step 5 to 25"]
    ends = [lines_of(ax, f"end of {name}")[0].get_markerfacecolor() for name in ("sgd", "adam")]
    assert ends == list(COLORS[:2])


def test_the_legend_stands_where_no_step_is(one):
    ax = contour(one)
    ax.figure.canvas.draw()
    box = ax.get_legend().get_window_extent()
    assert not any(box.contains(*spot) for spot in ax.transData.transform(BENT))


def test_level_labels_keep_off_the_path(one):
    # A path along an iso-line's middle, where its label would be.
    bare = contour(dataclasses.replace(one, trajectories={}))
    spots = np.array([text.get_position() for text in bare.texts if text.get_gid() == "level"])
    assert len(spots)
    path = run_on([spots[0] - 0.3, spots[0] + 0.3])
    ax = contour(dataclasses.replace(one, trajectories={"over": path}))
    again = np.array([text.get_position() for text in ax.texts if text.get_gid() == "level"])
    to_points = 72 / ax.figure.dpi
    line = ax.transData.transform(np.linspace(spots[0] - 0.3, spots[0] + 0.3, 50)) * to_points
    distances = np.linalg.norm(ax.transData.transform(again)[:, None] * to_points - line[None], axis=2)
    assert distances.min() > 3.0


def test_variance_of_one_run_is_not_passed_off_as_anothers(two):
    adam = run_on([(4.0, 0.5), (3.0, 0.0)], residual=[4.0, 1.0], first=5)  # without shares: not of the plane's runs
    surface = dataclasses.replace(two, trajectories={"sgd": two.trajectories["sgd"], "adam": adam})
    first, second, *_ = path_lines(surface)
    assert first == "18.8 % of the variance of sgd outside the plane"
    assert second == "adam up to 70 % off the plane"
    said = describe_paths(surface)
    assert "the plane holds 61.2 % + 20.0 % of the variance of sgd, 18.8 % lie outside; a random walk" in said
    # (16.25 + 9) of (16.25 + 9 + 16 + 1) squared.
    assert "adam: the plane holds 59.8 % of its squared distances from theta*" in said
    panels = {ax.get_label(): ax for ax in steps(surface).axes}
    assert panels["variance"].get_title(loc="left") == "variance of each component, sgd"
    assert "a random walk\nof as many steps" in [line.get_label() for line in panels["variance"].lines]


def test_axes_name_their_variance_and_the_corner_what_is_outside(two):
    ax = contour(two)
    assert ax.get_xlabel() == "PC 1 (61.2 % of variance)"
    assert ax.get_ylabel() == "PC 2 (20.0 % of variance)"
    corner = "\n".join(text.get_text() for text in ax.texts)
    assert "18.8 % of variance outside the plane" in corner
    assert "1 of 8 steps outside the picture" in corner


def test_a_plane_that_is_not_of_the_run_says_how_far_the_path_is_off_it(one):
    axes = tuple(dataclasses.replace(axis, source="random", length=2.0) for axis in one.axes)
    surface = dataclasses.replace(one, axes=axes, trajectories={"sgd": run_on([(1, 0), (0, 0)], residual=[2, 0])})
    assert explained(surface) is None
    # 1 unit of the direction is 2 long, so the way is sqrt(8) and 2 of it are off the plane.
    assert path_lines(surface) == ["path up to 71 % off the plane"]
    for away in ((9, 0), (0, 9), (-9, 0), (0, -9)):
        beside = dataclasses.replace(one, axes=axes, trajectories={"sgd": run_on([(0, 0), away])})
        assert path_lines(beside)[-1] == "1 of 2 steps outside the picture"
    for residual, in_corner, in_caption in [(0, [], []), (0.009, [], ["at most 0.5 %"]), (0.02, ["1 %"], ["1 %"])]:
        near = dataclasses.replace(surface, trajectories={"sgd": run_on([(1, 0), (0, 0)], residual=[residual, 0])})
        assert path_lines(near) == [f"path up to {share} off the plane" for share in in_corner]
        told = [
            f"The steps lie up to {residual} off the plane, {share} of the way from the checkpoint"
            for share in in_caption
        ]
        assert path_notes(near, "train/loss")[1:] == told


def test_the_caption_says_how_far_losses_are_from_those_of_the_plane(one):
    grid = Scale.of(one, "train/loss")
    assert grid.low > 0
    run = run_on(BENT, residual=[2, 1, 1, 0.5, 0], own=[3.0, 2.5, 2.0, 1.0, 1.0], below=[1.0, 2.0, 2.25, 1.5, 1.0])
    notes = path_notes(dataclasses.replace(one, trajectories={"sgd": run}), "train/loss")
    assert notes[0] == "Path: sgd, step 0 (circle) to 40 (star), projected onto the plane; paler: earlier"
    assert notes[1] == "The steps lie up to 2 off the plane, 44 % of the way from the checkpoint"
    assert notes[2] == "Their own training loss differs from the plane's below them by 0.5 in the median, 2 at most"
    figure = draw(one, kind="contour")
    assert "Path: sgd, step 0 (circle) to 40 (star)" in recall(figure)["Description"]
    assert "the learning rate fell" in recall(figure)["Description"]
    assert "along the first two principal components of the runs sgd, adam" in recall(figure)["Description"]
    axes = [dataclasses.replace(axis, recipe={**axis.recipe, "runs": [{"name": "run"}]}) for axis in one.axes]
    named = draw(dataclasses.replace(one, axes=tuple(axes)), kind="contour")
    assert "principal components of the run (cosine" in recall(named)["Description"]  # called so, as its folder is


def test_where_the_plane_was_not_measured_below_a_step_the_grid_answers(one):
    own, below = losses_of(one, one.trajectories["sgd"], "train/loss")
    np.testing.assert_array_equal(own, [3, 2, 1.5, 1.2, 1.1])
    x, y = np.array(BENT).T
    # Bilinear on steps of 0.21: the curvatures 0.4 and 1 leave at most a half times (0.21 / 2)^2 of each.
    np.testing.assert_allclose(below, 1 + 0.2 * x**2 + 0.5 * (y - 0.5) ** 2 + 0.1 * x, atol=0.01)
    assert losses_of(one, run_on(BENT), "train/loss") is None


def test_runs_are_drawn_on_heat_maps_and_surfaces_too_each_in_its_colour(two):
    for kind in ("heatmap", "surface"):
        assert path_collection(draw(two, kind=kind).axes[0], "adam")
    # A run has one colour, whichever others are drawn with it.
    assert [path.color for path in paths_of(two)] == list(COLORS[:2])
    bare = dataclasses.replace(two.trajectories["sgd"], coordinates=np.zeros((5, 1)))
    partly = dataclasses.replace(two, trajectories={"line": bare, "adam": two.trajectories["adam"]})
    assert [path.color for path in paths_of(partly)] == [COLORS[1]]


def test_a_path_can_be_drawn_as_far_as_it_has_come(one):
    (path,) = paths_of(one, until=0.375)
    np.testing.assert_allclose(path.points, [BENT[0], BENT[1], (1.5, 1.75)])
    (whole,) = paths_of(one)
    np.testing.assert_allclose(path.ramp[:2], whole.ramp[:2])
    assert (path.drawn, path.whole, whole.whole) == (2, False, True)
    panel = draw_panel(Figure(figsize=(5, 4)), (0, 0, 1, 1), one, "train/loss", until=0.375)
    assert lines_of(panel.axes, "head of sgd")
    assert not lines_of(panel.axes, "end of sgd")
    (head,) = lines_of(panel.axes, "head on the floor")
    np.testing.assert_allclose(head.get_xydata(), [panel.floor(1.5, 1.75)])
    assert not [line for line in panel.axes.lines if str(line.get_gid()).startswith("mark")]
    assert len([line for line in panel.axes.lines if line.get_markersize() == 3.0]) == 2


def test_records_that_are_far_apart_are_beads(one):
    (dots,) = lines_of(contour(one), "records of sgd")
    np.testing.assert_allclose(dots.get_xydata(), BENT)
    assert dots.get_markerfacecolor() == COLORS[0]


def test_a_surface_without_runs_says_nothing_of_them(one):
    bare = dataclasses.replace(one, trajectories={})
    assert path_lines(bare) == []
    assert path_notes(bare, "train/loss") == []
    assert contour(bare).get_legend() is None


def test_a_run_of_one_record_is_a_start_and_an_end(one):
    surface = dataclasses.replace(one, trajectories={"short": run_on([(1.0, 1.0)])})
    ax = contour(surface)
    assert lines_of(ax, "start of short")
    assert path_collection(ax, "short").get_segments() == []


def test_a_thousand_records_are_a_line_with_dots_apart(one):
    turn = np.linspace(0, 20, 1000)
    spiral = np.stack([1 + 0.1 * turn * np.cos(turn), 1 + 0.05 * turn * np.sin(turn)], axis=1)
    ax = contour(dataclasses.replace(one, trajectories={"long": run_on(spiral)}))
    (dots,) = lines_of(ax, "records of long")
    spots = ax.transData.transform(dots.get_xydata()) * 72 / ax.figure.dpi
    assert np.linalg.norm(np.diff(spots, axis=0), axis=1).min() >= 5.0


def test_a_gradient_covers_a_line_piece_by_piece():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 2.0]])
    pieces, shades = gradient(points, np.eye(3), 4)
    assert pieces.shape == (8, 2, 2)
    np.testing.assert_allclose(pieces[4], [[1.0, 0.0], [1.0, 0.5]])
    np.testing.assert_allclose(shades[0], [0.875, 0.125, 0.0])


def ridge(runs):
    """A wall along y at x = 1.5, higher than anything else."""
    return principal_surface(runs, lambda x, y: 0.1 + 5 * np.exp(-8 * (x - 1.5) ** 2) + 0 * y)


@pytest.mark.parametrize(("azimuth", "hidden"), [(180.0, True), (0.0, False)])
def test_a_path_behind_a_ridge_is_dashed_and_seen_from_the_other_side(azimuth, hidden):
    runs = {"behind": run_on([(2.6, 0.2), (2.6, 1.5)], own=[0.1, 0.1])}
    if hidden:  # a later one before the surface changes nothing
        runs["before"] = run_on([(0.4, 0.2), (0.4, 1.5)], own=[0.1, 0.1])
    surface = ridge(runs)
    figure = draw(surface, kind="surface", camera=(azimuth, 12))
    still = figure.axes[0].get_axes_locator()
    panel = still.panel
    solid, dashed = (path_collection(panel.axes, name) for name in ("behind", "behind, hidden"))
    drawn, other = (dashed, solid) if hidden else (solid, dashed)
    assert not other.get_segments()
    assert np.isfinite(dashed.get_linestyles()[0][0])
    assert dashed.get_linestyles()[0][1] is not None
    ends = np.concatenate(drawn.get_segments())[[0, -1]]
    np.testing.assert_allclose(ends, panel.project([2.6, 2.6], [0.2, 1.5], [0.1, 0.1]), atol=2.0)
    assert [line.get_alpha() for line in lines_of(panel.axes, "start of behind")] == [0.5 if hidden else None]
    texts = [text.get_text() for text in panel.axes.get_legend().get_texts()]
    assert ("behind the surface" in texts) == hidden
    assert ("paler: earlier; dashed: behind the surface" in recall(figure)["Description"]) == hidden
    # The floor carries it whole from either side, with its ends.
    for label, place in (("start on the floor", (2.6, 0.2)), ("end on the floor", (2.6, 1.5))):
        np.testing.assert_allclose(lines_of(panel.axes, label)[0].get_xydata(), [panel.floor(*place)])


@pytest.mark.parametrize("camera", [(-52, 34), (200, 20), "side", "top"])
def test_the_legend_stands_on_nothing_and_the_caption_names_only_what_is_seen(camera):
    figure = draw(ridge({"run": run_on([(0.5, 0.2), (2.6, 1.5)], own=[0.1, 0.1])}), kind="surface", camera=camera)
    ax = figure.axes[0]
    panel, legend = ax.get_axes_locator().panel, ax.get_legend()
    box = legend.get_window_extent().transformed(ax.transData.inverted())
    assert ground_of(panel).depth(PlacedBox((box.min + box.max) / 2, (box.width / 2, box.height / 2))) <= 0
    said = recall(figure)["Description"]
    assert ("the contours on the floor do not" in said) == (camera != "top")
    texts = [text.get_text() for text in legend.get_texts()]
    hidden = "behind the surface" in texts
    assert hidden == ("dashed: behind the surface" in said)
    assert hidden == (camera not in ("side", "top"))


def own_losses(points, own):
    """Return a surface of losses from 0.55 to 1.9 with a run, its panel, and what the legend says of dots."""
    surface = principal_surface({"run": run_on(points, own=own)}, lambda x, y: 1 + 0 * x + 0.3 * y)
    panel = draw_panel(Figure(figsize=(5, 4)), (0, 0, 1, 1), surface, "train/loss")
    return surface, panel, [text.get_text() for text in panel.axes.get_legend().get_texts()][-1]


def marks_like(panel, marker):
    """Return the marks of one kind at steps, and whether each lies within the panel."""
    marks = [line for line in panel.axes.lines if line.get_marker() == marker and line.get_markersize() in (3.0, 4.0)]
    spots = np.concatenate([mark.get_xydata() for mark in marks])
    assert (spots >= 0).all()
    assert (spots <= panel.frame.view.size).all()
    return marks, spots


def test_dots_stand_at_the_steps_own_losses_and_are_hollow_below_the_surface():
    _, panel, _ = own_losses([(0.0, 0.0), (4.0, 1.0)], [1.8, 0.7])
    dots, spots = marks_like(panel, "o")
    np.testing.assert_allclose(spots, panel.project([0.0, 4.0], [0.0, 1.0], [1.8, 0.7]), atol=1e-6)
    assert [dot.get_markerfacecolor() == "none" for dot in dots] == [False, True]
    # A step as good as in the place of the one before has no dot; one that comes back there later has.
    _, panel, _ = own_losses([(0.0, 0.0), (0.01, 0.0), (4.0, 1.0), (0.0, 0.0)], [1.8, 1.8, 0.7, 1.8])
    assert len(marks_like(panel, "o")[0]) == 3


def test_dots_of_all_runs_are_in_the_picture_and_explained_where_another_has_none():
    runs = {"low": run_on([(1.0, 1.0)], own=[1.0]), "high": run_on([(0.0, 0.0), (4.0, 1.0)], own=[2.5, 1.0])}
    runs["bare"] = run_on([(2.0, 1.0), (1.0, 1.0)])
    surface = principal_surface(runs, lambda x, y: 1 + 0 * x + 0.3 * y)
    panel = draw_panel(Figure(figsize=(5, 4)), (0, 0, 1, 1), surface, "train/loss")
    spot = panel.project(0.0, 0.0, 2.5)
    assert np.abs(marks_like(panel, "o")[1] - spot).max(axis=1).min() < 1e-6
    assert panel.axes.get_legend().get_texts()[-1].get_text() == "a step's own loss"


def test_a_runs_losses_are_compared_with_the_values_that_they_are_of():
    surface, _, _ = own_losses([(0.0, 0.0), (4.0, 1.0)], [1.8, 0.7])
    (run,) = surface.trajectories.values()
    run = dataclasses.replace(run, attributes={**run.attributes, "loss_name": "train/loss"})
    own, below = losses_of(surface, run, "train/loss")
    np.testing.assert_allclose(own, [1.8, 0.7])
    np.testing.assert_allclose(below, [1.0, 1.3], atol=1e-6)
    assert losses_of(surface, dataclasses.replace(run, attributes={"loss_name": "test/loss"}), "train/loss") is None


@pytest.mark.parametrize("lost", [np.nan, np.inf])
def test_losses_that_are_not_finite_are_crosses_at_the_top_and_said(lost):
    surface, panel, said = own_losses([(0.0, 0.0), (4.0, 1.0), (-1.5, 2.0)], [1.8, 0.7, lost])
    _, ((x, y),) = marks_like(panel, "x")
    ground = panel.project(-1.5, 2.0, 1.6)
    assert y > ground[1] + 20
    assert x == pytest.approx(ground[0], abs=15)  # a plumb line, in perspective
    assert said == "a step's own loss (cross: not finite)"
    notes = path_notes(surface, "train/loss")
    # Of the steps that are finite: 0.8 and 0.6.
    assert "Their own training loss differs from the plane's below them by 0.7 in the median, 0.8 at most" in notes
    assert "The own training loss of 1 of 3 steps is not finite" in notes
    assert "of 1 of 3 steps is not finite, and a gap" in recall(steps(surface))["Description"]
    (run,) = surface.trajectories.values()
    both = dataclasses.replace(surface, trajectories={"a": run, "b": run})
    assert "The own training loss of 2 of 6 steps is not finite" in path_notes(both, "train/loss")


def test_losses_beyond_the_picture_are_triangles_and_said_and_there_is_room_for_those_a_little_above():
    for loss, marker in ((500.0, "^"), (-500.0, "v")):
        _, panel, said = own_losses([(0.0, 0.0), (4.0, 1.0)], [loss, 1.0])
        assert len(marks_like(panel, marker)[0]) == 1
        assert said == "a step's own loss (triangle: beyond)"
    _, panel, _ = own_losses([(0.0, 0.0), (1.0, 1.0)], [2.5, 1.0])
    np.testing.assert_allclose(marks_like(panel, "o")[1][0], panel.project(0.0, 0.0, 2.5), atol=1e-6)


@pytest.mark.parametrize("azimuth", range(0, 360, 90))
def test_notes_and_legend_keep_apart_at_any_camera(one, azimuth):
    panel = draw_panel(Figure(figsize=(5, 4)), (0, 0, 1, 1), one, "train/loss", camera=Camera(azimuth=azimuth))
    legend = panel.axes.get_legend().get_window_extent()
    notes = [text for text in panel.axes.texts if text.get_gid() == "notes"]
    assert notes
    assert not any(note.get_window_extent().overlaps(legend) for note in notes)


def test_a_name_with_dollar_signs_is_written_as_it_is(one):
    surface = dataclasses.replace(one, trajectories={"cost $5 $x_1$": one.trajectories["sgd"]})
    with our_style():
        for figure in (contour(surface).figure, steps(dataclasses.replace(surface, title="$a_{"))):
            figure.canvas.draw()
            texts = [each for each in figure.findobj(Text) if "$" in each.get_text()]
            assert texts
            assert not any(each.get_parse_math() for each in texts)


@pytest.mark.parametrize(
    "attributes",
    [
        {"values": None},
        {"values": {"train/loss": "abc"}},
        {"values": {"train/loss": [1]}},
        {"values": [1.0], "plane_values": 3},
        {"plane_values": [1, 2], "values": {"train/loss": [5.0, 4.0, 3.0, 2.0, 1.0]}},
        {"lr_drops": None},
        {"lr_drops": ["a", 20]},
        {"explained_variance": None},
        {"explained_variance": "abc"},
        {"unit": None, "loss_name": 5},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["steps", "contour"])
def test_what_a_file_says_of_a_run_in_a_wrong_form_is_left_out(one, attributes, kind):
    run = dataclasses.replace(one.trajectories["sgd"], attributes=attributes)
    draw(dataclasses.replace(one, trajectories={"sgd": run}), kind=kind)


def test_samples_in_no_order_are_dots_that_nothing_joins():
    """An ensemble is no path: no line, no start, no end, no comparison with a random walk."""
    points = [[0.0, 0.0], [2.0, 1.0], [-1.0, 2.0], [3.0, -1.0]]
    run = run_on(points, own=[1.0, 2.0, 3.0, 4.0], unordered=True, explained_variance=SHARES[:3], unit="sample")
    surface = principal_surface({"ensemble": run})
    for ax, where in ((contour(surface), 2), (draw_panel(Figure(), (0, 0, 1, 1), surface).axes, None)):
        labels = [artist.get_label() for artist in (*ax.lines, *ax.collections)]
        assert not [each for each in labels if each.startswith(("start of", "end of"))]
        assert "ensemble" not in [each.get_label() for each in ax.collections if isinstance(each, LineCollection)]
        if where:
            (dots,) = (line for line in ax.lines if line.get_label() == "samples of ensemble")
            np.testing.assert_array_equal(dots.get_xydata(), points)
            assert dots.get_linestyle() == "None"
        assert next(text.get_text() for text in ax.get_legend().get_texts()) == "ensemble: 4 samples"
    figure = steps(surface)
    lines = [line for ax in figure.axes for line in ax.lines if line.get_label().startswith("ensemble")]
    assert lines
    assert {line.get_linestyle() for line in lines} == {"None"}
    assert "walk" not in "".join(line.get_label() for ax in figure.axes for line in ax.lines)
    (note, *_) = path_notes(surface, "train/loss")
    assert note == "Dots: ensemble: 4 samples, in no order, projected onto the plane"
    assert "random walk" not in describe_paths(surface)
    assert paths_of(surface)[0].ends() == []
