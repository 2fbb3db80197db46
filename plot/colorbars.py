"""Colour bars: one for all panels that share a scale, with ticks in loss units."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.cm import ScalarMappable
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from .ladders import spread_ticks
from .scale import Scale
from .style import TICK_SIZE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure

# Between two ticks, in inches.
TICK_ROOM = 1.5 * TICK_SIZE / 72


def draw_colorbar(
    figure: Figure,
    scale: Scale,
    *,
    cax: Axes | None = None,
    ax: Axes | None = None,
    lines: bool = False,
    label: str | None = None,
) -> Colorbar:
    """Draw the colours of a scale into ``cax``, or into room taken from ``ax``.

    With ``lines`` the levels of iso-lines are drawn across it. ``label`` stands in the place of the scale's own.
    """
    mappable = ScalarMappable(norm=scale.norm(), cmap=scale.cmap())
    if cax is not None:
        bar = figure.colorbar(mappable, cax=cax)
    else:
        bar = figure.colorbar(mappable, ax=ax, fraction=0.05, pad=0.03, aspect=22)
    axis = bar.ax.yaxis
    inches = bar.ax.get_position().height * figure.get_size_inches()[1]
    ticks = fitting_ticks(scale, inches)
    axis.set_major_locator(FixedLocator(list(ticks)))
    axis.set_major_formatter(FixedFormatter([scale.text(tick) for tick in ticks]))
    axis.set_minor_locator(NullLocator())
    bar.set_label(scale.axis_label() if label is None else label, parse_math=False)
    bar.outline.set_linewidth(0.6)
    bar.ax.tick_params(length=2.5)
    if lines:
        inside = [level for level in scale.levels if scale.low < level < scale.high]
        bar.ax.hlines(inside, 0, 1, transform=bar.ax.get_yaxis_transform(), colors="black", alpha=0.6, linewidths=0.35)
    return bar


def fitting_ticks(scale: Scale, inches: float) -> tuple[float, ...]:
    """Return as many of a scale's round values as fit on an axis of this length without touching."""
    if scale.percent or scale.kind == "linear":
        return scale.ticks[:: max(1, round(len(scale.ticks) * TICK_ROOM / max(inches, 0.1)))]
    gap = min(0.3, max(0.045, TICK_ROOM / max(inches, 0.1)))
    return spread_ticks(scale.low, scale.high, scale.normalized, linear=False, gap=gap)
