"""Colour bars: ticks in loss units, few enough, what large values share written once."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from landscape.plot.figures import draw
from landscape.plot.planes.contours import contour
from landscape.plot.planes.heatmaps import heatmap
from landscape.plot.scale.scale import Scale
from landscape.plot.style.colorbars import BAR_WIDTH, fitting_ticks, tick_texts
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tests.helpers.plot_fixtures import (
    boxes_of,
    random_axis,
    surface_of,
    valley,
)


def corner_of(ax):
    texts = [text.get_text() for text in ax.texts if text.get_gid() != "level"]
    return texts[0] if texts else ""


@pytest.mark.parametrize("hillshade", [False, True])
def test_a_colour_bar_stands_beside_with_ticks_in_loss_units(hillshade):
    figure = Figure(figsize=(5, 4))
    ax = contour(valley(), ax=figure.add_subplot(), hillshade=hillshade)
    (bar,) = [each for each in figure.axes if each is not ax]
    assert bar.get_ylabel() == "training loss, z = log(L + 0.1)"
    assert {"1", "10", "100"} <= {text.get_text() for text in bar.get_yticklabels()}
    scale = Scale.of(valley(), "train/loss")
    ticks = {text.get_text(): text.get_position()[1] for text in bar.get_yticklabels()}
    assert ticks["10"] == pytest.approx(10.0)
    assert bar.get_ylim() == pytest.approx((scale.low, scale.high))


@pytest.mark.parametrize("drawn", [contour, heatmap])
def test_axes_of_ones_own_get_a_colour_bar_unless_none_is_wanted(drawn):
    for wanted in (True, False):
        figure = Figure()
        ax = drawn(valley(9, 8), ax=figure.add_subplot(), colorbar=wanted)
        assert (figure.axes == [ax]) is not wanted


def test_a_colour_bar_beside_small_axes_takes_as_much_of_them_whatever_the_resolution():
    def taken(dpi, size=(2, 1.6)):
        figure = Figure(figsize=size, dpi=dpi)
        ax = contour(valley(), ax=figure.add_subplot())
        FigureCanvasAgg(figure).draw()
        (bar,) = [each for each in figure.axes if each is not ax]
        return [each for place in (ax, bar) for each in place.get_position().bounds]

    np.testing.assert_allclose(taken(300), taken(50), rtol=1e-3)
    *_, width, _ = taken(50, (9, 5))
    assert 9 * width == pytest.approx(BAR_WIDTH), "inches"


@pytest.mark.parametrize(
    ("base", "step", "common", "some"),
    [(1e6, 1e-3, "10⁶ + …", "0.01"), (-123456.0, 1e-3, "−1.23456·10⁵ + …", "0.01"), (1e12, 1.0, "10¹² + …", "10")],
)
def test_what_large_values_have_in_common_is_written_once(base, step, common, some):
    surface = valley()
    loss = base + step * 20 * (surface["train/loss"] / surface["train/loss"].max())
    figure = draw(dataclasses.replace(surface, values={"train/loss": loss}))
    bar = figure.axes[-1]
    assert [text.get_text() for text in bar.texts] == [common]
    ticks = {text.get_text(): text.get_position()[1] for text in bar.get_yticklabels()}
    assert ticks[some] == pytest.approx(base + float(some), abs=step * 1e-3)
    assert f"levels: {common}" in corner_of(figure.axes[0])
    width = figure.get_size_inches()[0] * figure.dpi
    assert max(box.x1 for box in boxes_of(bar, [*bar.get_yticklabels(), *bar.texts, bar.yaxis.label])) < width


def test_values_that_span_far_more_than_they_share_keep_their_own_texts():
    scale = Scale.of(valley(), "train/loss")
    assert tick_texts(scale, [0.1, 10.0]) == ("", ["0.1", "10"])
    surface = valley()
    wide = dataclasses.replace(surface, values={"train/loss": 1.23456789e6 * surface["train/loss"]})
    assert tick_texts(Scale.of(wide, "train/loss"), [1.23456789e6])[0] == ""


@pytest.mark.parametrize("decades", [5, 12, 20, 60])
def test_wide_scales_have_at_most_a_dozen_ticks_evenly_apart(decades):
    x, y = np.linspace(-1, 1, 21), np.linspace(-1, 1, 9)
    loss = 10.0 ** (np.linspace(-1, decades - 1, 21) + 0 * y[:, None])
    scale = Scale.of(surface_of({"train/loss": loss}, random_axis(x, 0), random_axis(y, 1)), "train/loss")
    ticks = fitting_ticks(scale, 3.2)
    assert 5 <= len(ticks) <= 12
    powers = np.log10([tick for tick in ticks if np.log10(tick) % 1 == 0])
    assert np.ptp(np.diff(powers[1:])) < 1.5
    assert powers[-1] >= decades - 3
