"""Panels over a run's steps, and its steps on a line."""

import dataclasses
import re

import numpy as np
import pytest
from landscape.plot.figures import draw
from landscape.plot.lines import line_steps
from landscape.plot.lines.line_steps import line_step_lines
from landscape.plot.paths.step_panels import steps
from landscape.plot.paths.trajectories import paths_of
from landscape.plot.style.fields import recall
from matplotlib.figure import Figure

from landscape.cli import main
from landscape.errors import PlotError, UsageError
from landscape.files.store import write_surface
from landscape.surface.grid import Axis
from landscape.surface.surface import Surface
from tests.helpers.runs_on_planes import BENT, SHARES, lines_of, principal_surface, run_on


def test_the_command_marks_steps_in_the_panels_over_steps(one, tmp_path, capsys):
    write_surface(tmp_path / "run.h5", one)
    out = tmp_path / "steps.svg"
    assert main(["plot", str(tmp_path / "run.h5"), "--kind", "steps", "--marks", "10", "-o", str(out)]) == 0
    assert len(re.findall(r'id="mark 10"', out.read_text())) == 3
    assert "Thin vertical lines: the learning rate fell; step 10" in " ".join(capsys.readouterr().out.split())


def test_step_panels_show_distances_losses_shares_and_variance(two):
    figure = steps(two)
    panels = {ax.get_label(): ax for ax in figure.axes}
    distance = {line.get_label(): line.get_xydata() for line in panels["distances"].lines}
    np.testing.assert_allclose(distance["sgd, distance"][0], (0, np.sqrt(16 + 0.25 + 4)))
    np.testing.assert_allclose(distance["sgd, off the plane"][:, 1], [2, 1, 1, 0.5, 0])
    losses = {line.get_label(): line.get_ydata() for line in panels["losses"].lines}
    np.testing.assert_array_equal(losses["sgd, own"], [3, 2, 1.5, 1.2, 1.1])
    assert "adam, own" not in losses  # nothing was measured there
    shares = {line.get_label(): line.get_ydata() for line in panels["shares"].lines}
    np.testing.assert_allclose(shares["sgd"], [2 / np.sqrt(20.25), 1 / 3, 1 / np.sqrt(4.25), *shares["sgd"][3:]])
    assert np.isnan(shares["sgd"][-1])  # theta* itself has no way to have a share of
    bars = [bar.get_height() for bar in panels["variance"].patches]
    np.testing.assert_allclose(bars, SHARES)
    (total,) = lines_of(panels["variance"], "sum")
    np.testing.assert_allclose(total.get_xydata(), np.stack([np.arange(1, 6), np.add.accumulate(SHARES)], axis=1))
    assert len(panels["variance"].lines) == 1, "two runs make no walk of one"
    assert any("81.2 % in the picture,\n18.8 % outside" in text.get_text() for text in panels["variance"].texts)
    assert {line.get_gid() for line in panels["losses"].lines} >= {"drop 25"}
    assert "Variance is about the mean" in recall(figure)["Description"]


@pytest.mark.parametrize(
    ("own", "scale"), [([3, 2, 1, 0.5, 0.2], "linear"), ([9, 2, 1, 0.5, 0.2], "log"), ([9, 2, 1, 0.5, -0.2], "linear")]
)
def test_losses_over_a_factor_of_20_stand_on_a_logarithmic_axis_where_all_are_above_0(own, scale):
    plane = principal_surface({"sgd": run_on(BENT, own=own, below=[1.0] * 5)})
    (losses,) = [ax for ax in steps(plane, caption=False).axes if ax.get_label() == "losses"]
    assert losses.get_yscale() == scale
    low, high = losses.get_ylim()
    assert low <= min(own)
    assert max(own) < high
    assert scale == "log" or (low == 0) == (min(own) > 0)


def test_variance_of_one_run_stands_beside_that_of_a_walk_of_as_many_steps(one):
    shares = [*SHARES[:2], *[(1 - sum(SHARES[:2])) / 23] * 23]
    run = one.trajectories["sgd"]
    run = dataclasses.replace(run, attributes={**run.attributes, "explained_variance": shares})
    panels = {ax.get_label(): ax for ax in steps(dataclasses.replace(one, trajectories={"sgd": run})).axes}
    (walk,) = (line for line in panels["variance"].lines if "random walk" in line.get_label())
    # 26 records make 25 components, of which 20 are drawn; a walk's are those of its sums about their mean.
    sums = np.tril(np.ones((26, 26)))[:, 1:]
    own = np.linalg.svd(sums - sums.mean(0), compute_uv=False)[:25] ** 2
    np.testing.assert_allclose(walk.get_ydata(), (own / own.sum())[:20], rtol=1e-6)
    np.testing.assert_array_equal(walk.get_xdata(), np.arange(1, 21))
    losses = {line.get_label(): line for line in panels["losses"].lines}
    below = losses["sgd, plane"]
    assert (losses["sgd, own"].get_linestyle(), below.get_linestyle()) == ("-", "--")
    (x, y), function = run.coordinates.T, lambda x, y: 1 + 0.2 * x**2 + 0.5 * (y - 0.5) ** 2 + 0.1 * x
    np.testing.assert_allclose(below.get_ydata(), function(x, y), atol=0.02)


def test_step_panels_of_a_line_or_of_other_directions_leave_the_variance_out(one):
    axes = tuple(dataclasses.replace(axis, source="random") for axis in one.axes)
    assert len(steps(dataclasses.replace(one, axes=axes)).axes) == 3


