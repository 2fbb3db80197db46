"""The convexity map: how negative the least eigenvalue is beside the greatest, at each point of a plane.

In the colours and the range of Li et al.'s map [1]_: 0 is dark and convex as far as eigenvalues tell, 0.5 and more is
bright. Cells whose residuals leave the ratio open are hatched; contours of the loss lie over them.

References
----------
.. [1] Li et al., "Visualizing the Loss Landscape of Neural Nets", NeurIPS 2018, section 6.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import ListedColormap

from landscape.surface.surface import Surface

from ..figures import Given, Renderer, draw, opened, register
from ..planes.heatmaps import cell_edges, draw_cells
from ..planes.marks import Sheet
from ..planes.plane_figures import PlaneKind, draw_planes
from ..scale.convexity_ratio import OPEN, ratio_of, ratio_scale, ratio_words
from ..scale.scale import Scale, default_name
from ..style.colorbars import draw_colorbar_beside
from ..style.layout import Plan
from ..style.style import INK, Look, our_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RATIO = "convexity"


def convexity(
    surface: Given, name: str | None = None, ax: Axes | None = None, *, contours: bool = True, colorbar: bool = True
) -> Axes:
    """Draw the ratio of both ends of the spectrum at each point of a plane.

    Parameters
    ----------
    surface : Surface, str or Path
        A plane, or the name of its file, measured with ``--curvature``.
    name : str, optional
        ``"DATA/convexity"``; the training data's where there are several.
    ax : Axes, optional
        Where to draw. Without it, a figure with title, colour bar and caption is made.
    contours : bool
        Draw contours of the loss over it.
    colorbar : bool
        Draw a colour bar beside ``ax``.

    Returns
    -------
    Axes

    Raises
    ------
    PlotError
        Not a plane, or one without eigenvalues.
    """
    if ax is None:
        return draw(surface, kind="convexity", name=name, shown=True, contours=contours).axes[0]
    found = _with_ratio(opened(surface), name)
    with our_style(Look.of_axes(ax)):
        sheet = Sheet.of(found, _name_of(found), ratio_scale())
        if colorbar:
            draw_colorbar_beside(ax, sheet.scale)
        _draw_ratio(ax, sheet, contours=contours)
    return ax


def _with_ratio(surface: Surface, name: str | None) -> Surface:
    data = (name or default_name(surface)).rpartition("/")[0]
    ratio, open_by = ratio_of(surface, data)
    return replace(surface, values={**surface.values, f"{data}/{RATIO}": ratio, f"{data}/{RATIO}_open": open_by})


def _name_of(surface: Surface) -> str:
    return next(each for each in surface.values if each.endswith(f"/{RATIO}"))


def _draw_ratio(ax: Axes, sheet: Sheet, *, contours: bool = True, marks: Sequence[int] = ()) -> None:
    draw_cells(ax, sheet, marks=marks)
    data = sheet.name.rpartition("/")[0]
    open_by = sheet.surface[f"{data}/{RATIO}_open"]
    if (unsure := open_by > OPEN).any():
        ax.pcolor(
            cell_edges(sheet.x),
            cell_edges(sheet.y),
            np.ma.masked_where(~unsure, np.ones_like(open_by)),
            # A veil, so that dark lines are seen on all colours; an alpha of the whole would hide the lines, too.
            cmap=ListedColormap([(1.0, 1.0, 1.0, 0.4)]),
            hatch="////",
            edgecolor=INK,
            linewidth=0,
            zorder=1.5,
        )
    loss = f"{data}/loss"
    if contours and loss in sheet.surface.values:
        values = sheet.surface[loss]
        scale = Scale.of(sheet.surface, loss)
        levels = [each for each in scale.levels if np.nanmin(values) < each < np.nanmax(values)]
        if levels:
            ax.contour(sheet.x, sheet.y, values, levels=levels, colors="white", linewidths=0.5, alpha=0.7, zorder=1.8)


def _notes(surfaces: Sequence[Surface]) -> list[str]:
    notes = ["Ratio of both ends of the Hessian's spectrum, of the tensors that random directions move"]
    notes += [ratio_words(surface, _name_of(surface).rpartition("/")[0]) for surface in surfaces]
    if any("hatched" in note for note in notes):
        notes.append("Hatched cells are paler than their colour on the bar")
    return [note for note in notes if note]


def _draw_figure(
    surfaces: Sequence[Surface], names: Sequence[str] | None, plan: Plan, options: dict[str, Any]
) -> Figure:
    name = names[0] if names else None
    found = [_with_ratio(each, name) for each in surfaces]
    plan = replace(plan, scale=ratio_scale(), notes=tuple(_notes([each.finished_part() for each in found])))
    return draw_planes(_KIND, found, [_name_of(found[0])], plan, options)


_KIND = PlaneKind("convexity", _draw_ratio, lined=False)
register("convexity", Renderer(_draw_figure, lines=False))
