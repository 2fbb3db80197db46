"""Decision regions around one example: which class the network says where, and how far from the boundary it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from landscape.errors import PlotError
from landscape.surface.grid import Floats
from landscape.surface.surface import Surface

from ..figures import Given, Renderer, draw, opened, register
from ..scale.scale import Scale
from ..style.colorbars import draw_colorbar_beside
from ..style.layout import Plan
from ..style.style import INK, Look, look, our_style
from .clip_border import draw_clip_border
from .heatmaps import draw_cells
from .marks import Sheet
from .plane_figures import PlaneKind, draw_planes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CLASS, MARGIN = "predicted_class", "margin"
# Colours that are told apart, by how many classes there are.
_COLOURS = {10: "tab10", 20: "tab20"}


def regions(
    surface: Given, name: str | None = None, ax: Axes | None = None, *, margins: bool = True, colorbar: bool = True
) -> Axes:
    """Draw the class that a network says at each point of a plane through one example.

    Parameters
    ----------
    surface : Surface, str or Path
        A plane, or the name of its file, measured over the input around one sample.
    name : str, optional
        ``"DATA/predicted_class"``, which need not be given.
    ax : Axes, optional
        Where to draw. Without it, a figure with title, colour bar and caption is made.
    margins : bool
        Draw lines of equal margin, the boundary of the right class thick.
    colorbar : bool
        Draw the classes' colours beside ``ax``.

    Returns
    -------
    Axes

    Raises
    ------
    PlotError
        Not a plane over the input around one sample, or more classes than colours.
    """
    if ax is None:
        return draw(surface, kind="regions", name=name, shown=True, margins=margins).axes[0]
    found = opened(surface)
    own = _name_of(found, name)
    with our_style(Look.of_axes(ax)):
        sheet = Sheet.of(found, own, _class_scale([found], own))
        if colorbar:
            draw_colorbar_beside(ax, sheet.scale)
        _draw_regions(ax, sheet, margins=margins)
        draw_clip_border(ax, sheet)
    return ax


def _name_of(surface: Surface, name: str | None) -> str:
    own = name or next((each for each in surface.values if each.endswith(f"/{CLASS}")), None)
    if own is None or not own.endswith(f"/{CLASS}") or own not in surface.values:
        raise PlotError(
            f"{surface.path or 'the surface'} has no {CLASS}: decision regions are of one example, 'landscape evaluate "
            "--space input --sample K'"
        )
    return own


def _class_scale(surfaces: Sequence[Surface], name: str) -> Scale:
    values = np.concatenate([each[name].ravel() for each in surfaces])
    most = int(np.nanmax(np.where(np.isfinite(values), values, np.nan), initial=0)) + 1
    number = next((each for each in _COLOURS if most <= each), None)
    if number is None:
        raise PlotError(f"there are at least {most} classes; more than {max(_COLOURS)} colours are not told apart")
    ticks = tuple(float(each) for each in range(most))
    return Scale("linear", 0.0, -0.5, number - 0.5, None, _COLOURS[number], "class that the network says", (), ticks)


def _draw_regions(ax: Axes, sheet: Sheet, *, margins: bool = True, marks: Sequence[int] = ()) -> None:
    draw_cells(ax, sheet, marks=marks)
    data = sheet.name.rpartition("/")[0]
    margin = sheet.surface.values.get(f"{data}/{MARGIN}")
    if margins and margin is not None:
        _lines(
            ax, sheet, margin, _margin_levels(margin), colors="white", linewidths=0.5 * look().factor, linestyles="-"
        )
        _lines(ax, sheet, margin, [0.0], colors=INK, linewidths=1.3 * look().factor)


def _lines(ax: Axes, sheet: Sheet, values: Floats, levels: Sequence[float], **style: Any) -> None:
    inside = [each for each in levels if np.nanmin(values) < each < np.nanmax(values)]
    if inside:
        ax.contour(sheet.x, sheet.y, values, levels=inside, zorder=1.8, **style)


def _margin_levels(margin: Floats) -> list[float]:
    """Return some round margins on both sides of 0, which is not one of them."""
    from matplotlib.ticker import MaxNLocator

    finite = margin[np.isfinite(margin)]
    if not finite.size:
        return []
    levels = MaxNLocator(8).tick_values(float(finite.min()), float(finite.max()))
    return [float(each) for each in levels if each != 0]


def _notes(surfaces: Sequence[Surface], name: str) -> tuple[str, ...]:
    data = name.rpartition("/")[0]
    notes = []
    if any(f"{data}/{MARGIN}" in each.values for each in surfaces):
        notes.append("Black: margin 0, beyond which the answer is wrong; white: equal margins")
    return tuple(notes)


def _draw_figure(
    surfaces: Sequence[Surface], names: Sequence[str] | None, plan: Plan, options: dict[str, Any]
) -> Figure:
    own = _name_of(surfaces[0], names[0] if names else None)
    parts = [each.finished_part() for each in surfaces]
    plan = replace(plan, scale=_class_scale(parts, own), notes=_notes(parts, own))
    return draw_planes(_KIND, list(surfaces), [own], plan, options)


_KIND = PlaneKind("regions", _draw_regions, lined=False)
register("regions", Renderer(_draw_figure, lines=False))
