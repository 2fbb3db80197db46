"""A report of curvature on one page: both spectra, both traces by layer, the verdict and what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from landscape.surface.reports.curvature import Curvature

from ..style.fields import remember
from ..style.style import CAPTION_SIZE, SMALL_SIZE, TITLE_SIZE, new_figure, our_style, wrapped
from .spectrum import layer_bars, spectrum

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH, _SPECTRUM, _BAR = 7.0, 2.1, 0.115  # inches
_LEFT, _GAP, _RIGHT = 0.62, 0.75, 0.12


def draw_curvature(reports: Mapping[str, Curvature], *, caption: bool = True) -> Figure:
    """Draw reports of data sets below each other: spectra above, layers below them.

    Parameters
    ----------
    reports : mapping of str to Curvature
    caption : bool
        Say below what was measured; it is in the file's metadata in any case.

    Returns
    -------
    Figure
        `landscape.plot.save` writes it.
    """
    texts = {name: caption_of(report) for name, report in reports.items()}
    with our_style():
        lines = {name: wrapped(text, _WIDTH - 0.3, CAPTION_SIZE) if caption else [] for name, text in texts.items()}
        heights = {name: _height(report, len(lines[name])) for name, report in reports.items()}
        total = sum(heights.values())
        figure = new_figure(_WIDTH, total)
        bottom = total
        for name, report in reports.items():
            bottom -= heights[name]
            _draw_one(figure, name, report, lines[name], bottom, heights[name], total)
        remember(figure, {"Title": "Curvature", "Description": " ".join(texts.values())})
        return figure


def _height(report: Curvature, lines: int) -> float:
    return 0.35 + _SPECTRUM + 0.5 + _bars(report) + 0.45 + 0.13 * lines + 0.1


def _bars(report: Curvature) -> float:
    return max(_BAR * len(report.layers), 0.6)


def _draw_one(
    figure: Figure, name: str, report: Curvature, lines: list[str], bottom: float, height: float, total: float
) -> None:
    longest = max((len(layer.name) for layer in report.layers), default=0)
    left = max(_LEFT, 0.2 + 0.055 * longest)
    width = (_WIDTH - left - _GAP - _RIGHT) / 2
    top = bottom + height - 0.35
    titles = {"raw": f"{name}: the Hessian", "normalised": f"{name}: in filter lengths"}
    for column, matrix in enumerate(titles):
        x = left + column * (width + _GAP)
        place = (x / _WIDTH, (top - _SPECTRUM) / total, width / _WIDTH, _SPECTRUM / total)
        ax = spectrum(report, figure.add_axes(place), matrix=matrix)
        ax.set_title(titles[matrix], fontsize=TITLE_SIZE, fontweight="bold", loc="left")
        below = top - _SPECTRUM - 0.5 - _bars(report)
        bars = layer_bars(
            report, figure.add_axes((x / _WIDTH, below / total, width / _WIDTH, _bars(report) / total)), matrix=matrix
        )
        bars.tick_params(axis="y", labelsize=min(SMALL_SIZE, 72 * _BAR * 0.8), length=0)
    for number, line in enumerate(lines):
        y = (bottom + 0.1 + 0.13 * (len(lines) - 1 - number)) / total
        figure.text(0.15 / _WIDTH, y, line, fontsize=CAPTION_SIZE, va="bottom")


def caption_of(report: Curvature) -> str:
    """Return what a picture of a report has to say: the verdict, samples, probes, products, residuals."""
    size, pairs = report.raw.size, len(report.raw.eigenvalues)
    sure = int(report.raw.converged.sum())
    probes, steps = report.raw.nodes.shape
    mean, deviation = report.random_slice
    raw, scaled = report.raw, report.normalised
    return (
        f"{report.verdict} Curvature of the mean loss over {report.samples:,} samples of {report.data}, {size:,} "
        f"weights, eval mode. Steps: {steps}-point quadrature of {probes} probes, with a band of one standard error "
        f"over probes; sizes below a thousandth of the largest are one bin. Ticks: {pairs} eigenvalues, {sure} with a "
        f"residual within {100 * raw.tolerance:g} % of their size{'' if sure == pairs else ', the others grey'}. "
        f"{report.products:,} products. Trace {raw.trace:.3g} ± {raw.trace_stderr:.2g}; in filter lengths "
        f"{scaled.trace:.3g} ± {scaled.trace_stderr:.2g}, what a random slice shows on average: {probes} such "
        f"directions show {mean:.3g}, deviation {deviation:.2g}, and no direction as long as they are, filter lengths "
        f"being 1, shows more than {report.slice_bound:.3g}."
    )
