"""Heat maps of a plane: one cell a point, coloured by its value, nothing in between."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from landscape.surface.grid import Floats

from ..figures import Given, Renderer, draw, opened, register
from ..paths.path_words import path_lines
from ..paths.trajectories import draw_paths
from ..scale.scale import OK, Scale
from ..style.colorbars import draw_colorbar_beside
from ..style.placement import Room
from ..style.style import Look, our_style
from .corner_notes import corner_lines, draw_corner
from .marks import VECTORS, Sheet, draw_frame, draw_ground, draw_marks, hole_colors
from .plane_figures import PlaneKind, draw_planes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def heatmap(
    surface: Given,
    name: str | None = None,
    ax: Axes | None = None,
    *,
    scale: Scale | None = None,
    equal: bool = True,
    colorbar: bool = True,
    marks: Sequence[int] = (),
) -> Axes:
    """Draw a plane as cells around its points: the picture that shows exactly what was measured.

    Parameters
    ----------
    surface, name, ax, scale, equal, colorbar, marks
        As of `landscape.plot.contour`.

    Returns
    -------
    Axes

    Raises
    ------
    PlotError
        Not a plane, no such values, or none that is finite.
    """
    if ax is None:
        found = draw(
            surface, kind="heatmap", name=name, scale=scale or "auto", shown=True, equal=equal, marks=marks
        )  # fmt: skip
        return found.axes[0]
    with our_style(Look.of_axes(ax)):
        sheet = Sheet.of(opened(surface), name, scale)
        if colorbar:
            draw_colorbar_beside(ax, sheet.scale)
        draw_cells(ax, sheet, equal=equal, marks=marks)
    return ax


def draw_cells(ax: Axes, sheet: Sheet, *, equal: bool = True, marks: Sequence[int] = ()) -> None:
    """Draw everything but the colour bar."""
    x, y = cell_edges(sheet.x), cell_edges(sheet.y)
    extent = (x[0], x[-1], y[0], y[-1])
    to_scale = draw_frame(ax, sheet, extent, equal=equal)
    draw_ground(ax, sheet, extent)
    # NaN and not a mask, which a function's norm forgets. What is behind shows through: holes, hatching.
    drawn = np.where(sheet.codes == OK, sheet.values, np.nan)
    cmap = sheet.scale.cmap().with_extremes(bad=(0, 0, 0, 0))
    ax.pcolormesh(
        x, y, drawn, norm=sheet.scale.norm(), cmap=cmap, zorder=1, linewidth=0, rasterized=drawn.size > VECTORS
    )
    holes = hole_colors(sheet.codes)
    if holes.any():
        ax.pcolormesh(x, y, holes, zorder=1, linewidth=0, rasterized=drawn.size > VECTORS)
    draw_marks(ax, sheet)
    draw_paths(ax, sheet.whole, marks=marks)
    draw_corner(ax, corner_lines(sheet, to_scale=to_scale) + path_lines(sheet.whole), Room.of(ax))


def cell_edges(points: Floats) -> Floats:
    """Return the borders of the cells around points: half-way between neighbours, as far again at both ends.

    Examples
    --------
    >>> cell_edges(np.array([0.0, 1.0, 3.0]))
    array([-0.5,  0.5,  2. ,  4. ])
    """
    middles = (points[:-1] + points[1:]) / 2
    return np.concatenate([[2 * points[0] - middles[0]], middles, [2 * points[-1] - middles[-1]]])


register("heatmap", Renderer(partial(draw_planes, PlaneKind("heatmap", draw_cells, lined=False)), lines=False))