def test_step_panels_are_a_kind_of_picture_like_others(one, tmp_path, capsys):
    assert len(draw(one, kind="steps", name=["train/loss"]).axes) == 4
    with pytest.raises(PlotError, match="one surface at a time, 2 were given"):
        draw([one, one], kind="steps")
    with pytest.raises(UsageError, match="no option hillshade"):
        draw(one, kind="steps", hillshade=True)
    with pytest.raises(UsageError, match="one kind of values at a time"):
        draw(one, kind="steps", name=["train/loss", "test/loss"])
    for words, title in (({"headline": "Run 7", "titles": ["a"]}, "Run 7"), ({"titles": ["a"]}, "a"), ({}, "run")):
        (written,) = (text for text in draw(one, kind="steps", **words).texts if text.get_gid() == "title")
        assert written.get_text() == title
    write_surface(tmp_path / "run.h5", one)
    assert main(["plot", str(tmp_path / "run.h5"), "--kind", "steps", "-o", str(tmp_path / "steps.svg")]) == 0
    assert "share of that distance off the plane" in (tmp_path / "steps.svg").read_text()


def test_step_panels_without_a_run_are_refused(one):
    with pytest.raises(PlotError, match=r"run\.h5 has no training run on it"):
        steps(dataclasses.replace(one, trajectories={}))


def test_steps_beyond_any_border_of_a_line_are_outside_the_picture():
    places = [(0.5, 1.0), (-0.1, 1.0), (1.1, 1.0), (0.5, 2.1), (0.5, -0.1), (0.5, np.nan), (0.0, 0.0), (1.0, 2.0)]
    run = run_on([place[:1] for place in places], own=[place[1] for place in places])
    axis = Axis(np.linspace(0, 1, 3), "towards a.pt", "checkpoint", {}, 2.0)
    surface = Surface((axis,), {"train/loss": np.ones(3)}, np.ones(3, np.uint8), trajectories={"sgd": run})
    ax = Figure().add_subplot()
    for low, high in ((0.0, 2.0), (2.0, 0.0)):
        ax.set(xlim=(0.0, 1.0), ylim=(low, high))
        assert line_step_lines(ax, surface, "train/loss")[-1] == "5 of 8 steps outside the picture"


def test_steps_on_a_line_stand_at_their_own_losses(tmp_path):
    axis = Axis(np.linspace(-0.5, 1.5, 9), "towards a.pt", "checkpoint", {}, 2.0)
    run = run_on([(1.0,), (0.6,), (3.0,), (0.0,)], residual=[0, 1.2, 0.5, 0], own=[2.0, 1.0, 1.0, 0.5])
    values = {"train/loss": 0.5 + axis.values**2}
    surface = Surface((axis,), values, np.ones(9, np.uint8), trajectories={"sgd": run}, path="line.h5")
    figure = draw(surface)
    ax = figure.axes[0]
    (dots,) = [each for each in ax.collections if each.get_label() == "steps of sgd"]
    np.testing.assert_array_equal(dots.get_offsets(), np.stack([run.coordinates[:, 0], run.loss], axis=1))
    corner = "\n".join(text.get_text() for text in ax.texts)
    # 0.6 of a direction of length 2 is as far along the line as the step is off it.
    assert "run up to 71 % off the line" in corner
    assert "1 of 4 steps outside the picture" in corner
    said = "Dots: recorded steps of sgd, from circle to star, at their own loss, not the line's; they are up to 1.2 off"
    assert f"{said} the line." in recall(figure)["Description"]
    for end, number in (("start", 0), ("end", -1)):
        (mark,) = lines_of(ax, f"{end} of sgd")
        np.testing.assert_array_equal(mark.get_xydata(), dots.get_offsets()[[number]])
    # The colour of accuracy means accuracy.
    assert lines_of(ax, "end of sgd")[0].get_markerfacecolor() != "#D55E00"


def test_several_runs_on_a_line_are_named_with_their_colours_and_only_ordered_ones_have_ends():
    axis = Axis(np.linspace(-0.5, 1.5, 9), "towards a.pt", "checkpoint", {}, 2.0)
    points = [(1.0,), (0.6,), (0.0,)]
    runs = {
        "sgd": run_on(points, residual=[0, 1.25, 0], own=[2.0, 1.0, 0.5]),
        "draws": run_on(points, own=[1.5, 1.2, 0.6], unordered=True),
        "adam": run_on(points, residual=[0, 2.5, 0], own=[1.6, 1.3, 0.7]),
    }
    surface = Surface((axis,), {"train/loss": 0.5 + axis.values**2}, np.ones(9, np.uint8), trajectories=runs)
    figure = draw(surface)
    said = (
        "Dots: recorded steps of sgd (black), adam (yellow), from circle to star, and samples of draws (pink), at their"
    )
    assert f"{said} own loss, not the line's; they are up to 2.5 off the line." in recall(figure)["Description"]
    # The run that is farthest off: 0.6 of a direction of length 2 along the line, 2.5 off it.
    assert line_step_lines(figure.axes[0], surface, "train/loss")[0] == "runs and samples up to 90 % off the line"
    figure.axes[0].set_xlim(0.5, 1.5)
    assert line_step_lines(figure.axes[0], surface, "train/loss")[1] == "3 of 9 steps and samples outside the picture"
    named = {"black": "#111111", "pink": "#C2417F", "yellow": "#F0A000", "blue": "#0091E0", "brown": "#7A4B1E"}
    assert dict(zip(line_steps._CALLED, line_steps._COLORS, strict=True)) == named


def test_paths_of_a_line_are_not_drawn_as_planes():
    axis = Axis(np.linspace(0, 1, 5), "line", "checkpoint", {}, 1.0)
    surface = Surface((axis,), {"train/loss": np.ones(5)}, np.ones(5, np.uint8), trajectories={"a": run_on([(0.5,)])})
    assert paths_of(surface) == []
