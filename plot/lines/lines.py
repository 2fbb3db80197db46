"""Lines through weight space: loss on the left, accuracy on the right, one panel a surface.

Solid is the training set, dashed the test set. The height of the loss is the `Scale`'s, as in every other picture:
linear where the losses lie within a factor of 100, else log.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator
from matplotlib.transforms import Bbox, ScaledTranslation, TransformedBbox

from landscape.errors import PlotError
from landscape.surface.derived.unseen import left_to_chance
from landscape.surface.grid import Floats
from landscape.surface.surface import INTERPOLATED, NOT_COMPUTED, Surface

from ..planes.corner_notes import draw_corner
from ..planes.marks import axis_text, draw_ticks, label_axis, require_directions
from ..scale.levels import linear_steps, number_text
from ..scale.repeats import middle_half
from ..scale.scale import CAPPED, NOT_FINITE, Scale, default_name
from ..style.placement import Box, Room
from ..style.shortcuts import lacking_samples
from ..style.strips import as_line
from ..style.style import BLUE, HAIRLINE, SOFT_INK, VERMILLION, look
from ..style.wording import cleaned
from .barriers import draw_barrier, label_barrier
from .line_steps import draw_line_steps, line_step_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# More than a factor of 100 is what a linear axis cannot show.
WIDE = 100.0
_DASHES: tuple[Any, ...] = ("-", (0, (4, 1.8)), (0, (1, 1.3)), (0, (6, 1.5, 1, 1.5)), (0, (8, 2)))


def line_names(surface: Surface, names: str | Sequence[str] | None) -> tuple[list[str], list[str]]:
    """Return which values go to the left axis and which to the right."""
    if names is None:
        chosen = [each for each in surface.values if each.rpartition("/")[2] in ("loss", "accuracy")]
        chosen = chosen or [default_name(surface)]
    else:
        chosen = [names] if isinstance(names, str) else list(names)
    # The training set first, so that it is the solid line.
    chosen.sort(key=lambda each: not each.startswith("train/"))
    for each in chosen:
        if each not in surface.values:
            raise PlotError(
                f"{surface.path or 'the surface'} has no values called {each!r}; there are {', '.join(surface.values)}"
            )
    right = [each for each in chosen if each.endswith("accuracy")]
    return [each for each in chosen if each not in right], right


def line_scale(surfaces: Surface | Sequence[Surface], names: Sequence[str], **options: Any) -> Scale:
    """Return the scale of the left axis: linear unless the values span more than a factor of 100."""
    scale = Scale.of(surfaces, names, **options)
    if options.get("kind", "auto") == "auto" and scale.kind == "log" and scale.high <= WIDE * scale.low:
        scale = Scale.of(surfaces, names, **{**options, "kind": "linear"})
    return scale


def draw_line(
    ax: Axes,
    surface: Surface,
    names: str | Sequence[str] | None,
    scale: Scale | None,
    *,
    legend: bool = True,
    above: float | None = None,
) -> Axes | None:
    """Draw one panel; return the axes on the right, if there is an accuracy.

    ``above`` is how many points above the axes the legend stands; without it, inside, where nothing else is.
    """
    surface = as_line(cleaned(surface))
    part = surface.finished_part()
    require_directions(part.repeat(0), 1)
    left, right = line_names(part, names)
    scale = scale or line_scale([part], left or right)
    x = part.axes[0].values
    data = list(dict.fromkeys(each.rpartition("/")[0] for each in left + right))
    dashes = dict(zip(data, itertools.cycle(_DASHES), strict=False))
    ax.set_xlim(x[0], x[-1]) if len(x) > 1 else None
    draw_ticks(ax.xaxis)
    label_axis(ax.xaxis, axis_text(part.axes[0], 0))
    _dotted(ax, part)
    corner = _notes(surface, part, left + right, scale)

    beside = None
    if left:
        for name in left:
            _draw_values(ax, part, name, BLUE, dashes[name.rpartition("/")[0]], cap=scale.cap)
        _left_axis(ax, scale)
        _show_edges(ax)
        draw_barrier(ax, part, left[0])
        draw_line_steps(ax, surface, left[0])
        corner += line_step_lines(ax, surface, left[0])
    if right:
        beside = ax.twinx() if left else ax
        for name in right:
            _draw_values(beside, part, name, VERMILLION, dashes[name.rpartition("/")[0]], factor=100.0)
        beside.set_ylim(0, 100)
        _show_edges(beside)
        draw_ticks(beside.yaxis)
        beside.set_ylabel("accuracy (%)")
        _colored(beside, "right" if left else "left", VERMILLION)
    if left:
        # After twinx, which would hide it.
        _colored(ax, "left", BLUE)
    front = beside or ax
    room = Room.of(*dict.fromkeys((ax, front)))
    if left:
        label_barrier(ax, part, left[0], room)
    if legend and len(data) > 1:
        _draw_legend(front, {each: dashes[each] for each in data}, room, above)
    draw_corner(front, corner, room)
    return beside


def _draw_legend(ax: Axes, dashes: dict[str, Any], room: Room, above: float | None) -> None:
    """Say which dashes are which data set: in the line above the axes, or where inside there is room for it."""
    factor = look().factor
    handles = [Line2D([], [], color=SOFT_INK, ls=each, lw=1.2 * factor, label=name) for name, each in dashes.items()]
    style: dict[str, Any] = {"handles": handles, "handlelength": 2.2, "borderpad": 0.2, "borderaxespad": 0.2}
    figure = ax.get_figure(root=True)
    assert figure is not None
    assert room.frame is not None
    if above is not None:
        aloft = ax.transAxes + ScaledTranslation(0, above / 72, figure.dpi_scale_trans)
        found = ax.legend(
            loc="lower right", bbox_to_anchor=(1.0, 1.0), bbox_transform=aloft, ncols=len(dashes), **style
        )
    else:
        found = ax.legend(loc="center", frameon=True, framealpha=0.82, edgecolor="none", **style)
        width, height = np.asarray(found.get_window_extent().size) * 72 / figure.dpi
        low, high = room.frame
        spots = [(x, y) for y in np.linspace(1, 0, 13) for x in np.linspace(0, 1, 17)]
        half = np.array([width, height]) / 2 + 2.0
        boxes = [Box(low + half + (high - low - 2 * half) * spot, (width / 2, height / 2)) for spot in spots]
        middle = boxes[room.choose(boxes)].middle
        found.set_bbox_to_anchor(tuple((middle - low) / (high - low)), transform=ax.transAxes)
    for text in found.get_texts():
        text.set_parse_math(False)


def _draw_values(
    ax: Axes, surface: Surface, name: str, color: str, dashes: Any, *, factor: float = 1.0, cap: float | None = None
) -> None:
    x, values = surface.axes[0].values, surface[name] * factor
    values = np.where(np.isfinite(values) & (surface.state != NOT_COMPUTED), values, np.nan)
    if cap is not None:
        # Counted in the corner.
        values = np.where(values > cap, np.nan, values)
    style: dict[str, Any] = {"color": color, "ls": dashes, "solid_capstyle": "round"}
    if surface.repeats > 1:
        middle, low, high = middle_half(values)
        ax.fill_between(x, low, high, color=color, alpha=0.18, lw=0, zorder=2, label=f"{name} middle half")
        ax.plot(x, values.T, **style, lw=0.4 * look().factor, alpha=0.4, zorder=2.5)
        ax.plot(x, middle, **style, lw=1.6 * look().factor, zorder=3, label=name)
        return
    error = standard_error(surface, name)
    if error is not None:
        error = error * factor
        ax.fill_between(
            x, values - error, values + error, color=color, alpha=0.2, lw=0, zorder=2, label=f"{name} error"
        )
    alone = np.isfinite(values) & ~np.isfinite(np.r_[np.nan, values[:-1]]) & ~np.isfinite(np.r_[values[1:], np.nan])
    ax.plot(x, values, **style, lw=1.5 * look().factor, zorder=3, label=name)
    if alone.any():
        # A single point between two holes has no line to be seen by.
        ax.plot(x[alone], values[alone], ".", color=color, ms=4 * look().factor, zorder=3)
    filled = surface.state == INTERPOLATED
    if filled.any():
        ax.plot(
            x[filled], values[filled], "o", mfc="white", mec=color, mew=0.6, ms=2.2, zorder=3.5, label="interpolated"
        )


def standard_error(surface: Surface, name: str) -> Floats | None:
    """Return the standard error of the mean that a sample of the data leaves, or None where nothing is left to chance.

    The stored error is ``s / sqrt(n)``; n of N samples, drawn without repetition, leave ``sqrt(1 - n/N)`` of it. NaN
    where samples are all alike and say nothing of the others.
    """
    error = left_to_chance(surface, name)
    return None if error is None or not (error > 0).any() else error


def _left_axis(ax: Axes, scale: Scale) -> None:
    """Give the left axis the scale's heights, ticks and label."""
    if scale.kind == "linear":
        top = scale.high + 0.05 * (scale.high - min(scale.low, 0.0))
        ax.set_ylim(min(scale.low - 0.05 * (scale.high - scale.low), 0.0) if scale.low < 0 else 0.0, top)
        draw_ticks(ax.yaxis)
        if scale.percent:
            ticks = linear_steps(0, 1, 6)
            ax.yaxis.set_major_locator(FixedLocator(list(ticks)))
            ax.yaxis.set_major_formatter(FixedFormatter([scale.text(tick) for tick in ticks]))
    else:
        ax.set_yscale("function", functions=(scale.forward, scale.inverse))
        bottom, top = scale.forward([scale.low, scale.high])
        margin = 0.05 * (top - bottom)
        lowest = float(scale.inverse(bottom - margin))
        ax.set_ylim(max(lowest, 0.0) if scale.low >= 0 else lowest, float(scale.inverse(top + margin)))
        ax.yaxis.set_major_locator(FixedLocator(list(scale.ticks)))
        ax.yaxis.set_major_formatter(FixedFormatter([scale.text(tick) for tick in scale.ticks]))
    ax.yaxis.set_minor_locator(NullLocator())
    label_axis(ax.yaxis, scale.axis_label())


