"""Decision regions have the colours of their classes and the boundary where the margin is 0."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from landscape.plot.style.fields import recall
from matplotlib.collections import QuadMesh
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


def test_what_has_no_regions_is_refused(plane):
    with pytest.raises(PlotError, match="--space input --sample K"):
        landscape.plot.regions(plane, name="train-sample-0/loss")
    many = dict(plane.values)
    many["train-sample-0/predicted_class"] = np.full((5, 21), 40.0)
    from dataclasses import replace

    with pytest.raises(PlotError, match="at least 41 classes"):
        landscape.plot.regions(replace(plane, values=many))
