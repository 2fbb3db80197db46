"""Curvature over the steps of a training run: both ends of the spectrum, traces, gradient, with 2 / learning rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from landscape.errors import PlotError
from landscape.surface.grid import Floats
from landscape.surface.reports.curvature import Curvature, CurvatureRun

from ..style.fields import remember
from ..style.framed import page_style
from ..style.layout import TITLE_SPACING, fitting_titles, shortened, title_lines
from ..style.legends import place_legend
from ..style.style import BLUE, HAIRLINE, SOFT_INK, VERMILLION, look, new_figure, wrapped
from .page_columns import column_width, panel_height

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TITLES = {
    "eigenvalues": "eigenvalues of the Hessian",
    "trace": "trace of the Hessian",
    "gradient": "gradient",
    "normalised": "in filter lengths: mean of a random slice",
}
_EDGE = "2 / learning rate"
_WIDTH, _PANEL, _GAP, _LEFT, _RIGHT, _TOP = 7.0, 1.75, 0.62, 0.62, 0.15, 0.5  # inches


def draw_curvature_run(
    runs: Mapping[str, CurvatureRun],
    *,
    caption: bool = True,
    shown: bool = False,
    size: str | float | Sequence[float] | None = None,
    font: str | None = None,
) -> Figure:
    """Draw curvature over steps, of each data set four panels.

    Greatest and least eigenvalue with their residuals, and 2 / learning rate where it was recorded; the trace, and that
    in filter lengths, with standard errors over probes; the gradient's length beside its own sampling error.

    Parameters
    ----------
    runs : mapping of str to CurvatureRun
    caption : bool
        Say below what was measured; it is in the file's metadata in any case.
    shown : bool
        Make it one of pyplot's figures where somebody looks on.
    size, font
        As of `landscape.plot.draw`.

    Raises
    ------
    UsageError
        It does not fit into the size.
    PlotError
        No step was measured.
    """
    if not any(run.steps for run in runs.values()):
        raise PlotError("no step of the run was measured yet")
    runs = {name: run for name, run in runs.items() if run.steps}
    with page_style(size, font) as page:
        width, factor = page[0] if page else _WIDTH, look().factor
        texts = {name: run_caption(run) for name, run in runs.items()}
        lines = {name: wrapped(text, width - 0.3, look().caption) if caption else [] for name, text in texts.items()}
        titles = 2 * _titles(_column(width))[2]
        fixed = {name: (_TOP + _GAP + 0.5 + 0.13 * len(lines[name])) * factor + titles for name in runs}
        tall = panel_height(page, _PANEL * factor, sum(fixed.values()), 2 * len(runs), caption=caption)
        total = sum(fixed.values()) + 2 * tall * len(runs)
        figure = new_figure(width, total, shown=shown)
        top = total
        for name, run in runs.items():
            _draw_one(figure, name, run, lines[name], top, tall)
            top -= fixed[name] + 2 * tall
        remember(figure, {"Title": "Curvature along a run", "Description": " ".join(texts.values())})
        return figure


def _column(across: float) -> float:
    factor = look().factor
    return column_width(across, _LEFT * factor, _GAP * factor, _RIGHT)


def _titles(width: float) -> tuple[float, int, float]:
    """Return size and lines of the panels' titles, and what lines beyond the first take in inches."""
    size, lines = fitting_titles(list(_TITLES.values()), width, most=4, size=look().title - 0.5)
    return size, lines, (lines - 1) * TITLE_SPACING * size / 72


def _draw_one(figure: Figure, name: str, run: CurvatureRun, lines: list[str], top: float, tall: float) -> None:
    across, total = figure.get_size_inches()
    factor = look().factor
    width = _column(across)
    large, most, more = _titles(width)
    left, gap, head = _LEFT * factor, _GAP * factor, _TOP * factor + more
    draws: list[Callable[[Axes, CurvatureRun], None]] = [_eigenvalues, _trace, _gradient, _normalised]
    for number, draw in enumerate(draws):
        row, column = divmod(number, 2)
        label = draw.__name__.removeprefix("_")
        x, y = left + column * (width + gap), top - head - tall - row * (tall + gap + more)
        ax = figure.add_axes((x / across, y / total, width / across, tall / total), label=label)
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(axis="y", color="#e6e6e6", lw=0.5)
        ax.set_axisbelow(True)
        draw(ax, run)
        title = "\n".join(title_lines(_TITLES[label], width, large, most))
        ax.set_title(title, loc="left", fontsize=large, linespacing=TITLE_SPACING)
        ax.set_xlabel(run.unit, parse_math=False)
        ax.xaxis.set_major_locator(MaxNLocator(max(3, round(2.4 * width)), integer=True, steps=[1, 2, 5, 10]))
        ax.margins(x=0.04)
        _explain(ax)
        if draw is _eigenvalues and _edge_is_in_sight(ax, run):
            _explain(ax)
    headline = shortened(f"{name}: {run.name}", across - 0.3, look().title)
    style: dict[str, Any] = {"fontsize": look().title, "fontweight": "bold"}
    figure.text(0.15 / across, (top - 0.16 * factor) / total, headline, parse_math=False, **style)
    bottom = top - (_TOP + _GAP + 0.45) * factor - 2 * (tall + more)
    for number, line in enumerate(lines):
        place = 0.15 / across, (bottom - 0.13 * factor * number) / total
        figure.text(*place, line, fontsize=look().caption, va="top", parse_math=False)