def _show_edges(ax: Axes) -> None:
    """Let lines that run along 0 or 100 % show their whole width, and points at the ends all of themselves."""
    for artist in ax.lines:
        pointed = artist.get_linestyle() == "None"
        aside = 0.02 if pointed else 0.0
        window = TransformedBbox(Bbox([[-aside, -0.01 - aside], [1.0 + aside, 1.01 + aside]]), ax.transAxes)
        artist.set_clip_box(window)


def _colored(ax: Axes, side: str, color: str) -> None:
    ax.yaxis.label.set_color(color)
    ax.tick_params(axis="y", colors=color)
    ax.spines[side].set_color(color)
    ax.spines["top"].set_visible(False)


def _dotted(ax: Axes, surface: Surface) -> None:
    """Mark where the checkpoint is, and where the other one is if the line leads to one."""
    axis = surface.axes[0]
    if surface.origin.get("elsewhere"):
        return
    for place in (0.0, 1.0) if axis.reaches_checkpoint else (0.0,):
        if axis.values[0] <= place <= axis.values[-1]:
            ax.axvline(place, color=HAIRLINE, ls=(0, (1, 1.6)), lw=0.8 * look().factor, zorder=1, label="checkpoint")


def _notes(whole: Surface, part: Surface, names: Sequence[str], scale: Scale) -> list[str]:
    lines = []
    if part is not whole:
        lines.append(f"unfinished: {len(part.axes[0])} of {len(whole.axes[0])} points")
    if lacking := lacking_samples(whole):
        lines.append(f"unfinished: {lacking} points lack samples")
    missing = int((part.state == NOT_COMPUTED).sum())
    if missing:
        lines.append(f"{missing} points missing")
    for name in names:
        codes = scale.classify(part[name], part.state)
        where = f" in {name}" if len(names) > 1 else ""
        if (codes == NOT_FINITE).any():
            lines.append(f"{int((codes == NOT_FINITE).sum())} not finite{where}")
        if not name.endswith("accuracy") and (codes == CAPPED).any():
            lines.append(f"{int((codes == CAPPED).sum())} above {number_text(scale.cap or 0.0)}{where}")
    filled = int((part.state == INTERPOLATED).sum())
    if filled:
        lines.append(f"{filled} interpolated")
    if scale.independent:
        lines.append("independent scale")
    return lines
