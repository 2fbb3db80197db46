"""How wide a basin is, where that is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from landscape.directions.construct import random_plane
from landscape.errors import UsageError
from landscape.evaluation.evaluate import evaluate
from landscape.studies.measures.basin_width import radii
from landscape.surface.grid import Axis
from landscape.surface.surface import Surface


def line_of(x, values, name="train/loss"):
    values = np.asarray(values, dtype=float)
    return Surface((Axis(np.asarray(x, dtype=float)),), {name: values}, np.ones(values.shape, np.uint8))


def test_a_parabola_is_as_wide_as_it_is():
    x = np.linspace(-2, 2, 401)
    found = radii(line_of(x, 3 + 8 * x**2), "train/loss", 2.0)
    np.testing.assert_allclose(found.values, [0.5, 0.5], atol=1e-3)
    tilted = radii(line_of(x, 8 * x**2 + 2 * x), "train/loss", 1.0)
    np.testing.assert_allclose(np.sort(tilted.values), [0.25, 0.5], atol=1e-3)


def test_the_width_of_a_quadratic_bowl_is_that_of_its_hessian():
    """L = mean of (w . x)^2 over two samples: along d the rise is a^2 (d . x)^2 / 2, so the radius is known."""
    model = nn.Linear(2, 1, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[3.0, 4.0]]))
    x = torch.tensor([[2.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    data = (x, (x @ model.weight.detach().T))
    plane = random_plane(model, seed=0, dimensions=1)
    direction = plane.directions[0].tensors["weight"].double()
    curved = float(((x @ direction.T) ** 2).mean())
    surface = evaluate(model, data, plane, x="-1:1:201", loss="mse", progress=False)
    found = radii(surface, "train/loss", 1.0)
    np.testing.assert_allclose(found.values, 1 / math.sqrt(curved), rtol=1e-3)


def test_the_first_crossing_counts_and_what_is_not_finite_is_out():
    assert radii(line_of([-1, 0, 1, 2, 3], [0, 0, 2, 0, 9]), "train/loss", 1.0).values.tolist() == [0.5, math.inf]
    assert radii(line_of([0, 1, 2], [0, math.nan, 5]), "train/loss", 1.0).values[0] == 1.0
    assert radii(line_of([0, 1, 2], [0, 0.5, math.inf]), "train/loss", 1.0).values[0] == 2.0


def test_a_score_leaves_the_basin_when_it_falls():
    accuracy = line_of([-2, -1, 0, 1, 2], [0.9, 1.0, 0.9, 0.85, 0.7], "train/accuracy")
    assert radii(accuracy, "train/accuracy", -0.1).values.tolist() == [pytest.approx(4 / 3), math.inf]


def test_a_quantile_that_was_not_reached_is_not_known():
    found = radii(line_of([-1, 0, 1, 2], [9, 0, 0, 0]), "train/loss", 1.0)
    assert found.beyond == 0.5
    assert found.quantile(0.0) == pytest.approx(1 / 9)
    assert math.isnan(found.quantile(0.5))
    assert math.isnan(found.quantile(1.0))


@pytest.mark.parametrize(
    ("x", "change", "said"), [([-1.0, 0.5, 2.0], 1.0, "no point at 0"), ([-1.0, 0.0, 1.0], 0.0, "not 0")]
)
def test_a_width_without_a_middle_or_an_end_is_refused(x, change, said):
    with pytest.raises(UsageError, match=said):
        radii(line_of(x, [1, 0, 1]), "train/loss", change)
