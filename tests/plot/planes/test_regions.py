"""Decision regions have the colours of their classes and the boundary where the margin is 0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from landscape.plot.planes.clip_border import clip_notes, draw_clip_border
from landscape.plot.planes.marks import Sheet
from landscape.plot.scale.scale import Scale
from landscape.plot.style.fields import recall
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from torch import nn

import landscape
from landscape.errors import PlotError
from landscape.inputs.input_space import input_problem


@pytest.fixture(scope="module")
def plane():
    """Return a plane on which the class changes at x = 0.35 exactly."""
    linear = nn.Linear(4, 3)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[1.0, 1, 0, 0], [-1, -1, 0, 0], [0, 0, 0, 0]]))
        linear.bias.copy_(torch.tensor([0.7, -9, 0.0]))
    # Class 0 is right; its logit falls along minus its gradient, by 2 for a step of 1 in the maximum norm.
    problem = input_problem(
        linear, (torch.zeros(1, 4), torch.tensor([0])), axes=("sign", "random"), sample=0, clip=(-0.5, 0.5)
    )
    return landscape.evaluate(problem.model, problem.data, problem.plane, x="-1:1:21", y="-0.01:0.01:5", **problem.how)


def test_classes_are_coloured_and_the_boundary_is_where_the_margin_is_0(plane):
    ax = landscape.plot.regions(plane, margins=True)
    (mesh,) = [each for each in ax.collections if isinstance(each, QuadMesh)]
    shown = np.asarray(mesh.get_array()).reshape(5, 21)
    x = plane.axes[0].values
    assert (shown[2, x < 0.34] == 0).all()
    assert (shown[2, x > 0.36] == 2).all()
    bar = next(each for each in ax.figure.axes if each is not ax)
    assert [tick.get_text() for tick in bar.get_yticklabels()] == ["0", "1", "2"]
    boundary = [each for each in ax.collections if getattr(each, "levels", None) is not None and 0 in each.levels]
    (line,) = boundary
    points = np.vstack([path.vertices for path in line.get_paths()])
    np.testing.assert_allclose(points[:, 0], 0.35, atol=0.02)
    text = recall(ax.figure)["Description"]
    assert "Black: margin 0" in text
    assert "Dotted: beyond it, clipping" in text
    assert "on one sample" in text
    assert "lowest" not in text
    assert "star: the input as it is" in text.lower()


def dotted(figure):
    """Return the lines of level 1e-6, of the share that clipping changes, in all panels."""
    drawn = [each for ax in figure.axes for each in ax.collections]
    return [each for each in drawn if 1e-6 in np.atleast_1d(getattr(each, "levels", ()))]


@pytest.mark.parametrize("kind", ["contour", "heatmap", "regions"])
def test_the_border_of_clipping_is_drawn_on_every_flat_picture(plane, kind):
    figure = landscape.plot.draw(plane, kind=kind)
    (border,) = dotted(figure)
    ends = np.vstack([path.vertices for path in border.get_paths()])[:, 0]
    assert ((np.abs(ends) > 0.39) & (np.abs(ends) < 0.51)).all()  # clipped beyond 0.5, where rounding decides
    assert recall(figure)["Description"].count("Dotted: beyond it, clipping") == 1


@pytest.mark.parametrize("kind", ["contour", "regions", "surface"])
def test_where_all_but_one_point_is_clipped_it_is_said_and_no_border_is_promised(plane, kind):
    share = np.full((5, 21), 0.5)
    share[2, 10] = 0.0
    share[0, 3:6] = np.nan  # not measured: no points of which anything is known
    bare = replace(plane, values={**plane.values, "train-sample-0/clipped_share": share})
    figure = landscape.plot.draw(bare, kind=kind)
    assert not dotted(figure)
    text = recall(figure)["Description"]
    assert "Dotted" not in text
    assert "Clipping to the valid range changes the input at 101 of 102 points" in text


def test_classes_of_all_panels_have_colours_and_margins_are_of_the_classes_data(plane):
    more = {**plane.values, "train-sample-0/predicted_class": plane["train-sample-0/predicted_class"] + 2}
    figure = landscape.plot.draw([plane, replace(plane, values=more)], kind="regions")
    bar = next(ax for ax in figure.axes if ax.get_label() == "colorbar")
    assert [tick.get_text() for tick in bar.get_yticklabels()] == ["0", "1", "2", "3", "4"]
    other = {"other/margin": np.full((5, 21), 1.0), **plane.values}
    drawn = landscape.plot.draw(replace(plane, values=other), kind="regions").axes[0]
    assert any(0 in np.atleast_1d(getattr(each, "levels", ())) for each in drawn.collections)
    # Where no answer is wrong there is no boundary, nor a warning that there is none.
    right = {**plane.values, "train-sample-0/margin": np.abs(plane["train-sample-0/margin"]) + 1.0}
    drawn = landscape.plot.draw(replace(plane, values=right), kind="regions").axes[0]
    assert not any(0 in np.atleast_1d(getattr(each, "levels", ())) for each in drawn.collections)


def test_what_has_no_regions_is_refused(plane):
    with pytest.raises(PlotError, match="--space input --sample K"):
        landscape.plot.regions(plane, name="train-sample-0/loss")
    many = dict(plane.values)
    many["train-sample-0/predicted_class"] = np.full((5, 21), 40.0)
    with pytest.raises(PlotError, match="at least 41 classes"):
        landscape.plot.regions(replace(plane, values=many))


def test_of_several_planes_points_are_counted_where_no_border_is_drawn(plane):
    def clipped(*places):
        share = np.zeros((5, 21))
        for place in places:
            share[place] = 0.25
        surface = replace(plane, values={**plane.values, "train-sample-0/clipped_share": share})
        return Sheet.of(surface, "train-sample-0/loss", Scale.of(surface, "train-sample-0/loss"))

    none, few, all_but_a_point = (
        clipped(),
        clipped((slice(None), slice(0, 3))),
        clipped((slice(None, 4),), (4, slice(1, None))),
    )
    dots = "Dotted: beyond it, clipping to the valid range changes the input"
    assert clip_notes([none]) == []
    assert clip_notes([none, few]) == [dots]
    assert clip_notes([few, all_but_a_point]) == [
        dots, "Clipping to the valid range changes the input at 104 of 105 points"
    ]  # fmt: skip
    assert clip_notes([few, all_but_a_point], drawn=False) == [
        "Clipping to the valid range changes the input at 119 of 210 points"
    ]


def test_the_border_lies_where_clipping_begins(plane):
    share = np.zeros((5, 21))
    share[:2, 7:] = 0.5
    surface = replace(plane, values={**plane.values, "train-sample-0/clipped_share": share})
    ax = Figure().subplots()
    draw_clip_border(ax, Sheet.of(surface, "train-sample-0/loss", Scale.of(surface, "train-sample-0/loss")))
    ((line,),) = (each.get_paths() for each in ax.collections)
    x, y = plane.axes[0].values, plane.axes[1].values
    assert x[6] <= line.vertices[:, 0].min() < x[7]
    assert y[1] < line.vertices[:, 1].max() <= y[2]