def _explain(ax: Axes) -> None:
    known = list(zip(*ax.get_legend_handles_labels(), strict=True))
    if len(known) > 1:
        place_legend(ax, [_sample(*each) for each in known])


def _edge_is_in_sight(ax: Axes, run: CurvatureRun) -> bool:
    """Draw 2 / learning rate after all where the legend raised the axis to it, and return whether it did."""
    left_out = [line for line in ax.lines if line.get_gid() == "off the axis"]
    edge = run.edge_of_stability
    if not left_out or ax.get_ylim()[1] < np.nanmin(edge):
        return False
    left_out[0].set(data=(run.steps, edge), label=_EDGE, gid=None)
    ax.set_ylim(top=1.05 * float(np.nanmax(edge)))
    if (legend := ax.get_legend()) is not None:
        legend.remove()
    return True


def _sample(handle: Any, label: str) -> Line2D:
    """Return a line that looks like one of the panel's, or like the line of its bars of error."""
    line = Line2D([], [])
    line.update_from(handle if isinstance(handle, Line2D) else handle.lines[0])
    line.set_label(label)
    return line


def _eigenvalues(ax: Axes, run: CurvatureRun) -> None:
    for label, color, place in (("greatest", BLUE, 0), ("least", VERMILLION, -1)):
        values = run.over_steps(lambda each, place=place: float(each.raw.eigenvalues[place]))  # type: ignore[misc]
        errors = run.over_steps(lambda each, place=place: float(each.raw.residuals[place]))  # type: ignore[misc]
        sure = np.array([bool(each.raw.converged[place]) for each in run.reports])
        _line(ax, run, values, errors, color, label)
        ax.plot(np.array(run.steps)[~sure], values[~sure], "o", ms=4.5, mfc="white", mec=HAIRLINE, mew=0.9, zorder=4)
    edge = run.edge_of_stability
    if np.isfinite(edge).any():
        highest = float(np.nanmax(run.over_steps(lambda each: each.raw.greatest_eigenvalue)))
        (line,) = ax.plot(run.steps, edge, color=SOFT_INK, lw=1.0, ls=(0, (4, 2)), label=_EDGE)
        # Far above all eigenvalues it would flatten them; then it is said and not drawn.
        if np.nanmin(edge) > 4 * highest > 0:
            line.set(data=([], []), label=f"{_EDGE}: {np.nanmin(edge):.3g} and above, off the axis", gid="off the axis")
            ax.set_ylim(top=1.6 * highest)
    ax.axhline(0.0, color=HAIRLINE, lw=0.5)


def _trace(ax: Axes, run: CurvatureRun) -> None:
    _line(ax, run, *_both(run, lambda each: (each.raw.trace, each.raw.trace_stderr)), BLUE, "")


def _normalised(ax: Axes, run: CurvatureRun) -> None:
    _line(ax, run, *_both(run, lambda each: (each.normalised.trace, each.normalised.trace_stderr)), BLUE, "")


def _gradient(ax: Axes, run: CurvatureRun) -> None:
    values, errors = _both(run, lambda each: (each.gradient_norm, each.gradient_norm_stderr))
    _line(ax, run, values, errors, BLUE, "length")
    noise = run.over_steps(lambda each: each.gradient_noise)
    ax.plot(run.steps, noise, color=SOFT_INK, lw=1.0, ls=(0, (1, 1.5)), label="its sampling error")
    ax.set_ylim(bottom=0)


def _both(run: CurvatureRun, of: Callable[[Curvature], tuple[float, float]]) -> tuple[Floats, Floats]:
    return run.over_steps(lambda each: of(each)[0]), run.over_steps(lambda each: of(each)[1])


def _line(ax: Axes, run: CurvatureRun, values: Floats, errors: Floats, color: str, label: str) -> None:
    ax.errorbar(
        run.steps, values, yerr=np.nan_to_num(errors), color=color, lw=1.2, elinewidth=0.8, capsize=1.5,
        marker="o" if len(run.steps) <= 40 else "", ms=2.4, label=label,
    )  # fmt: skip


def run_caption(run: CurvatureRun) -> str:
    """Return what a picture of a run has to say: samples, probes, products, what has not converged."""
    last = run.reports[-1]
    number = len(run.steps)
    unsure = sum(not (each.raw.converged[0] and each.raw.converged[-1]) for each in run.reports)
    edge = run.edge_of_stability
    known = int(np.isfinite(edge).sum())
    probes = len(last.raw.traces)
    parts = [
        f"Curvature of the mean loss over {last.samples:,} samples of {last.data} at {number} recorded "
        f"{'networks' if run.unit == 'record' else f'{run.unit}s'}{'' if run.complete else ', of a run not finished'}, "
        f"{last.raw.size:,} weights, eval mode, batch norm's own statistics of each.",
        "Bars on eigenvalues are residuals"
        + (
            f"; grey rings: {unsure} of {number} steps with an end not converged."
            if unsure
            else "; all have converged."
        ),
        f"Bars on traces are one standard error over {probes} probes, on the gradient's length from which samples were "
        "taken. In filter lengths the trace is the mean curvature of random filter-normalised directions.",
        f"{sum(each.products for each in run.reports):,} products in all.",
    ]
    if known:
        parts.append(
            "Above 2 / learning rate gradient descent without momentum, on all data, would grow along that eigenvector"
            + (f"; known at {known} of {number}." if known < number else ".")
        )
    return " ".join(parts)
