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
from landscape.grid import Floats
from landscape.surface import INTERPOLATED, NOT_COMPUTED, Surface, sampling_factor

from .barriers import draw_barrier
from .ladders import linear_steps, number_text
from .line_steps import draw_line_steps, line_step_lines
from .marks import axis_text, draw_corner, draw_ticks, require_directions
from .repeats import middle_half
from .scale import CAPPED, NOT_FINITE, Scale, default_name
from .shortcuts import lacking_samples
from .strips import as_line
from .style import BLUE, HAIRLINE, SOFT_INK, VERMILLION, our_style
from .wording import cleaned

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# More than a factor of 100 is what a linear axis cannot show.
WIDE = 100.0
_DASHES: tuple[Any, ...] = ("-", (0, (4, 1.8)), (0, (1, 1.3)), (0, (6, 1.5, 1, 1.5)), (0, (8, 2)))


def line(
    surfaces: Surface | Sequence[Surface],
    names: str | Sequence[str] | None = None,
    ax: Axes | None = None,
    *,
    scale: Scale | None = None,
    legend: bool = True,
) -> Axes:
    """Draw the loss along a line (left axis, blue) and the accuracy (right axis, vermillion).

    Parameters
    ----------
    surfaces : Surface or sequence of Surface
        Lines; several become panels that share their axes. Of several seeds the median is drawn over the band of
        their middle half, and each seed as a thin line.
    names : str or sequence of str, optional
        The values; every loss and every accuracy there is. Those that end in "accuracy" go to the right axis.
    ax : Axes, optional
        Where to draw one surface. Without it, a figure with title and caption is made.
    scale : Scale, optional
        Of the left axis, shared with other pictures.
    legend : bool
        Say which data set is solid and which is dashed, where there are several.

    Returns
    -------
    Axes
        The left one (of the first panel).

    Raises
    ------
    PlotError
        Not a line, no such values, or none that is finite.

    Notes
    -----
    Bands around single lines are one standard error of the mean over samples, with the factor sqrt(1 - n/N) for n
    of N samples; over a whole data set there is no such error and no band. Towards another checkpoint the barrier is
    shaded: what lies above the straight line between both ends.
    """
    if ax is None:
        from .figures import draw_panels

        panels = [surfaces] if isinstance(surfaces, Surface) else list(surfaces)
        return draw_panels(panels, kind="line", name=names, scale=scale, shown=True).axes[0]
    if not isinstance(surfaces, Surface):
        if len(surfaces) != 1:
            raise PlotError("one axes holds one surface; leave ax out to draw several side by side")
        surfaces = surfaces[0]
    with our_style():
        draw_line(ax, surfaces, names, scale, legend=legend)
    return ax


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


def line_scale(surfaces: Sequence[Surface], names: Sequence[str], **options: Any) -> Scale:
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
    lift: float = 0.0,
) -> Axes | None:
    """Draw one panel; return the axes on the right, if there is an accuracy.

    ``lift`` is how many points above the axes the legend stands.
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
    ax.set_xlabel(axis_text(part.axes[0], 0), parse_math=False)
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
    draw_corner(beside or ax, corner)
    if legend and len(data) > 1:
        handles = [Line2D([], [], color=SOFT_INK, ls=dashes[each], lw=1.2, label=each) for each in data]
        figure = ax.get_figure(root=True)
        assert figure is not None
        found = (beside or ax).legend(
            handles=handles,
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            bbox_transform=ax.transAxes + ScaledTranslation(0, lift / 72, figure.dpi_scale_trans),
            ncols=len(data),
            handlelength=2.2,
            borderpad=0.1,
            borderaxespad=0.2,
        )
        for text in found.get_texts():
            text.set_parse_math(False)
    return beside


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
        ax.plot(x, values.T, **style, lw=0.4, alpha=0.4, zorder=2.5)
        ax.plot(x, middle, **style, lw=1.6, zorder=3, label=name)
        return
    error = standard_error(surface, name)
    if error is not None:
        error = error * factor
        ax.fill_between(
            x, values - error, values + error, color=color, alpha=0.2, lw=0, zorder=2, label=f"{name} error"
        )
    alone = np.isfinite(values) & ~np.isfinite(np.r_[np.nan, values[:-1]]) & ~np.isfinite(np.r_[values[1:], np.nan])
    ax.plot(x, values, **style, lw=1.5, zorder=3, label=name)
    if alone.any():
        # A single point between two holes has no line to be seen by.
        ax.plot(x[alone], values[alone], ".", color=color, ms=4, zorder=3)
    filled = surface.state == INTERPOLATED
    if filled.any():
        ax.plot(
            x[filled], values[filled], "o", mfc="white", mec=color, mew=0.6, ms=2.2, zorder=3.5, label="interpolated"
        )


def standard_error(surface: Surface, name: str) -> Floats | None:
    """Return the standard error of the mean that a sample of the data leaves, or None where nothing is left to chance.

    The stored error is ``s / sqrt(n)``; n of N samples, drawn without repetition, leave ``sqrt(1 - n/N)`` of it.
    """
    error = surface.stderr.get(name)
    if error is None or not np.isfinite(error).any():
        return None
    error = error * sampling_factor(surface, name)
    return None if not np.nanmax(error) > 0 else np.asarray(error)


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
    ax.set_ylabel(scale.axis_label(), parse_math=False)


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
    for place in (0.0, 1.0) if axis.source == "checkpoint" else (0.0,):
        if axis.values[0] <= place <= axis.values[-1]:
            ax.axvline(place, color=HAIRLINE, ls=(0, (1, 1.6)), lw=0.8, zorder=1, label="checkpoint")


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
