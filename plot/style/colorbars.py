"""Colour bars: one for all panels that share a scale, with ticks in loss units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import make_axes, make_axes_gridspec
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator
from matplotlib.transforms import Bbox

from ..scale.levels import number_text, spread_ticks
from ..scale.scale import Scale
from .layout import BAR_TEXT, BAR_WIDTH
from .style import look, text_width, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure

# More ticks than this on a bar are read as a texture.
MOST_TICKS = 12
# Wider texts, in font sizes, would not leave room for the label; what they have in common is then said once.
WIDEST = 4.5
# How long a bar's label may be, as a share of the bar: what stands above it is near.
BEYOND = 1.03
# What its letters are multiplied by, where it is longer.
SMALLER = (1.0, 0.9, 0.8)


def draw_colorbar(
    figure: Figure,
    scale: Scale,
    *,
    cax: Axes,
    lines: bool = False,
    label: str | None = None,
) -> Colorbar:
    """Draw the colours of a scale into ``cax``.

    With ``lines`` the levels of iso-lines are drawn across it. ``label`` stands in the place of the scale's own.
    """
    bar = figure.colorbar(ScalarMappable(norm=scale.norm(), cmap=scale.cmap()), cax=cax)
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
            fontsize=look().tick,
            annotation_clip=False,
            parse_math=False,
            gid="common",
        )
    axis.set_minor_locator(NullLocator())
    whole = scale.axis_label() if label is None else label
    written, size = _fitting_label(whole, inches, texts)
    bar.set_label(written, parse_math=False, size=size)
    bar.outline.set_linewidth(0.6)
    bar.ax.tick_params(length=2.5)
    if lines:
        inside = [level for level in scale.levels if scale.low < level < scale.high]
        thin = 0.35 * look().factor
        bar.ax.hlines(inside, 0, 1, transform=bar.ax.get_yaxis_transform(), colors="black", alpha=0.6, linewidths=thin)
    return bar


def draw_colorbar_beside(ax: Axes, scale: Scale, *, lines: bool = False) -> Colorbar:
    """Draw the colours of a scale in room taken from axes of the caller's: beside them, and as tall as they are.

    Axes of equal aspect are as high as their data ask for, which is known only when they are drawn; the bar follows.
    """
    figure = ax.get_figure(root=True)
    assert figure is not None
    engine = figure.get_layout_engine()
    gridded = ax.get_subplotspec() is not None and (engine is None or engine.colorbar_gridspec)
    make = make_axes_gridspec if gridded else make_axes
    across = ax.get_window_extent().width / figure.dpi
    width = min(BAR_WIDTH, 0.05 * across)
    # A layout engine makes room for the numbers and the label; else they would fall on the neighbour to the right.
    share = 0.05 if engine is not None else min(0.4, (width + BAR_TEXT * look().factor) / across)
    cax, _ = make(ax, fraction=share, pad=0.03, aspect=22)
    cax.set_box_aspect(None)

    def beside(_: Any, renderer: Any) -> Bbox:
        ax.apply_aspect()
        place, inch = ax.get_position(), 1 / figure.get_size_inches()[0]
        return Bbox.from_bounds(place.x1 + 0.6 * width * inch, place.y0, width * inch, place.height)

    cax.set_axes_locator(beside)
    cax.set_label("colorbar")
    return draw_colorbar(figure, scale, cax=cax, lines=lines)


def _fitting_label(text: str, inches: float, ticks: Sequence[str]) -> tuple[str, float]:
    """Return what is written along a bar, and in which size: all of it, where that is too long on two lines, without
    the formula, or smaller.
    """  # fmt: skip
    most = BEYOND * inches
    short, _, formula = text.partition(", ")
    narrow = max((text_width(each, look().tick) for each in ticks), default=0.0) * 72 < 3.0 * look().tick
    for size in look().label * np.array(SMALLER):
        choices = [text, f"{short},\n{formula}" if formula and narrow else text, short]
        choices += ["\n".join(wrapped(short, most, size, most=2))] if narrow else []
        for each in choices:
            if max(text_width(line, size) for line in each.split("\n")) <= most:
                return each, float(size)
    return short, float(size)


def tick_texts(scale: Scale, values: Sequence[float]) -> tuple[str, list[str]]:
    """Return what values have in common, such as "10⁶", and the text of what each has beyond it.

    Nothing in common where their own texts are short enough and tell them apart.
    """
    whole = [scale.text(value) for value in values]
    span = scale.high - scale.low
    alike = len(set(whole)) < len(whole)
    if not span > 0 or not (alike or any(text_width(text, look().tick) * 72 > WIDEST * look().tick for text in whole)):
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
    room = 1.5 * look().tick / 72 / max(inches, 0.1)
    if scale.percent or scale.kind == "linear":
        return scale.ticks[:: max(1, round(len(scale.ticks) * room))]
    gap = min(0.3, max(0.045, room))
    ticks = spread_ticks(scale.low, scale.high, scale.normalized, linear=False, gap=gap)
    while len(ticks) > MOST_TICKS:
        gap *= 1.1
        ticks = spread_ticks(scale.low, scale.high, scale.normalized, linear=False, gap=gap)
    return ticks
