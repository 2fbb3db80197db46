"""The convexity map shows the ratio of both ends, and hatches what residuals leave open."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from landscape.plot.planes.heatmaps import cell_edges
from landscape.plot.scale.convexity_ratio import ratio_of
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyQuadMesh

import landscape
from landscape.errors import PlotError
from landscape.surface.surface import Surface
from tests.helpers.plot_fixtures import valley


@pytest.fixture
def surface() -> Surface:
    base = valley(5, 4)
    rng = np.random.default_rng(0)
    greatest, least = rng.uniform(1, 4, base.shape), -rng.uniform(0.01, 1, base.shape)
    found = {"eigenvalue_max": greatest, "eigenvalue_min": least}
    found |= {f"{name}_residual": np.full(base.shape, 0.01) for name in found}
    found["eigenvalue_min_residual"][1, 2] = 0.9
    found["products"] = np.linspace(4.0, 24.0, 20).reshape(base.shape)
    found["products"][-1, -1] = 999.0
    least[0, 0], greatest[0, 0] = -3.0, 2.0
    return dataclasses.replace(base, values={**base.values, **{f"train/{name}": each for name, each in found.items()}})


def test_the_interval_of_a_ratio_holds_all_that_its_residuals_allow(surface):
    ratio, open_by = ratio_of(surface, "train")
    greatest, least, first, second = (
        surface[f"train/eigenvalue_{each}"] for each in ("max", "min", "max_residual", "min_residual")
    )
    for a in (-1, 0, 1):
        for b in (-1, 0, 1):
            possible = np.abs((least + a * second) / (greatest + b * first))
            assert (np.abs(possible - ratio) <= open_by + 1e-12).all()
    for factor in (1.0, 1.5):  # where the greatest may be 0, and where nobody knows its sign
        unsure = {**surface.values, "train/eigenvalue_max_residual": factor * greatest}
        assert np.isinf(ratio_of(dataclasses.replace(surface, values=unsure), "train")[1]).all()


def test_open_cells_are_hatched_and_counted_and_colours_are_the_ratio(surface):
    figure = landscape.plot.draw(surface, kind="convexity")
    ax = figure.axes[0]
    hatched = [each for each in ax.collections if each.get_hatch()]
    assert len(hatched) == 1
    assert isinstance(hatched[0], PolyQuadMesh)
    assert np.asarray(~np.ma.getmaskarray(hatched[0].get_array())).sum() == 1
    cells = np.asarray(ax.collections[0].get_array()).reshape(surface.shape)
    np.testing.assert_allclose(cells, ratio_of(surface, "train")[0])
    written = " ".join(text.get_text() for text in figure.texts).replace("\n", " ").replace("\N{NO-BREAK SPACE}", " ")
    above = (ratio_of(surface, "train")[0] > 0.5).sum()
    assert f"{above} of 20 above 0.5, in its colour, 1 hatched: residuals leave the ratio open by more" in written
    assert "Hatched cells are paler" in written
    assert "14 products a point (median)" in written


def test_hatching_is_seen(surface):
    ax = landscape.plot.draw(surface, kind="convexity", contours=False).axes[0]
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    image = np.asarray(canvas.buffer_rgba())[::-1, :, :3]
    x, y = cell_edges(surface.axes[0].values), cell_edges(surface.axes[1].values)

    def colours(row, column):
        """Of the inside of a cell, where all but hatching is of one colour."""
        low, high = ax.transData.transform([(x[column], y[row]), (x[column + 1], y[row + 1])]).astype(int)
        return len(np.unique(image[low[1] + 3 : high[1] - 3, low[0] + 3 : high[0] - 3].reshape(-1, 3), axis=0))

    assert colours(1, 2) > 5
    assert colours(0, 1) == 1


def test_several_networks_share_the_range_of_the_2018_tool(surface):
    figure = landscape.plot.draw([surface, surface], kind="convexity", titles=["a", "b"])
    limits = {each.collections[0].get_clim() for each in figure.axes[:2]}
    assert limits == {(0.0, 0.5)}


def test_a_surface_without_eigenvalues_says_what_measures_them():
    with pytest.raises(PlotError, match="evaluate --curvature"):
        landscape.plot.draw(valley(5, 4), kind="convexity")
