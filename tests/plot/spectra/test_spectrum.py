"""Spectra and bars by layer show the report's numbers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from landscape.plot.spectra.spectrum import layer_bars, spectrum
from landscape.plot.spectra.spectrum_figures import caption_of, draw_curvature
from landscape.plot.style.style import HAIRLINE, VERMILLION, our_style
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

import landscape
from landscape.errors import PlotError, UsageError
from tests.helpers.curvatures import curvature
from tests.helpers.pictures import assert_readable


def test_the_steps_are_the_densitys_counts_and_both_sides_of_zero_are_seen():
    report = curvature()
    ax = spectrum(report)
    stairs = next(patch for patch in ax.patches if patch.get_fill())
    values, edges, _ = stairs.get_data()
    counts = report.density(edges).counts
    np.testing.assert_allclose(values, np.maximum(counts, 0.3))
    assert counts.sum() == pytest.approx(report.raw.size)
    errors = np.nan_to_num(report.density(edges).errors)
    (band,) = ax.collections
    corners = np.concatenate([path.vertices for path in band.get_paths()])
    widest = int(errors.argmax())
    inside = corners[(corners[:, 0] >= edges[widest]) & (corners[:, 0] <= edges[widest + 1]), 1]
    assert np.isclose(inside, max(counts[widest] - errors[widest], 0.3)).any()
    assert np.isclose(inside, counts[widest] + errors[widest]).any()
    low, high = ax.get_xlim()
    known = np.concatenate([report.raw.eigenvalues, report.raw.nodes[~np.isnan(report.raw.nodes)]])
    assert low < known.min()
    assert high > known.max()


def test_each_eigenvalue_has_a_tick_that_is_grey_where_it_has_not_converged():
    ax = spectrum(curvature())
    ticks = {line.get_xdata()[0]: to_rgba(line.get_color()) for line in ax.lines if line.get_xdata()[0]}
    assert ticks == {value: to_rgba(HAIRLINE if value == -0.8 else VERMILLION) for value in curvature().raw.eigenvalues}


def test_bins_are_alike_on_both_sides_and_one_lies_about_zero():
    edges = curvature().raw.log_bins()
    np.testing.assert_allclose(edges, -edges[::-1])
    assert (np.diff(edges) > 0).all()
    assert np.flatnonzero((edges[:-1] < 0) & (edges[1:] > 0)).size == 1
    assert edges[-1] > curvature().raw.largest_size >= 9


@pytest.mark.parametrize(("matrix", "names"), [("raw", 3), ("normalised", 2)])
def test_bars_are_the_layers_traces_in_the_networks_order(matrix, names):
    ax = layer_bars(curvature(), matrix=matrix)
    widths = [bar.get_width() for bar in ax.patches]
    assert widths == ([5.0, 6.0, 7.0] if matrix == "raw" else [0.4, 0.8])  # the first has no part in slices
    assert [label.get_text() for label in ax.get_yticklabels()][-1] == "layer2.weight"
    low, high = ax.get_ylim()
    assert low > high  # the first layer on top
    assert len(ax.patches) == names
    name = "trace_stderr" if matrix == "raw" else "normalised_trace_stderr"
    errors = [getattr(each, name) for each in curvature().layers][-names:]
    bars = ax.containers[0].lines[2][0].get_segments()
    np.testing.assert_allclose([bar[1][0] - bar[0][0] for bar in bars], [2 * each for each in errors])


def test_plots_draw_on_ones_own_axes_and_are_public():
    axes = Figure().subplots(1, 2)
    assert landscape.plot.spectrum(curvature(), axes[0], matrix="normalised") is axes[0]
    assert landscape.plot.layer_bars(curvature(), axes[1]) is axes[1]


def test_a_page_says_of_every_data_set_what_was_measured():
    reports = {"train": curvature(), "test": curvature(2, "test")}
    figure = draw_curvature(reports)
    written = " ".join(text.get_text() for text in figure.texts)
    assert " ".join(caption_of(reports["test"]).split()) in " ".join(written.split())
    assert "5 eigenvalues, 4 with a residual within 1 % of their size, the others grey" in written
    assert not draw_curvature(reports, caption=False).texts
    assert [ax.get_title(loc="left") for ax in figure.axes][::2] == [
        "train: the Hessian",
        "train: in filter lengths",
        "test: the Hessian",
        "test: in filter lengths",
    ]
    for matrix, spectra, bars in (("raw", 4, 5), ("normalised", 6, 7)):
        alone = spectrum(reports["test"], Figure().subplots(), matrix=matrix)
        assert figure.axes[spectra].get_xlim() == pytest.approx(alone.get_xlim())
        alone = layer_bars(reports["test"], Figure().subplots(), matrix=matrix)
        assert [bar.get_width() for bar in figure.axes[bars].patches] == [bar.get_width() for bar in alone.patches]
    # Lines are read downwards, and those of the first data set are above those of the second.
    assert [text.get_position()[1] for text in figure.texts] == sorted(
        (text.get_position()[1] for text in figure.texts), reverse=True
    )


def test_every_number_of_a_caption_is_the_one_that_its_words_name():
    report = curvature()
    report = dataclasses.replace(report, normalised=dataclasses.replace(report.normalised, residuals=np.zeros(5)))
    assert caption_of(report) == (
        "Saddle: of a kind. Curvature of the mean loss over 500 samples of train, 100 weights, eval mode. Steps: "
        "6-point quadrature of 4 probes, with a band of one standard error over probes; sizes below a thousandth of "
        "the largest are one bin. Ticks: 5 eigenvalues, 4 with a residual within 1 % of their size, the others grey. "
        "120 products. Trace 20.2 ± 0.72; in filter lengths 2.03 ± 0.039, what a random slice shows on average: 4 such "
        "directions show 3.03, deviation 0.077, and no direction as long as they are, filter lengths being 1, shows "
        "more than 90."
    )
    sure = dataclasses.replace(report, raw=dataclasses.replace(report.raw, residuals=np.zeros(5)))
    assert "5 eigenvalues, 5 with a residual within 1 % of their size. 120 products." in caption_of(sure)


def test_what_cannot_be_drawn_says_why():
    with pytest.raises(UsageError, match="raw, normalised"):
        spectrum(curvature(), matrix="hessian")
    report = curvature()
    flat = dataclasses.replace(report.raw, eigenvalues=np.zeros(5), nodes=np.zeros((4, 6)))
    with pytest.raises(PlotError, match="0 everywhere"):
        spectrum(dataclasses.replace(report, raw=flat))
    with pytest.raises(PlotError, match="by layers"):
        layer_bars(dataclasses.replace(report, layers=()))


@pytest.mark.parametrize("size", [(4.0, 4.0), (5.5, 3.0)])
def test_a_picture_of_curvature_has_the_size_asked_for_and_no_text_lies_on_another(size):
    figure = draw_curvature({"train": curvature()}, size=size, caption=False)
    assert tuple(figure.get_size_inches()) == pytest.approx(size)
    labels = [ax.get_xlabel().replace("\n", " ") for ax in figure.axes]
    assert labels[3] == "trace of the layer's block, in filter lengths"
    with our_style():
        assert_readable(figure)
    with pytest.raises(UsageError, match=r"figure of 2\.5 inches; it takes a width of 3\.6"):
        draw_curvature({"train": curvature()}, size=2.5)
    with pytest.raises(UsageError, match=r"5\.5 x 2 inches; with this width it takes a height of [\d.]+, less without"):
        draw_curvature({"train": curvature()}, size=(5.5, 2.0))
    both = {"train": curvature(), "test": curvature()}
    with pytest.raises(UsageError, match=r"it takes a height of [\d.]+$") as refused:
        draw_curvature(both, size=(5.5, 1.0), caption=False)
    height = float(str(refused.value).rpartition(" ")[2])
    draw_curvature(both, size=(5.5, height), caption=False)
    with pytest.raises(UsageError, match="it takes a height of"):
        draw_curvature(both, size=(5.5, height - 0.2), caption=False)


@pytest.mark.parametrize("size", [None, 5.5, 3.9])
def test_long_names_and_wrapped_labels_have_room_above_the_caption(size):
    name = "vit.encoder.layer.11.attention.attention.query.projection.weight"
    report = curvature()
    if size != 3.9:
        report = dataclasses.replace(report, layers=(dataclasses.replace(report.layers[0], name=name), *report.layers))
    figure = draw_curvature({"train": report}, size=size)
    with our_style():
        assert_readable(figure)
    first = figure.axes[1].get_yticklabels()[0].get_text()
    assert first == report.layers[0].name or (first[:3], first[-6:]) == (name[:3], name[-6:])
