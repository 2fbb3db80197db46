"""The spectrum of a Hessian: how many eigenvalues of which size, on both sides of 0, and the ones that are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from landscape.errors import PlotError, UsageError
from landscape.surface.grid import Floats
from landscape.surface.reports.curvature import Curvature
from landscape.surface.reports.matrix_spectrum import RESOLVED, Spectrum

from ..style.style import BLUE, HAIRLINE, INK, VERMILLION, look, new_figure, our_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# From the middle of one number at an axis to the next, in font sizes.
APART = 3.6
_UNITS = {"raw": "eigenvalue of the Hessian", "normalised": "eigenvalue in filter lengths"}


def spectrum(report: Curvature, ax: Axes | None = None, *, matrix: str = "raw") -> Axes:
    """Draw how many eigenvalues lie where, with a band over probes, and those that were computed as ticks.

    Parameters
    ----------
    report : Curvature
    ax : Axes, optional
        By default of a figure of its own.
    matrix : {"raw", "normalised"}
        The Hessian, or D H D.

    Returns
    -------
    Axes
        Sizes are on a logarithmic axis on either side of 0, and linear below a thousandth of the largest, which is
        one bin.

    Raises
    ------
    UsageError
        An unknown matrix.
    PlotError
        There is no curvature at all.
    """
    if matrix not in _UNITS:
        raise UsageError(f"matrix is {matrix!r}, it has to be one of {', '.join(_UNITS)}")
    found: Spectrum = getattr(report, matrix)
    if ax is None:
        with our_style():
            figure = new_figure(3.4, 2.6, shown=True)
            return spectrum(report, figure.add_axes((0.16, 0.17, 0.8, 0.76)), matrix=matrix)
    largest = found.largest_size
    if largest == 0:
        raise PlotError(f"the curvature of {report.data} is 0 everywhere")
    edges, counts, errors = found.density()
    errors = np.nan_to_num(errors)
    ax.set_xscale("symlog", linthresh=RESOLVED * largest, linscale=0.5, subs=[])
    ax.set_yscale("log")
    floor = 0.3
    ax.stairs(np.maximum(counts, floor), edges, baseline=floor, fill=True, color=BLUE, alpha=0.35, lw=0)
    ax.stairs(np.maximum(counts, floor), edges, baseline=floor, color=BLUE, lw=0.9)
    low, high = np.maximum(counts - errors, floor), np.maximum(counts + errors, floor)
    band = [np.append(each, each[-1]) for each in (low, high)]
    ax.fill_between(edges, band[0], band[1], step="post", color=BLUE, alpha=0.25, lw=0)
    top = float(max(high.max(), 10.0)) * 4
    ax.set_ylim(floor, top)
    known = np.concatenate([found.eigenvalues, found.nodes[~np.isnan(found.nodes)]])
    ax.set_xlim(*(side * max(side * end * 1.5, 3 * RESOLVED * largest) for side, end in _ends(known)))
    for value, sure in zip(found.eigenvalues, found.converged, strict=True):
        ax.axvline(value, 0.93, 0.99, color=VERMILLION if sure else HAIRLINE, lw=0.9, solid_capstyle="butt")
    ax.axvline(0.0, color=INK, lw=0.5, ls=(0, (1, 2)))
    ax.set_xlabel(_UNITS[matrix])
    ax.set_ylabel("eigenvalues in a bin")
    _sparse_ticks(ax, largest)
    return ax


def _ends(values: Floats) -> list[tuple[int, float]]:
    return [(-1, float(values.min())), (1, float(values.max()))]


def _sparse_ticks(ax: Axes, largest: float) -> None:
    """Put ticks at 0 and at powers of ten that are drawn, the greatest first, as many as stand beside each other."""
    first, last = np.ceil(np.log10(RESOLVED * largest)), np.floor(np.log10(1.5 * largest))
    powers = 10.0 ** np.arange(first, last + 1)
    low, high = ax.get_xlim()
    figure = ax.get_figure(root=True)
    assert figure is not None
    kept: dict[float, float] = {}
    for tick in (0.0, *(side * power for power in powers[::-1] for side in (1, -1))):
        place = float(ax.transData.transform((tick, 1.0))[0]) * 72 / figure.dpi
        if low <= tick <= high and all(abs(place - other) > APART * look().tick for other in kept.values()):
            kept[float(tick)] = place
    ax.set_xticks(sorted(kept))
    ax.set_xticks([], minor=True)


def layer_bars(report: Curvature, ax: Axes | None = None, *, matrix: str = "raw") -> Axes:
    """Draw each layer's share of the trace as a bar with its standard error, in the network's order from the top.

    Parameters
    ----------
    report : Curvature
    ax : Axes, optional
        By default of a figure of its own.
    matrix : {"raw", "normalised"}

    Returns
    -------
    Axes

    Raises
    ------
    UsageError
        An unknown matrix.
    PlotError
        The report says nothing of layers.
    """
    if matrix not in _UNITS:
        raise UsageError(f"matrix is {matrix!r}, it has to be one of {', '.join(_UNITS)}")
    names = ("trace", "trace_stderr") if matrix == "raw" else ("normalised_trace", "normalised_trace_stderr")
    kept = [each for each in report.layers if getattr(each, names[0]) or matrix == "raw"]
    if not kept:
        raise PlotError(f"the curvature of {report.data} is not known by layers")
    if ax is None:
        with our_style():
            figure = new_figure(3.4, 0.6 + 0.13 * len(kept), shown=True)
            return layer_bars(report, figure.add_axes((0.4, 0.2, 0.55, 0.75)), matrix=matrix)
    values = np.array([getattr(each, names[0]) for each in kept])
    errors = np.array([getattr(each, names[1]) for each in kept])
    rows = np.arange(len(kept))
    style: dict[str, Any] = {"error_kw": {"elinewidth": 0.7, "ecolor": INK}}
    ax.barh(rows, values, xerr=errors, height=0.7, color=np.where(values < 0, VERMILLION, BLUE).tolist(), **style)
    ax.set_yticks(rows, [each.name for each in kept])
    ax.invert_yaxis()
    ax.axvline(0.0, color=INK, lw=0.5)
    ax.margins(y=0.01)
    ax.set_xlabel(bars_label(matrix))
    return ax


def bars_label(matrix: str) -> str:
    """Return what the bars of a matrix are."""
    return "trace of the layer's block" + (", in filter lengths" if matrix == "normalised" else "")
