"""Colour bars: one for all panels that share a scale, with ticks in loss units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from .ladders import number_text, spread_ticks
from .scale import Scale
from .style import TICK_SIZE, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure

# Between two ticks, in inches.
TICK_ROOM = 1.5 * TICK_SIZE / 72
# More ticks than this on a bar are read as a texture.
MOST_TICKS = 12
# Wider texts, in inches, would not leave room for the label; what they have in common is then said once.
WIDEST = 0.44


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
    common, texts = tick_texts(scale, ticks)
    axis.set_major_formatter(FixedFormatter(texts))
    if common:
        bar.ax.annotate(
            f"{common} + …",
            (0.0, 1.0),
            xycoords="axes fraction",
            xytext=(0.0, 3.0),
            textcoords="offset points",
            fontsize=TICK_SIZE,
            annotation_clip=False,
            parse_math=False,
            gid="common",
        )
    axis.set_minor_locator(NullLocator())
    bar.set_label(scale.axis_label() if label is None else label, parse_math=False)
    bar.outline.set_linewidth(0.6)
    bar.ax.tick_params(length=2.5)
    if lines:
        inside = [level for level in scale.levels if scale.low < level < scale.high]
        bar.ax.hlines(inside, 0, 1, transform=bar.ax.get_yaxis_transform(), colors="black", alpha=0.6, linewidths=0.35)
    return bar


def tick_texts(scale: Scale, values: Sequence[float]) -> tuple[str, list[str]]:
    """Return what values have in common, such as "10⁶", and the text of what each has beyond it.

    Nothing in common where their own texts are short enough and tell them apart.
    """
    whole = [scale.text(value) for value in values]
    span = scale.high - scale.low
    alike = len(set(whole)) < len(whole)
    if not span > 0 or not (alike or any(text_width(text, TICK_SIZE) > WIDEST for text in whole)):
        return "", whole
    unit = 10.0 ** np.ceil(np.log10(span))
    common = float(np.floor(scale.low / unit) * unit)
    if common == 0:
        return "", whole
    # To the digits that doubles of this size have: what is left is rounding.
    rest = [round(value - common, 15 - int(np.ceil(np.log10(abs(common))))) for value in values]
    return number_text(common, 15), [number_text(each, 4) for each in rest]


def fitting_ticks(scale: Scale, inches: float) -> tuple[float, ...]:
    """Return as many of a scale's round values as fit on an axis of this length without touching."""
    if scale.percent or scale.kind == "linear":
        return scale.ticks[:: max(1, round(len(scale.ticks) * TICK_ROOM / max(inches, 0.1)))]
    gap = min(0.3, max(0.045, TICK_ROOM / max(inches, 0.1)))
    ticks = spread_ticks(scale.low, scale.high, scale.normalized, linear=False, gap=gap)
    while len(ticks) > MOST_TICKS:
        gap *= 1.1
        ticks = spread_ticks(scale.low, scale.high, scale.normalized, linear=False, gap=gap)
    return ticks
