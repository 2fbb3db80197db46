"""Heat maps of a plane: one cell a point, coloured by its value, nothing in between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from landscape.grid import Floats
from landscape.surface import Surface

from .colorbars import draw_colorbar
from .contours import VECTORS
from .marks import Sheet, corner_lines, draw_corner, draw_frame, draw_ground, draw_marks, hole_colors
from .path_words import path_lines
from .scale import OK, Scale
from .style import our_style
from .trajectories import draw_paths

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def heatmap(
    surface: Surface,
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
    surface : Surface
        A plane. One that is not finished is drawn as its finest complete grid, and says so.
    name : str, optional
        The values, such as ``"test/loss"``; the training loss where there is one.
    ax : Axes, optional
        Where to draw. Without it, a figure with title, colour bar and caption is made.
    scale : Scale, optional
        Shared with other pictures; by default what suits these values.
    equal : bool
        Draw both axes to the same scale.
    colorbar : bool
        Draw a colour bar beside ``ax``.
    marks : sequence of int
        Steps of the surface's runs to mark on their paths, beside those where the learning rate fell.

    Returns
    -------
    Axes

    Raises
    ------
    PlotError
        Not a plane, no such values, or none that is finite.
    """
    if ax is None:
        from .figures import draw_panels

        figure = draw_panels([surface], kind="heatmap", name=name, scale=scale, shown=True, equal=equal, marks=marks)
        return figure.axes[0]
    with our_style():
        sheet = Sheet.of(surface, name, scale)
        draw_cells(ax, sheet, equal=equal, marks=marks)
        if colorbar:
            draw_colorbar(ax.get_figure(root=True), sheet.scale, ax=ax)  # type: ignore[arg-type]
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
    draw_corner(ax, corner_lines(sheet, to_scale=to_scale) + path_lines(sheet.whole))


def cell_edges(points: Floats) -> Floats:
    """Return the borders of the cells around points: half-way between neighbours, as far again at both ends.

    Examples
    --------
    >>> cell_edges(np.array([0.0, 1.0, 3.0]))
    array([-0.5,  0.5,  2. ,  4. ])
    """
    middles = (points[:-1] + points[1:]) / 2
    return np.concatenate([[2 * points[0] - middles[0]], middles, [2 * points[-1] - middles[-1]]])
