"""A report of curvature on one page: both spectra, both traces by layer, the verdict and what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from landscape.surface.reports.curvature import Curvature

from ..style.fields import remember
from ..style.framed import page_style
from ..style.layout import TITLE_SPACING, fitting_titles, shortened, shortened_within
from ..style.style import look, new_figure, text_width, wrapped
from .page_columns import NARROWEST, column_width, panel_height
from .spectrum import bars_label, layer_bars, spectrum

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH, _SPECTRUM, _BAR = 7.0, 2.1, 0.115  # inches
_LEFT, _GAP, _RIGHT = 0.62, 0.75, 0.12


def draw_curvature(
    reports: Mapping[str, Curvature],
    *,
    caption: bool = True,
    size: str | float | Sequence[float] | None = None,
    font: str | None = None,
) -> Figure:
    """Draw reports of data sets below each other: spectra above, layers below them.

    Parameters
    ----------
    reports : mapping of str to Curvature
    caption : bool
        Say below what was measured; it is in the file's metadata in any case.
    size, font
        As of `landscape.plot.draw`.

    Returns
    -------
    Figure
        `landscape.plot.save` writes it.

    Raises
    ------
    UsageError
        It does not fit into the size.
    """
    texts = {name: caption_of(report) for name, report in reports.items()}
    with page_style(size, font) as page:
        width = page[0] if page else _WIDTH
        lines = {name: wrapped(text, width - 0.3, look().caption) if caption else [] for name, text in texts.items()}
        fixed = {name: _fixed(report, len(lines[name]), width) for name, report in reports.items()}
        tall = panel_height(page, _SPECTRUM * look().factor, sum(fixed.values()), len(reports), caption=caption)
        total = sum(fixed.values()) + tall * len(reports)
        figure = new_figure(width, total)
        bottom = total
        for name, report in reports.items():
            bottom -= fixed[name] + tall
            _draw_one(figure, name, report, lines[name], bottom, tall)
        remember(figure, {"Title": "Curvature", "Description": " ".join(texts.values())})
        return figure


def _fixed(report: Curvature, lines: int, across: float) -> float:
    """Return the height of all but the spectrum, in inches."""
    width = _columns(report, across)[2]
    more = max(len(_label_lines(matrix, width)) for matrix in ("raw", "normalised")) - 1
    below = more * TITLE_SPACING * look().label / 72
    return (0.35 + 0.5 + 0.45 + 0.13 * lines) * look().factor + _bars(report) + 0.1 + below


def _label_lines(matrix: str, width: float) -> list[str]:
    # All of it: a trace without its unit is another one.
    return wrapped(bars_label(matrix), 1.05 * width, look().label)


def _columns(report: Curvature, across: float) -> tuple[float, float, float, float]:
    """Return what is left of the first column, between both, their width, and the room for layers' names, in inches."""
    factor, names = look().factor, [layer.name for layer in report.layers]
    longest = max((text_width(name, look().small) for name in names), default=0.0)
    # A long name is cut before the panels get narrow.
    most = (across - _RIGHT - 2 * max(NARROWEST, across / 4)) / 2 - 0.2
    longest = min(longest, max(most, 0.5 * factor))
    left, gap = max(_LEFT * factor, 0.2 + longest), max(_GAP * factor, 0.2 + longest)
    return left, gap, column_width(across, left, gap, _RIGHT), longest


def _bars(report: Curvature) -> float:
    return max(_BAR * len(report.layers), 0.6) * look().factor


def _draw_one(figure: Figure, name: str, report: Curvature, lines: list[str], bottom: float, tall: float) -> None:
    across, total = figure.get_size_inches()
    factor = look().factor
    left, gap, width, room = _columns(report, across)
    top = bottom + tall + _fixed(report, len(lines), across) - 0.35 * factor
    titles = {"raw": f"{name}: the Hessian", "normalised": f"{name}: in filter lengths"}
    large, _ = fitting_titles(list(titles.values()), width, most=1)
    for column, matrix in enumerate(titles):
        x = left + column * (width + gap)
        place = (x / across, (top - tall) / total, width / across, tall / total)
        ax = spectrum(report, figure.add_axes(place), matrix=matrix)
        title = shortened(titles[matrix], width, large)
        ax.set_title(title, fontsize=large, fontweight="bold", loc="left", parse_math=False)
        below = top - tall - 0.5 * factor - _bars(report)
        place = (x / across, below / total, width / across, _bars(report) / total)
        bars = layer_bars(report, figure.add_axes(place), matrix=matrix)
        bars.tick_params(axis="y", labelsize=min(look().small, 72 * _BAR * factor * 0.8), length=0)
        names = [shortened_within(each.get_text(), room + 0.01, look().small) for each in bars.get_yticklabels()]
        bars.set_yticks(bars.get_yticks(), names)
        bars.set_xlabel("\n".join(_label_lines(matrix, width)), linespacing=TITLE_SPACING)
    for number, line in enumerate(lines):
        y = (bottom + 0.1 + 0.13 * factor * (len(lines) - 1 - number)) / total
        figure.text(0.15 / across, y, line, fontsize=look().caption, va="bottom", parse_math=False)


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
