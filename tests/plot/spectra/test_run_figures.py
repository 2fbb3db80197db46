"""Curvature over steps shows the run's numbers, and what has not converged."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from landscape.plot.spectra.run_figures import draw_curvature_run, run_caption
from landscape.plot.style.style import our_style

from landscape.errors import PlotError
from landscape.surface.reports.curvature import CurvatureRun
from tests.helpers.curvatures import curvature
from tests.helpers.pictures import assert_readable


def run(rates=(0.1, 0.1, float("nan"))):
    return CurvatureRun("sgd", "epoch", (0, 5, 10), tuple(rates), tuple(curvature(k) for k in range(3)))


def panels(figure):
    return {ax.get_label(): ax for ax in figure.axes}


def bars_of(container):
    """Return how long the bars of error are."""
    return [segment[1][1] - segment[0][1] for segment in container.lines[2][0].get_segments()]


def test_each_panel_has_its_number_at_each_step_with_its_error():
    found = panels(draw_curvature_run({"train": run()}))
    assert set(found) == {"eigenvalues", "trace", "gradient", "normalised"}
    line = found["trace"].containers[0].lines[0]
    np.testing.assert_array_equal(line.get_xdata(), [0, 5, 10])
    np.testing.assert_allclose(line.get_ydata(), [each.trace for each in run().reports])
    np.testing.assert_allclose(
        bars_of(found["trace"].containers[0]), [2 * each.raw.trace_stderr for each in run().reports]
    )
    greatest, least = (each.lines[0].get_ydata() for each in found["eigenvalues"].containers)
    assert list(greatest) == [9.0] * 3
    assert list(least) == [-0.8] * 3
    for drawn, place in zip(found["eigenvalues"].containers, (0, -1), strict=True):
        np.testing.assert_allclose(bars_of(drawn), [2 * each.raw.residuals[place] for each in run().reports])
    np.testing.assert_allclose(
        bars_of(found["normalised"].containers[0]), [2 * each.normalised.trace_stderr for each in run().reports]
    )
    (noise,) = (each for each in found["gradient"].lines if each.get_label() == "its sampling error")
    np.testing.assert_allclose(noise.get_ydata(), [each.gradient_noise for each in run().reports])
    assert run().reports[0].gradient_noise != run().reports[0].gradient_norm_stderr
    # A ring around each that has not converged: none of the greatest, all of the least.
    rings = [each for each in found["eigenvalues"].lines if each.get_markerfacecolor() == "white"]
    sure = np.array([[each.raw.converged[place] for each in run().reports] for place in (0, -1)])
    assert sure.any(1).tolist() == [True, False]
    for ring, values, known in zip(rings, (greatest, least), sure, strict=True):
        np.testing.assert_array_equal(ring.get_xdata(), np.array([0, 5, 10])[~known])
        np.testing.assert_array_equal(ring.get_ydata(), np.array(values)[~known])


def test_two_over_the_learning_rate_is_drawn_where_it_is_known_and_named_where_it_is_far_above():
    near = panels(draw_curvature_run({"train": run()}))["eigenvalues"]
    edge = next(line for line in near.lines if line.get_label() == "2 / learning rate")
    np.testing.assert_allclose(edge.get_ydata(), [20, 20, np.nan])
    far = panels(draw_curvature_run({"train": run((1e-3, 1e-3, 1e-3))}))["eigenvalues"]
    assert any("2e+03 and above, off the axis" in line.get_label() for line in far.lines)
    assert far.get_ylim()[1] < 20
    # Far above all steps: eigenvalues that have fallen since do not put it off the axis.
    last = curvature(2)
    last = dataclasses.replace(last, raw=dataclasses.replace(last.raw, eigenvalues=last.raw.eigenvalues / 5))
    fallen = dataclasses.replace(run((0.08,) * 3), reports=(*run().reports[:2], last))
    lines = panels(draw_curvature_run({"train": fallen}))["eigenvalues"].lines
    edge = next(each for each in lines if each.get_label() == "2 / learning rate")
    np.testing.assert_allclose(edge.get_ydata(), [25.0] * 3)
    none = panels(draw_curvature_run({"train": run((float("nan"),) * 3)}))["eigenvalues"]
    assert not any("learning rate" in str(line.get_label()) for line in none.lines)


def test_the_caption_counts_what_has_not_converged():
    text = run_caption(run())
    assert "grey rings: 3 of 3 steps" in text
    assert "known at 2 of 3" in text
    assert "180" not in text.split("products")[0][-5:]
    assert f"{sum(each.products for each in run().reports):,} products in all" in text


def test_a_run_without_a_step_is_refused():
    with pytest.raises(PlotError, match="no step"):
        draw_curvature_run({"train": CurvatureRun("sgd", "epoch", (), (), ())})
    with pytest.raises(ValueError, match="a report each"):
        CurvatureRun("sgd", "epoch", (1,), (), ())


def test_a_picture_of_a_run_has_the_size_asked_for_and_no_text_lies_on_another():
    figure = draw_curvature_run({"train": run()}, size=(4.0, 4.0), caption=False)
    assert tuple(figure.get_size_inches()) == pytest.approx((4.0, 4.0))
    with our_style():
        assert_readable(figure)
    # All of it: a trace without its unit is another one.
    titles = {label: ax.get_title(loc="left").replace("\n", " ") for label, ax in panels(figure).items()}
    assert titles["normalised"] == "in filter lengths: mean of a random slice"
    assert titles["eigenvalues"] == "eigenvalues of the Hessian"


@pytest.mark.parametrize("size", [None, (5.5, 3.4), (4.0, 3.6)])
@pytest.mark.parametrize("rate", [0.1, 0.054, 0.04, 0.001])
def test_what_is_said_to_be_off_the_axis_is(size, rate):
    ax = panels(draw_curvature_run({"train": run((rate,) * 3)}, size=size, caption=False))["eigenvalues"]
    (line,) = (line for line in ax.lines if "learning rate" in str(line.get_label()))
    in_sight = ax.get_ylim()[1] >= 2 / rate
    assert in_sight == (line.get_label() == "2 / learning rate") == bool(len(line.get_xdata()))
    assert line.get_label() in [text.get_text() for text in ax.get_legend().get_texts()]
