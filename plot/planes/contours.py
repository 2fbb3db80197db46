"""Filled contours of a plane, with iso-lines labelled in loss units.

Lines are found in the scale's height, not in the loss: between two points whose losses lie decades apart, a straight
line in the loss would put every level next to the higher one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from landscape.errors import PlotError
from landscape.surface.grid import Floats

from ..figures import Given, Renderer, draw, opened, register
from ..paths.path_words import path_lines
from ..paths.trajectories import draw_paths
from ..scale.levels import number_text
from ..scale.scale import CAPPED, OK, Scale
from ..scale.smoothing import snapped
from ..style.colorbars import draw_colorbar_beside, tick_texts
from ..style.labels import label_lines
from ..style.placement import Room
from ..style.style import Look, look, our_style
from .corner_notes import LEVELS, corner_lines, draw_corner
from .marks import (
    VECTORS,
    Sheet,
    draw_frame,
    draw_ground,
    draw_marks,
    hole_cells,
    hole_colors,
)
from .plane_figures import PlaneKind, draw_planes
from .relief import draw_relief

# Of colour, in filled contours: too small to see.
STEPS = 128

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.contour import QuadContourSet


def contour(
    surface: Given,
    name: str | None = None,
    ax: Axes | None = None,
    *,
    scale: Scale | None = None,
    hillshade: bool = False,
    labels: bool = True,
    equal: bool = True,
    interpolate: bool = True,
    colorbar: bool = True,
    marks: Sequence[int] = (),
) -> Axes:
    """Draw filled contours of a plane, the checkpoint (star), the best point (ring), and the paths of training runs.

    Parameters
    ----------
    surface : Surface, str or Path
        A plane, or the name of its file. One that is not finished is drawn as its finest complete grid, and says so.
    name : str, optional
        The values, such as ``"test/loss"``; the training loss where there is one.
    ax : Axes, optional
        Where to draw. Without it, a figure with title, colour bar and caption is made.
    scale : Scale, optional
        Shared with other pictures; by default what suits these values.
    hillshade : bool
        Light the surface from the north-west, which shows roughness that lines do not.
    labels : bool
        Write levels onto every second line.
    equal : bool
        Draw both axes to the same scale.
    interpolate : bool
        Draw smooth lines through the points of a grid of less than 75 x 75, and say so.
    colorbar : bool
        Draw a colour bar beside ``ax``.
    marks : sequence of int
        Steps of the surface's runs to mark on their paths, beside those where the learning rate fell.

    Returns
    -------
    Axes
        Of the contours; ``axes.figure`` is the picture.

    Raises
    ------
    PlotError
        Not a plane, no such values, or no three neighbouring points with finite values.
    """
    if ax is None:
        figure = draw(
            surface,
            kind="contour",
            name=name,
            scale=scale or "auto",
            shown=True,
            hillshade=hillshade,
            labels=labels,
            equal=equal,
            interpolate=interpolate,
            marks=marks,
        )
        return figure.axes[0]
    with our_style(Look.of_axes(ax)):
        sheet = Sheet.of(opened(surface), name, scale)
        if colorbar:
            # First, since it takes room from the axes: labels are placed where they will stand.
            draw_colorbar_beside(ax, sheet.scale, lines=True)
        draw_contours(ax, sheet, hillshade=hillshade, labels=labels, equal=equal, interpolate=interpolate, marks=marks)
    return ax


def draw_contours(
    ax: Axes,
    sheet: Sheet,
    *,
    hillshade: bool = False,
    labels: bool = True,
    equal: bool = True,
    interpolate: bool = True,
    marks: Sequence[int] = (),
) -> QuadContourSet | None:
    """Draw everything but the colour bar; return the iso-lines, or None where no level is crossed.

    ``marks`` are steps of the surface's runs, to be marked on their paths.
    """
    scale, x, y = sheet.scale, sheet.x, sheet.y
    _require_cells(sheet)
    extent = (x[0], x[-1], y[0], y[-1])
    to_scale = draw_frame(ax, sheet, extent, equal=equal)
    draw_ground(ax, sheet, extent)
    _draw_holes(ax, sheet)
    heights, x, y, smoothed = sheet.smooth if interpolate else (scale.forward(sheet.values), x, y, 1)
    inner = _inner_levels(scale)
    heights = np.ma.masked_invalid(snapped(heights, scale.forward(inner)))
    capped = bool((sheet.codes == CAPPED).any())
    if hillshade:
        draw_relief(ax, sheet)
    else:
        _fill(ax, x, y, heights, scale, capped=capped)
    corner = corner_lines(sheet, to_scale=to_scale, smoothed=smoothed) + path_lines(sheet.whole)
    common, texts = tick_texts(scale, inner)
    if common and labels:
        corner.append(f"{LEVELS}{common} + …")
    draw_marks(ax, sheet)
    draw_paths(ax, sheet.whole, marks=marks)
    room = Room.of(ax)
    draw_corner(ax, corner, room)
    lines = None
    # Only levels that are crossed: matplotlib warns of any other.
    crossed = [level for level in inner if heights.min() < scale.forward(level) < heights.max()]
    # Through a constant surface a line would follow nothing but rounding.
    crossed = [] if sheet.constant else crossed
    if crossed:
        lines = ax.contour(
            x,
            y,
            heights,
            levels=scale.forward(crossed),
            colors="black",
            linewidths=0.4 * look().factor,
            # Heights below 0 are no different from others, but matplotlib would dash them.
            linestyles="solid",
            alpha=0.6,
            zorder=2,
            algorithm="serial",
        )
        if labels:
            written = dict(zip(inner, texts, strict=True))
            shown = {float(scale.forward(each)): written[each] for each in _labelled(inner) if each in crossed}
            # Last, since what is drawn after it could lie on a number.
            label_lines(ax, lines, shown, room)
    return lines


def _require_cells(sheet: Sheet) -> None:
    """Refuse a plane whose holes are everywhere: contours of it would be a grey square."""
    known = np.isfinite(sheet.values)
    # A cell with one hole is still drawn as a triangle.
    corners = known[:-1, :-1].astype(int) + known[:-1, 1:] + known[1:, :-1] + known[1:, 1:]
    if not (corners >= 3).any():
        raise PlotError(
            f"{sheet.whole.path or 'the surface'} has no three neighbouring points with finite values to draw "
            "contours through; a heat map shows single points: --kind heatmap"
        )


def _inner_levels(scale: Scale) -> list[float]:
    return [level for level in scale.levels if scale.cap is None or level < scale.cap]


def _labelled(levels: list[float]) -> list[float]:
    """Return every second level, powers of 10 rather than what is between them; the same ones in every panel."""
    halves = [levels[0::2], levels[1::2]]
    powers = [sum(number_text(level).lstrip("10.⁰¹²³⁴⁵⁶⁷⁸⁹⁻") == "" for level in half) for half in halves]
    return halves[int(powers[1] > powers[0])]


def _fill(ax: Axes, x: Floats, y: Floats, heights: Floats, scale: Scale, *, capped: bool) -> None:
    """Fill contours in steps too small to see; above the cap nothing is drawn.

    In steps of the iso-lines themselves, a network that is calm beside a wild one would be one flat colour.
    """
    bottom, top = scale.forward([scale.low, scale.high])
    edges = np.linspace(bottom, top, STEPS + 1)
    colors = scale.colors(scale.inverse((edges[:-1] + edges[1:]) / 2))
    filled = ax.contourf(
        x,
        y,
        heights,
        # Both ends are open: with `extend="max"` alone there is a white hole at the minimum, of all places.
        levels=edges if capped else edges[1:-1],
        colors=[colors[0], *colors] if capped else list(colors),
        extend="min" if capped else "both",
        zorder=1,
    )
    # Browsers and viewers of PDF show hairlines between neighbours that do not overlap by a pixel.
    filled.set(edgecolor="face", linewidth=0.8)
    # As vectors, a fine rough surface is 17 MB of SVG.
    filled.set_rasterized(heights.size > VECTORS)


def _draw_holes(ax: Axes, sheet: Sheet) -> None:
    """Paint the cells that touch a point without a value, so that nothing is drawn across it."""
    cells = hole_cells(sheet.codes)
    if (cells != OK).any():
        ax.pcolormesh(sheet.x, sheet.y, hole_colors(cells), zorder=0.8, linewidth=0, rasterized=cells.size > VECTORS)


register("contour", Renderer(partial(draw_planes, PlaneKind("contour", draw_contours, lined=True)), lines=False))
