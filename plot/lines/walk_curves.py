"""Walks along the gradient over the steps of training runs: the range of the loss, and the gradient's change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from landscape.errors import UsageError
from landscape.surface.grid import Floats
from landscape.surface.reports.gradient_walks import GradientWalks

from ..style.legends import place_legend
from ..style.style import look
from ..style.wording import one_line
from .curve_panels import COLOURS, curve_labels, draw_panels, of_each

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def walk(
    found: GradientWalks | Sequence[GradientWalks],
    *,
    labels: Sequence[str] | None = None,
    headline: str = "",
    caption: bool = True,
    size: str | float | Sequence[float] | None = None,
    font: str | None = None,
) -> Figure:
    """Draw what lies along the gradient at each step: the range of the loss on the left, smoothness on the right.

    Parameters
    ----------
    found : GradientWalks or sequence of them
    labels : sequence of str, optional
        Of several runs, a name each; by default their files'.
    headline, caption, size, font
        As of `landscape.plot.draw`.

    Returns
    -------
    Figure
        `landscape.plot.save` writes it.

    Raises
    ------
    UsageError
        There are not as many labels, too many runs to be told apart, or their steps are counted in other units.
    """
    several = [found] if isinstance(found, GradientWalks) else list(found)
    names = curve_labels(several, labels)
    units = list(dict.fromkeys(each.unit for each in several))
    if len(units) > 1:
        raise UsageError(f"steps counted in {' and '.join(units)} share no axis: draw them in pictures of their own")

    def losses(ax: Axes) -> None:
        _bands(ax, several, names)
        _finish(ax, "loss along the gradient", "loss", units[0])

    def smoothness(ax: Axes) -> None:
        for each, name, colour in zip(several, names, COLOURS, strict=False):
            _line(ax, each, each.smoothness, colour, name)
        _finish(ax, "change of the gradient per distance", "effective smoothness", units[0])

    return draw_panels(
        [losses, smoothness],
        text=f"{of_each([_measured(each) for each in several], names)} Bands: from the least to the greatest loss "
        "along the walk, around that at the step itself. Second panel: the greatest change of the gradient over the "
        "distance walked.",
        title="Walks along the gradient",
        command=several[0].command,
        headline=one_line(headline),
        caption=caption,
        size=size,
        font=font,
    )


def _bands(ax: Axes, several: Sequence[GradientWalks], names: Sequence[str]) -> None:
    for each, name, colour in zip(several, names, COLOURS, strict=False):
        ax.fill_between(each.steps, each.low, each.high, color=colour, alpha=0.22, lw=0)
        _line(ax, each, each.losses[:, 0], colour, name)


def _line(ax: Axes, found: GradientWalks, values: Floats, colour: str, name: str) -> None:
    mark = "o" if len(found.steps) <= 40 else ""
    factor = look().factor
    ax.plot(found.steps, values, color=colour, lw=1.3 * factor, marker=mark, ms=2.6 * factor, label=name)


def _finish(ax: Axes, title: str, ylabel: str, unit: str) -> None:
    ax.set_title(title, loc="left", fontsize=look().title, fontweight="bold")
    ax.set_xlabel(one_line(unit))
    ax.set_ylabel(ylabel)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    ax.margins(x=0.02)
    shown = [np.asarray(line.get_ydata(), dtype=np.float64) for line in ax.lines]
    shown += [np.asarray(path.vertices, dtype=np.float64)[:, 1] for each in ax.collections for path in each.get_paths()]
    values = np.concatenate([*shown, np.empty(0)])
    known = values[np.isfinite(values)]
    # Factors of ten are read off a logarithmic axis; losses of 0 have none.
    if len(known) and known.min() > 0 and known.max() > 20 * known.min():
        ax.set_yscale("log")
    if len(ax.lines) > 1:
        place_legend(ax, ax.lines)


def _measured(found: GradientWalks) -> str:
    far = ", ".join(f"{each:g}" for each in found.multiples)
    rates = sorted({float(f"{each:.4g}") for each in found.rates[~np.isnan(found.rates)]})
    rate = f"{rates[0]:g}" if len(rates) == 1 else f"{rates[0]:g} to {rates[-1]:g}"
    left_out = ""
    if none := found.without_rate:
        left_out += f"; {none:,} {'step has' if none == 1 else 'steps have'} no learning rate, nothing was walked there"
    if lost := found.not_known:
        one = lost == 1
        left_out += (
            f"; {lost:,} of them {'is' if one else 'are'} not finite, or {'changes' if one else 'change'} by less "
        )
        left_out += f"than is resolved, and {'has' if one else 'have'} no band"
    if frozen := found.settings.get("frozen", 0):
        left_out += f"; {frozen:,} frozen {'weight is' if frozen == 1 else 'weights are'} in no gradient"
    samples, mode = found.settings.get("samples"), found.settings.get("mode")
    of = "" if samples is None else f"{samples} samples of "
    return (
        f"{one_line(found.run)}: {len(found.steps):,} steps, {of}{one_line(found.data)}"
        f"{'' if mode is None else f', mode {mode}'}; walked by {far} steps of gradient descent at a "
        f"rate of {rate}{left_out}."
    )
