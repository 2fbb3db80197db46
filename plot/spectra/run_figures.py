"""Curvature over the steps of a training run: both ends of the spectrum, traces, gradient, with 2 / learning rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from landscape.errors import PlotError
from landscape.surface.grid import Floats
from landscape.surface.reports.curvature import Curvature, CurvatureRun

from ..style.fields import remember
from ..style.style import (
    BLUE,
    CAPTION_SIZE,
    HAIRLINE,
    SMALL_SIZE,
    SOFT_INK,
    TITLE_SIZE,
    VERMILLION,
    new_figure,
    our_style,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _PANEL, _GAP, _LEFT, _RIGHT, _TOP = 7.0, 1.75, 0.62, 0.62, 0.15, 0.5  # inches


def draw_curvature_run(runs: Mapping[str, CurvatureRun], *, caption: bool = True, shown: bool = False) -> Figure:
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

    Raises
    ------
    PlotError
        No step was measured.
    """
    if not any(run.steps for run in runs.values()):
        raise PlotError("no step of the run was measured yet")
    runs = {name: run for name, run in runs.items() if run.steps}
    with our_style():
        texts = {name: run_caption(run) for name, run in runs.items()}
        lines = {name: wrapped(text, _WIDTH - 0.3, CAPTION_SIZE) if caption else [] for name, text in texts.items()}
        heights = {name: _TOP + 2 * _PANEL + _GAP + 0.5 + 0.13 * len(lines[name]) for name in runs}
        total = sum(heights.values())
        figure = new_figure(_WIDTH, total, shown=shown)
        top = total
        for name, run in runs.items():
            _draw_one(figure, name, run, lines[name], top, total)
            top -= heights[name]
        remember(figure, {"Title": "Curvature along a run", "Description": " ".join(texts.values())})
        return figure


def _draw_one(figure: Figure, name: str, run: CurvatureRun, lines: list[str], top: float, total: float) -> None:
    width = (_WIDTH - _LEFT - _RIGHT - _GAP) / 2
    draws: list[Callable[[Axes, CurvatureRun], None]] = [_eigenvalues, _trace, _gradient, _normalised]
    for number, draw in enumerate(draws):
        row, column = divmod(number, 2)
        x = _LEFT + column * (width + _GAP)
        y = top - _TOP - _PANEL - row * (_PANEL + _GAP)
        ax = figure.add_axes(
            (x / _WIDTH, y / total, width / _WIDTH, _PANEL / total), label=draw.__name__.removeprefix("_")
        )
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(axis="y", color="#e6e6e6", lw=0.5)
        ax.set_axisbelow(True)
        draw(ax, run)
        ax.set_xlabel(run.unit)
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
        ax.margins(x=0.04)
    figure.text(0.15 / _WIDTH, (top - 0.16) / total, f"{name}: {run.name}", fontsize=TITLE_SIZE, fontweight="bold")
    bottom = top - _TOP - 2 * _PANEL - _GAP - 0.45
    for number, line in enumerate(lines):
        figure.text(0.15 / _WIDTH, (bottom - 0.13 * number) / total, line, fontsize=CAPTION_SIZE, va="top")


def _eigenvalues(ax: Axes, run: CurvatureRun) -> None:
    ax.set_title("eigenvalues of the Hessian", loc="left", fontsize=TITLE_SIZE - 0.5)
    for label, color, place in (("greatest", BLUE, 0), ("least", VERMILLION, -1)):
        values = run.over_steps(lambda each, place=place: float(each.raw.eigenvalues[place]))  # type: ignore[misc]
        errors = run.over_steps(lambda each, place=place: float(each.raw.residuals[place]))  # type: ignore[misc]
        sure = np.array([bool(each.raw.converged[place]) for each in run.reports])
        _line(ax, run, values, errors, color, label)
        ax.plot(np.array(run.steps)[~sure], values[~sure], "o", ms=4.5, mfc="white", mec=HAIRLINE, mew=0.9, zorder=4)
    edge = run.edge_of_stability
    if np.isfinite(edge).any():
        highest = float(np.nanmax(run.over_steps(lambda each: each.raw.greatest_eigenvalue)))
        ax.plot(run.steps, edge, color=SOFT_INK, lw=1.0, ls=(0, (4, 2)), label="2 / learning rate")
        # Far above all eigenvalues it would flatten them; then it is said and not drawn.
        if np.nanmin(edge) > 4 * highest > 0:
            ax.lines[-1].set_label(f"2 / learning rate: {np.nanmin(edge):.3g} and above, off the axis")
            ax.set_ylim(top=1.6 * highest)
    ax.axhline(0.0, color=HAIRLINE, lw=0.5)
    ax.legend(fontsize=SMALL_SIZE, loc="best", handlelength=1.6, borderpad=0.2)


def _trace(ax: Axes, run: CurvatureRun) -> None:
    ax.set_title("trace of the Hessian", loc="left", fontsize=TITLE_SIZE - 0.5)
    _line(ax, run, *_both(run, lambda each: (each.raw.trace, each.raw.trace_stderr)), BLUE, "")


def _normalised(ax: Axes, run: CurvatureRun) -> None:
    ax.set_title("in filter lengths: mean of a random slice", loc="left", fontsize=TITLE_SIZE - 0.5)
    _line(ax, run, *_both(run, lambda each: (each.normalised.trace, each.normalised.trace_stderr)), BLUE, "")


def _gradient(ax: Axes, run: CurvatureRun) -> None:
    ax.set_title("gradient", loc="left", fontsize=TITLE_SIZE - 0.5)
    values, errors = _both(run, lambda each: (each.gradient_norm, each.gradient_norm_stderr))
    _line(ax, run, values, errors, BLUE, "length")
    noise = run.over_steps(lambda each: each.gradient_noise)
    ax.plot(run.steps, noise, color=SOFT_INK, lw=1.0, ls=(0, (1, 1.5)), label="its sampling error")
    ax.set_ylim(bottom=0)
    ax.legend(fontsize=SMALL_SIZE, loc="best", handlelength=1.6, borderpad=0.2)


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
