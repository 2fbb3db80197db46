"""Colour bars: one for all panels that share a scale, with ticks in loss units."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.cm import ScalarMappable
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from .scale import Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure


def draw_colorbar(
    figure: Figure, scale: Scale, *, cax: Axes | None = None, ax: Axes | None = None, lines: bool = False
) -> Colorbar:
    """Draw the colours of a scale into ``cax``, or into room taken from ``ax``.

    With ``lines`` the levels of iso-lines are drawn across it. An arrow at the top says that values above the cap
    are in the picture, hatched.
    """
    mappable = ScalarMappable(norm=scale.norm(), cmap=scale.cmap())
    if cax is not None:
        bar = figure.colorbar(mappable, cax=cax)
    else:
        bar = figure.colorbar(mappable, ax=ax, fraction=0.05, pad=0.03, aspect=22)
    axis = bar.ax.yaxis
    axis.set_major_locator(FixedLocator(list(scale.ticks)))
    axis.set_major_formatter(FixedFormatter([scale.text(tick) for tick in scale.ticks]))
    axis.set_minor_locator(NullLocator())
    bar.set_label(scale.axis_label(), parse_math=False)
    bar.outline.set_linewidth(0.6)  # type: ignore[operator]
    bar.ax.tick_params(length=2.5)
    if lines:
        inside = [level for level in scale.levels if scale.low < level < scale.high]
        bar.ax.hlines(inside, 0, 1, transform=bar.ax.get_yaxis_transform(), colors="black", alpha=0.6, linewidths=0.35)
    return bar
