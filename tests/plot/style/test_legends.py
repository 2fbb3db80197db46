"""A legend goes where nothing is, before axes make room for it."""

from __future__ import annotations

import pytest
from landscape.plot.style.legends import place_legend
from matplotlib.figure import Figure


@pytest.mark.parametrize(("rising", "free"), [(True, "upper left"), (False, "upper right")])
def test_a_free_corner_is_taken_and_the_axes_stay(rising, free):
    figure = Figure(figsize=(5, 4))
    ax = figure.add_subplot()
    ends = [0, 1] if rising else [1, 0]
    lines = ax.plot([0, 1], ends, label="loss")
    ax.set_ylim(0, 1)
    place_legend(ax, lines)
    assert ax.get_ylim() == (0, 1)
    box = ax.get_legend().get_window_extent().transformed(ax.transAxes.inverted())
    assert (box.x0 < 0.5) == free.endswith("left")
    # The line is y = x or 1 - x in shares of the axes: a box on one side of it has all corners there.
    sides = {(y > x) if rising else (y > 1 - x) for x in (box.x0, box.x1) for y in (box.y0, box.y1)}
    assert len(sides) == 1


def test_axes_grow_where_no_place_is_free():
    figure = Figure(figsize=(3, 1.4))
    ax = figure.add_subplot()
    handles = [ax.plot([0, 1], [height, height], label="a long name")[0] for height in (0, 0.2, 0.4, 0.6, 0.8, 1.0)][:2]
    ax.set_ylim(0, 1)
    place_legend(ax, handles)
    assert ax.get_ylim()[1] > 1.2
    box = ax.get_legend().get_window_extent().transformed(ax.transData.inverted())
    assert box.y0 > 1
